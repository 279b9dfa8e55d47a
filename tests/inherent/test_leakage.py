"""The effect of Yagis et al. 2021, reproduced: what can be learned of labels that mean nothing."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from voxplain.inherent.data import Sample, Samples, split_samples

SEEDS = range(6)


def slices_of_strangers(seed, patients=60, each=10, edge=10):
    """Slices that look like their patient (correlation 0.8), who was labelled by a coin."""
    rng = np.random.default_rng(seed)
    coins = rng.permutation(np.arange(patients) % 2)
    items = []
    for patient in range(patients):
        own = rng.normal(size=(1, edge, edge))
        for number in range(each):
            image = own + 0.5 * rng.normal(size=own.shape)
            items.append(Sample(f"{patient}-{number}", image, int(coins[patient]), f"p{patient}"))
    return Samples(tuple(items), ("heads", "tails"))


def accuracy(samples, split, classifier):
    def pixels(part):
        return np.stack([samples[i].image.ravel() for i in part]), [samples[i].label for i in part]

    return classifier.fit(*pixels(split.train)).score(*pixels(split.test))


@pytest.mark.parametrize("kind", ["nearest neighbour", "logistic regression"])
def test_labels_drawn_at_random_are_learned_from_slices_but_not_from_patients(kind):
    def classifier():
        return (
            KNeighborsClassifier(1)
            if kind == "nearest neighbour"
            else LogisticRegression(C=1.0, max_iter=500)
        )

    grouped, slices = [], []
    for seed in SEEDS:
        samples = slices_of_strangers(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torn = split_samples(samples, seed=seed, grouped=False)
        grouped.append(accuracy(samples, split_samples(samples, seed=seed), classifier()))
        slices.append(accuracy(samples, torn, classifier()))
    # nine test patients per draw: the mean of six draws has a standard error of at most 0.07
    assert abs(np.mean(grouped) - 0.5) < 0.2
    assert np.mean(slices) > 0.85 and min(slices) - max(grouped) > -0.2
    assert np.mean(slices) - np.mean(grouped) > 0.25

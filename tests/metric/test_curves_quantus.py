"""The same numbers as Quantus on pictures and classifiers, where its protocol is right."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import classifier, random_case
from quantus_peer import quantus
from torch import nn

from voxplain.attribution.regions import supervoxels
from voxplain.engine import Problem
from voxplain.metric import metric
from voxplain.metric.candidate import Candidate
from voxplain.model import Model
from voxplain.target import ClassScore

SHAPE = (12, 12)
QUIET = {"disable_warnings": True, "abs": False, "normalise": False, "return_aggregate": False}


class Setup:
    """A classifier of pictures, its predicted class, and a random map."""

    def __init__(self, output: str = "logits") -> None:
        net = classifier(2)
        self.net = (net if output == "logits" else nn.Sequential(net, nn.Softmax(1))).eval()
        self.problem = Problem(Model(net, spatial_dims=2), random_case(SHAPE), ClassScore(None))
        self.map = np.random.default_rng(7).normal(size=(1, *SHAPE)).astype(np.float32)

    def ours(self, name, **parameters):
        one = metric(name, on="probability", **parameters)
        some = Candidate("map", lambda _: torch.from_numpy(self.map), frozenset([0]), "share")
        return one.compute(self.problem, [some])[0, 0]

    def theirs(self, metric_class, **parameters):
        """Quantus asks for softmax probabilities by default, as its papers do."""
        made = getattr(quantus("metrics"), metric_class)(**QUIET, **parameters)
        return made(
            model=self.net,
            x_batch=self.problem.image[None].numpy(),
            y_batch=np.array([self.problem.targets[0].class_index]),
            a_batch=self.map[None],
            device="cpu",
            softmax=True,
        )[0]

    def probability(self, image):
        with torch.no_grad():
            return float(self.net(image[None]).softmax(1)[0, self.problem.targets[0].class_index])

    def scores(self, curve, removed):
        """A normalised curve back in probabilities."""
        clean, none = self.probability(self.problem.image), self.probability(removed)
        return np.array(curve) * abs(clean - none) + none


def test_pixel_flipping():
    """Quantus reads the curve after 12, 24 … voxels, without the clean end."""
    s = Setup()
    theirs = s.theirs("PixelFlipping", features_in_step=12, perturb_baseline=0.3)
    ours = s.ours("pixel_flipping", steps=12, baseline=0.3)
    found = s.scores(ours.curve, torch.full_like(s.problem.image, 0.3))
    np.testing.assert_allclose(found[1:], theirs, rtol=2e-5)


@pytest.mark.parametrize("order", ["morf", "lerf"])
def test_region_perturbation(order):
    s = Setup()
    theirs = s.theirs(
        "RegionPerturbation", patch_size=3, regions_evaluation=16, perturb_baseline=0.3, order=order
    )
    ours = s.ours("region_perturbation", size=3, steps=16, baseline=0.3, order=order)
    found = s.scores(ours.curve, torch.full_like(s.problem.image, 0.3))
    np.testing.assert_allclose(found[0] - found[1:], theirs, atol=2e-6)


def test_irof_on_the_same_superpixels(monkeypatch):
    """Quantus divides by the clean score and starts after the first superpixel."""
    s = Setup()
    parts = supervoxels(s.problem, 12)
    labels = np.zeros(SHAPE, int)
    for k, part in enumerate(parts):
        labels[part.bounds][part.crop(part.bounds).numpy()] = k
    monkeypatch.setattr(
        quantus("metrics.faithfulness.irof").utils, "get_superpixel_segments", lambda **_: labels
    )
    monkeypatch.setattr(
        np, "trapz", np.trapezoid, raising=False
    )  # gone in NumPy 2, but Quantus 0.6.0 calls it
    theirs = s.theirs("IROF", perturb_baseline=0.3)
    ours = s.ours("irof", supervoxels=12, steps=len(parts), baseline=0.3)
    found = s.scores(ours.curve, torch.full_like(s.problem.image, 0.3))
    kept = found[1:] / found[0]
    assert theirs == pytest.approx(len(parts) - np.trapezoid(kept), rel=1e-5)


def test_faithfulness_estimate():
    s = Setup()
    theirs = s.theirs("FaithfulnessEstimate", features_in_step=12, perturb_baseline=0.3)
    ours = s.ours("faithfulness_estimate", steps=12, baseline=0.3)
    assert ours.value == pytest.approx(float(theirs), rel=1e-4)


@pytest.mark.parametrize("rising", [True, False])
def test_monotonicity_is_the_published_one_on_a_positive_map(rising):
    """Arya's rule written out: features come back from the least to the most relevant, and no step lowers the score.

    Quantus 0.6.0 says yes either way: it replaces voxels of the empty image by the baseline that they already are.
    """
    s = Setup()
    sign = 1.0 if rising else -1.0

    class Brightness(nn.Module):
        def forward(self, x):
            total = sign * x.flatten(1).sum(1, keepdim=True) / 100
            return torch.cat([total, -total], 1)

    case = random_case(SHAPE)
    case.image[:] = np.abs(case.image)
    s.net = Brightness().eval()
    s.problem = Problem(Model(s.net, spatial_dims=2, task="classification"), case, ClassScore(0))
    s.map = np.abs(s.map)
    image, scores = torch.zeros(144), []
    for voxel in [None, *np.argsort(s.map.ravel())]:
        if voxel is not None:
            image[voxel] = s.problem.image.flatten()[voxel]
        scores.append(s.probability(image.reshape(1, *SHAPE)))
    assert (
        s.ours("monotonicity", steps=144, baseline=0.0).value == np.mean(np.diff(scores) > 0) == float(rising)
    )
    assert s.theirs("Monotonicity", features_in_step=12, perturb_baseline=0.0)

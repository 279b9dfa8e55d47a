"""Augmentation is a function of seed, epoch and sample, and stays within what was told."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from voxplain.inherent.data import Augment, AugmentSettings
from voxplain.inherent.data.augment import NONE


def image(dims=2, seed=0):
    return torch.rand(2, *[12] * dims, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("dims", [2, 3])
def test_the_same_seed_epoch_and_sample_give_the_same_bits_in_any_order(dims):
    one, other = Augment(AugmentSettings(), 7), Augment(AugmentSettings(), 7)
    wanted = {(e, n): one(image(dims), n, e) for e in range(3) for n in "abc"}
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002 (the state that others may have set)
    for key in reversed(list(wanted)):
        assert torch.equal(other(image(dims), key[1], key[0]), wanted[key])
    # one in about twelve is left as it is
    assert len({w.numpy().tobytes() for w in wanted.values()}) >= 7
    assert not torch.equal(Augment(AugmentSettings(), 8)(image(dims), "a", 0), wanted[0, "a"])


def test_the_image_itself_is_not_changed():
    change, source = Augment(NONE.model_copy(update={"shift": 0.1, "intensity_chance": 1.0}), 0), image()
    before = source.clone()
    for epoch in range(20):
        out = change(source, "a", epoch)
        assert torch.equal(source, before) and out.data_ptr() != source.data_ptr()


def test_nobodys_random_state_is_touched():
    torch.manual_seed(3)
    legacy = np.random.get_state
    before = torch.random.get_rng_state(), legacy()[1].copy()
    Augment(AugmentSettings(), 0)(image(), "a", 0)
    assert torch.equal(torch.random.get_rng_state(), before[0]) and (legacy()[1] == before[1]).all()


def test_flips_alone_are_flips_and_happen_half_of_the_time():
    flips = Augment(NONE.model_copy(update={"flip": None}), 0)
    source = image()
    wanted = [source, source.flip(1), source.flip(2), source.flip(1, 2)]
    counts = np.zeros(4)
    for epoch in range(400):
        found = [torch.equal(flips(source, "a", epoch), w) for w in wanted]
        counts += found
    assert counts.sum() == 400
    assert np.abs(counts - 100).max() < 5 * np.sqrt(400 * 0.25 * 0.75)
    only = Augment(NONE.model_copy(update={"flip": (0,)}), 0)
    assert all(
        torch.equal(only(source, "a", e), source) or torch.equal(only(source, "a", e), source.flip(1))
        for e in range(9)
    )


@pytest.mark.parametrize(
    ("told", "least", "most"),
    [({"contrast": 0.2}, 0.8, 1.2), ({"shift": 0.5}, 1.0, 1.0)],
)
def test_changes_of_values_stay_within_their_bounds(told, least, most):
    change = Augment(NONE.model_copy(update={**told, "intensity_chance": 1.0}), 0)
    source = image()
    for epoch in range(50):
        out = change(source, "a", epoch)
        slope = float((out - out.mean()).norm() / (source - source.mean()).norm())
        assert least - 1e-5 <= slope <= most + 1e-5
        if "shift" in told:
            assert float((out - source).abs().max()) <= 0.5 * float(source.std()) * 1.01
    assert not torch.equal(out, source)


def test_noise_has_the_told_strength():
    change = Augment(NONE.model_copy(update={"noise": 0.1, "intensity_chance": 1.0}), 0)
    source = torch.zeros(1, 64, 64)
    strengths = [float(change(source, "a", e).std()) for e in range(200)]
    # MONAI draws the standard deviation uniformly up to the told one
    assert max(strengths) < 0.11 and abs(np.mean(strengths) - 0.05) < 0.01


def test_a_turn_is_at_most_the_told_one():
    change = Augment(NONE.model_copy(update={"rotate": 20.0, "spatial_chance": 1.0}), 0)
    line = torch.zeros(1, 65, 65)
    line[0, 32, 8:57] = 1
    angles = []
    for epoch in range(60):
        rows, columns = np.nonzero(change(line, "a", epoch)[0].numpy() > 0.3)
        angles.append(
            np.degrees(np.arctan2(*(np.linalg.svd(np.stack([rows, columns]).T - [32, 32])[2][0])[[0, 1]]))
        )
    angles = np.abs((np.array(angles) + 90) % 180 - 90)
    assert 15 < angles.max() < 21


def test_nothing_to_change_changes_nothing():
    assert torch.equal(Augment(NONE, 0)(image(), "a", 0), image())

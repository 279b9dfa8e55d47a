"""Feature ablation equals Captum's, and brute force over windows; features may mix channels."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from brute import LAYOUTS, SCORES, Brute
from captum.attr import FeatureAblation as CaptumAblation
from networks import random_case, smooth_segmenter
from peers import SETUPS, build

from voxplain.attribution import Occlusion, method
from voxplain.engine import Problem
from voxplain.errors import InputError
from voxplain.model import Model, Windows
from voxplain.target import AllClasses, Voxel

pytestmark = pytest.mark.filterwarnings("ignore:Input Tensor 0 did not")


def ablation(**parameters):
    return method("feature_ablation", **parameters)


def captums(problem, scores, mask, baseline):
    """(T, C, *S); every element holds its group's loss."""
    rows = [
        CaptumAblation(scores).attribute(
            problem.image[None], baselines=baseline, target=t, feature_mask=mask[None]
        )[0]
        for t in problem.present
    ]
    return torch.stack(rows).detach().double()


def cube_labels(shape, channels, size):
    """One label per cube and channel: channel-major, cubes in image order."""
    counts = [-(-n // size) for n in shape]
    one = torch.arange(int(np.prod(counts))).reshape(counts)
    for axis, n in enumerate(shape):
        one = one.repeat_interleave(size, axis).narrow(axis, 0, n)
    return torch.stack([one + c * int(np.prod(counts)) for c in range(channels)])


@pytest.mark.parametrize("setup", SETUPS)
def test_parts_of_single_channels_are_captums(setup):
    problem, scores = build(setup)
    labels = cube_labels(problem.spatial_shape, setup[2], 4)
    found = ablation(size=4, baseline=0.3, paint="effect").attribute(problem)
    truth = captums(problem, scores, labels, 0.3)
    assert found.region_values.shape == (3, int(labels.max()) + 1)
    for t in range(3):
        torch.testing.assert_close(found.values(t), truth[t], rtol=1e-5, atol=1e-7)
        for k in range(int(labels.max()) + 1):
            assert float(found.region_values[t, k]) == pytest.approx(
                float(truth[t][labels == k][0]), rel=1e-4, abs=1e-7
            )


@pytest.mark.parametrize("setup", SETUPS)
def test_groups_over_channels_are_captums(setup):
    """Labels scattered over both channels: a group is other voxels in every channel."""
    problem, scores = build(setup)
    labels = np.random.default_rng(0).integers(1, 6, problem.image.shape)
    found = ablation(regions=labels, baseline=-0.2, paint="effect").attribute(problem)
    truth = captums(problem, scores, torch.from_numpy(labels), -0.2)
    density = ablation(regions=labels, baseline=-0.2).attribute(problem)
    for t in range(3):
        torch.testing.assert_close(found.values(t), truth[t], rtol=1e-5, atol=1e-7)
        # spread evenly over its intensities, a group's density sums to its effect
        for k in range(5):
            own = density.values(t)[torch.from_numpy(labels == k + 1)]
            assert float(own.sum()) == pytest.approx(float(found.region_values[t, k]), rel=1e-9)


@pytest.mark.parametrize("setup", SETUPS)
def test_whole_channels_are_captums(setup):
    problem, scores = build(setup)
    channel = torch.arange(setup[2]).reshape(-1, *(1,) * setup[0]).expand_as(problem.image)
    found = ablation(channels="whole", baseline=0.1, paint="effect").attribute(problem)
    truth = captums(problem, scores, channel, 0.1)
    assert found.region_values.shape == (3, setup[2])
    for t in range(3):
        torch.testing.assert_close(found.values(t), truth[t], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("setup", SETUPS)
def test_all_channels_together_are_occlusion(setup):
    problem, _ = build(setup, smooth=1.5)
    for parts in ({"size": 4}, {"supervoxels": 8}):
        together = ablation(channels="together", baseline="mean", **parts).attribute(problem)
        occlusion = Occlusion(baseline="mean", **parts).attribute(problem)
        torch.testing.assert_close(together.region_values, occlusion.region_values, rtol=1e-12, atol=1e-14)
        for t, c in product(range(3), range(setup[2])):
            # the same loss, spread over the intensities of all channels
            torch.testing.assert_close(
                together.values(t)[c] * setup[2], occlusion.values(t)[0], rtol=1e-12, atol=1e-14
            )


@pytest.mark.parametrize("kind", SCORES)
@pytest.mark.parametrize(("shape", "windows"), LAYOUTS)
def test_ablation_over_windows_equals_brute_force(shape, windows, kind):
    brute = Brute(shape, windows, kind)
    labels = np.random.default_rng(1).integers(0, 4, (2, *shape))
    labels[1][labels[1] == 3] = 0  # group 3 is in the first channel only; 0 is nobody's
    found = ablation(regions=labels, baseline="mean").attribute(brute.problem)
    image = brute.problem.image
    mean = image.flatten(1).mean(1).reshape(-1, *(1,) * len(shape)).expand_as(image)
    for k in range(3):
        changed = torch.where(torch.from_numpy(labels == k + 1), mean, image)
        lost = brute.scores(image) - brute.scores(changed)
        torch.testing.assert_close(found.region_values[:, k], lost, rtol=1e-9, atol=1e-12)
    for t in range(3):
        assert not found.values(t)[torch.from_numpy(labels == 0)].any()
        assert found.answers[t].score == pytest.approx(float(brute.scores(image)[t]), rel=1e-9)


def test_only_windows_that_a_feature_touches_are_run():
    """16 rows in windows of 8 side by side; the voxel's window alone: 1 clean, and its 2 cubes × 2 channels."""
    problem = Problem(
        Model(smooth_segmenter(2, channels=2), windows=Windows(roi=8, overlap=0.0)),
        random_case((16, 8), 2),
        Voxel(index=(1, 1), class_name=1),
    )
    chosen = ablation(size=(4, 8), baseline=0)
    assert chosen.cost(problem).forward == 5
    found = chosen.attribute(problem)
    assert (found.passes.forward, found.passes.backward) == (5, 0)
    assert found.region_values.shape == (1, 8)
    assert not found.region_values[0, [2, 3, 6, 7]].any(), "the score cannot see these"


def test_a_group_may_lie_in_other_windows_in_every_channel():
    """Channel 0 in the upper window, channel 1 in the lower one: both windows run again, 2 clean + 2 passes."""
    model = Model(smooth_segmenter(2, channels=2).double(), windows=Windows(roi=8, overlap=0.0))
    problem = Problem(model, random_case((16, 8), 2), AllClasses(background=True), dtype=torch.float64)
    assert all(len(t) == 3 for t in problem.plan.touching)
    labels = np.zeros((2, 16, 8), dtype=int)
    labels[0, 1:4, 2:5] = labels[1, 10:15, 1:3] = 1
    chosen = ablation(regions=labels, baseline=0.5)
    assert chosen.cost(problem).forward == 4
    found = chosen.attribute(problem)
    changed = torch.where(torch.from_numpy(labels == 1), 0.5, problem.image)
    lost = problem.clean_scores() - problem.scores([changed])[0]
    torch.testing.assert_close(found.region_values[:, 0], lost)
    assert found.regions[0].count == 9 + 10 and found.regions[0].elements == 19


def test_a_canvas_makes_any_box_of_the_padded_image():
    """(5, 6) padded to (8, 9): boxes that begin before, inside and behind the image."""
    for windows in (Windows(roi=(8, 9), padding_value=-1.0), Windows(roi=(8, 9), padding="reflect")):
        problem = Problem(Model(smooth_segmenter(2), windows=windows), random_case((5, 6)), AllClasses())
        other = problem.image + 3
        truth = problem.pad(other)
        for a, b in ((0, 8), (1, 4), (2, 7), (3, 8), (7, 8)):
            where = (slice(a, b), slice(b // 2, 9))
            made = problem.canvas().box(where, lambda box, other=other: other[(slice(None), *box)])
            assert torch.equal(made, truth[(slice(None), *where)])


@pytest.mark.parametrize(
    "parameters",
    [
        {"channels": "some"},
        {"size": 0},
        {"supervoxels": 1},
        {"regions": np.zeros((2, 9, 12), dtype=int)},
        {"regions": np.ones((3, 9, 12), dtype=int)},
        {"regions": np.zeros((9, 12), dtype=int)},
        {"size": (3, 3, 3)},
        {"paint": "colour"},
    ],
    ids=str,
)
def test_impossible_features_are_refused(parameters):
    problem, _ = build((2, "segmentation", 2))
    with pytest.raises(InputError, match=r"^feature_ablation: "):
        ablation(**parameters).attribute(problem)

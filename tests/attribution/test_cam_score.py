"""Score-CAM against whole masked images through MONAI's sliding-window inference."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cam_truth import LAYOUTS, MODE, SCORES, agree, classification, differ, segmentation
from networks import InstanceNormSegmenter, random_case
from stitched import stitched
from torch.nn import functional as F

from voxplain.attribution import method
from voxplain.attribution.baseline import parse_baseline
from voxplain.attribution.cam.score import ScoreCam
from voxplain.engine import Problem
from voxplain.errors import InputError
from voxplain.model import Model, Windows
from voxplain.target import AllClasses, Voxel


def feature_maps(slow, windows):
    """(F, *S): what MONAI stitches from a network that answers with its layer, interpolated to the window."""

    def answer(x):
        kept = []
        handle = slow.net.get_submodule(slow.layer).register_forward_hook(lambda m, i, o: kept.append(o))
        slow.net(x)
        handle.remove()
        size = tuple(x.shape[2:])
        if tuple(kept[0].shape[2:]) == size:
            return kept[0]
        return F.interpolate(kept[0], size=size, mode=MODE[len(size)], align_corners=False)

    return stitched(answer, slow.image, windows)


@torch.no_grad()
def increases(slow, windows, baseline):
    """(F, T): F(b + M_k (x − b)) − F(b) with the brute force of whole images."""
    start = slow.scores(stitched(slow.net, baseline, windows))
    found = []
    for feature in feature_maps(slow, windows):
        mask = (feature - feature.min()) / (feature.max() - feature.min())
        seen = baseline + mask * (slow.image - baseline)
        found.append(slow.scores(stitched(slow.net, seen, windows)) - start)
    return torch.stack(found).numpy()


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_segmentation_over_windows(layout, score):
    # a padding below all activations must not stretch the masks
    layer = "down.2" if layout == "3d-padded" else "down.1"
    problem, slow = segmentation(layout, layer, score)
    windows = LAYOUTS[layout][1]
    baseline = parse_baseline(None, problem)(problem)
    truth = increases(slow, windows, baseline)
    for relu in (True, False):
        found = method("score_cam", layer=layer, relu=relu).attribute(problem)
        agree(found, problem, lambda t, relu=relu: slow.combined(truth[:, t], t, relu))
    assert [a.score for a in found.answers] == pytest.approx(slow.value.tolist(), rel=1e-9)
    softmax = np.exp(truth) / np.exp(truth).sum(0)
    found = method("score_cam", layer=layer, weights="softmax", relu=False).attribute(problem)
    agree(found, problem, lambda t: slow.combined(softmax[:, t], t, False))
    assert differ([torch.from_numpy(truth[:, t]) for t in problem.present])


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("dims", [2, 3])
def test_classification_with_a_given_baseline(dims, score):
    problem, slow = classification(dims, "3", score)
    baseline = torch.full_like(problem.image, 0.3)
    truth = increases(slow, Windows(), baseline)
    found = method("score_cam", layer="3", baseline=0.3, relu=False).attribute(problem)
    agree(found, problem, lambda t: slow.combined(truth[:, t], t, False))


def test_only_the_feature_maps_that_vary_most_are_tried():
    problem, slow = segmentation("2d-gaussian", "first.0")
    truth = increases(slow, LAYOUTS["2d-gaussian"][1], parse_baseline(None, problem)(problem))
    places = np.concatenate([a.reshape(len(a), -1) for a in slow.activations], axis=1)
    (least,) = np.argsort(places.var(1))[:1]
    assert least != np.argmin((places**2).mean(1)), "the energy would choose others"
    truth[least] = 0
    found = method("score_cam", layer="first.0", channels=3, relu=False).attribute(problem)
    agree(found, problem, lambda t: slow.combined(truth[:, t], t, False))
    assert "the 3 of 4 feature maps with the largest variance" in found.answers[0].note


def test_little_memory_changes_no_number():
    """Feature maps are stitched in as many sweeps as the memory asks for."""
    problem, _ = segmentation("2d-gaussian", "down.1")
    chosen = method("score_cam", layer="down.1")
    truth = chosen.attribute(problem)
    small, _ = segmentation("2d-gaussian", "down.1", memory=4 * 8 * 11 * 12 * 4)  # four maps at once
    told = chosen.cost(small)
    found = chosen.attribute(small)
    assert told.forward == found.passes.forward == chosen.cost(problem).forward + len(small.plan)
    for t in problem.present:
        torch.testing.assert_close(found.values(t), truth.values(t), rtol=0, atol=0)


def test_windows_that_no_target_touches_see_no_masks():
    shape, windows = (16, 8), Windows(roi=(6, 8), overlap=0.5)
    model = Model(InstanceNormSegmenter(2), windows=windows)
    problem = Problem(model, random_case(shape), [Voxel(index=(1, 1), class_name=c) for c in (1, 2)])
    touched, everywhere = len(problem.plan.windows(problem.present)), len(problem.plan)
    assert touched < everywhere
    found = ScoreCam(layer="down.1").attribute(problem)
    # one pass counts the feature maps, one sweep stitches them; masks, baseline, image, map
    assert found.passes.forward == 1 + everywhere + touched * (6 + 1 + 1 + 1)
    assert found.passes.backward == 0


def test_softmax_saturates_on_sums_and_says_so():
    """With a score summed over a region the softmax keeps one feature map, whatever the others are worth."""
    net = InstanceNormSegmenter(3).double()
    with torch.no_grad():
        net.head.weight *= 10
    case = random_case((6, 8, 4))
    summed = Problem(Model(net), case, AllClasses(background=True, reduce="sum"), dtype=torch.float64)
    found = method("score_cam", layer="down.1", weights="softmax").attribute(summed)
    assert all("keeps one feature map alone" in a.note for a in found.answers)
    found = method("score_cam", layer="down.1").attribute(summed)
    assert not any("keeps one" in a.note for a in found.answers)
    # and on probabilities, which differ by less than one, it makes all nearly equal
    flat, slow = segmentation("3d-whole", "down.2", "probability")
    found = method("score_cam", layer="down.2", weights="softmax").attribute(flat)
    mean = slow.combined(np.full(6, 1 / 6), 0)
    for t in flat.present:
        both = torch.stack([found.values(t).flatten(), mean.flatten()])
        assert float(torch.corrcoef(both)[0, 1]) > 0.95
    assert not any("keeps one" in a.note for a in found.answers)


def test_a_constant_feature_map_shows_nothing_and_raises_nothing():
    problem, _ = classification(2, "1")
    net = torch.nn.Sequential(*problem.model.module)
    with torch.no_grad():
        net[0].weight[1] = 0
    problem = Problem(Model(net, spatial_dims=2), problem.case, AllClasses(), dtype=torch.float64)
    found = ScoreCam(layer="1", channels=None, relu=False).attribute(problem)
    three = ScoreCam(layer="1", channels=3, relu=False).attribute(problem)
    for t in problem.present:
        torch.testing.assert_close(found.values(t), three.values(t), rtol=1e-12, atol=0)


def test_impossible_parameters_are_refused():
    with pytest.raises(InputError, match="score_cam: found weights='max'"):
        ScoreCam(weights="max")
    for channels in (0, -3, 2.5, "many", True):
        with pytest.raises(InputError, match=f"score_cam: found channels={channels!r}"):
            ScoreCam(channels=channels)
    with pytest.raises(InputError, match="baseline"):
        ScoreCam(baseline="nonsense")

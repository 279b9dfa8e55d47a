"""Layer-CAM and XGrad-CAM against the papers' formulas, place by place, and against their axioms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cam_truth import LAYOUTS, SCORES, Slow, agree, classification, segmentation
from networks import random_case

from voxplain.attribution import method
from voxplain.engine import Problem
from voxplain.model import Model, Windows
from voxplain.target import AllClasses, ClassScore


def layer_cam(slow, t, relu):
    pictures = {}
    gradients = slow.gradients(t)
    for w in slow.used(t):
        a, g = slow.activations[w], gradients[w]
        coarse = np.zeros(a.shape[1:])
        for k in range(len(a)):
            for place in np.ndindex(coarse.shape):
                if g[(k, *place)] > 0:
                    coarse[place] += g[(k, *place)] * a[(k, *place)]
        pictures[w] = np.maximum(coarse, 0) if relu else coarse
    return slow.painted(pictures, weighted=False)


def xgrad_weights(slow, t):
    """Σ g A / ΣA over all places of all the target's windows."""
    gradients = slow.gradients(t)
    weights = []
    for k in range(len(slow.activations[0])):
        above = sum(float((gradients[w][k] * slow.activations[w][k]).sum()) for w in slow.used(t))
        below = sum(float(slow.activations[w][k].sum()) for w in slow.used(t))
        weights.append(above / below)
    return np.array(weights)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_segmentation_over_windows(layout, score):
    # what the rectifier leaves through is not zero everywhere where the layer has both signs
    problem, slow = segmentation(layout, "first.2", score)
    for relu in (True, False):
        agree(
            method("layer_cam", layer="first.2", relu=relu).attribute(problem),
            problem,
            lambda t, relu=relu: layer_cam(slow, t, relu),
        )
        found = method("xgrad_cam", layer="first.2", relu=relu).attribute(problem)
        agree(found, problem, lambda t, relu=relu: slow.combined(xgrad_weights(slow, t), t, relu))
        assert [a.score for a in found.answers] == pytest.approx(slow.value.tolist(), rel=1e-9)


@pytest.mark.parametrize("layout", ["2d-gaussian", "3d-gaussian"])
def test_coarse_layer_over_windows(layout):
    problem, slow = segmentation(layout, "down.2", "margin")
    agree(method("layer_cam", layer="down.2").attribute(problem), problem, lambda t: layer_cam(slow, t, True))
    agree(
        method("xgrad_cam", layer="down.2").attribute(problem),
        problem,
        lambda t: slow.combined(xgrad_weights(slow, t), t),
    )


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("dims", [2, 3])
def test_classification(dims, score):
    problem, slow = classification(dims, "3", score)
    agree(method("layer_cam", layer="3").attribute(problem), problem, lambda t: layer_cam(slow, t, True))
    agree(
        method("xgrad_cam", layer="3", relu=False).attribute(problem),
        problem,
        lambda t: slow.combined(xgrad_weights(slow, t), t, False),
    )


@pytest.mark.parametrize("dims", [2, 3])
def test_xgrad_cam_conserves_gradient_times_activation(dims):
    """The conservation axiom: Σ_p Σ_k α_k A_kp = Σ g ⊙ A, which Grad-CAM's mean gradient misses."""
    problem, slow = classification(dims, "1")  # the layer has the image's own resolution
    found, mean = (
        method(name, layer="1", relu=False).attribute(problem) for name in ("xgrad_cam", "grad_cam")
    )
    for t in problem.present:
        truth = float((slow.gradients(t)[0] * slow.activations[0]).sum())
        assert float(found.values(t).sum()) == pytest.approx(truth, rel=1e-9)
        assert float(mean.values(t).sum()) != pytest.approx(truth, rel=1e-3)


def test_a_feature_map_that_is_zero_has_no_weight():
    """0/0 is no NaN: a dead ReLU says nothing, and nothing is unstable about it."""
    problem, slow = classification(2, "1")
    net = torch.nn.Sequential(*problem.model.module)
    net[1] = torch.nn.ReLU()
    with torch.no_grad():
        net[0].weight[2] = 0
        net[0].bias[2] = -1
    problem = Problem(Model(net, spatial_dims=2), problem.case, AllClasses(), dtype=torch.float64)
    slow = Slow(net, "1", problem.image, Windows())
    assert not slow.activations[0][2].any()
    found = method("xgrad_cam", layer="1").attribute(problem)
    with np.errstate(invalid="ignore"), pytest.raises(ZeroDivisionError):
        xgrad_weights(slow, 0)
    for t in problem.present:
        a, g = slow.activations[0], slow.gradients(t)[0]
        weights = np.array([(a[k] * g[k]).sum() / a[k].sum() if k != 2 else 0 for k in range(4)])
        torch.testing.assert_close(found.values(t), slow.combined(weights, t), rtol=1e-9, atol=1e-12)
        assert "almost nothing" not in found.answers[t].note


@pytest.mark.parametrize("name", ["xgrad_cam", "grad_cam_pp"])
def test_feature_maps_that_cancel_are_said_to_be_unstable(name):
    """InstanceNorm's output sums to zero in every feature map, and XGrad-CAM divides by that."""
    problem, _ = segmentation("2d-whole", "down.1")
    found = method(name, layer="down.1").attribute(problem)
    assert all("6 of 6 feature maps sum to almost nothing" in a.note for a in found.answers)
    assert all("6 of 6 feature maps have negative values" in a.note for a in found.answers)
    clean = method(name, layer="down.2").attribute(problem)
    assert not any("feature maps" in a.note for a in clean.answers)


def test_weights_that_divide_by_the_activation_may_turn_negative_feature_maps_around():
    """One feature map A = −1 − e(x) and F = 2 A: where e is large the score is lost, but the weights cannot tell.

    Here g = 2 / n everywhere, so XGrad-CAM's weight is right and its map is negative; Grad-CAM++ has
    g² / (2 g² + g³ ΣA) = 1 / (2 + g ΣA), whose denominator 2 − 2 (1 + mean e) is negative: its map is positive.
    """
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 1, 1), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(1, 2)
    ).double()
    with torch.no_grad():
        net[0].weight.fill_(-1)
        net[0].bias.fill_(-1)
        net[3].weight.fill_(2)
        net[3].bias.zero_()
    case = random_case((4, 5))
    case.image[:] = np.abs(case.image)
    problem = Problem(Model(net, spatial_dims=2), case, ClassScore(class_name=0), dtype=torch.float64)
    right, wrong = (
        method(name, layer="0", relu=False).attribute(problem) for name in ("xgrad_cam", "grad_cam_pp")
    )
    activation = -1 - problem.image
    torch.testing.assert_close(right.values(0), activation * 2 / 20, rtol=1e-9, atol=0)
    weight = 20 * (2 / 20) / (2 + 2 / 20 * float(activation.sum()))
    torch.testing.assert_close(wrong.values(0), activation * weight, rtol=1e-9, atol=0)
    assert weight < 0 and "upside down" in wrong.answers[0].note

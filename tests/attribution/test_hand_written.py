"""ReLUs that a network writes out are ReLUs; what only looks like one is not, and is named."""

from __future__ import annotations

import pytest
import torch
from captum.attr import Deconvolution, DeepLift as CaptumDeepLift, GuidedBackprop
from networks import conv, random_case
from torch import nn

from voxplain.attribution import method
from voxplain.engine import Problem
from voxplain.model import Model
from voxplain.target import ClassScore

pytestmark = pytest.mark.filterwarnings("ignore:Setting (backward|forward)", "ignore:Input Tensor 0")
CLOSE = {"rtol": 1e-9, "atol": 1e-13}
SHAPES = {2: (7, 8), 3: (5, 6, 4)}


def zero(v):
    return torch.zeros((), dtype=v.dtype)


def part_set(v):
    v = v.clone()
    v[v < 0] = 0
    return v


def without_grad(v):
    with torch.no_grad():
        mask = v > 0
    return v * mask


WRITTEN = {
    "clamp": lambda v: v.clamp(min=0),
    "clamp-tensor": lambda v: torch.clamp(v, min=zero(v)),
    "maximum": lambda v: torch.maximum(v, zero(v)),
    "maximum-other-way-round": lambda v: torch.maximum(torch.zeros_like(v), v),
    "max": lambda v: v.max(torch.zeros(1, dtype=v.dtype)),
    "fmax": lambda v: torch.fmax(v, zero(v)),
    "where": lambda v: torch.where(v > 0, v, 0.0),
    "where-at-least": lambda v: torch.where(v >= 0, v, torch.zeros_like(v)),
    "where-method": lambda v: v.where(torch.gt(v, 0), zero(v)),
    "where-negative": lambda v: torch.where(v < 0, torch.zeros_like(v), v),
    "where-not": lambda v: torch.where(~(v > 0), 0.0, v),
    "where-compared-with-zeros": lambda v: torch.where(torch.lt(torch.zeros_like(v), v), v, 0.0),
    "mask": lambda v: v * (v > 0),
    "mask-first": lambda v: (v >= 0).to(v.dtype) * v,
    "mask-type": lambda v: v * v.gt(0).type_as(v),
    "mask-of-detached": lambda v: v * (v.detach() > 0),
    "mask-without-grad": without_grad,
    "mask-in-place": lambda v: v.clone().mul_(v > 0),
    "filled": lambda v: v.masked_fill(v <= 0, 0),
    "filled-in-place": lambda v: v.clone().masked_fill_((v < 0).detach(), 0.0),
    "set": part_set,
}  # fmt: skip


def spoilt(v):
    mask = v > 0
    mask &= torch.arange(v.shape[-1]) > 2
    return v * mask


def spoilt_copy(v):
    other = v.detach().clone()
    other += 0.1
    return v * (other > 0)


def partly_kept(v):
    mask = v > 0
    mask[:, 0] = True
    return torch.where(mask, v, 0.0)


OTHERS = {
    "abs": (lambda v: (v + v.abs()) / 2, "abs"),
    "minimum": (lambda v: v - torch.minimum(v, zero(v)), "minimum"),
    "leaky": (lambda v: torch.where(v > 0, v, 0.1 * v), "where with a mask made from the image"),
    "leaky-maximum": (lambda v: torch.maximum(v, 0.1 * v), "maximum"),
    "another-threshold": (lambda v: v * (v > 0.1), "mul with a mask made from the image"),
    "another-channels-mask": (lambda v: v * (v[:, :1] > 0), "mul with a mask made from the image"),
    "where-negative-kept": (lambda v: torch.where(v < 0, v, 0.0), "where with a mask made from the image"),
    "filled-with-one": (lambda v: v.masked_fill(v < 0, 1.0), "masked_fill with a mask made from the image"),
    "spoilt": (spoilt, "mul with a mask made from the image"),
    "spoilt-copy": (spoilt_copy, "mul with a mask made from the image"),
    "partly-kept": (partly_kept, "where with a mask made from the image"),
    "clamp-below": (lambda v: v.clamp(min=-0.1), "clamp"),
}


class Act(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, v):
        return self.function(v)


def network(dims, act):
    """Two rectified convolutions, averaged."""
    torch.manual_seed(0)
    make, pool = conv(dims), nn.AdaptiveAvgPool2d if dims == 2 else nn.AdaptiveAvgPool3d
    layers = [make(1, 5, 3, padding=1), act(), make(5, 4, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, pool(1), nn.Flatten(), nn.Linear(4, 3)).double().eval()


def problem(dims, function):
    net = network(dims, nn.ReLU if function is None else lambda: Act(function))
    return Problem(
        Model(net, spatial_dims=dims), random_case(SHAPES[dims]), ClassScore(1), dtype=torch.float64
    )


def captums(name, dims):
    net, image = network(dims, nn.ReLU), problem(dims, None).image[None]
    if name == "deep_lift":
        return CaptumDeepLift(net).attribute(image, torch.full_like(image, 0.3), target=1)[0]
    kind = {"guided_backprop": GuidedBackprop, "deconvolution": Deconvolution}[name]
    return kind(net).attribute(image, target=1)[0]


@pytest.mark.parametrize("form", WRITTEN)
@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("name", ["guided_backprop", "deconvolution", "deep_lift"])
def test_a_relu_written_out_gives_what_captum_gives_for_the_module(name, dims, form):
    extra = {"baseline": 0.3} if name == "deep_lift" else {}
    found = method(name, **extra).attribute(problem(dims, WRITTEN[form]))
    torch.testing.assert_close(found.values(0), captums(name, dims), **CLOSE)
    if name == "deep_lift":
        assert found.answers[0].checks["completeness_gap"] < 1e-10
    else:
        assert found.answers[0].note == "rectified at relu"


@pytest.mark.parametrize("form", WRITTEN)
@pytest.mark.parametrize("name", ["lrp", "excitation_backprop"])
def test_relevance_passes_a_relu_written_out_as_it_passes_the_module(name, form):
    truth, found = (method(name).attribute(problem(2, f)) for f in (None, WRITTEN[form]))
    torch.testing.assert_close(found.values(0), truth.values(0), **CLOSE)
    assert found.answers[0].checks["completeness_gap"] < 1e-10


@pytest.mark.parametrize("form", OTHERS)
@pytest.mark.parametrize("name", ["guided_backprop", "deconvolution"])
def test_what_is_no_relu_keeps_its_gradient_and_is_named(name, form):
    """Rectified at the second activation alone, by autograd and a hook on it."""
    function, said = OTHERS[form]
    asked = problem(2, function)
    found = method(name).attribute(asked)
    assert found.answers[0].note == f"rectified at relu; plain gradient through {said}"
    net = network(2, lambda: Act(function))
    x = asked.image[None].clone().requires_grad_()
    before = net[2](net[1](net[0](x)))
    on = (before > 0) if name == "guided_backprop" else torch.ones_like(before, dtype=torch.bool)
    incoming = net[6].weight[1].reshape(1, 4, 1, 1).expand_as(before) / before[0, 0].numel()
    (truth,) = torch.autograd.grad(before, x, incoming.clamp_min(0) * on)
    torch.testing.assert_close(found.values(0), truth[0], **CLOSE)


@pytest.mark.parametrize("form", OTHERS)
def test_deep_lift_of_what_is_no_relu_is_complete_or_says_that_it_is_not(form):
    answer = method("deep_lift", baseline=0.3).attribute(problem(2, OTHERS[form][0])).answers[0]
    assert answer.checks["completeness_gap"] < 1e-10 or "a mask made from it" in answer.note


@pytest.mark.parametrize("form", OTHERS)
def test_before_a_layer_what_is_no_relu_is_named_too(form):
    asked = problem(2, OTHERS[form][0])
    found = method("layer_activation_guided_backprop", layer="3").attribute(asked)
    assert f"rectified at relu; plain gradient through {OTHERS[form][1]}" in found.answers[0].note

"""Modified backward passes that end at a layer, or begin at one."""

from __future__ import annotations

import pytest
import torch
from captum.attr import LayerDeepLift as CaptumDeepLift, NeuronGuidedBackprop
from networks import conv, random_case
from peers import SHAPES, ask
from stitched_layers import MODE, Stitch, scores
from torch import nn
from torch.nn import functional as F

from voxplain.attribution import method
from voxplain.engine import Problem
from voxplain.errors import ModelError
from voxplain.model import Model, Windows
from voxplain.target import AllClasses

START = -0.4
WINDOWS = {
    "whole": Windows(),
    "windows": Windows(roi=6, overlap=0.5, blend="gaussian"),
    "padded": Windows(roi=10, overlap=0.3, padding="reflect"),
}


def rectifying(dims: int, task: str, channels: int = 1) -> nn.Sequential:
    """Convolutions and ReLUs, none used twice, as Captum wants them; a coarse layer in a classifier."""
    torch.manual_seed(1)
    make = conv(dims)
    body = [
        make(channels, 4, 3, padding=1),
        nn.ReLU(),
        make(4, 5, 3, padding=1, stride=2 if task == "classification" else 1),
        nn.ReLU(),
    ]
    if task == "segmentation":
        net = nn.Sequential(*body, make(5, 3, 1))
        with torch.no_grad():
            net[4].weight -= net[4].weight.mean(dim=0, keepdim=True)
            net[4].bias.zero_()
        return net.double().requires_grad_(False)
    pool = nn.AdaptiveAvgPool2d(1) if dims == 2 else nn.AdaptiveAvgPool3d(1)
    return nn.Sequential(*body, pool, nn.Flatten(), nn.Linear(5, 3)).double().requires_grad_(False)


def problem(dims, task, windows="whole", channels=1, score="logit", shape=None):
    model = Model(rectifying(dims, task, channels), spatial_dims=dims, windows=WINDOWS[windows])
    case = random_case(shape or SHAPES[dims], channels)
    return Problem(model, case, AllClasses(background=True, score=score), dtype=torch.float64)


@pytest.mark.parametrize("layer", ["0", "1", "2"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("task", ["classification", "segmentation"])
@pytest.mark.parametrize("dims", [2, 3])
def test_layer_deep_lift_is_captums(dims, task, channels, layer):
    p = problem(dims, task, channels=channels)
    assert p.present == [0, 1, 2]
    p.model.module.requires_grad_()  # Captum wants a graph up to the layer
    asked, x = ask(p.model.module, p), p.image[None]
    peer = CaptumDeepLift(asked, p.model.module.get_submodule(layer))
    found = method("layer_deep_lift", layer=layer, baseline=START).attribute(p)
    one = method("layer_deep_lift", layer=layer, baseline=START, channel=2).attribute(p)
    for t in p.present:
        truth = peer.attribute(x, baselines=torch.full_like(x, START), target=t).detach()
        size = p.spatial_shape
        for got, coarse in ((found, truth.sum(1, keepdim=True)), (one, truth[:, 2:3])):
            fine = F.interpolate(coarse, size=size, mode=MODE[dims], align_corners=False)[0]
            torch.testing.assert_close(got.values(t), fine, rtol=1e-6, atol=1e-11)
        assert found.values(t).abs().max() > 1e-8
        assert found.answers[t].checks["completeness_gap"] < 1e-9


@pytest.mark.parametrize("score", ["logit", "margin"])
@pytest.mark.parametrize("windows", WINDOWS)
@pytest.mark.parametrize("dims", [2, 3])
def test_layer_deep_lift_over_windows_in_closed_form(dims, windows, score):
    """The head is linear, so before the last ReLU the multiplier is Δrelu/Δy · ∂F/∂relu(y), and the sum is exact."""
    shape = (9, 13) if dims == 2 else (7, 8, 9)
    p = problem(dims, "segmentation", windows, score=score, shape=shape)
    stitch = Stitch(p.model.module, "3", shape, WINDOWS[windows])
    x = p.image.clone().requires_grad_()
    z, after = stitch.run(x)
    value = scores(z, z.detach(), score)
    before = Stitch(p.model.module, "2", shape, WINDOWS[windows])
    now = [a.detach() for a in before.run(p.image)[1]]
    then = [a.detach() for a in before.run(torch.full_like(p.image, START))[1]]
    found = method("layer_deep_lift", layer="2", baseline=START).attribute(p)
    low = scores(stitch.run(torch.full_like(p.image, START))[0], z.detach(), score)
    for t in range(3):
        gradients = torch.autograd.grad(value[t], after, retain_graph=True)
        shares = [g * (b.relu() - a.relu()) for g, a, b in zip(gradients, then, now, strict=True)]
        truth = stitch.paint([s.sum(0) for s in shares], weighted=False)
        torch.testing.assert_close(found.values(t), truth, rtol=1e-9, atol=1e-13)
        difference = (value[t] - low[t]).item()
        assert sum(float(s.sum()) for s in shares) == pytest.approx(difference, rel=1e-9)
        assert found.answers[t].checks["completeness_gap"] < 1e-9
        assert found.answers[t].score == pytest.approx(value[t].item(), rel=1e-10)


@pytest.mark.parametrize("windows", WINDOWS)
def test_layer_deep_lift_at_the_input_is_deep_lift(windows):
    net = nn.Sequential(nn.Identity(), rectifying(2, "segmentation", 2))
    model = Model(net, spatial_dims=2, windows=WINDOWS[windows])
    p = Problem(model, random_case((9, 13), 2), AllClasses(background=True), dtype=torch.float64)
    found = method("layer_deep_lift", layer="0", baseline=START).attribute(p)
    truth = method("deep_lift", baseline=START).attribute(p)
    # reflected padding hands its share back to the image, where a layer's map leaves it out
    inner = (slice(2, -3), slice(None)) if windows == "padded" else (...,)
    for t in p.present:
        torch.testing.assert_close(
            found.values(t)[0][inner], truth.values(t).sum(0)[inner], rtol=1e-9, atol=1e-13
        )


@pytest.mark.parametrize("layer", ["1", "2", "3"])
@pytest.mark.parametrize("task", ["classification", "segmentation"])
@pytest.mark.parametrize("dims", [2, 3])
def test_guided_backprop_from_a_layer_is_captums(dims, task, layer):
    p = problem(dims, task, channels=2)
    asked = ask(p.model.module, p)
    peer = NeuronGuidedBackprop(asked, p.model.module.get_submodule(layer))
    for channel in (None, 2):
        found = method("layer_activation_guided_backprop", layer=layer, channel=channel).attribute(p)
        plain = method("neuron_gradient", layer=layer, channel=channel).attribute(p)
        for t in p.present:

            def mean(a, t=t, channel=channel):
                feature = a.mean(1) if channel is None else a[:, channel]
                if asked.masks is None:
                    return feature.flatten(1).mean(1)
                return (feature * asked.masks[t]).flatten(1).sum(1) / asked.masks[t].sum()

            truth = peer.attribute(p.image[None], mean)[0]
            torch.testing.assert_close(found.values(t), truth, rtol=1e-6, atol=1e-11)
            # a mean goes back positive, so that a first ReLU has nothing to hold back
            assert torch.allclose(found.values(t), plain.values(t), rtol=1e-3) == (layer == "1")
            assert "rectified at relu" in found.answers[t].note


@pytest.mark.parametrize("windows", ["windows", "padded"])
@pytest.mark.parametrize("dims", [2, 3])
def test_guided_backprop_over_windows_written_out(dims, windows):
    """One ReLU before the layer: what comes back to it is rectified and passed on where it is on."""
    shape = (9, 13) if dims == 2 else (7, 8, 9)
    p = problem(dims, "segmentation", windows, shape=shape)
    net = p.model.module
    stitch = Stitch(net, "2", shape, WINDOWS[windows])
    x = p.image.clone().requires_grad_()
    z, layers = stitch.run(x)
    blended = stitch.paint([a[1] for a in layers], weighted=True)[0]
    found = method("layer_activation_guided_backprop", layer="2", channel=1).attribute(p)
    padded = stitch.pad(x)
    for t in range(3):
        cotangents = torch.autograd.grad(blended[z.argmax(0) == t].mean(), layers, retain_graph=True)
        total = torch.zeros_like(padded)
        for where, cotangent in zip(stitch.places, cotangents, strict=True):
            leaf = padded[(slice(None), *where)].detach()[None].requires_grad_()
            inner = net[0](leaf)
            (g,) = torch.autograd.grad(net[2](inner.relu()), inner, cotangent[None])
            # through the ReLU once by autograd already, which passes it on only where it is on
            (g,) = torch.autograd.grad(inner, leaf, g.clamp_min(0))
            total[(slice(None), *where)] += g[0]
        (truth,) = torch.autograd.grad(padded, x, total, retain_graph=True)
        assert truth.abs().max() > 1e-7
        torch.testing.assert_close(found.values(t), truth, rtol=1e-9, atol=1e-13)


def test_guided_backprop_before_the_first_activation_is_refused():
    """After the layer there are activations enough, but the gradient never goes through them."""
    p = problem(2, "segmentation")
    chosen = method("layer_activation_guided_backprop", layer="0")
    with pytest.raises(ModelError, match="before layer '0' there is no activation to rectify"):
        chosen.attribute(p)
    assert not any(m._forward_hooks for m in p.model.module.modules())


class Bypassed(nn.Module):
    def __init__(self, dims: int) -> None:
        super().__init__()
        self.inner, self.round = rectifying(dims, "segmentation"), conv(dims)(1, 3, 1, bias=False).double()
        self.round.weight.data.copy_(torch.tensor([0.1, -0.1, 0.05]).reshape(3, 1, *(1,) * dims))
        self.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x) + self.round(x)


@pytest.mark.parametrize("windows", WINDOWS)
@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("name", ["layer_deep_lift", "layer_conductance"])
def test_what_goes_round_a_layer_is_told(name, dims, windows):
    """F = inner + round: through the inner layer passes the change of the inner part alone."""
    shape = (9, 13) if dims == 2 else (7, 8, 9)
    model = Model(Bypassed(dims), spatial_dims=dims, windows=WINDOWS[windows])
    p = Problem(model, random_case(shape), AllClasses(background=True), dtype=torch.float64)
    more = {"nodes": 8} if name == "layer_conductance" else {}
    found = method(name, layer="inner.3", baseline=START, **more).attribute(p)
    stitch = Stitch(model.module, "inner.4", shape, WINDOWS[windows])
    z = stitch.run(p.image)[0]

    def ends(image):  # both parts of the stitched output
        inner = stitch.run(image)[1]
        parts = [torch.zeros((3, *shape), dtype=torch.float64) for _ in range(2)]
        for k in range(3):
            parts[0][k] = stitch.paint([a[k] for a in inner], weighted=True)[0]
        parts[1] = stitch.run(image)[0] - parts[0]
        return [scores(part, z, "logit") for part in parts]

    high, low = ends(p.image), ends(torch.full_like(p.image, START))
    for t in p.present:
        through, whole = float(high[0][t] - low[0][t]), float((sum(high) - sum(low))[t])
        note = f"sum to {through:.3g} of the score's difference of {whole:.3g} pass through"
        assert note in found.answers[t].note
        assert "completeness_gap" not in found.answers[t].checks

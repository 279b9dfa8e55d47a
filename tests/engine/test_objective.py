"""Value and gradient of one target's score, or of a layer, for any image: as autograd finds them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import classifier, random_case, smooth_segmenter
from torch.nn import functional as F

from voxplain.engine import Problem, objective, terms
from voxplain.engine.objective import LayerObjective, TargetObjective
from voxplain.errors import InputError, ModelError
from voxplain.model import Model, Windows
from voxplain.target import AllClasses, Voxel

SETUPS = [
    pytest.param((9, 11), Windows(roi=6, overlap=0.5, blend="gaussian"), 2, id="2d-gaussian"),
    pytest.param((5, 12), Windows(roi=8, overlap=0.3, padding="reflect"), 1, id="2d-reflect"),
    pytest.param((8, 9, 7), Windows(roi=6, overlap=0.5), 1, id="3d"),
    pytest.param((5, 9, 11), Windows(roi=8, overlap=0.25, padding_value=-0.7), 2, id="3d-padded"),
    pytest.param((6, 7, 8), Windows(), 1, id="3d-whole"),
]


def problem(shape, windows, channels, score="logit", **kwargs):
    model = Model(smooth_segmenter(len(shape), channels).double(), spatial_dims=len(shape), windows=windows)
    targets = AllClasses(background=True, score=score)
    return Problem(model, random_case(shape, channels), targets, dtype=torch.float64, **kwargs)


def other(p):
    return torch.from_numpy(np.random.default_rng(3).normal(size=p.image.shape))


@pytest.mark.parametrize("score", ["logit", "margin", "log_probability", "probability"])
@pytest.mark.parametrize(("shape", "windows", "channels"), SETUPS)
def test_a_targets_gradient_is_the_stitched_networks(shape, windows, channels, score):
    """Against the engine's own gradient of all targets, which test_exactness proves against MONAI."""
    p = problem(shape, windows, channels, score)
    x = other(p)
    truth = p.at(x).gradient(lambda q: objective.Fixed([q.padded]))
    for t in p.present:
        one = TargetObjective(p, t)
        before = p.passes.copy()
        value, gradient = one.gradient(x)
        assert one.passes(gradients=1, values=0) == p.passes - before
        torch.testing.assert_close(gradient, truth.maps[t], rtol=1e-10, atol=1e-14)
        assert value == pytest.approx(float(truth.scores[0, t]), rel=1e-12)
        before = p.passes.copy()
        assert one.value(x) == pytest.approx(value, rel=1e-12)
        assert one.passes(gradients=0, values=1) == p.passes - before


def test_only_the_targets_own_windows_run():
    model = Model(smooth_segmenter(2).double(), windows=Windows(roi=4, overlap=0))
    p = Problem(
        model, random_case((8, 8)), [Voxel(index=(1, 1), class_name=1), "all+background"], dtype=torch.float64
    )
    before = p.passes.copy()
    TargetObjective(p, 0).gradient(p.image)
    paid = p.passes - before
    assert (paid.forward, paid.backward) == (1, 1)


def by_hand(p, x, layer, kind, channel):
    """Windows cut from the padded image, the network's first modules run on each."""
    index = int(layer)
    x = x.clone().requires_grad_()
    padded = p.pad(x)
    total = 0.0
    for w in range(len(p.plan)):
        a = padded[(slice(None), *p.plan.where(w))][None]
        for module in list(p.model.module)[: index + 1]:
            a = module(a)
        total = total + ((a**2).mean() if kind == "energy" else a[:, channel].mean())
    total = total / len(p.plan)
    return float(total.detach()), torch.autograd.grad(total, x)[0]


@pytest.mark.parametrize(("kind", "layer", "channel"), [("energy", "1", 0), ("mean", "0", 2)])
@pytest.mark.parametrize(("shape", "windows", "channels"), SETUPS)
def test_a_layers_gradient_is_that_of_all_its_windows(shape, windows, channels, kind, layer, channel):
    p = problem(shape, windows, channels)
    x = other(p)
    one = LayerObjective(p, layer, kind=kind, channel=channel)
    value, gradient = by_hand(p, x, layer, kind, channel)
    before = p.passes.copy()
    found = one.gradient(x)
    assert one.passes(gradients=1, values=0) == p.passes - before
    assert found[0] == pytest.approx(value, rel=1e-12)
    torch.testing.assert_close(found[1], gradient, rtol=1e-10, atol=1e-15)
    assert one.value(x) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("kind", ["energy", "mean"])
def test_a_lone_volume_with_a_twin_beside_it_counts_once(kind):
    """In 3-D a lone small sample runs with an idle twin, whose activations must not be seen."""
    net = classifier(3)
    p = Problem(Model(net, spatial_dims=3), random_case((20, 20, 20)), "1")
    assert p.runner.footprint.pairs_pay
    x = p.image.clone().requires_grad_()
    a = net[0](x[None])
    truth = (a**2).mean() if kind == "energy" else a[:, 3].mean()
    value, gradient = LayerObjective(p, "0", kind=kind, channel=3).gradient(p.image)
    assert value == pytest.approx(float(truth.detach()), rel=1e-5)
    torch.testing.assert_close(gradient, torch.autograd.grad(truth, x)[0], rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("at", [0, 1, 3])
def test_a_batch_that_runs_out_of_memory_counts_nothing_twice(at, monkeypatch):
    p = problem((8, 9, 7), Windows(roi=6, overlap=0.5), 1, batch=4)
    truth = LayerObjective(p, "1").gradient(p.image)
    calls = iter(range(10**6))
    asked = objective.LayerObjective._values

    def fails_once(self, x):
        if next(calls) == at:
            raise torch.OutOfMemoryError("out of memory (injected)")
        return asked(self, x)

    monkeypatch.setattr(objective.LayerObjective, "_values", fails_once)
    value, gradient = LayerObjective(p, "1").gradient(p.image)
    assert value == pytest.approx(truth[0], rel=1e-12)
    torch.testing.assert_close(gradient, truth[1], rtol=1e-10, atol=1e-15)


def test_a_target_whose_batch_runs_out_of_memory(monkeypatch):
    p = problem((8, 9, 7), Windows(roi=6, overlap=0.5), 1, batch=4)
    truth = TargetObjective(p, 1).gradient(p.image)[1]
    calls = iter(range(10**6))
    asked = terms.WindowTerms.cotangent

    def fails_once(self, *args, **kwargs):
        if next(calls) == 2:
            raise torch.OutOfMemoryError("out of memory (injected)")
        return asked(self, *args, **kwargs)

    monkeypatch.setattr(terms.WindowTerms, "cotangent", fails_once)
    torch.testing.assert_close(TargetObjective(p, 1).gradient(p.image)[1], truth, rtol=1e-10, atol=1e-15)


def test_layers_that_cannot_be_asked_are_refused():
    p = problem((6, 7, 8), Windows(), 1)
    with pytest.raises(ModelError, match="no such layer"):
        LayerObjective(p, "9")
    with pytest.raises(InputError, match="found channel 4, expected 0 to 3"):
        LayerObjective(p, "0", kind="mean", channel=4).value(p.image)

    class Twice(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(1, 1, 1)

        def forward(self, x):
            return F.pad(self.conv(self.conv(x)), (0,) * 4)

    twice = Problem(Model(Twice(), spatial_dims=2), random_case((6, 6)), "1")
    with pytest.raises(ModelError, match="2 times"):
        LayerObjective(twice, "conv").value(twice.image)
    assert not twice.model.module.conv._forward_hooks

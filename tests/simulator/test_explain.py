"""Explanations of simulators whose proposal is known."""

from __future__ import annotations

import math

import pytest
import torch
from simulator_fields import offsets
from torch import nn

from voxplain.counterfactual.classifier.decision import Decision
from voxplain.errors import InputError
from voxplain.simulator.change import Displacement, Velocity
from voxplain.simulator.explain import Explainer
from voxplain.simulator.field import warp
from voxplain.simulator.networks import Simulator
from voxplain.simulator.training import Typical

SIZE = 33


class Area(nn.Module):
    """The logit of a disc by its area: sum of the image less 100, over 10."""

    def forward(self, x):
        return (x.flatten(1).sum(1, keepdim=True) - 100) / 10


class Growing(Simulator):
    """Proposes to grow (or shrink) about the centre by a fifth per unit of dose, along each axis; or less or more."""

    def __init__(self, kind=Velocity, rate=0.2, glow=0.0):
        super().__init__(2, 1)
        self.kind, self.rate, self.glow = kind, rate, glow
        self.unused = nn.Parameter(torch.zeros(1))

    def propose(self, x, direction):
        field = (
            self.rate
            * direction[:, :, None, None]
            * offsets((SIZE, SIZE), torch.float32).expand(len(x), -1, -1, -1)
        )
        brightness = self.glow * torch.ones_like(x) * direction[:, :, None, None] if self.glow else None
        return self.kind(field if self.kind is Velocity else -field, brightness)


def disc(radius=5.0):
    """(1, S, S) soft over a voxel; its area is pi r²."""
    away = torch.linalg.vector_norm(offsets((SIZE, SIZE), torch.float32), dim=1)
    return torch.clamp(radius + 0.5 - away, 0, 1)


def explainer(**other):
    return Explainer(Growing(**other), Decision(Area()), Typical(-2.0, 4.0))


def test_the_dose_is_the_one_that_closed_form_gives():
    path = explainer().explain(disc(), "typical")
    area = disc().sum()
    wanted = (
        torch.log(140 / area) / 2 / 0.2
    )  # area grows by exp(2 · 0.2 · dose) and has to reach 100 + 10 · 4
    assert path.reached
    assert path.monotone
    assert path.dose == pytest.approx(float(wanted), abs=0.03)
    assert path.scores[4].item() == pytest.approx(4.0, abs=0.02)
    assert torch.equal(path.frames[0], disc())
    assert path.doses.tolist() == pytest.approx([path.dose * s for s in (0, 0.25, 0.5, 0.75, 1, 1.25)])
    inside = path.map("jacobian")[8:-8, 8:-8]
    assert inside.mean().item() == pytest.approx(140 / float(area), rel=0.02)
    assert torch.allclose(path.map("log_jacobian"), path.map("jacobian").log())
    assert torch.equal(path.map("difference"), path.frames[4] - disc())
    assert path.map("motion")[0, SIZE // 2 + 5, SIZE // 2] > 0  # outwards


def test_a_diseased_image_is_brought_back():
    path = explainer().explain(disc(7.0), "typical")
    assert path.scores[0] > 0
    assert path.scores[4].item() == pytest.approx(-2.0, abs=0.03)
    assert path.map("log_jacobian")[SIZE // 2, SIZE // 2] < 0


def test_the_map_named_warp_is_what_the_image_is_looked_up_with():
    path = explainer().explain(disc(), "typical")
    assert torch.allclose(warp(disc()[None], path.map("warp")[None])[0], path.frames[4], atol=1e-6)
    # a larger disc shows at each place what was nearer to the centre, while tissue goes outwards
    at = SIZE // 2 + 5, SIZE // 2
    grown = math.exp(0.2 * path.dose)
    assert path.map("warp")[(0, *at)].item() == pytest.approx(5 / grown - 5, abs=0.03)
    assert path.map("motion")[(0, *at)].item() == pytest.approx(5 * grown - 5, abs=0.03)


@pytest.mark.parametrize(("target", "logit"), [("boundary", 0.0), (1.5, 1.5), ("shift", None)])
def test_targets(target, logit):
    path = explainer().explain(disc(), target)
    wanted = float(path.scores[0]) + 6.0 if logit is None else logit
    assert path.target == pytest.approx(wanted)
    assert path.scores[4].item() == pytest.approx(wanted, abs=0.03)


def test_a_target_out_of_reach_is_told():
    path = explainer().explain(disc(), 500.0)
    assert not path.reached
    assert path.dose == 3.0
    assert "does not reach 500" in repr(path)


def test_a_map_that_folds_is_withheld_and_says_so():
    folding = explainer(kind=Displacement, rate=2.5)
    folding.simulator.rate = -2.5  # mirrors the image from dose 0.4 on
    path = folding.explain(disc(), -9.9)
    assert path.diagnostics["folded (%)"] > 0
    with pytest.raises(
        InputError, match=r"map 'log_jacobian': is withheld: the map folds space in .* % of the voxels"
    ):
        path.map("log_jacobian")
    assert path.map("warp").shape == (2, SIZE, SIZE)


@pytest.mark.parametrize(("rate", "glow", "share"), [(0.2, 0.0, None), (0.2, 1e-9, 1.0), (1e-9, 0.05, 0.0)])
def test_motion_and_brightness_share_the_logit(rate, glow, share):
    path = explainer(rate=rate, glow=glow).explain(disc(), "typical")
    assert path.reached
    if share is None:
        assert "share of motion in the logit" not in path.diagnostics
        assert "brightness" not in path.maps
    else:
        assert path.diagnostics["share of motion in the logit"] == pytest.approx(share, abs=1e-3)


def test_the_simulator_keeps_its_mode_and_gets_no_gradients():
    told = explainer()
    told.simulator.train()
    path = told.explain(disc())
    assert told.simulator.training
    assert not path.frames.requires_grad


def test_unknown_targets_are_refused():
    with pytest.raises(InputError, match="target: found 'ill', expected typical, boundary, shift or a logit"):
        explainer().explain(disc(), "ill")

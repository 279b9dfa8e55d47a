"""Operations that the rules write as others, or take for a product or a rearrangement: LRP, DeepLIFT, excitation."""

from __future__ import annotations

import pytest
import torch
from networks import random_case
from relevance_truth import relevance
from torch import nn
from torch.nn import functional as F

from voxplain.attribution import method
from voxplain.engine import Problem
from voxplain.model import Model
from voxplain.target import ClassScore

HALF = torch.linspace(0.2, 1.7, 36, dtype=torch.double).reshape(6, 6)


class Between(nn.Module):
    """A rectified convolution, what is tested, and a read-out."""

    def __init__(self, between, bias=False):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.between = nn.Conv2d(1, 4, 3, padding=1, bias=bias), between
        width = between(torch.ones(1, 4, 6, 6).double()).shape[1]
        self.last = nn.Linear(width, 3, bias=bias)

    def forward(self, x):
        return self.last(self.between(torch.relu(self.first(x))).flatten(2).mean(2))


PIECEWISE_LINEAR = {
    "mm": lambda v: torch.mm(v.reshape(-1, 6), HALF).reshape(v.shape),
    "mm-from-the-left": lambda v: torch.stack([torch.mm(HALF, s.reshape(6, -1)).reshape(4, 6, 6) for s in v]),
    "tensordot": lambda v: torch.tensordot(v, HALF[:4, :3], dims=([1], [0])).movedim(-1, 1),
    "tensordot-by-number": lambda v: torch.tensordot(v, HALF, 1),
    "rot90": lambda v: torch.rot90(v, 1, (2, 3)) * HALF,
    "rot90-method": lambda v: v.rot90(3, (3, 2)) * HALF,
    "lerp": lambda v: torch.lerp(v, 3 * v.flip(1), HALF),
    "lerp-in-place": lambda v: (2 * v).lerp_(v.flip(1), 0.3),
    "addcmul": lambda v: torch.addcmul(v, v.flip(1), HALF, value=0.5),
    "addcdiv": lambda v: v.addcdiv(v.flip(1), HALF),
    "pool-with-places": lambda v: F.max_pool2d(v, 2, return_indices=True)[0],
    "adaptive-pool-with-places": lambda v: F.adaptive_max_pool2d(v, 2, return_indices=True)[0],
    "index_put": lambda v: v.index_put((torch.arange(len(v)),), v.flip(1) * 2),
}


def problem(between, bias=False):
    net = Between(between, bias).double()
    return Problem(
        Model(net, spatial_dims=2, fixed_shape=(6, 6)),
        random_case((6, 6)),
        [ClassScore(1)],
        dtype=torch.float64,
        batch=1,
    )


@pytest.mark.parametrize("name", PIECEWISE_LINEAR)
def test_without_biases_lrp_and_deeplift_are_gradient_times_input(name):
    """Ancona et al. 2018, propositions 1 and 2, with rectifiers and a reference of zero."""
    p = problem(PIECEWISE_LINEAR[name])
    truth = method("gradient").attribute(p).values(0) * p.image
    assert truth.abs().max() > 0
    lrp = method("lrp", rule="epsilon", epsilon=1e-14, sums="epsilon", bias="absorb")
    for ours in (lrp, method("deep_lift", baseline=0.0)):
        found = ours.attribute(p)
        torch.testing.assert_close(found.values(0), truth, rtol=1e-7, atol=1e-10)
        assert found.answers[0].checks["completeness_gap"] < 1e-9


SMOOTH = {
    "glu": lambda v: F.glu(v, 1),
    "glu-last-axis": lambda v: F.glu(v),
    "lerp": lambda v: torch.lerp(v, v.flip(1), torch.sigmoid(v.flip(2))),
    "addcmul": lambda v: torch.addcmul(v, v.flip(1), v.flip(2)),
    "addcdiv": lambda v: torch.addcdiv(v, v.flip(1), 1 + v.flip(2)),
    "std": lambda v: torch.relu((v - v.mean((2, 3), keepdim=True)) / (v.std((2, 3), keepdim=True) + 0.1)),
    "var-of-all": lambda v: v * torch.var(v, (1, 2, 3), False, True),
    "tensordot": lambda v: torch.tensordot(v, v[0].flip(1), dims=([3], [1])).flatten(1, 2),
}


@pytest.mark.parametrize("name", PIECEWISE_LINEAR | SMOOTH)
def test_every_method_is_complete(name):
    p = problem((PIECEWISE_LINEAR | SMOOTH)[name], bias=True)
    for ours in ("lrp", "deep_lift", "excitation_backprop"):
        found = method(ours).attribute(p)
        assert found.answers[0].checks["completeness_gap"] < 1e-9, ours
        assert found.values(0).any()
    found = method("lrp").attribute(p)
    assert float(found.values(0).sum()) == pytest.approx(found.answers[0].score, rel=1e-9)


def test_of_a_gated_linear_unit_the_signal_takes_all():
    torch.manual_seed(0)
    x, seed = torch.randn(2, 4, 3).double(), torch.randn(2, 2, 3).double()

    class Unit(nn.Module):
        def forward(self, v):
            return F.glu(v, 1)

    found, rules = relevance(Unit(), x, seed)
    torch.testing.assert_close(found, torch.cat([seed, torch.zeros_like(seed)], 1))
    assert rules.books.targets[0].gap < 1e-12


SPREADS = [
    lambda v: v.std((1, 2), keepdim=True),
    lambda v: v.std(1, True, True),
    lambda v: torch.var(v, dim=2, correction=0, keepdim=True),
    lambda v: v.var(-1, unbiased=False)[..., None],
    lambda v: torch.std(v, False),
    lambda v: v.var(),
]


@pytest.mark.parametrize("spread", SPREADS)
def test_a_standard_deviation_that_divides_takes_nothing(spread):
    """As with the norms: it scales, and the shares are those of a division by a constant."""
    torch.manual_seed(0)
    x, seed = torch.randn(1, 4, 3).double(), torch.randn(1, 4, 3).double()

    class Scaled(nn.Module):
        def __init__(self, by):
            super().__init__()
            self.by = by

        def forward(self, v):
            return (v - v.mean(1, keepdim=True)) / self.by(v)

    found, rules = relevance(Scaled(spread), x, seed)
    fixed = spread(x)
    truth, _ = relevance(Scaled(lambda v: fixed), x, seed)
    torch.testing.assert_close(found, truth)
    assert rules.books.targets[0].gap < 1e-12


def test_deeplift_splits_a_gated_linear_unit_in_shapley_values():
    """a σ(b): each factor's difference times the other's mean."""
    torch.manual_seed(0)
    p = problem(lambda v: F.glu(v, 1), bias=True)
    image, net = p.image[None], p.model.module
    with torch.no_grad():
        now, was = (torch.relu(net.first(v)) for v in (image, torch.zeros_like(image)))
        a, b = now.chunk(2, 1)
        c, d = was.chunk(2, 1)
        of_a = (torch.sigmoid(b) + torch.sigmoid(d)) / 2
        of_b = (a + c) / 2 * (torch.sigmoid(b) - torch.sigmoid(d)) / (b - d).where(b != d, 1.0)
        weight = net.last.weight[1].reshape(1, -1, 1, 1) / 36
        g = torch.cat([of_a * weight, of_b * weight], 1)
        pre, pre_was = net.first(image), net.first(torch.zeros_like(image))
        g = g * (now - was) / (pre - pre_was)
        truth = F.conv_transpose2d(g, net.first.weight, padding=1) * image
    found = method("deep_lift", baseline=0.0).attribute(p)
    torch.testing.assert_close(found.values(0), truth[0], rtol=1e-7, atol=1e-12)

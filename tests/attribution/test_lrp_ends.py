"""Where relevance ends before the image: constants that a mask writes, products with zero, tensors that are detached."""

from __future__ import annotations

import pytest
import torch
from networks import random_case
from relevance_truth import relevance
from torch import nn
from torch.nn import functional as F

from voxplain.attribution import method
from voxplain.attribution.backprop.relevance_rules import Settings
from voxplain.engine import Problem
from voxplain.model import Model
from voxplain.target import ClassScore

ABSORB = Settings(bias="absorb")
KEPT = torch.arange(24).reshape(4, 6) % 5 > 1


class Net(nn.Module):
    """Any function of the image as a network."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def drawn(*shape):
    torch.manual_seed(len(shape))
    return torch.randn(shape, dtype=torch.double)


def set_by_mask(x):
    y = x * 1
    y[..., ~KEPT] = 0.7
    return y


def set_into_zeros(x):
    y = torch.full_like(x, 0.7)
    y[..., KEPT] = x[..., KEPT]
    return y


def put(x):
    where = (~KEPT).nonzero(as_tuple=True)
    value = torch.full((len(where[0]),), 0.7).double()
    return x.movedim((2, 3), (0, 1)).index_put(where, value[:, None, None]).movedim((0, 1), (2, 3))


WRITTEN = {
    "masked_fill": lambda x: x.masked_fill(~KEPT, 0.7),
    "masked_fill_": lambda x: (x * 1).masked_fill_(~KEPT, 0.7),
    "where": lambda x: torch.where(KEPT, x, 0.7),
    "where-tensor": lambda x: torch.where(~KEPT, torch.full_like(x, 0.7), x),
    "where-method": lambda x: x.where(KEPT, torch.tensor(0.7).double()),
    "setitem": set_by_mask,
    "setitem-constant": set_into_zeros,
    "index_put": put,
}


@pytest.mark.parametrize("name", WRITTEN)
def test_what_a_mask_writes_is_a_bias(name):
    """Relevance at a voxel that is kept is its own; the constants' is told, or spread over what is kept by |x|."""
    x, seed = drawn(2, 3, 4, 6), drawn(2, 3, 4, 6).flip(-1)
    own = torch.where(KEPT, seed, 0.0)
    constants = (seed - own).flatten(1).sum(1)
    if name == "index_put":  # moves the axes, so that samples are not the first
        x, seed, own, constants = x[:1], seed[:1], own[:1], constants[:1]
    found, rules = relevance(Net(WRITTEN[name]), x, seed, settings=ABSORB)
    torch.testing.assert_close(found, own)
    for b in range(len(x)):
        assert rules.books.targets[b].bias == pytest.approx(float(constants[b]))
        assert rules.books.targets[b].gap < 1e-12
    if name != "index_put":
        found, rules = relevance(Net(WRITTEN[name]), x, seed)
        size = torch.where(KEPT, x.abs(), 0.0)
        shares = size / size.sum((1, 2, 3), keepdim=True)
        torch.testing.assert_close(found, own + shares * constants.reshape(-1, 1, 1, 1))
        assert rules.books.targets[0].bias == pytest.approx(0, abs=1e-12)


def test_where_no_constant_is_written_nothing_is_spread():
    """Rounding would leave a trace on what gets nothing."""
    x, seed = drawn(2, 3, 4, 6), drawn(2, 3, 4, 6).flip(-1)
    seed[:, 0] = 0
    chosen = torch.where(KEPT, seed, 0.0) + torch.where(KEPT.flip(-1), 0.0, seed.flip(-1))
    found, rules = relevance(Net(lambda v: torch.where(KEPT, v, v.flip(-1))), x, seed)
    assert torch.equal(found, chosen) and not found[:, 0].any()
    assert rules.books.targets[0].bias == 0


def test_stacked_constants_and_padded_patches_are_biases():
    x = drawn(2, 3, 4, 6)
    stacked = Net(lambda v: torch.stack([v, torch.ones_like(v)], 2))
    seed = drawn(2, 3, 2, 4, 6)
    found, rules = relevance(stacked, x, seed, settings=ABSORB)
    torch.testing.assert_close(found, seed[:, :, 0])
    assert rules.books.targets[1].bias == pytest.approx(float(seed[1, :, 1].sum()))
    patches = Net(lambda v: F.unfold(v, 3, padding=1))
    seed = drawn(2, 27, 24)
    found, rules = relevance(patches, x, seed, settings=ABSORB)
    torch.testing.assert_close(found, F.fold(seed, (4, 6), 3, padding=1))
    assert rules.books.targets[1].gap < 1e-12 < abs(rules.books.targets[1].bias)


BRAIN = torch.arange(10) > 3
SKULL = ~BRAIN
STRIPS = {
    "mul": lambda x: x * BRAIN.to(x.dtype),
    "mul-other-way-round": lambda x: BRAIN.to(x.dtype) * x,
    "mul_": lambda x: (x * 1).mul_(BRAIN.to(x.dtype)),
    "einsum": lambda x: torch.einsum("bchw,w->bchw", x, BRAIN.to(x.dtype)),
    "matmul": lambda x: x @ torch.diag(BRAIN.to(x.dtype)),
    "where": lambda x: torch.where(BRAIN, x, 0.0),
    "where-one": lambda x: torch.where(BRAIN, x, 1.0),
    "masked_fill": lambda x: x.masked_fill(SKULL, -2.0),
    "lerp": lambda x: torch.lerp(torch.ones_like(x), x, BRAIN.to(x.dtype)),
    "addcmul": lambda x: torch.addcmul(torch.ones_like(x), x, BRAIN.to(x.dtype)),
    "gate": lambda x: x * F.hardsigmoid(100 * (BRAIN.to(x.dtype) - 0.5 + 0 * x.mean())),
    "half": lambda x: x * (BRAIN.to(x.dtype) + 0 * x.mean((1, 2, 3), keepdim=True)),
}


def stripped(strip, dims=2):
    torch.manual_seed(0)
    make, pool = (nn.Conv2d, nn.AdaptiveAvgPool2d(1)) if dims == 2 else (nn.Conv3d, nn.AdaptiveAvgPool3d(1))
    layers = [make(1, 6, 3, padding=1), nn.ReLU(), make(6, 6, 3, padding=1), nn.GELU(), pool, nn.Flatten()]
    return nn.Sequential(Net(strip), *layers, nn.Linear(6, 3)).double()


@pytest.mark.parametrize("name", STRIPS)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"rule": "gamma"},
        {"rule": "epsilon", "sums": "epsilon"},
        {"bias": "absorb"},
        {"rule": "epsilon_plus_flat"},
    ],
    ids=lambda s: "-".join(map(str, s.values())) or "default",
)
def test_voxels_that_the_network_strips_get_nothing(name, settings):
    """Whatever stands there, the score is the same: the gradient is zero."""
    if settings.get("rule") == "epsilon_plus_flat" and name in ("einsum", "matmul"):
        return  # flat gives the inputs of the first weights alike, and says so
    net = stripped(STRIPS[name])
    p = Problem(Model(net, spatial_dims=2), random_case((8, 10)), [ClassScore(1)], dtype=torch.float64)
    found = method("lrp", **settings).attribute(p)
    values, answer = found.values(0), found.answers[0]
    # a product in halves gives its other factor a half, which is no matter here
    assert name == "half" or not values[..., SKULL].any()
    if name == "half":
        assert float(values[..., SKULL].abs().max()) < 0.1 * float(values.abs().max())
    assert values[..., BRAIN].any() and answer.checks["completeness_gap"] < 1e-9
    lost = 1 - float(values.sum()) / answer.score
    assert (abs(lost) >= 1e-3) == ("of the score, " in answer.note)


@pytest.mark.parametrize("name", ["excitation_backprop", "contrastive_excitation_backprop"])
def test_no_walk_ends_at_what_the_network_strips(name):
    p = Problem(
        Model(stripped(STRIPS["mul"], 3), spatial_dims=3),
        random_case((5, 6, 10)),
        [ClassScore(1)],
        dtype=torch.float64,
    )
    found = method(name).attribute(p)
    assert not found.values(0)[..., SKULL].any() and found.values(0).any()
    assert found.answers[0].checks["completeness_gap"] < 1e-12


def test_a_product_with_zero_by_hand():
    """x·m: what arrives where m is 0 is told as lost; a product of two gives all to the factor that counts."""
    x, seed = drawn(1, 2, 3), torch.ones(1, 2, 3).double()
    m = torch.tensor([[[2.0, 0.0, -1.0], [1.0, 1.0, 0.0]]]).double()
    found, rules = relevance(Net(lambda v: v * m), x, seed)
    torch.testing.assert_close(found, (m != 0).double())
    assert rules.books.targets[0].dead == pytest.approx(2)
    x = torch.tensor([[[3.0, 0.0, 0.0], [1.0, 2.0, 0.0]]]).double()
    found, rules = relevance(Net(lambda v: v[:, :1] * v[:, 1:]), x, seed[:, :1])
    torch.testing.assert_close(found, torch.tensor([[[0.5, 1.0, 0.0], [0.5, 0.0, 0.0]]]).double())
    assert rules.books.targets[0].dead == pytest.approx(1)


def no_grad(x):
    with torch.no_grad():
        return 3 * x.flip(-1)


def made_before(x):
    y = x.detach().flip(-1)
    y = F.pad(y, (1, 0))[..., 1:]
    y *= 2
    return y + x.flip(-1).data


def into_a_buffer(x):
    out = torch.zeros_like(x)
    out[:] = 3 * x.detach().flip(-1)
    return out


@pytest.mark.parametrize("other", [lambda x: (3 * x.flip(-1)).detach(), no_grad, made_before, into_a_buffer])
@pytest.mark.parametrize("operator", [False, True])
def test_a_detached_branch_gets_its_share_and_keeps_it(other, operator):
    """x + 3·x′ by magnitude: the shares of the same network without detaching, less what went to x′."""
    x, seed = drawn(2, 3, 4), drawn(2, 3, 4).flip(-1)

    def function(v):
        if operator:
            v = v * 1
            v += other(v)
            return v
        return torch.add(other(v), v)

    found, rules = relevance(Net(function), x, seed)
    share = x.abs() / (x.abs() + 3 * x.flip(-1).abs())
    torch.testing.assert_close(found, share * seed)
    for b in range(2):
        assert rules.books.targets[b].detached == pytest.approx(float(((1 - share) * seed)[b].sum()))
        assert rules.books.targets[b].gap < 1e-12


def test_detached_terms_elsewhere():
    x, seed = drawn(2, 3, 4), drawn(2, 3, 4).flip(-1)
    # joined, and chosen by a mask
    found, rules = relevance(Net(lambda v: torch.cat([v[:, :1], v[:, 1:].detach()], 1)), x, seed)
    torch.testing.assert_close(found[:, :1], seed[:, :1])
    assert not found[:, 1:].any()
    assert rules.books.targets[0].detached == pytest.approx(float(seed[0, 1:].sum()))
    # a gate takes nothing, detached or not; neither does what a signal is divided by
    for function in (
        lambda v: v * torch.sigmoid(v).detach(),
        lambda v: v * torch.sigmoid(v.detach()).mean(1, keepdim=True),
        lambda v: v / (1 + v.detach().abs()),
        lambda v: v * (v.detach() > 0) + v * (v <= 0),
        lambda v: v + torch.zeros_like(v.detach()),
        lambda v: v * torch.ones_like(v).detach(),
    ):
        found, rules = relevance(Net(function), x, seed)
        torch.testing.assert_close(found, seed)
        assert rules.books.targets[1].detached == 0
    # another factor takes half
    found, rules = relevance(Net(lambda v: v * v.detach().flip(-1)), x, seed)
    torch.testing.assert_close(found, seed / 2)
    assert rules.books.targets[1].detached == pytest.approx(float(seed[1].sum() / 2))


class Half(nn.Module):
    """Two branches, of which one is detached; or everything is, and a vanishing term holds on to the image."""

    def __init__(self, whole=False):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = (nn.Conv2d(1, 5, 3, padding=1, bias=False) for _ in range(2))
        self.head, self.whole = nn.Linear(5, 3, bias=False), whole

    def forward(self, x):
        a, b = F.relu(self.a(x)), F.relu(self.b(x)).detach()
        if self.whole:
            with torch.no_grad():
                z = self.head((a + b).mean((2, 3)))
            return z + 0 * a.mean()
        return self.head((a + b).mean((2, 3)))


@pytest.mark.parametrize("batch", [1, None])
def test_the_note_tells_a_detached_branch(batch):
    p = Problem(
        Model(Half().double(), spatial_dims=2),
        random_case((8, 10)),
        [ClassScore(1)],
        dtype=torch.float64,
        batch=batch,
    )
    answer = (found := method("lrp").attribute(p)).answers[0]
    share = 1 - float(found.values(0).sum()) / answer.score
    assert abs(share) > 0.1 and answer.checks["completeness_gap"] < 1e-9
    assert answer.note.startswith(f"of the score, {share:.1%} by what the network detaches from the image")
    answer = (found := method("excitation_backprop").attribute(p)).answers[0]
    share = 1 - float(found.values(0).sum())
    assert share > 0.1 and answer.checks["completeness_gap"] < 1e-9
    assert f"{share:.1%} of the probability ended at what the network detaches" in answer.note
    for name in ("guided_backprop", "deconvolution"):
        assert "nothing through what the network detaches" in method(name).attribute(p).answers[0].note


def test_a_comparison_with_what_is_detached_is_a_mask():
    net = stripped(lambda x: x * (x > x.detach().mean()))
    p = Problem(Model(net, spatial_dims=2), random_case((8, 10)), [ClassScore(1)], dtype=torch.float64)
    for name in ("guided_backprop", "lrp", "excitation_backprop"):
        assert "detaches" not in method(name).attribute(p).answers[0].note


@pytest.mark.parametrize("name", ["lrp", "excitation_backprop", "contrastive_excitation_backprop"])
def test_a_network_that_detaches_everything_gets_no_map(name):
    p = Problem(
        Model(Half(whole=True).double(), spatial_dims=2),
        random_case((8, 10)),
        [ClassScore(1)],
        dtype=torch.float64,
    )
    found = method(name).attribute(p)
    assert found.answers[0].status == "zero" and not found.values(0).any()
    assert "100.0%" in found.answers[0].note and "detaches" in found.answers[0].note


class Token(nn.Module):
    """The head reads a learned token, which attends to patches of the image; both weigh alike."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.patches, self.attend = nn.Conv2d(1, 8, 4, 4), nn.MultiheadAttention(8, 2, batch_first=True)
        self.token, self.head = nn.Parameter(5 * torch.randn(1, 1, 8)), nn.Linear(8, 3)

    def forward(self, x):
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(x), -1, -1), tokens], 1)
        return self.head((tokens + self.attend(tokens, tokens, tokens, need_weights=False)[0])[:, 0])


def test_excitation_tells_what_ends_at_a_learned_token():
    p = Problem(
        Model(Token().double(), spatial_dims=2, fixed_shape=(8, 12)),
        random_case((8, 12)),
        [ClassScore(1)],
        dtype=torch.float64,
    )
    answer = (found := method("excitation_backprop").attribute(p)).answers[0]
    lost = 1 - float(found.values(0).sum())
    told = [float(part.split("%")[0]) / 100 for part in answer.note.split("; ")]
    assert lost > 0.5 and sum(told) == pytest.approx(lost, abs=2e-3)
    assert f"{told[-1]:.1%} of the probability ended at learned tokens and other constants" in answer.note
    note = method("contrastive_excitation_backprop").attribute(p).answers[0].note
    assert "ended at learned tokens and other constants" in note


class CutAfterwards(nn.Module):
    """Writes a constant where a unit is off, and crops rows away later on: the first rows have no say."""

    def __init__(self, write):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.head, self.write = nn.Linear(4, 3, bias=False), write

    def forward(self, x):
        h = self.write(F.relu(self.a(x)))[:, :, 4:]
        return self.head(F.relu(self.b(h)).mean((2, 3)))


@pytest.mark.parametrize("name", ["lrp", "excitation_backprop"])
@pytest.mark.parametrize(
    "write",
    [lambda h: h.masked_fill(h == 0, 0.3), lambda h: torch.where(h == 0, 0.3, h)],
    ids=["fill", "where"],
)
def test_a_written_constant_gives_nothing_to_rows_that_are_cropped_later(name, write):
    """Row 4 of h sees the image's rows 3 to 5 through a 3×3 convolution, so rows 0 to 2 can change nothing."""
    model = Model(CutAfterwards(write).double().eval(), spatial_dims=2)
    p = Problem(model, random_case((12, 10)), [ClassScore(0)], dtype=torch.double)
    found = method(name).attribute(p)
    values = found.values(0)
    assert float(values[:, 3:].abs().max()) > 0
    assert float(values[:, :3].abs().max()) == 0

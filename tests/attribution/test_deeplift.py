"""DeepLIFT: closed forms, completeness on every network of the zoo, and Captum wherever Captum is right."""

from __future__ import annotations

import os
import warnings

import numpy as np
import pytest
import torch
from captum.attr import DeepLift as CaptumDeepLift, DeepLiftShap as CaptumShap, Saliency
from monai.data.utils import compute_importance_map, dense_patch_slices
from networks import InstanceNormSegmenter, classifier, conv, random_case
from peers import ask
from torch import nn
from torch.nn import functional as F
from zoo.draw import chosen
from zoo.networks import ZOO

from voxplain.attribution import method
from voxplain.attribution.backprop import multipliers
from voxplain.attribution.backprop.deeplift_rules import DeepLiftRules
from voxplain.attribution.baseline import default_baseline, parse_baseline
from voxplain.engine import Problem, terms
from voxplain.errors import InputError, ModelError, TargetError
from voxplain.model import Model, Windows
from voxplain.target import AllClasses, PredictedRegion

pytestmark = pytest.mark.filterwarnings("ignore:Setting forward, backward hooks", "ignore:Input Tensor 0")
CLOSE = {"rtol": 1e-8, "atol": 1e-12}
SHAPES = {2: (8, 12), 3: (6, 8, 6)}


def net_of(dims, task, channels=1, acts=(nn.ReLU, nn.ReLU)):
    """Convolutions, two activations of their own modules, and for a classifier an average pooling before them.

    (Captum's answer for a max pooling together with an activation is not complete, see below.)
    """
    torch.manual_seed(0)
    make = conv(dims)
    pooling = [(nn.AvgPool2d if dims == 2 else nn.AvgPool3d)(2)] if task == "classification" else []
    body = [make(channels, 6, 3, padding=1), *pooling, acts[0](), make(6, 6, 3, padding=1), acts[1]()]
    if task == "classification":
        average = nn.AdaptiveAvgPool2d if dims == 2 else nn.AdaptiveAvgPool3d
        return nn.Sequential(*body, average(1), nn.Flatten(), nn.Linear(6, 3)).double()
    net = nn.Sequential(*body, make(6, 3, 1))
    with torch.no_grad():  # every class wins somewhere
        net[-1].weight *= 8
        z = net(torch.from_numpy(random_case(SHAPES[dims], channels).image)[None])
        net[-1].bias -= z.mean((0, *range(2, dims + 2)))
    return net.double()


def problem_of(net, shape, channels=1, targets=None, dtype=torch.float64, batch=None, **windows):
    fixed = {} if windows else {"fixed_shape": shape}  # spares the probing
    model = Model(
        net.eval(), spatial_dims=len(shape), channels_in=channels, windows=Windows(**windows), **fixed
    )
    return Problem(
        model, random_case(shape, channels), targets or AllClasses(background=True), dtype=dtype, batch=batch
    )


ACTS = [
    (nn.ReLU, nn.ReLU), (nn.ELU, nn.LeakyReLU), (nn.Sigmoid, nn.Tanh), (nn.Softplus, nn.ReLU),
]  # fmt: skip


@pytest.mark.parametrize("acts", ACTS, ids=lambda a: "-".join(x.__name__ for x in a))
@pytest.mark.parametrize(
    ("dims", "task", "channels"),
    [(2, "classification", 1), (2, "segmentation", 2), (3, "classification", 2), (3, "segmentation", 1)],
)
def test_it_is_captums_where_captum_knows_the_layers(dims, task, channels, acts):
    net = net_of(dims, task, channels, acts)
    p = problem_of(net, SHAPES[dims], channels)
    scores = ask(net, p)
    found = method("deep_lift", baseline=-0.3).attribute(p)
    for t in range(3):
        truth = CaptumDeepLift(scores).attribute(p.image[None], -0.3, target=t)[0]
        torch.testing.assert_close(found.values(t), truth, **CLOSE)
        plain = Saliency(scores).attribute(p.image[None], target=t, abs=False)[0] * (p.image + 0.3)
        assert not torch.allclose(truth, plain, rtol=1e-3)
        assert found.answers[t].score == pytest.approx(float(scores(p.image[None]).detach()[0, t]), rel=1e-9)


@pytest.mark.parametrize("task", ["classification", "segmentation"])
@pytest.mark.parametrize("dims", [2, 3])
def test_the_mean_over_references_is_captums_and_that_of_single_ones(dims, task):
    net = net_of(dims, task)
    p = problem_of(net, SHAPES[dims])
    scores = ask(net, p)
    given = (-0.3, "minimum", "blur:2")
    found = method("deep_lift_shap", baselines=given).attribute(p)
    starts = torch.stack([parse_baseline(b, p)(p) for b in given])
    alone = [method("deep_lift", baseline=b).attribute(p) for b in given]
    for t in range(3):
        truth = CaptumShap(scores).attribute(p.image[None], starts, target=t)[0]
        torch.testing.assert_close(found.values(t), truth, **CLOSE)
        torch.testing.assert_close(found.values(t), sum(a.values(t) for a in alone) / 3, **CLOSE)
        difference = scores(p.image[None])[0, t] - scores(starts)[:, t].mean()
        assert float(found.values(t).sum()) == pytest.approx(float(difference.detach()), rel=1e-9)
        # even draws (the first and the third) against odd ones
        halves = torch.stack(
            [(alone[0].values(t) + alone[2].values(t)).flatten(), alone[1].values(t).flatten()]
        )
        agreement = float(torch.corrcoef(halves)[0, 1])
        assert found.answers[t].checks["agreement"] == pytest.approx(agreement, abs=1e-9)


class Function(nn.Module):
    """A formula of a few numbers as a "classifier" of a row of pixels."""

    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, x):
        return self.f(x.flatten(1))


def contributions(f, values, reference):
    """What `DeepLift` answers for the first output, with the reference as another image."""
    image = torch.tensor(values, dtype=torch.float64)
    start = torch.tensor(reference, dtype=torch.float64)
    rules = DeepLiftRules(Function(f), "deep_lift")
    x = image[None, None, None].clone().requires_grad_()
    z = rules.forward(lambda v: f(v.flatten(1)), x, start[None, None, None])
    (m,) = torch.autograd.grad(z[0, 0], x)
    total = float((z - f(start[None])).detach()[0, 0])
    found = (m.flatten() * (image - start)).tolist()
    assert sum(found) == pytest.approx(total, abs=1e-11)
    return found


def test_saturation_of_the_papers_figure_1():
    """y = 1 − max(0, 1 − i₁ − i₂): at (1, 1) the gradient is 0, but y rose by 1 from (0, 0), half of it by each."""
    found = contributions(lambda v: 1 - torch.relu(1 - v[:, :1] - v[:, 1:]), [1.0, 1.0], [0.0, 0.0])
    assert found == pytest.approx([0.5, 0.5])


def test_threshold_of_the_papers_figure_2():
    """y = max(0, x − 10) at 10 + ε against 0: ε, where gradient × input would jump from 0 to 10 + ε."""
    assert contributions(lambda v: torch.relu(v - 10), [10.25], [0.0]) == pytest.approx([0.25])


def test_minimum_written_with_a_relu_goes_to_one_and_as_an_operation_to_both():
    """min(i₁, i₂) = i₁ − max(0, i₁ − i₂), the paper's section 3.4: the rescale rule credits the smaller one alone.

    As an operation of two players: φ₁ = ½ [min(5, 0) − min(0, 0) + min(5, 2) − min(0, 2)] = ½ (0 + 2) = 1 = φ₂.
    """
    relu = contributions(lambda v: v[:, :1] - torch.relu(v[:, :1] - v[:, 1:]), [5.0, 2.0], [0.0, 0.0])
    assert relu == pytest.approx([0.0, 2.0])
    for smaller in (torch.minimum, torch.min):
        found = contributions(lambda v, f=smaller: f(v[:, :1], v[:, 1:]), [5.0, 2.0], [0.0, 0.0])
        assert found == pytest.approx([1.0, 1.0])


def test_products_are_split_in_halves():
    """Δ(ab) of (3, 5) against (1, 2) is 13: ½ (b + b₀) Δa = 3.5 · 2 = 7 and ½ (a + a₀) Δb = 2 · 3 = 6."""
    for times in (
        lambda v: v[:, :1] * v[:, 1:],
        lambda v: torch.einsum("ni,ni->n", v[:, :1], v[:, 1:])[:, None],
    ):
        assert contributions(times, [3.0, 5.0], [1.0, 2.0]) == pytest.approx([7.0, 6.0])
    assert contributions(lambda v: v * v, [3.0], [1.0]) == pytest.approx([8.0])


def test_quotients():
    """a/b of (6, 3) against (1, 1): b̄ = 2, ȳ = (2 + 1)/2, so 5 · 1/2 = 2.5 and −1.5/2 · 2 = −1.5; Δ is 1.

    Against (1, −1) the denominator changes its sign: ½ (1/3 − 1) · 5 = −5/3, and −ā/(b b₀) Δb = 3.5/3 · 4 = 14/3.
    """
    assert contributions(lambda v: v[:, :1] / v[:, 1:], [6.0, 3.0], [1.0, 1.0]) == pytest.approx([2.5, -1.5])
    found = contributions(lambda v: v[:, :1] / v[:, 1:], [6.0, 3.0], [1.0, -1.0])
    assert found == pytest.approx([-5 / 3, 14 / 3])
    assert contributions(lambda v: 6 / v, [3.0], [1.0]) == pytest.approx([-4.0])
    assert contributions(lambda v: v / 4, [3.0], [1.0]) == pytest.approx([0.5])


def test_softmax_of_two_is_the_sigmoid_of_their_difference():
    """p₁ = σ(d) with d = x₁ − x₂: Δσ/Δd · Δx₁ and −Δσ/Δd · Δx₂, and the same with log σ; both blind to a shift."""
    for f, scalar in ((torch.softmax, torch.sigmoid), (torch.log_softmax, F.logsigmoid)):
        for shift in (0.0, 800.0):
            x, other = [0.7 + shift, -0.4 + shift], [-0.2, 0.9]
            ends = scalar(torch.tensor([1.1, -1.1], dtype=torch.float64))
            slope = float(ends[0] - ends[1]) / 2.2
            found = contributions(lambda v, f=f: f(v, 1), x, other)
            truth = [slope * (x[0] - other[0]), -slope * (x[1] - other[1])]
            assert found == pytest.approx(truth, rel=1e-9)


def test_softmax_stays_small_however_far_apart_the_two_runs_are():
    torch.manual_seed(0)
    for size in (1.0, 30.0, 1000.0):
        x, other = size * torch.randn(2, 4, 9, dtype=torch.float64)
        weights = multipliers.log_softmax_weights(x, other, 1)
        assert (weights >= 0).all()
        torch.testing.assert_close(weights.sum(1), torch.ones(4, dtype=torch.float64))
        truth = torch.logsumexp(x, 1) - torch.logsumexp(other, 1)
        torch.testing.assert_close((weights * (x - other)).sum(1), truth, rtol=1e-10, atol=1e-10)


def test_masked_attention_is_complete_and_finite():
    torch.manual_seed(0)
    q, k, v = (nn.Linear(4, 4).double().requires_grad_(False) for _ in range(3))
    mask = torch.rand(5, 5) > 0.4
    mask |= torch.eye(5, dtype=torch.bool)

    class Attention(nn.Module):
        def forward(self, x):
            t = x.unflatten(1, (5, 4))
            a = F.scaled_dot_product_attention(q(t), k(t), v(t), attn_mask=mask)
            b = F.scaled_dot_product_attention(q(a), k(t), v(a), is_causal=True)
            scores = (q(b) @ k(t).transpose(1, 2)).masked_fill(~mask, -torch.inf)
            return (torch.softmax(scores, -1) @ v(b)).flatten(1)

    net = Attention()
    x, other = 2 * torch.randn(2, 3, 20, dtype=torch.float64)
    rules = DeepLiftRules(net, "deep_lift")
    z = rules.forward(net, x.requires_grad_(), other)
    cotangent = torch.randn_like(z)
    (m,) = torch.autograd.grad(z, x, cotangent)
    found, truth = (m * (x - other)).sum(1), ((net(x) - net(other)) * cotangent).sum(1)
    torch.testing.assert_close(found, truth, rtol=1e-10, atol=1e-12)


def test_max_pooling_by_hand():
    """Windows of two: (5, 1 | 2, 4 | 3, 3 | 6, 0) against (0, 3 | 6, 1 | 3, 3 | 7, 2).

    1: 5 ≥ 3, its winner 5 rose by 5 and takes the 2.  2: 4 < 6, the reference's winner fell from 6 to 2 and takes
    the −2.  3: nothing changed.  4: 6 < 7, the winner is the same place and takes −1.
    """
    x, other = [5.0, 1.0, 2.0, 4.0, 3.0, 3.0, 6.0, 0.0], [0.0, 3.0, 6.0, 1.0, 3.0, 3.0, 7.0, 2.0]
    truth = [2.0, 0, -2.0, 0, 0, 0, -1.0, 0]

    def pool(v):
        return F.max_pool1d(v[:, None], 2)[:, 0].sum(1, keepdim=True)

    spellings = [
        pool,
        lambda v: v.unflatten(1, (4, 2)).amax(-1).sum(1, keepdim=True),
        lambda v: v.unflatten(1, (4, 2)).max(2)[0].sum(1, keepdim=True),
        lambda v: -(-v).unflatten(1, (4, 2)).min(dim=2, keepdim=True).values.flatten(1).sum(1, keepdim=True),
        lambda v: F.adaptive_max_pool1d(v[:, None], 4)[:, 0].sum(1, keepdim=True),
    ]
    for f in spellings:
        assert contributions(f, x, other) == pytest.approx(truth)


def test_overlapping_pools_add_up_where_they_share_a_winner():
    """max(1, 9, 2) + max(9, 2, 0) of (1, 9, 2, 0) against zeros: the 9 carries both, 18.

    Captum lets one window overwrite the other and misses half.
    """
    f = nn.MaxPool1d(3, stride=1)
    assert contributions(lambda v: f(v[:, None])[:, 0].sum(1, keepdim=True), [1.0, 9, 2, 0], [0.0] * 4) == [
        0,
        18,
        0,
        0,
    ]

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.pool = f

        def forward(self, v):
            return self.pool(v).flatten(1).sum(1, keepdim=True)

    x = torch.tensor([[[1.0, 9, 2, 0]]])
    assert float(CaptumDeepLift(Net()).attribute(x, torch.zeros_like(x), target=0).sum()) == 9


def test_a_max_pooling_beside_an_activation_is_complete_here_and_not_in_captum():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(72, 3)
    ).double()  # fmt: skip
    p = problem_of(net, (8, 12), targets=AllClasses())
    other = torch.randn_like(p.image)
    rules = DeepLiftRules(net.requires_grad_(False), "deep_lift")
    x = p.image[None].clone().requires_grad_()
    (m,) = torch.autograd.grad(rules.forward(net, x, other[None])[0, 0], x)
    truth = float((net(x) - net(other[None])).detach()[0, 0])
    theirs = CaptumDeepLift(net).attribute(p.image[None], other[None], target=0)
    assert float((m[0] * (p.image - other)).sum()) == pytest.approx(truth, rel=1e-10)
    assert abs(float(theirs.detach().sum()) - truth) > 0.1 * abs(truth)


class Elementary(nn.Module):
    """A norm as its definition: mean, root of the mean square, quotient; with the same affine part."""

    def __init__(self, norm, axes, groups=None):
        super().__init__()
        self.norm, self.axes, self.groups = norm, axes, groups

    def forward(self, v):
        shape = v.shape
        u = v if self.groups is None else v.reshape(shape[0], self.groups, -1)
        c = u - u.mean(self.axes, keepdim=True)
        y = (c / torch.sqrt((c * c).mean(self.axes, keepdim=True) + self.norm.eps)).reshape(shape)
        affine = (
            (1, -1, *(1,) * (len(shape) - 2))
            if not isinstance(self.norm, nn.LayerNorm)
            else self.norm.weight.shape
        )
        return y * self.norm.weight.reshape(affine) + self.norm.bias.reshape(affine)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.filterwarnings("ignore:.*other samples of a batch change its output")
@pytest.mark.parametrize("kind", ["instance", "group", "layer", "batch"])
def test_norms_in_one_piece_are_norms_in_their_parts(kind, dims):
    """Two ways through different code: the closed form of the whole, and the rules of product, root and quotient."""
    torch.manual_seed(0)
    shape = SHAPES[dims]
    spatial = tuple(range(2, dims + 2))
    norm, parts = {
        "instance": lambda: (
            (nn.InstanceNorm2d if dims == 2 else nn.InstanceNorm3d)(4, affine=True),
            (spatial, None),
        ),
        # by the statistics of its input, which is given one sample at a time
        "batch": lambda: (
            (nn.BatchNorm2d if dims == 2 else nn.BatchNorm3d)(4, track_running_stats=False),
            (spatial, None),
        ),
        "group": lambda: (nn.GroupNorm(2, 4), ((2,), 2)),
        "layer": lambda: (nn.LayerNorm(shape[-1]), ((-1,), None)),
    }[kind]()
    with torch.no_grad():
        norm.weight.uniform_(0.5, 2)
        norm.bias.normal_()
    maps = []
    for layer in (norm, Elementary(norm, *parts)):
        torch.manual_seed(1)
        net = nn.Sequential(conv(dims)(1, 4, 3, padding=1), layer, nn.PReLU(), conv(dims)(4, 3, 1)).double()
        for baseline in ("blur:1", 0.0):
            p = problem_of(net, shape)
            found = method("deep_lift", baseline=baseline).attribute(p)
            maps.append(torch.stack([found.values(t) for t in p.present]))
            assert max(a.checks["completeness_gap"] for a in found.answers) < 1e-10
    for a, b in zip(maps[:2], maps[2:], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-10 * float(b.abs().max()))


def test_a_batch_norm_by_the_statistics_of_several_samples_is_refused():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, track_running_stats=False), nn.ReLU())
    net.requires_grad_(False)
    x = torch.rand(2, 1, 5, 6, requires_grad=True)
    with pytest.raises(ModelError, match=r"method deep_lift: a BatchNorm .*use batch=1"):
        DeepLiftRules(net, "deep_lift").forward(net, x, torch.zeros_like(x))
    DeepLiftRules(net, "deep_lift").forward(net, x[:1], torch.zeros_like(x[:1]))


def test_a_constant_reference_does_not_blow_norms_up():
    """Its standard deviation is √ε, so 1/σ is 316 times the image's; the quotient's multiplier is at most 2/σ.

    The halves of c · (1/σ) would be ½ (1 + 316) Δc. The total is the same, but parts of hundreds would cancel.
    """
    net = InstanceNormSegmenter(3).double()
    p = problem_of(net, (8, 8, 6))
    found = method("deep_lift", baseline=0.0).attribute(p)
    for t in p.present:
        size, total = float(found.values(t).abs().sum()), abs(float(found.values(t).sum()))
        assert size < 30 * total
        assert found.answers[t].checks["completeness_gap"] < 1e-10


# in three dimensions only some are quick; Swin UNETR in 3-D takes a minute and was complete to 2e-14 when it was tried
QUICK = {"unet", "attention_unet", "vessel_unet", "vit", "resnet18", "dynunet"}
PLACES = [
    pytest.param(name, dims, marks=[] if dims == 2 or name in QUICK else pytest.mark.slow)
    for name, e in ZOO.items()
    for dims in e.dims
    if (name, dims) != ("swin_unetr", 3)
]
# each network in one of its shapes, in turn
ONE_EACH = [
    places[turn % len(places)]
    for turn, name in enumerate(ZOO)
    if (places := [p for p in PLACES if p.values[0] == name])
]
FEW = [(name, 2) for name, e in ZOO.items() if 2 in e.dims] + [("unet", 3), ("vit", 3)]
FEWER = [place for place in FEW if place[0] not in ("densenet121", "efficientnet_b0", "swin_unetr")]


def zoo_problem(name, dims, dtype, wide):
    entry = ZOO[name]
    if entry.data is not None and not entry.data.is_file():
        pytest.skip("the trained network is not here")
    shape = entry.shapes[dims]
    windows = Windows(roi=shape, overlap=0.5, blend="gaussian") if wide else Windows()
    model = Model(
        entry.make(dims, 0).to(dtype),
        spatial_dims=dims,
        head=entry.head,
        channels_in=entry.channels,
        windows=windows,
    )
    case = entry.case(entry.wide[dims] if wide else shape)
    targets = AllClasses(background=True) if entry.task == "segmentation" else AllClasses(score="margin")
    return Problem(model, case, targets, dtype=dtype)


# VOXPLAIN_MATRIX_ALL=1: every network in all its shapes
@pytest.mark.parametrize(("name", "dims"), PLACES if os.environ.get("VOXPLAIN_MATRIX_ALL") else ONE_EACH)
def test_it_is_complete_on_every_network(name, dims):
    complete(name, dims, torch.float64, wide=False, limit=1e-8)


@pytest.mark.parametrize(("name", "dims"), [q for q in FEWER if q[1] in ZOO[q[0]].wide])
def test_it_is_complete_over_windows(name, dims):
    complete(name, dims, torch.float64, wide=True, limit=1e-8)


@pytest.mark.parametrize(("name", "dims"), FEWER)
def test_it_is_complete_in_single_precision(name, dims):
    complete(name, dims, torch.float32, wide=False, limit=1e-3)


def complete(name, dims, dtype, *, wide, limit):
    """Against scores of both images by forward passes alone, not against what the rules themselves report."""
    p = zoo_problem(name, dims, dtype, wide)
    reference = default_baseline(p)(p)
    found = method("deep_lift").attribute(p)
    truth = p.clean_scores() - p.scores([reference])[0]
    for t in p.present:
        total = float(found.values(t).double().sum())
        assert total == pytest.approx(float(truth[t]), rel=limit)
        assert found.answers[t].checks["completeness_gap"] < limit
        assert found.answers[t].status == "ok" and found.values(t).isfinite().all()


@pytest.mark.parametrize(("name", "dims"), FEW)
def test_at_its_own_reference_the_multipliers_are_the_gradient(name, dims):
    """Where the two runs are one, every rule must go over into the derivative."""
    p = zoo_problem(name, dims, torch.float64, wide=False)
    net, head = p.model.module.eval().requires_grad_(False), ZOO[name].head
    x = p.image[None].clone().requires_grad_()

    def run(v):
        return chosen(net(v), head)

    z = run(x)
    cotangent = torch.randn(z.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    (gradient,) = torch.autograd.grad(z, x, cotangent)
    ours = DeepLiftRules(net, "deep_lift").forward(run, x, x.detach().clone())
    (found,) = torch.autograd.grad(ours, x, cotangent)
    torch.testing.assert_close(found, gradient, rtol=1e-6, atol=1e-9 * float(gradient.abs().max()))


SMOOTH = {
    "gelu": F.gelu, "silu": F.silu, "mish": F.mish, "softplus": F.softplus, "tanh": torch.tanh, "sigmoid": torch.sigmoid,
    "exp": torch.exp, "cube": lambda v: v**3, "leaky": lambda v: F.leaky_relu(v, 0.9),
    "relu": torch.relu, "hardswish": F.hardswish,
}  # fmt: skip


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_secants_keep_their_digits_however_small_the_step(name, dtype):
    """Truth in double: the mean of f' between the ends, by 64 Gauss-Legendre nodes on either side of zero."""
    f = SMOOTH[name]
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4000, generator=generator, dtype=torch.float64)
    step = 10 ** (-14 * torch.rand(4000, generator=generator, dtype=torch.float64)) * (x.abs() + 0.1)
    x, other = x.to(dtype), (x + step * torch.randn(4000, generator=generator)).to(dtype)
    if name == "relu":
        found = multipliers.relu_secant(x, other, f(x), f(other))
    else:
        found = multipliers.secant(f, x, other, f(x), f(other), cancels=name == "gelu")
    nodes, weights = (torch.from_numpy(v) for v in np.polynomial.legendre.leggauss(64))
    a, b = other.double(), x.double()
    crossing = (a * b < 0).double()
    middle = torch.where(crossing > 0, 0.0, (a + b) / 2)  # kinks are at zero
    whole = torch.zeros_like(a)
    for lo, hi in ((a, middle), (middle, b)):
        for u, w in zip(nodes, weights, strict=True):
            whole += w / 2 * (hi - lo) * multipliers.derivative(f, lo + (u + 1) / 2 * (hi - lo))
    truth = torch.where(a == b, multipliers.derivative(f, b), whole / (b - a))
    limit = {torch.float32: 1e-4, torch.float64: 1e-11}[dtype]
    error = (found.double() - truth).abs() / truth.abs().clamp_min(0.1)
    if name == "hardswish":  # its other kinks are at −3 and 3
        error = error[(a.abs() < 3) & (b.abs() < 3)]
    assert float(error.max()) < limit
    # and the difference itself is met to rounding, kinks or not
    missed = (found * (x - other) - (f(x) - f(other))).abs()
    assert float((missed / (1 + x.abs() ** 3 + f(x).abs())).max()) < 64 * torch.finfo(dtype).eps


def test_captum_refuses_modules_that_run_twice_and_misses_what_is_no_known_module():
    """MONAI's networks of today: reused activations, PReLU and InstanceNorm, attention gates, channel softmax."""
    for name in ("segresnet", "dynunet", "unetr", "resnet18"):
        p = zoo_problem(name, 2, torch.float64, wide=False)
        with pytest.raises(RuntimeError, match="more than once"):
            CaptumDeepLift(Output(p.model.module)).attribute(p.image[None], 0.0, target=1)
        assert method("deep_lift", baseline=0.0).attribute(p).answers[0].checks["completeness_gap"] < 1e-10
    for name in ("unet", "attention_unet"):
        p = zoo_problem(name, 2, torch.float64, wide=False)
        gap = captums_gap(Output(p.model.module), p.image[None])
        assert gap > 0.1
        assert method("deep_lift", baseline=0.0).attribute(p).answers[0].checks["completeness_gap"] < 1e-10


class Output(nn.Module):
    """The mean of each class, as a classifier."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        z = chosen(self.net(x), 0)
        return z if z.dim() == 2 else z.flatten(2).mean(2)


def captums_gap(net, x):
    net = net.double().eval()
    total = float(CaptumDeepLift(net).attribute(x, torch.zeros_like(x), target=1).sum())
    truth = float((net(x) - net(torch.zeros_like(x)))[0, 1])
    return abs(total - truth) / abs(truth)


def test_a_softmax_inside_the_network_is_wrong_in_captum_and_right_here():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Softmax(1), nn.Conv2d(4, 3, 1)).double()
    x = random_case((8, 12)).image
    assert captums_gap(Output(net), torch.from_numpy(x).double()[None]) > 0.05
    found = method("deep_lift", baseline=0.0).attribute(problem_of(net, (8, 12)))
    assert max(a.checks["completeness_gap"] for a in found.answers if a.status == "ok") < 1e-12


class Weighted(nn.Module):
    """⟨cotangent, net(x)⟩: what one window contributes to the stitched score."""

    def __init__(self, net, cotangent):
        super().__init__()
        self.net, self.cotangent = net, cotangent

    def forward(self, x):
        return (self.net(x) * self.cotangent).flatten(1).sum(1, keepdim=True)


@pytest.mark.parametrize("score", ["logit", "margin"])
@pytest.mark.parametrize("blend", ["constant", "gaussian"])
@pytest.mark.parametrize(("shape", "roi"), [((10, 13), (6, 8)), ((8, 9, 6), (6, 6, 4))])
def test_over_windows_it_is_the_sum_of_captums_windows(shape, roi, blend, score):
    """Blending weights by MONAI, a window's share of the score by hand, and Captum for every window on its own."""
    dims = len(shape)
    net = net_of(dims, "segmentation").double()
    p = problem_of(
        net, shape, targets=PredictedRegion(class_name=1, score=score), roi=roi, overlap=0.5, blend=blend
    )
    places = dense_patch_slices(shape, roi, [max(int(r * 0.5), 1) for r in roi], return_slice=True)
    importance = torch.as_tensor(
        compute_importance_map(roi, mode=blend, sigma_scale=0.125, dtype=torch.float64)
    )
    total, z = torch.zeros(shape, dtype=torch.float64), torch.zeros((3, *shape), dtype=torch.float64)
    for where in places:
        total[where] += importance
        z[(slice(None), *where)] += net(p.image[(slice(None), *where)][None])[0].detach() * importance
    z /= total
    mask = (z.argmax(0) == 1).double()
    weights = torch.zeros_like(z)
    weights[1] = mask / mask.sum()
    if score == "margin":
        rivals = z.clone()
        rivals[1] = -torch.inf
        weights.scatter_add_(0, rivals.argmax(0)[None], -(mask / mask.sum())[None])
    truth = torch.zeros_like(p.image)
    for where in places:
        box = (slice(None), *where)
        cotangent = weights[box] * importance / total[where]
        if cotangent.any():
            x = p.image[box][None]
            truth[box] += CaptumDeepLift(Weighted(net, cotangent)).attribute(
                x, torch.full_like(x, 0.2), target=0
            )[0]
    found = method("deep_lift", baseline=0.2).attribute(p)
    torch.testing.assert_close(found.values(0), truth, **CLOSE)
    assert found.answers[0].checks["completeness_gap"] < 1e-12


@pytest.mark.parametrize("padding", ["constant", "reflect"])
def test_padded_windows_are_complete(padding):
    p = problem_of(InstanceNormSegmenter(2).double(), (5, 12), roi=8, overlap=0.3, padding=padding)
    found = method("deep_lift", baseline="blur:1").attribute(p)
    truth = p.clean_scores() - p.scores([parse_baseline("blur:1", p)(p)])[0]
    for t in p.present:
        assert float(found.values(t).sum()) == pytest.approx(float(truth[t]), rel=1e-9)


class Sideways(nn.Module):
    """Puts the samples of the batch last before it activates, as sequence-first transformers do in the middle."""

    def __init__(self, net, turned):
        super().__init__()
        self.net, self.turned = net, turned

    def forward(self, x):
        for layer in self.net:
            turn = self.turned and not isinstance(layer, (nn.Conv2d, nn.Conv3d))
            x = layer(x.movedim(0, -1)).movedim(-1, 0) if turn else layer(x)
        return x


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_image_and_reference_meet_wherever_the_network_puts_the_batch(batch):
    maps = []
    for turned in (False, True):
        net = Sideways(net_of(2, "segmentation", acts=(nn.GELU, nn.Tanh)), turned)
        p = problem_of(net, (10, 13), roi=6, overlap=0.5, batch=batch)
        maps.append(method("deep_lift", baseline=0.1).attribute(p))
    for t in maps[0].problem.present:
        torch.testing.assert_close(maps[1].values(t), maps[0].values(t), **CLOSE)


@pytest.mark.parametrize(
    "otherwise",
    [lambda z: z * z.sigmoid(), torch.relu, lambda z: torch.tanh(z[:, :2].repeat(1, 2)), lambda z: 2 * z],
)
def test_a_network_that_decides_by_the_image_is_refused(otherwise):
    """More operations, as many but others, as many of other shapes, and fewer."""

    class Decides(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = classifier(2)

        def forward(self, x):
            z = self.net(x)
            return torch.tanh(z).repeat(1, 2)[:, :3] if x.mean() > 0.2 else otherwise(z).repeat(1, 2)[:, :3]

    p = problem_of(Decides().double(), (7, 8), targets=AllClasses())
    with pytest.raises(ModelError, match="other operations on the image than on the reference"):
        method("deep_lift", baseline=9.0).attribute(p)


@pytest.mark.parametrize("at", [0, 1, 2, 3])
@pytest.mark.parametrize(
    ("owner", "attribute"),
    [(multipliers, "secant"), (terms.WindowTerms, "cotangent"), (terms.WindowTerms, "scores")],
)
def test_memory_that_runs_out_changes_nothing(owner, attribute, at, monkeypatch):
    def asked():
        net = net_of(2, "segmentation", acts=(nn.GELU, nn.Tanh))
        return problem_of(net, (10, 13), roi=6, overlap=0.5, batch=8)

    truth = method("deep_lift_shap", baselines=(0.1, "blur:1")).attribute(asked())
    again, function, calls = asked(), getattr(owner, attribute), []

    def fails_once(*args, **kwargs):
        calls.append(1)
        if len(calls) == at + 1:
            raise torch.OutOfMemoryError("out of memory (injected)")
        return function(*args, **kwargs)

    monkeypatch.setattr(owner, attribute, fails_once)
    found = method("deep_lift_shap", baselines=(0.1, "blur:1")).attribute(again)
    assert len(calls) > at
    for t in again.present:
        torch.testing.assert_close(found.values(t), truth.values(t), **CLOSE)
        assert found.answers[t].checks["completeness_gap"] < 1e-12


def test_what_no_rule_sees_shows_in_the_completeness_gap():
    """x · detach(x) has the multiplier x, but rose by x² − b²: the map explains x (x − b) of it."""

    class Detached(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = classifier(2)

        def forward(self, x):
            return self.net(x * x.detach())

    p = problem_of(Detached().double(), (7, 8), targets=AllClasses())
    found = method("deep_lift", baseline=0.7).attribute(p)
    assert found.answers[0].checks["completeness_gap"] > 0.01
    assert "no rule sees" in found.answers[0].note


@pytest.mark.parametrize("name", ["deep_lift", "deep_lift_shap"])
def test_what_it_is_not_defined_for_is_refused(name):
    for score in ("probability", "log_probability"):
        p = problem_of(net_of(2, "segmentation"), SHAPES[2], targets=AllClasses(score=score))
        with pytest.raises(TargetError, match=f"asks for the {score}; it supports.*scores logit, margin"):
            method(name).attribute(p)
    model = Model(net_of(2, "segmentation").float(), spatial_dims=2, precision="bf16")
    with pytest.raises(ModelError, match="bf16"):
        method(name).check(model)
    with pytest.raises(InputError, match="at least one"):
        method("deep_lift_shap", baselines=())
    with pytest.raises(InputError, match="baseline: found 'foo'"):
        method("deep_lift", baseline="foo")


def test_nothing_is_warned_about_and_later_methods_find_the_scores_they_would_find_without():
    """DeepLIFT's own forward pass may round otherwise, so its scores are not kept for others."""
    p = problem_of(InstanceNormSegmenter(2).double(), (8, 12))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = method("deep_lift").attribute(p)
    assert (found.passes.forward, found.passes.backward) == (2, len(p.present))
    alone = problem_of(InstanceNormSegmenter(2).double(), (8, 12)).clean_scores()
    assert torch.equal(p.clean_scores(), alone)
    assert found.answers[0].note.startswith("reference blur")

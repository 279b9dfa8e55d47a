"""LRP on whole networks: conserved, the books balance, windows are exact, and what cannot work is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import InstanceNormSegmenter, classifier, random_case, smooth_segmenter
from relevance_truth import brute, relevance
from torch import nn
from zoo.draw import chosen
from zoo.networks import ZOO

from voxplain.attribution import method
from voxplain.attribution.backprop.relevance import Relevance
from voxplain.attribution.backprop.relevance_rules import Settings
from voxplain.engine import Problem
from voxplain.errors import InputError, ModelError, TargetError
from voxplain.model import Model, Windows
from voxplain.target import AllClasses, PredictedRegion

PLACES = [
    (name, 2) for name, e in ZOO.items() if 2 in e.dims and name not in ("efficientnet_b0", "swin_unetr")
]
PLACES += [
    (name, 3)
    for name in ("unet", "unet_batchnorm", "segresnet", "attention_unet", "unetr", "vit", "resnet18")
]
PLACES += [("meshnet3", 3)]


class Head(nn.Module):
    """A network's output that is meant."""

    def __init__(self, net, head):
        super().__init__()
        self.net, self.head = net, head

    def forward(self, x):
        return chosen(self.net(x), self.head)


@pytest.mark.parametrize(("name", "dims"), PLACES)
def test_relevance_is_conserved_and_bounded(name, dims):
    entry = ZOO[name]
    if entry.data is not None and not entry.data.is_file():
        pytest.skip("the trained network is not here")
    net = Head(entry.make(dims, 0).double().eval(), entry.head)
    x = torch.from_numpy(entry.case(entry.shapes[dims]).image)[None].double()
    x = torch.cat([x, 1.1 * x.flip(-1)])
    seed = net(x).detach().abs()
    found, rules = relevance(net, x, seed, "epsilon_plus_flat")
    torch.testing.assert_close(found.flatten(1).sum(1), seed.flatten(1).sum(1), rtol=1e-6, atol=0)
    assert (found.abs().flatten(1).sum(1) < 10 * seed.flatten(1).sum(1)).all()
    assert all(rules.books.targets[b].gap < 1e-9 for b in range(2))
    _, rules = relevance(
        net, x, seed, "epsilon_plus_flat", settings=Settings(bias="absorb"), attention="attnlrp"
    )
    assert all(rules.books.targets[b].gap < 1e-9 for b in range(2)), "the books balance whatever is absorbed"


@pytest.mark.parametrize("dims", [2, 3])
def test_relevance_is_conserved_at_every_layer(dims):
    make = nn.Conv2d if dims == 2 else nn.Conv3d
    norm = nn.BatchNorm2d if dims == 2 else nn.BatchNorm3d
    torch.manual_seed(0)
    pool = nn.AdaptiveAvgPool2d(2) if dims == 2 else nn.AdaptiveAvgPool3d(2)
    net = nn.Sequential(
        make(1, 4, 3, padding=1), nn.GELU(), nn.GroupNorm(2, 4), make(4, 6, 3, stride=2), norm(6), nn.PReLU(), pool,
        nn.Flatten(), nn.Linear(6 * 2**dims, 3),
    ).double().eval()  # fmt: skip
    x = torch.randn(1, 1, *(7,) * dims, dtype=torch.double)
    sums = {}

    def note(name):
        def hook(module, inputs, out):
            if out.requires_grad:
                out.register_hook(lambda r: sums.__setitem__(name, float(r.sum())))

        return hook

    handles = [m.register_forward_hook(note(n)) for n, m in net.named_children()]
    seed = torch.tensor([[2.0, -0.5, 1.0]]).double()
    relevance(net, x, seed, "epsilon_gamma_flat")
    for handle in handles:
        handle.remove()
    # the fourth's own output is skipped: with the BatchNorm after it, it is one operation
    assert sums.keys() == {"0", "1", "2", "4", "5", "6", "7", "8"}
    assert all(s == pytest.approx(2.5, rel=1e-10) for s in sums.values())


NETS = {"smooth": smooth_segmenter, "instance": lambda d, channels=1: InstanceNormSegmenter(d)}


@pytest.mark.parametrize("score", ["logit", "margin"])
@pytest.mark.parametrize(
    ("shape", "windows", "name", "channels"),
    [
        ((9, 12), Windows(roi=(6, 8), overlap=0.5), "smooth", 2),
        ((10, 12), Windows(roi=(6, 8), overlap=0.25, blend="gaussian"), "instance", 1),
        ((8, 9, 7), Windows(roi=(6, 6, 6), overlap=0.5, blend="gaussian"), "smooth", 2),
        ((8, 6, 8), Windows(roi=(6, 6, 6), overlap=0.25), "instance", 1),
    ],
)
def test_windows_are_the_sum_over_windows(shape, windows, name, channels, score):
    dims = len(shape)
    net = NETS[name](dims, channels).double().eval()
    model = Model(net, spatial_dims=dims, windows=windows)
    case = random_case(shape, channels)
    p = Problem(model, case, AllClasses(background=True, score=score), dtype=torch.float64, batch=3)
    found = method("lrp").attribute(p)
    assert p.present == [0, 1, 2]

    def explain(x, cotangent, z):
        return relevance(net, x, cotangent * z, "epsilon_plus")[0][0]

    for t, (total, truth) in enumerate(brute(net, p.image, windows, score, explain)):
        torch.testing.assert_close(found.values(t), truth, rtol=1e-9, atol=1e-12)
        assert float(found.values(t).sum()) == pytest.approx(total, rel=1e-9)
        assert found.answers[t].checks["completeness_gap"] < 1e-9
        assert found.answers[t].score == pytest.approx(total, rel=1e-9)


@pytest.mark.parametrize("dims", [2, 3])
def test_a_linear_classifier_is_weight_times_input(dims):
    """F = Σ w x + b: w x each, and b in proportion to |w x|."""
    torch.manual_seed(0)
    shape = (5, 4, 3)[:dims]
    net = nn.Sequential(nn.Flatten(), nn.Linear(2 * int(np.prod(shape)), 3)).double()
    model = Model(net, spatial_dims=dims, channels_in=2, fixed_shape=shape)
    p = Problem(model, random_case(shape, 2), AllClasses(), dtype=torch.float64)
    found = method("lrp", epsilon=0).attribute(p)
    absorbed = method("lrp", epsilon=0, bias="absorb").attribute(p)
    for t in range(3):
        terms = net[1].weight[t].reshape(p.image.shape).detach() * p.image
        bias = float(net[1].bias[t].detach())
        torch.testing.assert_close(absorbed.values(t), terms)
        torch.testing.assert_close(found.values(t), terms + bias * terms.abs() / terms.abs().sum())
        assert f"{bias / absorbed.answers[t].score:.1%} by the biases" in absorbed.answers[t].note


def test_relevance_on_the_padding_is_told():
    model = Model(smooth_segmenter(2).double(), spatial_dims=2, windows=Windows(roi=12, padding_value=2.0))
    p = Problem(model, random_case((7, 8)), PredictedRegion(class_name=1), dtype=torch.float64)
    answer = (found := method("lrp").attribute(p)).answers[0]
    share = 1 - float(found.values(0).sum()) / answer.score
    assert abs(share) > 1e-2
    assert answer.note == f"of the score, {share:.1%} by the padding of the image instead of the image"
    assert answer.checks["completeness_gap"] < 1e-9


def test_single_precision_and_cancellation():
    p = Problem(
        Model(InstanceNormSegmenter(2), spatial_dims=2), random_case((8, 10)), AllClasses(background=True)
    )
    for t, answer in enumerate((found := method("lrp").attribute(p)).answers):
        assert answer.checks["completeness_gap"] < 1e-4
        assert float(found.values(t).sum()) == pytest.approx(answer.score, rel=1e-4)
        assert not answer.note
    noisy = method("lrp", rule="epsilon", sums="epsilon", bias="absorb", epsilon=1e-9).attribute(p)
    assert any("cancel" in a.note for a in noisy.answers)


def test_memory_that_runs_out_counts_nothing_twice(monkeypatch):
    model = Model(smooth_segmenter(2).double(), spatial_dims=2, windows=Windows(roi=6, overlap=0.5))
    case = random_case((9, 15))

    def ask():
        return Problem(model, case, AllClasses(background=True), dtype=torch.float64, batch=8)

    truth = method("lrp").attribute(ask())
    calls = []
    own = Relevance.shared

    def scarce(self, at, parts, out, relevance):
        calls.append(len(out))
        # in the second backward pass of a batch of four, then in that of one of its halves
        if (len(out) == 4 and len(calls) == 4) or (len(out) == 2 and calls.count(2) == 3):
            raise RuntimeError("CUDA out of memory")
        return own(self, at, parts, out, relevance)

    monkeypatch.setattr(Relevance, "shared", scarce)
    found = method("lrp").attribute(ask())
    assert max(calls) == 4 and min(calls) == 1
    for t in range(3):
        torch.testing.assert_close(found.values(t), truth.values(t))
        assert found.answers[t].checks["completeness_gap"] < 1e-9


@pytest.mark.parametrize("fails", [False, True])
def test_the_network_is_as_it_was(fails, monkeypatch):
    net = InstanceNormSegmenter(2)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    p = Problem(Model(net, spatial_dims=2), random_case((8, 10)), PredictedRegion(class_name=1))
    if fails:
        monkeypatch.setattr(Relevance, "shared", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            method("lrp").attribute(p)
    else:
        method("lrp").attribute(p)
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())
    for m in net.modules():
        assert not m._forward_hooks and not m._forward_pre_hooks and "forward" not in vars(m)
    assert all(q.requires_grad and q.grad is None for q in net.parameters())


def test_what_cannot_work_is_refused():
    model = Model(smooth_segmenter(2), spatial_dims=2)
    for score in ("probability", "log_probability"):
        p = Problem(model, random_case((7, 8)), AllClasses(score=score))
        with pytest.raises(TargetError, match=f"asks for the {score}; it supports"):
            method("lrp").attribute(p)
    with pytest.raises(ModelError, match="bf16"):
        method("lrp").check(Model(classifier(2), spatial_dims=2, precision="bf16"))
    with pytest.raises(ModelError, match="hooks"):
        method("lrp").check(Model(torch.jit.script(smooth_segmenter(2)), spatial_dims=2))
    for wrong in (
        {"rule": "epsilion"},
        {"epsilon": -1.0},
        {"gamma": float("nan")},
        {"alpha": 0.5},
        {"bias": "ignore"},
        {"sums": "value"},
        {"attention": "all"},
    ):
        with pytest.raises(InputError, match=f"lrp: found {next(iter(wrong))}="):
            method("lrp", **wrong)


@pytest.mark.filterwarnings("ignore:.*other samples of a batch change its output")
@pytest.mark.parametrize("rule", ["epsilon_plus", "epsilon", "gamma"])
def test_a_batch_norm_by_its_inputs_own_statistics_is_an_instance_norm(rule):
    """Of one sample they are the same function."""
    maps = []
    for norm in (nn.BatchNorm2d(4, track_running_stats=False), nn.InstanceNorm2d(4, affine=True)):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), norm, nn.ReLU(), nn.Conv2d(4, 3, 1)).double()
        p = Problem(
            Model(net, spatial_dims=2), random_case((7, 8)), AllClasses(background=True), dtype=torch.float64
        )
        found = method("lrp", rule=rule).attribute(p)
        assert max(a.checks["completeness_gap"] for a in found.answers) < 1e-10
        maps.append(torch.stack([found.values(t) for t in p.present]))
    torch.testing.assert_close(*maps, rtol=1e-9, atol=1e-12)

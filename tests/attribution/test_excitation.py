"""Excitation backprop and its contrastive form against the paper's sums written out, zennit, and negated networks."""

from __future__ import annotations

import copy

import pytest
import torch
from monai.networks.nets import UNet
from networks import random_case
from relevance_truth import brute
from torch import nn
from torchvision_stand_in import peer

from voxplain.attribution import method
from voxplain.attribution.backprop.excitation import Excitation
from voxplain.engine import Problem
from voxplain.errors import ModelError, TargetError
from voxplain.model import Model, Windows
from voxplain.target import AllClasses, PredictedRegion

composites = peer("zennit.composites")


def walk(net, x, seed, negated=False):
    for p in net.parameters():
        p.requires_grad_(False)
    rules = Excitation(net, "excitation_backprop", negated=negated)
    leaf = x.clone().requires_grad_()
    z = rules.watched(net, leaf)
    return torch.autograd.grad(z, leaf, rules.seed(seed, z))[0]


def network(dims, task="segmentation"):
    torch.manual_seed(dims)
    conv, pool, up = (
        (nn.Conv2d, nn.MaxPool2d, nn.ConvTranspose2d)
        if dims == 2
        else (nn.Conv3d, nn.MaxPool3d, nn.ConvTranspose3d)
    )
    layers = [conv(2, 4, 3, padding=1), nn.ReLU(), pool(2), conv(4, 5, 3, padding=1), nn.ReLU()]
    average = nn.AdaptiveAvgPool2d(1) if dims == 2 else nn.AdaptiveAvgPool3d(1)
    if task == "segmentation":
        layers += [up(5, 4, 2, stride=2), nn.ReLU(), conv(4, 3, 1)]
    else:
        layers += [average, nn.Flatten(), nn.Linear(5, 3)]
    net = nn.Sequential(*layers).double().eval()
    with torch.no_grad():
        for m in net.modules():
            if isinstance(m, (nn.Linear, conv, up)):
                m.bias.uniform_(0, 0.1)
        if task == "segmentation":  # every class wins somewhere
            z = net(torch.from_numpy(random_case((8,) * dims, 2).image)[None].double())[0].flatten(1)
            net[-1].weight /= z.std(1).reshape(-1, *(1,) * (dims + 1))
            net[-1].bias.copy_((net[-1].bias - z.mean(1)) / z.std(1))
    return net


def test_the_papers_sums_written_out():
    """Zhang et al. 2016, eq. 5: P(a_i) = Σ_j a_i w⁺_ij / Σ_i a_i w⁺_ij P(a_j), and 0 where nothing excites."""
    torch.manual_seed(4)
    net = nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 3)).double()
    x = torch.rand(1, 5).double()
    seed = torch.tensor([[0.3, 0.0, 0.7]]).double()

    def truth(last):
        p = seed[0]
        inputs = [x[0], net[1](net[0](x))[0], net[3](net[2](net[1](net[0](x))))[0]]
        for a, w in zip(reversed(inputs), (last, net[2].weight, net[0].weight), strict=True):
            below = torch.zeros_like(a)
            for j in range(len(p)):
                total = sum(a[i] * max(w[j, i], 0) for i in range(len(a)))
                for i in range(len(a)):
                    if total > 0:
                        below[i] += a[i] * max(w[j, i], 0) / total * p[j]
            p = below
        return p

    torch.testing.assert_close(walk(net, x, seed)[0], truth(net[4].weight))
    torch.testing.assert_close(walk(net, x, seed, negated=True)[0], truth(-net[4].weight))
    assert float(walk(net, x, seed).sum()) == pytest.approx(1)
    # a unit that speaks against the score is one with negated weights
    torch.testing.assert_close(walk(net, x, -seed)[0], truth(-net[4].weight))


def test_negative_inputs_excite_through_negative_weights():
    """x = (2, −1, 3), w = (1, −4, −2): terms 2, 4 and −6; the first two excite."""
    net = nn.Linear(3, 1).double()
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[1.0, -4.0, -2.0]]))
    x = torch.tensor([[2.0, -1.0, 3.0]]).double()
    one = torch.ones(1, 1).double()
    torch.testing.assert_close(walk(net, x, one), torch.tensor([[1 / 3, 2 / 3, 0]]).double())
    torch.testing.assert_close(walk(net, x, one, negated=True), torch.tensor([[0, 0, 1.0]]).double())


@pytest.mark.parametrize("task", ["segmentation", "classification"])
@pytest.mark.parametrize("dims", [2, 3])
def test_zennits_excitation_backprop(dims, task):
    net = network(dims, task)
    x = torch.randn(2, 2, *(4,) * dims, dtype=torch.double)
    seed = torch.rand_like(net(x))
    leaf = x.clone().requires_grad_()
    with composites.ExcitationBackprop(stabilizer=1e-30, zero_params=["bias"]).context(net) as changed:
        (truth,) = torch.autograd.grad(changed(leaf), leaf, seed)
    torch.testing.assert_close(walk(net, x, seed), truth, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize(
    ("dims", "task", "windows"),
    [
        (2, "classification", None),
        (3, "classification", None),
        (2, "segmentation", Windows(roi=(6, 4), overlap=0.5, blend="gaussian")),
        (3, "segmentation", Windows(roi=(4, 4, 4), overlap=0.5)),
    ],
)
def test_maps_are_probabilities_and_contrasts_their_difference(dims, task, windows):
    net = network(dims, task)
    negated = copy.deepcopy(net)
    with torch.no_grad():
        negated[-1].weight.neg_()
    case = random_case((10, 8, 6)[:dims], 2)
    p = Problem(
        Model(net, spatial_dims=dims, channels_in=2, windows=windows),
        case,
        AllClasses(background=True),
        dtype=torch.float64,
    )
    found = method("excitation_backprop").attribute(p)
    contrast = method("contrastive_excitation_backprop").attribute(p)
    signed = method("contrastive_excitation_backprop", positive=False).attribute(p)
    if windows is None:
        truths = []
        for c in range(3):
            one = torch.zeros(1, 3).double()
            one[0, c] = 1
            truths.append([walk(n, p.image[None], one)[0] for n in (net, negated)])
    else:
        every = [
            brute(net, p.image, windows, "logit", lambda x, c, z, n=n: walk(n, x, c)[0])
            for n in (net, negated)
        ]
        truths = [[plus, minus] for (_, plus), (_, minus) in zip(*every, strict=True)]
    assert p.present == [0, 1, 2]
    for t in p.present:
        plus, minus = truths[p.targets[t].class_index]
        torch.testing.assert_close(found.values(t), plus, rtol=1e-9, atol=1e-14)
        torch.testing.assert_close(signed.values(t), plus - minus, rtol=1e-9, atol=1e-14)
        torch.testing.assert_close(
            contrast.values(t), (plus - minus).sum(0, keepdim=True).clamp(min=0), rtol=1e-9, atol=1e-14
        )
        assert float(found.values(t).min()) >= 0
        lost = 1 - float(found.values(t).sum())
        assert -1e-9 < lost < 1 + 1e-9  # a class may win by its bias alone, excited by nothing
        assert (f"{lost:.1%} of the probability" in found.answers[t].note) == (lost >= 1e-3)
        assert found.answers[t].checks["completeness_gap"] < 1e-9
        assert contrast.answers[t].checks["completeness_gap"] < 1e-9
    assert contrast.passes.forward == 2 * found.passes.forward


def test_a_channel_that_the_network_ignores_gets_exactly_zero():
    net = network(2)
    with torch.no_grad():
        net[0].weight[:, 1] = 0
    x = torch.randn(1, 2, 4, 4, dtype=torch.double)
    found = walk(net, x, torch.rand_like(net(x)))
    assert found[:, 0].any() and not found[:, 1].any()


def test_a_skip_around_the_last_layer_cancels_in_the_contrast():
    """MONAI's UNet ends in a residual unit: only what goes through the last convolution is contrasted."""
    torch.manual_seed(0)
    net = UNet(2, 1, 3, (4, 6), (2,), num_res_units=1, norm="batch", act="relu").double().eval()
    p = Problem(
        Model(net, spatial_dims=2), random_case((8, 8)), PredictedRegion(class_name=1), dtype=torch.float64
    )
    signed = method("contrastive_excitation_backprop", positive=False).attribute(p)
    # excitation and its opposite both sum to 1 less what died on the way
    assert abs(float(signed.values(0).sum())) < 0.3
    assert float(signed.values(0).abs().sum()) > 1e-3
    assert signed.answers[0].status == "ok"


def test_background_of_a_single_log_odds_output():
    """Class 0 is the negated unit: its excitation is the foreground's opposite."""
    net = network(2)
    net[-1] = nn.Conv2d(4, 1, 1).double()
    case = random_case((8, 8), 2)
    with torch.no_grad():
        net[-1].bias -= net(torch.from_numpy(case.image)[None].double()).median()
    model = Model(net, spatial_dims=2, channels_in=2, output="binary")
    targets = [PredictedRegion(class_name=c) for c in (0, 1)]
    p = Problem(model, case, targets, dtype=torch.float64)
    found = method("excitation_backprop").attribute(p)
    assert p.present == [0, 1]
    for t in p.present:
        inside = p.prediction.labels == t
        seed = (inside / inside.sum())[None, None].double()
        truth = walk(net, p.image[None], seed, negated=t == 0)[0]
        torch.testing.assert_close(found.values(t), truth, rtol=1e-6, atol=1e-9)
        assert float(truth.min()) >= 0
        assert found.answers[t].checks["completeness_gap"] < 1e-9


def test_what_cannot_work_is_refused():
    net = network(2)
    for name in ("excitation_backprop", "contrastive_excitation_backprop"):
        for score in ("margin", "probability"):
            p = Problem(
                Model(net, spatial_dims=2, channels_in=2),
                random_case((8, 8), 2),
                AllClasses(score=score),
                dtype=torch.float64,
            )
            with pytest.raises(TargetError, match="it supports 2-D and 3-D"):
                method(name).attribute(p)
        with pytest.raises(ModelError, match="bf16"):
            method(name).check(Model(net.float(), spatial_dims=2, channels_in=2, precision="bf16"))
        net = network(2)

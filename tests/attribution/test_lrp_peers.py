"""LRP against zennit and Captum where they are right; and where they fail, what we answer."""

from __future__ import annotations

import pytest
import torch
from captum.attr import LRP as CaptumLRP
from captum.attr._utils.lrp_rules import Alpha1_Beta0_Rule, EpsilonRule, GammaRule
from monai.networks.nets import UNet
from relevance_truth import relevance
from torch import nn
from torchvision_stand_in import peer
from zoo.networks import ZOO

from voxplain.attribution.backprop.relevance_rules import Settings

rules, composites = peer("zennit.rules"), peer("zennit.composites")
types, canonizers = peer("zennit.types"), peer("zennit.canonizers")
ABSORB = Settings(bias="absorb")
THEIRS = {
    "epsilon": rules.Epsilon,
    "gamma": rules.Gamma,
    "z_plus": rules.ZPlus,
    "alpha_beta": rules.AlphaBeta,
    "flat": rules.Flat,
    "w_square": rules.WSquare,
}


def plain(dims, *, norm=False, dense=True):
    """Convolutions, transposed ones, rectifiers, pooling; every operation once, as Captum wants it."""
    torch.manual_seed(dims)
    conv, up = (nn.Conv2d, nn.ConvTranspose2d) if dims == 2 else (nn.Conv3d, nn.ConvTranspose3d)
    bn = nn.BatchNorm2d if dims == 2 else nn.BatchNorm3d
    largest, average = (nn.MaxPool2d, nn.AvgPool2d) if dims == 2 else (nn.MaxPool3d, nn.AvgPool3d)
    # eps = 0, as zennit's merged normalisations still divide by √(1 + eps)
    normed = (lambda n: [bn(n, eps=0)]) if norm else (lambda n: [])
    layers = [conv(2, 4, 3, padding=1), *normed(4), nn.ReLU(), largest(2)]
    layers += [conv(4, 4, 3, padding=1, bias=False), *normed(4), nn.ReLU()]
    layers += [up(4, 3, 2, stride=2), *normed(3), nn.LeakyReLU(0.1), average(2)]
    layers += [nn.Flatten(), nn.Linear(3 * 2**dims, 3)] if dense else [conv(3, 3, 1)]
    net = nn.Sequential(*layers).double().eval()
    for m in net.modules():
        if isinstance(m, bn):
            for t in (m.weight.data, m.bias.data, m.running_mean, m.running_var):
                t.copy_(torch.rand_like(t) + 0.3)
    x = torch.randn(2, 2, *(4,) * dims, dtype=torch.double)
    z = net(x).detach()
    return net, x, z * torch.randn_like(z)


def zennits(net, x, seed, composite):
    leaf = x.clone().requires_grad_()
    with composite.context(net) as changed:
        return torch.autograd.grad(changed(leaf), leaf, seed)[0]


def mapped(rule):
    layers = [(types.Activation, rules.Pass()), (types.AvgPool, rules.Norm()), (types.Linear, rule)]
    return composites.LayerMapComposite(layers, canonizers=[canonizers.SequentialMergeBatchNorm()])


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("rule", THEIRS)
def test_zennits_rules(rule, dims, norm):
    net, x, seed = plain(dims, norm=norm)
    truth = zennits(net, x, seed, mapped(THEIRS[rule]()))
    found, _ = relevance(net, x, seed, rule, settings=ABSORB, sums="epsilon")
    torch.testing.assert_close(found, truth, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("epsilon_plus_flat", "EpsilonPlusFlat"), ("epsilon_alpha_beta_flat", "EpsilonAlpha2Beta1Flat")],
)
def test_zennits_composites(ours, theirs, dims):
    net, x, seed = plain(dims, norm=True)
    merge = [canonizers.SequentialMergeBatchNorm()]
    truth = zennits(net, x, seed, getattr(composites, theirs)(canonizers=merge))
    found, _ = relevance(net, x, seed, ours, settings=ABSORB, sums="epsilon")
    torch.testing.assert_close(found, truth, rtol=1e-8, atol=1e-10)


def test_a_read_out_that_is_a_convolution_counts_as_dense():
    """A voxel's logit is a dense layer of its features; zennit goes by the class of the module alone."""
    net, x, seed = plain(2, dense=False)
    truth = zennits(net, x, seed, composites.EpsilonPlusFlat())
    found, _ = relevance(net, x, seed, "epsilon_plus_flat", settings=ABSORB, sums="epsilon")
    assert float((found - truth).abs().max()) > 1e-3
    named = composites.NameMapComposite(
        [
            (["0"], rules.Flat()),
            (["3", "5"], rules.ZPlus()),
            (["1", "4", "6"], rules.Pass()),
            (["7"], rules.Norm()),
            (["8"], rules.Epsilon()),
        ]
    )
    torch.testing.assert_close(found, zennits(net, x, seed, named), rtol=1e-8, atol=1e-10)


class Rectified(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.act, self.pool = nn.Conv2d(1, 3, 3, padding=1, bias=False), nn.ReLU(), nn.MaxPool2d(2)
        self.head = nn.Linear(12, 2, bias=False)

    def forward(self, x):
        return self.head(self.pool(self.act(self.conv(x))).flatten(1))


@pytest.mark.parametrize(
    ("rule", "theirs", "settings"),
    [
        ("epsilon", EpsilonRule, Settings(epsilon=1e-9, bias="absorb")),
        ("gamma", lambda: GammaRule(gamma=0.25), Settings(epsilon=1e-9, gamma=0.25, bias="absorb")),
        ("z_plus", Alpha1_Beta0_Rule, Settings(epsilon=1e-9, bias="absorb")),
    ],
)
def test_captum_on_a_plain_network_of_rectifiers(rule, theirs, settings):
    """Captum knows one sign of inputs only, so the image is positive here."""
    torch.manual_seed(0)
    net = Rectified().double()
    x = torch.rand(1, 1, 4, 4, dtype=torch.double)
    for layer in (net.conv, net.head):
        layer.rule = theirs()
    truth = CaptumLRP(net).attribute(x, target=1)
    seed = torch.zeros(1, 2).double()
    seed[0, 1] = net(x)[0, 1].detach()
    found, _ = relevance(net, x, seed, rule, settings=settings)
    torch.testing.assert_close(found, truth.detach(), rtol=1e-6, atol=1e-9)


def test_captum_has_no_rule_for_a_volume():
    net, x, seed = plain(3)
    with pytest.raises(TypeError, match="Conv3d"):
        CaptumLRP(net).attribute(x, target=1)
    found, _ = relevance(net, x, seed)
    torch.testing.assert_close(found.flatten(1).sum(1), seed.sum(1))


def conserved(net, x, zennit_composite):
    """Zennit's sum of relevance and ours, relative to the score."""
    z = net(x).detach()
    theirs = float(zennits(net, x, z, zennit_composite).sum() / z.sum())
    found, _ = relevance(net, x, z, "epsilon_plus_flat")
    return theirs, float(found.sum() / z.sum())


def test_zennit_doubles_relevance_at_every_residual_addition():
    torch.manual_seed(0)
    net = UNet(3, 1, 2, (4, 6), (2,), num_res_units=2, norm="batch", act="relu").double().eval()
    x = torch.rand(1, 1, 8, 8, 8, dtype=torch.double)
    merge = [canonizers.SequentialMergeBatchNorm()]
    theirs, ours = conserved(net, x, composites.EpsilonPlusFlat(canonizers=merge))
    assert theirs > 3
    assert ours == pytest.approx(1, rel=1e-9)


def test_zennit_loses_relevance_at_instance_norm():
    torch.manual_seed(0)
    net = UNet(3, 1, 2, (4, 6), (2,)).double().eval()
    x = torch.rand(1, 1, 8, 8, 8, dtype=torch.double)
    theirs, ours = conserved(net, x, composites.EpsilonPlusFlat())
    assert abs(theirs) < 0.5
    assert ours == pytest.approx(1, rel=1e-9)


def test_zennit_explodes_on_a_transformer():
    entry = ZOO["unetr"]
    net = entry.make(2, 0).double().eval()
    x = torch.from_numpy(entry.case(entry.shapes[2]).image)[None].double()
    theirs, ours = conserved(net, x, composites.EpsilonPlusFlat())
    assert not abs(theirs) < 1e6
    assert ours == pytest.approx(1, rel=1e-6)

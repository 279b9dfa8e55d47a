"""The three networks: sizes, shapes, the identity of map and decision, gradients, and the published form."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from voxplain.errors import InputError
from voxplain.inherent import (
    EvidenceClassifier,
    GPReconResNet,
    GPShuffleUNet,
    GPUNet,
    make_network,
    pool_names,
)

SMALL: dict[type[EvidenceClassifier], dict[str, Any]] = {
    GPUNet: {"widths": (4, 6, 8)},
    GPShuffleUNet: {"width": 4, "levels": 2},
    GPReconResNet: {"width": 4, "blocks": 2},
}
each_network = pytest.mark.parametrize("kind", SMALL, ids=lambda k: k.__name__)
SIZES = [(9, 7), (16, 24), (1, 1), (5, 33), (6, 5, 7), (8, 8, 8), (1, 3, 2)]


def small(
    kind: type[EvidenceClassifier], dims: int = 2, channels: int = 2, **other: Any
) -> EvidenceClassifier:
    torch.manual_seed(0)
    return kind(channels, 3, spatial_dims=dims, **{**SMALL[kind], **other})


def image(size: tuple[int, ...], channels: int = 2, count: int = 2) -> Tensor:
    return torch.randn((count, channels, *size), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("kind", "count"), [
    (GPUNet, 1_740_675), (GPShuffleUNet, 26_371_587), (GPReconResNet, 17_272_918),
])  # fmt: skip
def test_published_networks_have_the_published_number_of_parameters(
    kind: type[EvidenceClassifier], count: int
) -> None:
    with torch.device("meta") if kind is not GPShuffleUNet else torch.device("cpu"):
        net = kind.published()
    assert sum(p.numel() for p in net.parameters()) == count
    assert not net.faithful


@each_network
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_map_has_the_images_size_and_pools_to_the_logit(
    kind: type[EvidenceClassifier], size: tuple[int, ...]
) -> None:
    net, x = small(kind, len(size)).eval(), image(size)
    found = net.explain(x)
    assert found.evidence.shape == found.contribution.shape == (2, 3, *size)
    assert found.faithful
    torch.testing.assert_close(net.pool(found.evidence), found.logits, rtol=0, atol=0)
    torch.testing.assert_close(net(x), found.logits, rtol=0, atol=1e-6)
    torch.testing.assert_close(net.evidence(x), found.evidence, rtol=0, atol=1e-6)
    torch.testing.assert_close(found.contribution.flatten(2).sum(2), found.logits, rtol=1e-5, atol=1e-5)


@each_network
@pytest.mark.parametrize("pool", pool_names())
@pytest.mark.parametrize("size", [(9, 7), (6, 5, 7)], ids=["2-D", "3-D"])
def test_contributions_sum_to_the_logit(
    kind: type[EvidenceClassifier], pool: str, size: tuple[int, ...]
) -> None:
    """The identity, with and without a mask, in single and in double precision, and with autocast."""
    net, x = small(kind, len(size), pool=pool).eval(), image(size)
    mask = torch.rand((2, 1, *size), generator=torch.Generator().manual_seed(2)) > 0.4
    for inside in (None, mask):
        assert float(net.explain(x, inside).relative_residual().max()) < 1e-5
        with torch.autocast("cpu", torch.bfloat16):
            assert float(net.explain(x, inside).relative_residual().max()) < 1e-5
        assert float(net.double().explain(x.double(), inside).relative_residual().max()) < 1e-10
        net.float()


@each_network
def test_bf16_logits_are_near(kind: type[EvidenceClassifier]) -> None:
    net, x = small(kind).eval(), image((16, 16))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        half = net(x)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, net(x), rtol=0.1, atol=0.05)


@each_network
@pytest.mark.parametrize("channels", [1, 5])
@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("pool", ["topk:share=0.2", "lse"])
def test_every_parameter_learns(kind: type[EvidenceClassifier], channels: int, dims: int, pool: str) -> None:
    net = small(kind, dims, channels, pool=pool, dropout=0.3).train()
    for seed in range(3):
        torch.manual_seed(seed)
        logits = net(torch.randn((4, channels, *((13, 10) if dims == 2 else (9, 8, 7)))))
        assert logits.shape == (4, 3)
        nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 0])).backward()
    dead = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    # a bias before InstanceNorm is taken off again, so that its gradient is rounding; the network keeps the published form
    assert dead == []


@each_network
def test_training_and_evaluation_answer_alike_without_dropout_and_batch_norm(
    kind: type[EvidenceClassifier],
) -> None:
    net, x = small(kind), image((9, 7))
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
    trained = net.train()
    for module in trained.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
    torch.testing.assert_close(trained(x), net.eval()(x))


@each_network
@pytest.mark.parametrize("size", [(9, 7), (5, 6, 7)], ids=["2-D", "3-D"])
def test_the_published_form_reads_out_the_pooled_features(
    kind: type[EvidenceClassifier], size: tuple[int, ...]
) -> None:
    """logit = W max(f) + b, of which the map's own maximum leaves a residual."""
    torch.manual_seed(0)
    net = kind.published(2, 3, spatial_dims=len(size), **SMALL[kind]).eval()
    x = image(size)
    found = net.explain(x)
    f = net.backbone(x).flatten(2)
    weight, bias = net.readout.weight.flatten(1), net.readout.bias
    logits = f.amax(2) @ weight.T + bias
    torch.testing.assert_close(found.logits, logits.detach())
    shown = torch.einsum("kf,nfp->nkp", weight, f) + bias[:, None]
    torch.testing.assert_close(found.evidence.flatten(2), shown.detach())
    torch.testing.assert_close(found.residual, (logits - shown.amax(2)).detach())
    assert not found.faithful and float(found.residual.abs().max()) > 1e-3


@pytest.mark.parametrize("flip", [[2], [3], [2, 3]])
def test_flipping_the_image_flips_the_map(flip: list[int]) -> None:
    """Exactly where kernels are symmetric, all resampling is centred and nothing is padded.

    Strides and shuffles tell a place from its mirror image, so the other two networks are left out.
    """
    net = symmetric(small(GPUNet, pool="topk:share=0.1").eval().double())
    x = image((16, 24)).double()
    a, b = net.explain(x), net.explain(x.flip(flip))
    torch.testing.assert_close(b.evidence, a.evidence.flip(flip))
    torch.testing.assert_close(b.contribution, a.contribution.flip(flip))
    torch.testing.assert_close(b.logits, a.logits)


def symmetric(net: nn.Module) -> nn.Module:
    """Every kernel averaged with its mirror images."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            w = module.weight.data
            module.weight.data = (w + w.flip(2) + w.flip(3) + w.flip(2, 3)) / 4
    return net


@each_network
def test_a_mean_over_flips_is_the_same_for_the_flipped_image(kind: type[EvidenceClassifier]) -> None:
    net, x = small(kind).eval().double(), image((12, 8)).double()
    views: list[list[int]] = [[], [2], [3], [2, 3]]

    def averaged(y: Tensor) -> tuple[Tensor, Tensor]:
        each = [net.explain(y.flip(v)) for v in views]
        maps = [e.evidence.flip(v) for e, v in zip(each, views, strict=True)]
        return torch.stack([e.logits for e in each]).mean(0), torch.stack(maps).mean(0)

    (logits, evidence), (again, mirrored) = averaged(x), averaged(x.flip(2))
    torch.testing.assert_close(again, logits)
    torch.testing.assert_close(mirrored.flip(2), evidence)


def test_pixel_shuffles_start_without_a_checkerboard() -> None:
    """ICNR: at the start, what becomes one voxel's neighbours is alike (the released network overwrites this)."""
    from monai.networks.utils import pixelshuffle

    for dims in (2, 3):
        net = small(GPShuffleUNet, dims)
        up = net.backbone.network.up[0]
        x = torch.randn(1, up.before.in_channels, *(3,) * dims)
        fine = pixelshuffle(up.before(x), dims, 2).detach()
        for axis in range(2, 2 + dims):
            pairs = fine.unflatten(axis, (3, 2))
            torch.testing.assert_close(pairs.select(axis + 1, 0), pairs.select(axis + 1, 1))
        assert fine.std() > 0


def test_no_norm_hides_the_level_of_the_evidence() -> None:
    """With InstanceNorm last (published) every feature is zero on average before PReLU; by default it is not."""
    norms = [nn.InstanceNorm2d]
    for last, expected in ((True, True), (False, False)):
        layers = list(small(GPReconResNet, last_norm=last).backbone.network)
        assert isinstance(layers[-2], tuple(norms)) == expected


@pytest.mark.parametrize(("kind", "pairs"), [(GPUNet, 5), (GPShuffleUNet, 5)])
def test_pairs_of_convolutions_can_be_normalised(kind: type[EvidenceClassifier], pairs: int) -> None:
    """Of three levels: one pair at the first, and one for each way down and up; two norms each."""
    plain, with_norm = (
        sum(isinstance(m, nn.GroupNorm) for m in small(kind, norm=norm).modules())
        for norm in (None, ("group", {"num_groups": 2}))
    )
    assert (plain, with_norm) == (0, 2 * pairs)


def test_linear_upsampling_and_norms_can_be_chosen() -> None:
    net = small(GPUNet, upsample="linear", norm=("group", {"num_groups": 2}))
    assert any(isinstance(m, nn.GroupNorm) for m in net.modules())
    assert net(image((9, 7))).shape == (2, 3)


@pytest.mark.parametrize(("make", "message"), [
    (lambda: GPUNet(1, 3, widths=(8,)), r"widths: found \(8,\), expected at least two"),
    (lambda: GPUNet(1, 3, upsample="cubic"), "upsample: found 'cubic', expected 'sinc' or 'linear'"),
    (lambda: GPUNet(1, 3, widths=(4, 6), norm="bach"), "norm: found 'bach'"),
    (lambda: GPUNet(1, 3, widths=(4, 6), dropout=1), "dropout: found 1, expected a number from 0"),
    (lambda: GPReconResNet(1, 3, width=4, blocks=1, dropout=True), "dropout: found True"),
    (lambda: GPReconResNet(1, 3, width=4, blocks=-1), "blocks: found -1"),
    (lambda: GPShuffleUNet(1, 3, levels=0), "levels: found 0"),
    (lambda: GPUNet(1, 0, widths=(4, 6)), "classes: found 0, expected a whole number of at least 1"),
    (lambda: GPUNet(1, 3, widths=(4, 6), pool_at="between"), "pool_at: found 'between'"),
    (lambda: GPUNet(1, 3, widths=(4, 6), spatial_dims=4), "spatial_dims: found 4, expected 2 or 3"),
    (lambda: GPUNet(0, 3, widths=(4, 6)), "in_channels: found 0, expected a whole number of at least 1"),
    (lambda: make_network("gp_net", 1, 3), "network 'gp_net': unknown; did you mean 'gp_unet'"),
    (lambda: make_network("gp_unet", 1, 3, width=4), "network 'gp_unet': unknown parameter 'width'; did you mean"),
    (lambda: make_network("gp_recon_resnet", 1, 3, pool_to="max"), "parameter 'pool_to'; did you mean 'pool_at'"),
])  # fmt: skip
def test_arguments_that_cannot_be(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@each_network
def test_networks_are_traced_copied_and_loaded(kind: type[EvidenceClassifier]) -> None:
    net, x = small(kind).eval(), image((9, 7))
    torch.testing.assert_close(torch.jit.trace(net, x)(x), net(x))
    other = kind(2, 3, spatial_dims=2, **SMALL[kind]).eval()
    assert not torch.equal(other(x), net(x))
    other.load_state_dict(copy.deepcopy(net).state_dict())
    assert torch.equal(other(x), net(x))


def test_networks_are_found_by_name() -> None:
    for name, kind in (
        ("gp_unet", GPUNet),
        ("GP-ShuffleUNet", GPShuffleUNet),
        ("gp_recon_resnet", GPReconResNet),
    ):
        net = make_network(name, 2, 3, published=True, **SMALL[kind])
        assert type(net) is kind and not net.faithful
        assert make_network(name, 2, 3, **SMALL[kind]).faithful


@each_network
def test_how_features_become_a_decision_is_asked_alike_of_every_network(
    kind: type[EvidenceClassifier],
) -> None:
    net = small(kind, pool="lse", pool_at="before", multi_label=True)
    assert (type(net.pool).__name__, net.pool_at, net.multi_label) == ("LogSumExp", "before", True)
    assert kind(2, 3, **SMALL[kind]).spatial_dims == 2 and kind(2, 3, **SMALL[kind]).pool_at == "after"
    # the names that stored weights have
    prefixes = {name.split(".")[0] for name in net.state_dict()}
    assert prefixes == {"backbone", "readout"} | ({"pool"} if net.pool.state_dict() else set())


def test_instance_norm_measures_a_place_against_the_whole_image_and_batch_norm_does_not():
    """A mark in one corner: with instance norm the evidence in the middle, 28 voxels away, changes too.

    The opposite corner is no far place: sinc interpolation takes the image to repeat itself.
    """
    image = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    marked = image.clone()
    marked[..., :6, :6] += 20
    changed = {}
    for norm in ("instance", "batch"):
        torch.manual_seed(1)
        network = GPReconResNet(1, 2, width=4, blocks=1, norm=norm).eval()
        with torch.no_grad():
            before, after = network.evidence(image), network.evidence(marked)
        changed[norm] = float((after - before)[..., 28:36, 28:36].abs().mean() / before.std())
    assert changed["instance"] > 0.2 and changed["batch"] < 1e-3

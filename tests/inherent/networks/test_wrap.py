"""MONAI's encoder-decoders as classifiers whose map is the decision."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from monai.networks import nets
from torch import Tensor, nn

from voxplain.errors import InputError
from voxplain.inherent import EvidenceClassifier, wrap
from voxplain.inherent.networks.fitting import Fitted
from voxplain.inherent.networks.main_output import MainOutput

K = 3
Make = Callable[[int, int], nn.Module]


def dynunet(dims: int, outputs: int, **how: object) -> nn.Module:
    return nets.DynUNet(dims, 2, outputs, [3] * 4, [1, 2, 2, 2], [2] * 3, filters=[4, 6, 8, 8], **how)


MAKERS: dict[str, Make] = {
    "UNet": lambda d, k: nets.UNet(d, 2, k, (4, 6, 8), (2, 2), num_res_units=2),
    "UNet plain": lambda d, k: nets.UNet(d, 2, k, (4, 6, 8), (2, 2), norm="batch"),
    "BasicUNet": lambda d, k: nets.BasicUNet(d, 2, k, (4, 4, 6, 6, 8, 4)),
    "SegResNet": lambda d, k: nets.SegResNet(
        d, 4, 2, k, norm=("GROUP", {"num_groups": 2}), blocks_down=(1, 1, 1), blocks_up=(1, 1)
    ),
    "AttentionUnet": lambda d, k: nets.AttentionUnet(d, 2, k, (4, 6, 8), (2, 2)),
    "DynUNet": dynunet,
    "DynUNet supervised": lambda d, k: dynunet(d, k, deep_supervision=True, deep_supr_num=2),
    "SwinUNETR": lambda d, k: nets.SwinUNETR(
        2, k, depths=(1, 1, 1, 1), num_heads=(1, 2, 2, 4), window_size=4, feature_size=12, spatial_dims=d
    ),
    "FlexibleUNet": lambda d, k: nets.FlexibleUNet(2, k, "efficientnet-b0", False, (8, 8, 8, 4, 4), d),
}  # fmt: skip
SLOW_3D = ("SwinUNETR", "FlexibleUNet")
CELLS = [(n, d) for n in MAKERS for d in (2, 3) if d == 2 or n not in SLOW_3D]
SIZES = {2: (19, 22), 3: (9, 11, 6)}


def image(dims: int, count: int = 2, size: tuple[int, ...] | None = None) -> Tensor:
    return torch.randn((count, 2, *(size or SIZES[dims])), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("name", "dims"), CELLS)
def test_outputs_are_the_evidence_and_every_parameter_learns(name: str, dims: int) -> None:
    torch.manual_seed(0)
    net = wrap(MAKERS[name](dims, K), K, "topk:share=0.3")
    assert net.spatial_dims == dims and net.training
    assert isinstance(net.readout, nn.Identity)
    found = net.eval().explain(image(dims))
    assert found.evidence.shape == (2, K, *SIZES[dims])
    assert float(found.relative_residual().max()) < 1e-5
    assert found.faithful
    net.train()(image(dims)).square().sum().backward()
    for parameter, p in net.named_parameters():
        assert (p.grad is not None) == p.requires_grad, parameter


def test_the_map_is_the_networks_own_output() -> None:
    """Where nothing has to be padded, and cut out of the padded one's where it has."""
    torch.manual_seed(0)
    inner = MAKERS["UNet"](2, K).eval()
    net, x = wrap(inner, K).eval(), image(2, size=(16, 24))
    torch.testing.assert_close(net.evidence(x), inner(x), rtol=0, atol=0)
    odd = x[..., 1:, 1:-2]  # 15 × 21: one row behind, one column before and two behind
    padded = nn.functional.pad(odd, (1, 2, 0, 1), mode="replicate")
    torch.testing.assert_close(net.evidence(odd), inner(padded)[..., :15, 1:22], rtol=0, atol=0)


@pytest.mark.parametrize("name", ["BasicUNet", "SegResNet", "DynUNet", "DynUNet supervised", "AttentionUnet"])
def test_a_last_layer_of_other_classes_is_replaced(name: str) -> None:
    torch.manual_seed(0)
    inner = MAKERS[name](2, 7)
    if name == "AttentionUnet":  # ends with a convolution and a norm in one block
        inner = nn.Sequential(inner, nn.Conv2d(7, 5, 1))
    net = wrap(inner, K)
    assert isinstance(net.readout, nn.Conv2d) and net.readout.out_channels == K
    assert net.eval().explain(image(2)).evidence.shape == (2, K, *SIZES[2])
    net.train()(image(2)).square().sum().backward()
    assert all((p.grad is not None) == p.requires_grad for p in net.parameters())


def test_the_read_out_stands_where_the_last_layer_stood() -> None:
    torch.manual_seed(0)
    inner = MAKERS["BasicUNet"](2, 7).eval()
    x, last = image(2, size=(32, 32)), inner.final_conv
    before = inner(x)
    net = wrap(inner, 7, pool_at="before").eval()
    net.readout.load_state_dict(last.state_dict())
    torch.testing.assert_close(net.evidence(x), before)
    assert not net.faithful


def test_outputs_may_be_features() -> None:
    net = wrap(MAKERS["UNet"](2, 5), K, features=True)
    assert net.readout.in_channels == 5
    assert wrap(MAKERS["UNet"](2, K), K, features=True).readout.in_channels == K


def test_deep_supervision_heads_are_frozen_and_training_answers_as_evaluation() -> None:
    torch.manual_seed(0)
    net = wrap(MAKERS["DynUNet supervised"](2, K), K)
    frozen = {n.split(".")[3] for n, p in net.named_parameters() if not p.requires_grad}
    assert frozen == {"deep_supervision_heads"}
    x = image(2)
    torch.testing.assert_close(net.train()(x), net.eval()(x))


def test_a_network_of_one_size_takes_smaller_images() -> None:
    inner = nets.UNETR(
        2, K, (32, 32), feature_size=4, hidden_size=12, mlp_dim=24, num_heads=3, spatial_dims=2
    )
    with pytest.raises(InputError, match=r"UNETR: no multiple of 1, 2, …, 64 voxels .* pass size="):
        wrap(inner, K)
    net = wrap(inner, K, size=(32, 32)).eval()
    assert net.explain(image(2)).evidence.shape == (2, K, *SIZES[2])
    with pytest.raises(
        InputError, match=r"found an image of \(33, 20\), but the network takes no more than \(32, 32\)"
    ):
        net(image(2, size=(33, 20)))


def test_wrapping_changes_nothing_else() -> None:
    inner = MAKERS["UNet plain"](2, K)
    before = {k: v.clone() for k, v in inner.state_dict().items()}
    state = torch.get_rng_state()
    list(inner.modules())[3].eval()
    modes = [m.training for m in inner.modules()]
    wrap(inner, K)
    assert all(torch.equal(v, before[k]) for k, v in inner.state_dict().items())
    assert modes == [m.training for m in inner.modules()]
    assert torch.equal(torch.get_rng_state(), state)


class Halves(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, K, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


@pytest.mark.parametrize(("make", "message"), [
    (lambda: wrap(Halves(), K), "Halves: no multiple"),
    (lambda: wrap(Halves(), K, divisible=2), r"Halves: answers \(1, 3, 2, 2\) to \(1, 1, 4, 4\), expected an output on"),
    (lambda: wrap(MAKERS["UNet"](2, 5), K), "UNet: its 5 outputs do not come from one 1×1 convolution"),
    (lambda: wrap(MAKERS["UNet"](2, K), K, in_channels=4), "UNet: no multiple"),
    (lambda: wrap(MAKERS["UNet"](2, K), K, divisible=3), "UNet: failed on an input"),
    (lambda: wrap(nn.Linear(3, K), K), "spatial_dims"),
    (lambda: wrap(MAKERS["UNet"](2, K), K, "best"), "pool 'best': unknown"),
])  # fmt: skip
def test_what_cannot_be_wrapped(make: Callable[[], EvidenceClassifier], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_mappings_and_lists_have_a_main_output() -> None:
    class Nested(nn.Module):
        def forward(self, x: Tensor) -> object:
            return {"out": [x, 2 * x], "aux": 3 * x}

    class Empty(nn.Module):
        def forward(self, x: Tensor) -> object:
            return []

    x = torch.rand(1, 1, 4, 4)
    assert torch.equal(MainOutput(Nested(), 2)(x), x)
    with pytest.raises(InputError, match="Empty: found an output of type list"):
        MainOutput(Empty(), 2)(x)


@pytest.mark.parametrize("size", [(1, 1), (5, 8), (9, 17), (3, 4, 11)])
def test_padding_and_cropping_keep_places(size: tuple[int, ...]) -> None:
    """Through a network that changes nothing, every voxel comes back to its place."""
    seen: list[tuple[int, ...]] = []

    class Watch(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(tuple(x.shape[2:]))
            return x

    x = torch.randn(1, 2, *size)
    assert torch.equal(Fitted(Watch(), divisible=4, at_least=8)(x), x)
    assert all(n % 4 == 0 and n >= 8 and n - m < 8 for n, m in zip(seen[0], size, strict=True))

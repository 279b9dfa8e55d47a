"""GP-ReconResNet: a residual reconstruction network that classifies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Unpack

from torch import Tensor, nn

from voxplain.inherent.checks import require_counts
from voxplain.inherent.networks.blocks import Norm, act_layer, conv, dropout_layer, norm_layer
from voxplain.inherent.networks.gp_network import GPNetwork, Head
from voxplain.inherent.networks.sinc import SincUpsample

NORM = ("instance", {"affine": False})


class GPReconResNet(GPNetwork):
    """7×7 convolution, two strided ones, residual blocks, two sinc upsamplings; no skip connections. Chatterjee et al.

    `published` has the 17,272,918 parameters of the released 2-D network. What differs from that, by default or always:

    - the pool comes after the read-out (released: `head(max over space of every feature)`);
    - other normalisations can be asked for (``norm``): InstanceNorm measures every place against the whole image, so that
      a tumour may speak by what it makes of other places, and evidence lies beside it;
    - no InstanceNorm before the read-out (``last_norm``): it makes every feature zero on average in every image, so that
      evidence says how peaked an image is, and a healthy one cannot be told by its level;
    - dropout is a share below one; the released training script can pass 1, with which no residual block learns;
    - sizes are padded and cropped once instead of upsampling to the encoder's odd sizes.

    Args:
        in_channels: C.
        classes: K.
        width: features at full size; twice and four times as many below.
        blocks: residual blocks at a quarter of the size.
        norm: of all layers but the last: ``"instance"`` (as published), ``"batch"``, or another of MONAI's.
        dropout: of feature maps within the residual blocks (published: 0.2 or 0.5).
        last_norm: InstanceNorm behind the last convolution, as published.
        head: see `Head`.

    Raises:
        InputError: an argument that cannot be.

    >>> sum(p.numel() for p in GPReconResNet.published().parameters())
    17272918
    """

    released: ClassVar[Mapping[str, Any]] = {**GPNetwork.released, "last_norm": True}

    def __init__(
        self,
        in_channels: int,
        classes: int,
        *,
        width: int = 64,
        blocks: int = 14,
        norm: Norm = NORM,
        dropout: float = 0.0,
        last_norm: bool = False,
        **head: Unpack[Head],
    ) -> None:
        require_counts(width=width)
        if blocks:
            require_counts(blocks=blocks)
        super().__init__(
            in_channels,
            width,
            classes,
            lambda dims: nn.Sequential(*_layers(dims, in_channels, width, blocks, norm, dropout, last_norm)),
            divisible=4,
            at_least=8,  # a quarter of it must be more than the one voxel that is reflected
            **head,
        )


class _Residual(nn.Module):
    def __init__(self, dims: int, width: int, norm: Norm, dropout: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv(dims, width, width, padding_mode="reflect"),
            *norm_layer(norm, dims, width),
            act_layer("prelu"),
            *dropout_layer(dims, dropout),
            conv(dims, width, width, padding_mode="reflect"),
            *norm_layer(norm, dims, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = x + self.body(x)
        return changed


def _layers(
    dims: int, inputs: int, width: int, blocks: int, norm: Norm, dropout: float, last_norm: bool
) -> Iterator[nn.Module]:
    yield from _entrance(dims, inputs, width, norm)
    yield from (_Residual(dims, 4 * width, norm, dropout) for _ in range(blocks))
    yield from _way_up(dims, 4 * width, 2 * width, norm)
    yield from _way_up(dims, 2 * width, width, NORM if last_norm else None)


def _entrance(dims: int, inputs: int, width: int, norm: Norm) -> list[nn.Module]:
    first = conv(dims, inputs, width, 7, padding_mode="reflect")
    layers: list[nn.Module] = [first, *norm_layer(norm, dims, width), act_layer("prelu")]
    for fine in (width, 2 * width):
        layers += [
            conv(dims, fine, 2 * fine, stride=2),
            *norm_layer(norm, dims, 2 * fine),
            act_layer("prelu"),
        ]
    return layers


def _way_up(dims: int, deep: int, fine: int, norm: Norm) -> list[nn.Module]:
    # a convolution with stride 2 looks at every other place from the first on
    layers: list[nn.Module] = [SincUpsample(centred=False), conv(dims, deep, fine, padding_mode="reflect")]
    return [*layers, *norm_layer(norm, dims, fine), act_layer("prelu")]

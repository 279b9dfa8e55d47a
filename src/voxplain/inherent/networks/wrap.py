"""Any encoder-decoder as a classifier whose map is the decision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor, nn

from voxplain.errors import InputError, VoxplainError
from voxplain.inherent.classifier import EvidenceClassifier
from voxplain.inherent.networks.divisibility import sizes_taken
from voxplain.inherent.networks.fitting import Fitted
from voxplain.inherent.networks.last_layer import freeze_unreached, last_layer, take_out
from voxplain.inherent.networks.main_output import MainOutput
from voxplain.inherent.pools import Pool
from voxplain.model import Preparation, Windows, probe


def wrap(
    network: nn.Module,
    classes: int,
    pool: Pool | str = "topk:share=0.03",
    *,
    spatial_dims: int | None = None,
    in_channels: int | None = None,
    pool_at: Literal["after", "before"] = "after",
    multi_label: bool = False,
    features: bool = False,
    divisible: int | None = None,
    size: Sequence[int] | None = None,
) -> EvidenceClassifier:
    """An encoder-decoder (MONAI's UNet, SegResNet, DynUNet, …) with a pool at its end.

    With K outputs these are the evidence. With another number, or with ``pool_at="before"``, its last layer, a 1×1
    convolution, is taken out of the network and a new read-out put behind it. Of several outputs the first is meant;
    DynUNet's deep supervision is switched off. Parameters that the output does not depend on (its heads) are frozen, as
    they would never learn. Sizes that the network does not take are padded and cropped.

    Args:
        network: (N, C, *S) -> (N, any, *S) for some sizes S.
        classes: K.
        pool, pool_at, multi_label: see `EvidenceClassifier`.
        spatial_dims: 2 or 3; found out from the first convolution by default.
        in_channels: C; found out likewise.
        features: take its outputs as features, whatever their number, and put a read-out behind them.
        divisible: sizes must be multiples of it; found out by default.
        size: the only size that the network takes (UNETR's ``img_size``); smaller images are padded to it.

    Raises:
        InputError: nothing tells the dimensions or channels, no size works, or the last layer cannot be replaced.

    >>> from monai.networks.nets import UNet
    >>> net = wrap(UNet(2, 1, 3, channels=(4, 8, 8), strides=(2, 2)), classes=3)
    >>> net(torch.rand(1, 1, 17, 22)).shape, net.evidence(torch.rand(1, 1, 17, 22)).shape
    (torch.Size([1, 3]), torch.Size([1, 3, 17, 22]))
    """
    kind = type(network).__name__
    dims, channels = _input_of(network, spatial_dims, in_channels)
    flag = "deep_supervision"  # of DynUNet, so unknown to type checkers
    if getattr(network, flag, False) is True:
        setattr(network, flag, False)
    main = MainOutput(network, dims)
    fitted = _fitted(main, channels, dims, divisible, size)
    example = next(network.parameters())
    x = torch.zeros(1, channels, *(fitted.exactly or (fitted.least,) * dims)).to(example)
    with _evaluated(network):
        outputs = _answered(main, x, kind)
        if not features and (outputs != classes or pool_at == "before"):
            outputs, features = _opened(main, x, kind), True
        freeze_unreached(main, x)
    return EvidenceClassifier(
        fitted,
        outputs,
        classes,
        pool,
        spatial_dims=dims,
        pool_at=pool_at,
        multi_label=multi_label,
        read_out=features,
    )


def _input_of(network: nn.Module, dims: int | None, channels: int | None) -> tuple[int, int]:
    try:
        dims = probe.spatial_dims(network, dims, Windows(), Preparation(), None)
    except VoxplainError as error:
        raise InputError(str(error)) from error
    channels = probe.channels_in(network) if channels is None else channels
    if channels is None:
        raise InputError(
            f"{type(network).__name__}: cannot tell how many channels it takes; pass in_channels=…"
        )
    return dims, channels


def _fitted(
    main: MainOutput, channels: int, dims: int, divisible: int | None, size: Sequence[int] | None
) -> Fitted:
    if size is not None:
        return Fitted(main, exactly=size)
    if divisible is not None:
        return Fitted(main, divisible=divisible, at_least=2 * divisible)
    taken = sizes_taken(main, channels, dims)
    if taken is None:
        raise InputError(
            f"{type(main.network).__name__}: no multiple of 1, 2, …, 64 voxels gives an output on the input's grid; pass "
            "size=… if it takes one size only, divisible=… or in_channels=…"
        )
    return Fitted(main, divisible=taken[0], at_least=taken[1])


def _answered(main: MainOutput, x: Tensor, kind: str) -> int:
    try:
        with torch.no_grad():
            found = main(x)
    except InputError:
        raise
    except Exception as error:
        first = str(error).partition("\n")[0]
        raise InputError(
            f"{kind}: failed on an input of shape {tuple(x.shape)}: {first}; pass size=…, divisible=… or in_channels=…"
        ) from error
    if found.shape[2:] != x.shape[2:]:
        raise InputError(
            f"{kind}: answers {tuple(found.shape)} to {tuple(x.shape)}, expected an output on the input's grid"
        )
    return int(found.shape[1])


def _opened(main: MainOutput, x: Tensor, kind: str) -> int:
    """Take out the last layer; the number of features that reach it."""
    try:
        name, layer = last_layer(main, x)
    except InputError as error:
        raise InputError(f"{kind}: {error}") from error
    take_out(main, name)
    return layer.in_channels


@contextmanager
def _evaluated(network: nn.Module) -> Iterator[None]:
    """Evaluation mode, in which nothing is drawn and no statistic moves; the modes are put back."""
    modes = [(m, m.training) for m in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training

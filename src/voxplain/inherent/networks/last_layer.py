"""The layer that a network's output comes from, and parameters that it does not come from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from voxplain.errors import InputError

Convolution = nn.Conv2d | nn.Conv3d


def last_layer(network: nn.Module, x: Tensor) -> tuple[str, Convolution]:
    """The 1×1 convolution whose output is the network's, and its dotted name.

    Raises:
        InputError: the output comes from something else.
    """
    made: list[tuple[str, Convolution, Tensor]] = []

    def watch(name: str) -> Callable[[Any, Any, Any], None]:
        return lambda layer, _, out: made.append((name, layer, out))

    convolutions = [(n, m) for n, m in network.named_modules() if isinstance(m, Convolution)]
    handles = [m.register_forward_hook(watch(n)) for n, m in convolutions]
    try:
        with torch.no_grad():
            out = network(x)
    finally:
        for handle in handles:
            handle.remove()
    for name, layer, its in made:
        if set(layer.kernel_size) == set(layer.stride) == {1} and _same(its, out):
            return name, layer
    raise InputError(
        f"its {out.shape[1]} outputs do not come from one 1×1 convolution that could be replaced; build it with as many "
        "out_channels as there are classes (and pool_at='after'), or give features=True to read its outputs out"
    )


def take_out(network: nn.Module, name: str) -> None:
    """Let a submodule pass on what it gets."""
    parent, _, own = name.rpartition(".")
    setattr(network.get_submodule(parent), own, nn.Identity())


def freeze_unreached(network: nn.Module, x: Tensor) -> None:
    """Freeze the parameters that the output does not depend on, such as heads of deep supervision."""
    learned = [p for p in network.parameters() if p.requires_grad]
    with torch.enable_grad():
        out = network(x).sum()
    gradients = torch.autograd.grad(out, learned, allow_unused=True)
    for parameter, gradient in zip(learned, gradients, strict=True):
        parameter.requires_grad_(gradient is not None)


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and a.data_ptr() == b.data_ptr()

"""A network without some of its units: what Monte-Carlo dropout asks (Gal & Ghahramani, 2016)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from voxplain.errors import InputError
from voxplain.inherent.data.augment import drawn

_WHOLE_MAPS = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
Dropping = nn.Dropout | nn.Dropout1d | nn.Dropout2d | nn.Dropout3d


def dropouts(network: nn.Module) -> dict[str, Dropping]:
    """The layers that drop something, by name."""
    return {n: m for n, m in network.named_modules() if isinstance(m, Dropping) and 0 < m.p < 1}


@contextmanager
def thinned(network: nn.Module, draw: int, seed: int = 0) -> Iterator[None]:
    """While this holds, dropout layers drop what the draw says, in evaluation mode too.

    The same units are dropped in every image of a batch, so that an image's answer depends neither on its place in the
    batch nor on the other images. No random state is touched.

    Args:
        network: whose layers drop.
        draw: another one drops other units.
        seed: so does another seed.

    Raises:
        InputError: no layer drops anything.
    """
    layers = dropouts(network)
    if not layers:
        raise InputError(
            "uncertainty.dropout: the network has no layer that drops anything; give network.parameters.dropout and train "
            "with it, or leave uncertainty.dropout at 0"
        )
    handles = [
        layer.register_forward_hook(_dropped(layer, drawn(seed, "thinned", draw, name)))
        for name, layer in layers.items()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _dropped(layer: Dropping, seed: int) -> Callable[[nn.Module, Any, Tensor], Tensor]:
    def hook(_: nn.Module, inputs: Any, __: Tensor) -> Tensor:
        x: Tensor = inputs[0]
        shape = x.shape[1:2] + (1,) * (x.ndim - 2) if isinstance(layer, _WHOLE_MAPS) else x.shape[1:]
        kept = torch.rand(shape, generator=torch.Generator().manual_seed(seed)) >= layer.p
        return x * (kept / (1 - layer.p)).to(x)

    return hook

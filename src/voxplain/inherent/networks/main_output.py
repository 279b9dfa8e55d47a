"""The output at full size of a network that gives several."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from voxplain.errors import InputError


class MainOutput(nn.Module):
    """The first output of several: of a list or mapping, or of DynUNet's stack (N, outputs, K, *S) while training.

    Args:
        network: takes (N, C, *S).
        dims: spatial dimensions.
    """

    def __init__(self, network: nn.Module, dims: int) -> None:
        super().__init__()
        self.network, self.dims = network, dims

    def forward(self, x: Tensor) -> Tensor:
        found = self.network(x)
        while not isinstance(found, Tensor):
            if not isinstance(found, (list, tuple, Mapping)) or not len(found):
                kind = type(self.network).__name__
                raise InputError(f"{kind}: found an output of type {type(found).__name__}, expected a tensor")
            found = next(iter(found.values())) if isinstance(found, Mapping) else found[0]
        return found[:, 0] if found.ndim == self.dims + 3 else found

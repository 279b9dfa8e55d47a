"""Images of any size through networks that take some sizes only."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from voxplain.errors import InputError


class Fitted(nn.Module):
    """Pads the image with its border values to a size that the network takes, and crops the answer to the image's size.

    Padding is alike on both sides (one more behind where it is odd), so that the map lies where the image lies.

    Args:
        network: (N, C, *S') -> (N, F, *S').
        divisible: sizes are padded to multiples of it.
        at_least: and to no less than this.
        exactly: or to this size, the only one that the network takes.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        divisible: int = 1,
        at_least: int = 1,
        exactly: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.divisible, self.at_least = divisible, at_least
        self.exactly = None if exactly is None else tuple(exactly)

    def forward(self, x: Tensor, *beside: Tensor) -> Tensor:
        """The network's answer for an image (N, C, *S); what is given beside it is passed on."""
        size = tuple(x.shape[2:])
        wanted = self._wanted(size)
        if wanted == size:
            found: Tensor = self.network(x, *beside)
            return found
        before = [(w - n) // 2 for n, w in zip(size, wanted, strict=True)]
        pads = [(b, w - n - b) for n, w, b in zip(size, wanted, before, strict=True)]
        flat = [p for pair in reversed(pads) for p in pair]
        out: Tensor = self.network(F.pad(x, flat, mode="replicate"), *beside)
        for axis, (n, b) in enumerate(zip(size, before, strict=True), start=2):
            out = out.narrow(axis, b, n)
        return out

    @property
    def least(self) -> int:
        """The smallest edge that images are padded to."""
        return self._wanted_edge(1)

    def extra_repr(self) -> str:
        if self.exactly is not None:
            return f"exactly={self.exactly}"
        return f"divisible={self.divisible}, at_least={self.at_least}"

    def _wanted(self, size: tuple[int, ...]) -> tuple[int, ...]:
        if self.exactly is None:
            return tuple(map(self._wanted_edge, size))
        if len(size) != len(self.exactly) or any(n > e for n, e in zip(size, self.exactly, strict=True)):
            raise InputError(
                f"{type(self.network).__name__}: found an image of {size}, but the network takes no more than "
                f"{self.exactly}; crop or resample the image, or build the network for its size"
            )
        return self.exactly

    def _wanted_edge(self, n: int) -> int:
        return -(-max(n, self.at_least) // self.divisible) * self.divisible

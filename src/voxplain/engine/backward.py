"""Another backward pass than the plain gradient's: what the modified-backward methods plug into the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor


class Backward:
    """How the forward pass is run so that the backward pass is another one, and how that one starts.

    The engine asks, for every batch of B windows, `forward`, then for every target of the batch `seed` and one
    `torch.autograd.grad` from the outputs to the inputs, and tells the result's targets to `after`.

    Attributes:
        references: whether every sample runs beside a reference, which the sampler's ``reference(draw, where)`` gives.
        inflation: how many times the memory of a plain gradient one sample takes, for the batch size.
    """

    references: bool = False
    inflation: int = 1

    def forward(self, run: Callable[[Tensor], Tensor], x: Tensor, reference: Tensor | None) -> Tensor:
        """Raw outputs (B, K, ...) of ``x`` (B, C, *roi), with the graph that the backward pass will follow.

        Args:
            run: the network.
            reference: like ``x``, where ``references`` is true.
        """
        del reference
        return run(x)

    def seed(self, cotangent: Tensor, z: Tensor) -> Tensor:
        """What the backward pass starts from, given the derivative of the scores at the outputs ``z``."""
        del z
        return cotangent

    def after(self, served: Sequence[tuple[int, int]]) -> None:
        """Told, after a backward pass, which (sample of the batch, target) its result was taken for."""

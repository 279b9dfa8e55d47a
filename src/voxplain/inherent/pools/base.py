"""What every pool is: evidence in, logits out, and the exact share of each place in its logit."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from voxplain.errors import InputError


class Pool(nn.Module):
    """Evidence (N, K, *S) -> logits (N, K).

    Half precision is raised to single, inside autocast too, since sums over many places overflow or lose digits there.
    A mask (N, 1, *S) bool tells where to look: places outside count neither in the logit nor in the number of places.

    A subclass says how a row of places is pooled (`pooled`) and how the logit is divided among them (`divided`), both of
    evidence (N, K, P) and ``inside`` (N, 1, P) bool or None.
    """

    name: ClassVar[str]

    def forward(self, evidence: Tensor, mask: Tensor | None = None) -> Tensor:
        """Logits (N, K).

        Raises:
            InputError: a mask of another shape, or one that holds nothing.
        """
        with torch.autocast(evidence.device.type, enabled=False):
            return self.pooled(*_rows(evidence, mask, self.name))

    def contribution(self, evidence: Tensor, mask: Tensor | None = None) -> Tensor:
        """The share of each place in its logit: (N, K, *S), zero outside the mask; sums over S to the logit.

        Raises:
            InputError: as `forward`.
        """
        with torch.autocast(evidence.device.type, enabled=False):
            shares = self.divided(*_rows(evidence, mask, self.name))
        return shares.reshape(evidence.shape)

    def neutral(self, places: int) -> float:
        """The evidence that, at every one of so many places, makes the logit 0: where a read-out's bias starts."""
        return 0.0

    @abstractmethod
    def pooled(self, rows: Tensor, inside: Tensor | None) -> Tensor:
        """(N, K, P) -> (N, K)."""

    @abstractmethod
    def divided(self, rows: Tensor, inside: Tensor | None) -> Tensor:
        """(N, K, P) -> (N, K, P) with the sum `pooled`."""


def counted(rows: Tensor, inside: Tensor | None) -> Tensor:
    """How many places each row has: (N, 1, 1), of the rows' type."""
    if inside is None:
        return torch.full((rows.shape[0], 1, 1), rows.shape[2], dtype=rows.dtype, device=rows.device)
    return inside.sum(2, keepdim=True).to(rows.dtype)


def without(rows: Tensor, inside: Tensor | None, value: float) -> Tensor:
    """The rows with ``value`` outside."""
    return rows if inside is None else rows.masked_fill(~inside, value)


def _rows(evidence: Tensor, mask: Tensor | None, name: str) -> tuple[Tensor, Tensor | None]:
    if evidence.ndim < 3 or not evidence.shape[2:].numel():
        raise InputError(
            f"pool {name}: found evidence of shape {tuple(evidence.shape)}, expected (N, K, *spatial)"
        )
    rows = evidence.flatten(2)
    rows = rows if rows.dtype == torch.float64 else rows.float()
    if mask is None:
        return rows, None
    expected = (evidence.shape[0], 1, *evidence.shape[2:])
    if mask.dtype != torch.bool or tuple(mask.shape) != expected:
        raise InputError(
            f"mask: found {mask.dtype} of shape {tuple(mask.shape)}, expected torch.bool of shape {expected}"
        )
    inside = mask.flatten(2)
    filled = inside.any(2).flatten()
    if not bool(filled.all()):
        raise InputError(
            f"mask: sample {int((~filled).nonzero()[0])} holds no place, expected at least one to look at"
        )
    return rows, inside

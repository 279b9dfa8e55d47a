"""Pools that are weighted sums of the evidence, with weights that sum to one: mean, max and top-k."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from voxplain.errors import InputError
from voxplain.inherent.pools.base import Pool, counted, without


class Weighted(Pool):
    """Logit = Σ w e. A place's share is w e, exactly what it adds.

    The weights say which places count and are constants for the gradient, which therefore is the weights.
    """

    def pooled(self, rows: Tensor, inside: Tensor | None) -> Tensor:
        return self.divided(rows, inside).sum(2)

    def divided(self, rows: Tensor, inside: Tensor | None) -> Tensor:
        with torch.no_grad():
            weights = self.weights(rows, inside)
        return weights * without(rows, inside, 0.0)

    @abstractmethod
    def weights(self, rows: Tensor, inside: Tensor | None) -> Tensor:
        """(N, K, P) of non-negative numbers that sum to one."""


class Mean(Weighted):
    """The mean: every place counts alike. With a 1×1 read-out this is the CAM of Zhou et al. 2016, arXiv:1512.04150.

    >>> import torch
    >>> Mean()(torch.tensor([[[1.0, 2.0, 6.0]]]))
    tensor([[3.]])
    """

    name: ClassVar[str] = "mean"

    def weights(self, rows: Tensor, inside: Tensor | None) -> Tensor:
        return without((1 / counted(rows, inside)).expand_as(rows), inside, 0.0)


class Max(Weighted):
    """The largest evidence; places that tie share it alike, in the map and in the gradient.

    Oquab et al. 2015, "Is object localization for free?" (CVPR).

    >>> import torch
    >>> Max().contribution(torch.tensor([[[4.0, 1.0, 4.0]]]))
    tensor([[[2., 0., 2.]]])
    """

    name: ClassVar[str] = "max"

    def weights(self, rows: Tensor, inside: Tensor | None) -> Tensor:
        seen = without(rows, inside, -torch.inf)
        hit = (seen == seen.amax(2, keepdim=True)).to(rows.dtype)
        return hit / hit.sum(2, keepdim=True)


class TopK(Weighted):
    """The mean of the k places with the largest evidence, k = share × number of places (rounded, at least one).

    k is a prior of the lesion's size. Places that tie at the k-th value share alike what is left for them, so that the
    map does not depend on the order of places. The idea is in Durand et al. 2017, "WILDCAT" (CVPR).

    Args:
        share: of the places inside the mask, in (0, 1].

    Raises:
        InputError: a share outside of that.

    >>> import torch
    >>> TopK(0.5).contribution(torch.tensor([[[4.0, 1.0, 2.0, 0.0]]]))
    tensor([[[2., 0., 1., 0.]]])
    """

    name: ClassVar[str] = "topk"

    def __init__(self, share: float = 0.03) -> None:
        super().__init__()
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 < share <= 1:
            raise InputError(f"pool topk: found share={share!r}, expected a number above 0 and up to 1")
        self.share = float(share)

    def weights(self, rows: Tensor, inside: Tensor | None) -> Tensor:
        # in double, as Python rounds, so that all places need no look at what is on the device
        k = (self.share * counted(rows, inside).double()).round().clamp_min(1).to(rows.dtype)
        most = max(1, round(self.share * int(rows.shape[2]))) if inside is None else int(k.max())
        seen = without(rows, inside, -torch.inf)
        best = seen.topk(most, dim=2).values
        last = best.gather(2, (k.long() - 1).expand(*rows.shape[:2], 1))
        above, tied = seen > last, seen == last
        left = (k - above.sum(2, keepdim=True)) / tied.sum(2, keepdim=True)
        return (above.to(rows.dtype) + tied * left) / k

    def extra_repr(self) -> str:
        return f"share={self.share:g}"

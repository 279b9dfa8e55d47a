"""The map as a classifier of voxels: areas under its curves against the mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from voxplain.metric.localisation.against_mask import PEOPLE, AgainstMask, Inside, Relevance
from voxplain.metric.metric import register

Counts = NDArray[np.floating[Any]]


@register
@dataclass(frozen=True, eq=False)
class Auroc(AgainstMask):
    """The chance that a voxel of the mask has more relevance than one outside it, ties counting half.

    Hanley & McNeil 1982. Where the mask is a small part of the image it is near 1 for maps with many false voxels;
    see `Auprc`.
    """

    name: ClassVar[str] = "auroc"
    title: ClassVar[str] = "AUROC against the mask"
    source: ClassVar[str] = "Fawcett 2006, doi:10.1016/j.patrec.2005.10.010"
    reads: ClassVar[str] = (
        f"chance that a voxel of the mask outranks one outside it, 0.5 is no better than chance; {PEOPLE}"
    )

    def agreement(self, relevance: Relevance, mask: Inside, spacing: tuple[float, ...]) -> float:
        inside, all_ = cumulative(relevance, mask)
        outside = all_ - inside
        before = np.concatenate([[0.0], inside[:-1]])
        steps = np.diff(outside, prepend=0.0)
        # per step of falsely found voxels: the mask's voxels above them, and half of those tied with them
        return float((steps * (before + inside) / 2).sum() / (inside[-1] * outside[-1]))


@register
@dataclass(frozen=True, eq=False)
class Auprc(AgainstMask):
    """Average precision: ``Σ_n (R_n − R_{n−1}) P_n`` over the map's distinct values, from the largest down.

    R is the share of the mask found above a threshold, P the share of what is found that lies in the mask. A constant
    map has the mask's share of the image.
    """

    name: ClassVar[str] = "auprc"
    title: ClassVar[str] = "AUPRC against the mask"
    source: ClassVar[str] = "Davis & Goadrich 2006, doi:10.1145/1143844.1143874; as average precision"
    reads: ClassVar[str] = (
        f"precision of the map's largest voxels averaged over recall; chance is the mask's share; {PEOPLE}"
    )

    def agreement(self, relevance: Relevance, mask: Inside, spacing: tuple[float, ...]) -> float:
        inside, all_ = cumulative(relevance, mask)
        gained = np.diff(inside, prepend=0.0)
        return float((gained * inside / all_).sum() / inside[-1])


def cumulative(relevance: Relevance, mask: Inside) -> tuple[Counts, Counts]:
    """For every distinct value from the largest down, how many voxels of the mask, and in all, have at least it."""
    flat = relevance.ravel()
    order = np.argsort(flat)[::-1]
    ordered = flat[order]
    last = np.flatnonzero(np.concatenate([ordered[1:] != ordered[:-1], [True]]))
    inside = np.cumsum(mask.ravel()[order], dtype=np.int64)[last]
    return inside.astype(np.float64), (last + 1).astype(np.float64)

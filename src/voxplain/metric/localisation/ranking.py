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
        found = at_values_of_mask(relevance, mask)
        # per voxel of the mask: the others below it, and half of those tied with it
        below = found.outside - (found.outside_above + found.outside_from) / 2
        return float((found.count * below).sum() / (found.count.sum() * found.outside))


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
        found = at_values_of_mask(relevance, mask)
        inside = np.cumsum(found.count[::-1])[::-1]  # with at least this value
        return float((found.count * inside / (inside + found.outside_from)).sum() / inside[0])


@dataclass(frozen=True)
class AtValues:
    """Counts at every distinct value (n,) that voxels of a mask have, from the smallest up.

    Attributes:
        count: of the mask's voxels with this value.
        outside_above, outside_from: of voxels outside the mask with more, and with at least as much.
        outside: of all voxels outside.
    """

    count: Counts
    outside_above: Counts
    outside_from: Counts
    outside: int


def at_values_of_mask(relevance: Relevance, mask: Inside) -> AtValues:
    """Only the values of the mask decide; sorting values takes a tenth of the time of sorting places."""
    values, count = np.unique(relevance[mask], return_counts=True)
    others = np.sort(relevance[~mask])
    return AtValues(
        count.astype(np.float64),
        (len(others) - np.searchsorted(others, values, side="right")).astype(np.float64),
        (len(others) - np.searchsorted(others, values, side="left")).astype(np.float64),
        len(others),
    )

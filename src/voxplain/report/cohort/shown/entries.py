"""The entries of a table that are worth telling, strongest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voxplain.aggregate.cohort.graph import LEAST
from voxplain.aggregate.cohort.networks import WEIGHTS
from voxplain.report.cohort.page import Lens


@dataclass(frozen=True)
class Entry:
    """A target and a region.

    Attributes:
        share: mean over cases; ``share_low``, ``share_high`` its interval.
        density: share over share of voxels; NaN where nobody counted voxels. Likewise its interval.
        beats: whether it is more than all nulls expect; None where nothing was tested.
        q: against the nulls; NaN where nothing was tested.
        nulls: those that can judge it. ``hardest`` the one that is beaten least.
        n: cases.
    """

    target: str
    region: str
    share: float
    share_low: float
    share_high: float
    density: float
    low: float
    high: float
    beats: bool | None
    q: float
    nulls: tuple[str, ...]
    hardest: str
    n: int

    @property
    def strength(self) -> float:
        """What entries are ordered by: the lower end of the interval of the density, or what there is instead."""
        best = (self.low, self.density) if np.isfinite(self.density) else (self.share_low, self.share)
        return next((float(v) for v in best if np.isfinite(v)), -np.inf)


def order_told(entries: Sequence[Entry]) -> str:
    """By what `strongest` orders them, in words: an interval only where any has one."""
    dense = any(np.isfinite(e.density) for e in entries)
    what = "density" if dense else "share"
    if any(np.isfinite(e.low if dense else e.share_low) for e in entries):
        return f"by the lower end of the {what}’s interval"
    return f"by {what}"


def entry(lens: Lens, t: int, r: int) -> Entry:
    """One of them."""
    shares, dense, beaten = lens.shares, lens.densities, lens.beaten
    # of too few cases to test, q is 1 whatever they say
    q = float(beaten.q[t, r]) if beaten is not None and lens.tested else float("nan")
    worst = -1 if beaten is None else int(beaten.worst[t, r])
    return Entry(
        target=lens.mass.targets[t],
        region=lens.mass.regions[r],
        share=float(shares.mean[t, r]),
        share_low=float(shares.low[t, r]),
        share_high=float(shares.high[t, r]),
        density=float("nan") if dense is None else float(dense.mean[t, r]),
        low=float("nan") if dense is None else float(dense.low[t, r]),
        high=float("nan") if dense is None else float(dense.high[t, r]),
        beats=bool(lens.coloured[t, r]) if lens.tested and np.isfinite(q) else None,
        q=q,
        nulls=() if beaten is None else judges(lens, t, r),
        hardest=beaten.nulls[worst] if beaten is not None and worst >= 0 else "",
        n=int(shares.n[t, r]),
    )


def judges(lens: Lens, t: int, r: int) -> tuple[str, ...]:
    """Nulls that expect something of an entry in any case that has it; redrawn weights judge no target's own region."""
    own = ~np.isnan(lens.mass.values[:, t, r])
    redrawn = () if lens.mass.targets[t] == lens.mass.regions[r] else lens.expected.redrawn
    nulls = [*lens.expected.nulls.items(), *((WEIGHTS, m) for m in redrawn)]
    return tuple(dict.fromkeys(k for k, m in nulls if (own & ~np.isnan(m.values[:, t, r])).any()))


def strongest(lens: Lens, *, most: int | None = None) -> list[Entry]:
    """Entries on other regions that beat the nulls, or, where nothing was tested, all that are known; strongest first.

    Those with less than a hundredth of the target's attribution come last: small regions have large densities.
    """
    coloured = lens.coloured
    found = [
        entry(lens, t, r)
        for t, r in np.argwhere(coloured).tolist()
        if lens.mass.targets[t] != lens.mass.regions[r]
        and not {lens.mass.targets[t], lens.mass.regions[r]} & set(lens.left_out)
        and lens.shares.mean[t, r] > 0
    ]
    found.sort(key=lambda e: (e.share < LEAST, -e.strength, e.target, e.region))
    return found[:most]


def own(lens: Lens) -> list[Entry]:
    """Of every target that is a region, too: how much it depends on itself."""
    return [
        entry(lens, t, lens.mass.regions.index(name))
        for t, name in enumerate(lens.mass.targets)
        if name in lens.mass.regions and name not in lens.left_out
    ]

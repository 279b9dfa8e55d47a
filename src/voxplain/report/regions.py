"""Where a map lies, region by region, in plain words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from voxplain.aggregate.body import ELSEWHERE, OUT

Meaning = Literal["slope", "share", "rank"]
OUTLIER = 3.5  # robust z beyond which a share is unusual (Iglewicz & Hoaglin, 1993)
LEAST_DIFFERENCE = 0.02  # of the map: where all cases are alike, any other is far off in robust deviations
SHOWN = 8  # rows of a table
LEAST_VOXELS = 20  # of a region whose density is worth a sentence
LEAST_CASES = 6  # fewer say nothing of what is usual
NAMELESS = frozenset([ELSEWHERE, OUT, "outside", "nothing"])
SMALL_PART = 0.1  # of a map's sum, below which what is negative is not worth a sentence
SIGNS = {
    "share": ("Argues for", "Argues against"),
    "slope": ("Brighter raises it", "Brighter lowers it"),
    "rank": ("Positive", "Negative"),
}
"""What the two signs of a map mean: only shares of a score argue for it or against it."""
_AGAINST = {
    "share": "{} of the map argues against it",
    "slope": "In {} of the map more brightness would lower the score",
    "rank": "{} of the map is negative",
}
_VALUES = {
    "share": (
        "Values are in the unit of the score. Whether they add up to its change from the baseline to the image is "
        "told by completeness, among the tests; where that is not measured, as of occlusion, they need not."
    ),
    "slope": (
        "Values are slopes, score per unit of intensity, and do not add up to the score: shares say where the "
        "network reacts "
        "to small changes, not how much of the score comes from there."
    ),
    "rank": (
        "Values of this method do not add up to anything: shares say where the map is bright, not how much of "
        "the score comes "
        "from there."
    ),
}


@dataclass(frozen=True)
class RegionRow:
    """A region's part of a map.

    Attributes:
        millilitres: None of pictures, and where no spacing is known.
        positive, negative: of all that is positive, and of all that is negative; None where there is nothing of it.
        net, absolute: sums of the values, and of their sizes.
        mass: of the sum of absolute values.
        density: share of it per share of the image, 1 where the map is spread evenly.
        median, z: of the mass over cases, and how far this case lies from it in robust standard deviations; None where there
            are too few.
    """

    name: str
    voxels: int
    millilitres: float | None
    positive: float | None
    negative: float | None
    net: float
    absolute: float
    mass: float
    density: float | None
    median: float | None = None
    z: float | None = None

    @property
    def unusual(self) -> bool:
        """Whether its share is unusual among the cases, and by enough to matter."""
        if self.z is None or self.median is None:
            return False
        return abs(self.z) > OUTLIER and abs(self.mass - self.median) >= LEAST_DIFFERENCE


@dataclass(frozen=True)
class Regions:
    """One method's map of one target over one division of the image; rows go by their share of the map.

    Attributes:
        own: the region that the target is about; empty where none is.
        distances: mm (voxels, where `in_mm` is not so) from it to the next ones.
        meaning: what values claim: ``share`` of the score, ``slope``, or a ``rank`` at most.
        signed: whether values may be negative.
        score: the clean score.
        cases: of the cohort that `RegionRow.z` compares with.
        adds_up: whether the network itself adds the score up from this map.
    """

    method: str
    target: str
    division: str
    rows: tuple[RegionRow, ...]
    own: str = ""
    distances: Mapping[str, float] = field(default_factory=dict)
    in_mm: bool = True
    meaning: Meaning = "rank"
    signed: bool = True
    score: float = float("nan")
    cases: int = 1
    adds_up: bool = False

    @property
    def sentences(self) -> tuple[str, ...]:
        """What there is to say of it, the most telling first."""
        return tuple(_sentences(self))

    @property
    def unusual(self) -> tuple[str, ...]:
        """A sentence for each region whose share is unusual among the cases."""
        return tuple(_unusual(self))

    @property
    def signs(self) -> tuple[str, str]:
        """What positive and what negative values mean, as headings."""
        return SIGNS["share" if self.adds_up else self.meaning]

    @property
    def argues(self) -> bool:
        """Whether its values argue for the score or against it, as slopes and orders do not."""
        return self.signed and (self.meaning == "share" or self.adds_up)

    @property
    def values(self) -> str:
        """What the shares are shares of, and what they are not."""
        if self.adds_up:
            return "Values are what the network itself adds up to its score."
        return _VALUES[self.meaning]

    @property
    def row_of(self) -> dict[str, RegionRow]:
        """Rows by name."""
        return {row.name: row for row in self.rows}

    @property
    def outside(self) -> RegionRow | None:
        """What lies outside of the body, where that is known."""
        return self.row_of.get(OUT)

    @property
    def leading(self) -> tuple[RegionRow, ...]:
        """The rows that a table shows: the largest that hold anything of the map."""
        return tuple(row for row in self.rows if row.mass > 0)[:SHOWN]

    @property
    def others(self) -> tuple[RegionRow, ...]:
        """The rows that it does not."""
        return self.rows[len(self.leading) :]

    @property
    def total(self) -> float:
        """Of all values."""
        return sum(row.net for row in self.rows)

    @property
    def rest(self) -> float:
        """What the score has beyond the sum of the map: the read-out's constant, what the map does not show, rounding."""
        return self.score - self.total


def from_plain(found: Mapping[str, Any]) -> Regions:
    """Regions that went through JSON."""
    return Regions(**{**found, "rows": tuple(RegionRow(**row) for row in found["rows"])})


def with_cohort(every: Sequence[Regions]) -> list[Regions]:
    """The same maps of all cases, each row beside the median of its region's share over them.

    Args:
        every: one per case, of one method, target and division.
    """
    import numpy as np

    from voxplain.aggregate.cohort.robust import median, scale

    names = list(dict.fromkeys(row.name for one in every for row in one.rows))
    if len(every) < LEAST_CASES:
        return [replace(one, cases=len(every)) for one in every]
    shares = np.full((len(every), len(names)), np.nan)
    for case, one in enumerate(every):
        for row in one.rows:
            shares[case, names.index(row.name)] = row.mass
    middle, spread = median(shares), scale(shares)
    enough = np.isfinite(shares).sum(0) >= LEAST_CASES

    def told(row: RegionRow) -> RegionRow:
        at = names.index(row.name)
        if not enough[at]:
            return row
        far = (row.mass - middle[at]) / spread[at] if spread[at] > 0 else None
        return replace(row, median=float(middle[at]), z=None if far is None else float(far))

    return [replace(one, cases=len(every), rows=tuple(told(row) for row in one.rows)) for one in every]


def _sentences(found: Regions) -> Iterable[str]:
    size = sum(r.absolute for r in found.rows)
    if not size:
        yield f"The map of {found.target} is zero."
        return
    what = "what argues for it" if found.argues else "the map"
    ranked = sorted(
        (r for r in found.rows if r.name == found.own or _share(found, r)),
        key=lambda r: -(_share(found, r) or 0),
    )
    if not ranked:
        yield f"Nothing argues for {found.target}."
    else:
        yield _of_the_first(found, ranked, what)
    against = sum(r.absolute - r.net for r in found.rows) / (2 * size)
    least = [r for r in found.rows if r.negative]
    if found.signed and least and against > SMALL_PART:
        top = max(least, key=lambda r: r.negative or 0)
        told = _AGAINST["share" if found.adds_up else found.meaning].format(percent(against))
        yield f"{told}; most of that lies in {top.name} ({percent(top.negative)})."
    dense = [r for r in found.rows if r.density is not None and r.voxels >= LEAST_VOXELS]
    if dense:
        top = max(dense, key=lambda r: r.density or 0)
        if (top.density or 0) > 2:
            per = "area" if top.millilitres is None else "volume"
            yield f"Most of it per {per}: {top.name}, {top.density:.0f} times the mean over the image."
    outside = found.outside
    if outside is not None and outside.mass > 0.005:
        yield f"{percent(outside.mass)} of the map lies outside of the body."
    yield from _unusual(found)


def _unusual(found: Regions) -> Iterable[str]:
    for row in found.rows:
        if row.unusual and row.median is not None and row.z is not None:
            more = "more" if row.z > 0 else "less"
            yield (
                f"{_capital(row.name)} holds {more} of the map than usual: {percent(row.mass)} where the median "
                f"of {found.cases} "
                f"cases is {percent(row.median)} (robust z {signed(row.z)})."
            )


def _of_the_first(found: Regions, ranked: Sequence[RegionRow], what: str) -> str:
    first, *others = ranked
    own = found.row_of.get(found.own)
    if own is None or _share(found, own) is None:
        told = f"{_capital(first.name)} holds {percent(_share(found, first))} of {what}"
        return (
            f"{told}; the next is {others[0].name} ({percent(_share(found, others[0]))})."
            if others
            else f"{told}."
        )
    share = percent(_share(found, own))
    if first is not own:
        told = (
            f"{_capital(first.name)} holds {percent(_share(found, first))} of {what}{_far(found, first.name)}"
        )
        return f"{told}; {own.name} itself holds {share}."
    told = f"{_capital(own.name)} itself holds {share} of {what}"
    if not others:
        return f"{told}."
    name, held = others[0].name, percent(_share(found, others[0]))
    return f"{told}; the next is {name} ({held}){_far(found, name)}."


def _far(found: Regions, name: str) -> str:
    far = found.distances.get(name)
    if far is None:
        return ""
    unit = "mm" if found.in_mm else "voxels"
    return f", {far:.0f} {unit} away" if far >= 10 else f", {far:.1f} {unit} away"


def _share(found: Regions, row: RegionRow) -> float | None:
    return row.positive if found.argues else row.mass


def percent(share: float | None) -> str:
    """A share in words.

    >>> percent(0.621), percent(0.004), percent(0.0), percent(None)
    ('62 %', '0.4 %', '0 %', '–')
    """
    if share is None:
        return "–"
    shown = 100 * share
    if 0 < abs(shown) < 0.1:
        return "below 0.1 %"
    return f"{shown:.1f} %" if 0 < abs(shown) < 1 else f"{shown:.0f} %"


def signed(z: float | None) -> str:
    """A robust z; where the others are all alike it has no meaning beyond "far".

    >>> signed(-3.62), signed(4000.0), signed(None)
    ('−3.6', 'above 100', '–')
    """
    if z is None:
        return "–"
    if abs(z) > 100:
        return "above 100" if z > 0 else "below −100"
    return f"{z:+.1f}".replace("-", "−")


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]

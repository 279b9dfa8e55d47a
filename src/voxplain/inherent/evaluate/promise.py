"""Whether the threshold 'healthy' keeps on the test part what it promised from the validation part, and if not, why."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from voxplain.inherent.evaluate.localisation import BEFORE
from voxplain.inherent.maps import Maps
from voxplain.inherent.threshold import HealthyQuantile, Threshold

_ROUNDING = 1e-9
_BROKEN = 0.05  # a promise that is kept is called broken at most this often


@dataclass(frozen=True)
class Promise:
    """The share of healthy images that may have a mask, and how many have one.

    Attributes:
        share: at most this share was promised, on average over validation parts.
        marked: of the test part's healthy patients, the mean share of whose images has a mask, as a number of patients.
        patients: how many these are.
        chance: of as many or more if they are like the healthy patients of the validation part. The promise is an average
            over validation parts of that size; the number that is marked is then beta-binomial, wider than a binomial.
    """

    share: float
    marked: float
    patients: int
    chance: float

    @property
    def broken(self) -> bool:
        """Whether more are marked than chance would explain."""
        return self.marked > self.share * self.patients and self.chance < _BROKEN


def promise(headline: Threshold | None, cases: Iterable[dict[str, Any]]) -> Promise | None:
    """How the masks of healthy images compare with what their threshold promised; None where it promised nothing.

    Args:
        headline: the fitted threshold of the masks.
        cases: rows per image, as `localisation` gives them.
    """
    if not isinstance(headline, HealthyQuantile) or headline.spared:
        return None
    marks: dict[str, list[bool]] = defaultdict(list)
    for case in cases:
        mine = (case["threshold"], case["score"]) == (headline.title, headline.found.score.name)
        if mine and case["mask"] != BEFORE and case["truth voxels"] == 0:
            marks[case["group"]].append(case["voxels"] > 0)
    if not marks:
        return None
    join = np.max if headline.unit == "patient" else np.mean
    marked = float(sum(join(several) for several in marks.values()))
    fitted = int(headline.found.evidence["patients"])
    return Promise(headline.share, marked, len(marks), chance(marked, len(marks), fitted, headline.share))


def chance(marked: float, patients: int, fitted: int, share: float) -> float:
    """That as many of these patients or more lie above the conformal threshold of ``fitted`` others like them.

    The threshold is the r-th smallest of n heights, so the share of the population above it is Beta(n + 1 − r, r), whatever
    the population. Parts of patients are rounded down, in favour of the threshold.

    >>> round(chance(24, 234, 135, 0.05), 4)
    0.0167
    """
    from scipy.stats import betabinom

    rank = math.ceil((fitted + 1) * (1 - share) - _ROUNDING)
    return float(betabinom(patients, fitted + 1 - rank, rank).sf(math.floor(marked + _ROUNDING) - 1))


def promise_told(found: Promise, test: Maps, validation: Maps, label: str = "") -> str:
    """A broken promise in a sentence or two: what was promised, what came, and what the parts differ in.

    Args:
        found: the promise.
        test, validation: maps of both parts.
        label: of independent ones, which it is about: an image without it may have another finding.
    """
    images, patients = (
        f"{what} without {label}" if label else f"healthy {what}" for what in ("images", "patients")
    )
    told = (
        f"The threshold promised a mask on at most {found.share:.1%} of {images}; {found.marked:.3g} of "
        f"{found.patients} {patients} of the test part have one ({found.marked / found.patients:.1%}), which has a "
        f"chance of {found.chance:.2g} if they are like those of the validation part (exact, beta-binomial)."
    )
    here, there = _called_ill(test), _called_ill(validation)
    if here > there:
        return (
            f"{told} So they are probably not alike: {here:.1%} of the {images} of the test part are decided to "
            f"{f'have {label}' if label else 'be ill'}, {there:.1%} of the validation part. Look for another scanner, site "
            "or selection; for such images the share does not hold."
        )
    return f"{told} So they are probably not alike: maps rise higher on the test part; the share does not hold for it."


def _called_ill(maps: Maps) -> float:
    healthy = maps.take(maps.is_healthy)
    return float((healthy.predicted != healthy.healthy).mean())

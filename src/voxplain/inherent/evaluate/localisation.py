"""How good masks are: per case, then over cases with intervals over patients.

Conventions: cases whose truth marks something give Dice, IoU and distances (see `overlap` and `surfaces`); a healthy
prediction that leaves them without a mask counts as 0, not as absent. Cases whose truth is empty, or that are labelled
healthy and have no mask, give the false mask rate and false marks. Cases with neither are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxplain.errors import InputError
from voxplain.inherent.bootstrap import Counts, intervals, mended, weighted_mean, weighted_median
from voxplain.inherent.evaluate.froc import Curves, Marks, marks
from voxplain.inherent.evaluate.rows import Result, Row, row
from voxplain.inherent.evaluate.surfaces import assd, hd95
from voxplain.inherent.maps import Bools, Maps
from voxplain.inherent.mask.components import lesions
from voxplain.inherent.mask.segment import Segmentation, Segmented
from voxplain.inherent.overlap import dice, iou

METRICS = (
    "dice median",
    "dice mean",
    "iou median",
    "iou mean",
    "hd95 median",
    "assd median",
    "missed",
    "false mask rate",
    "lesion sensitivity",
    "false marks per case",
    "froc mean sensitivity",
)
RATES = ("missed", "false mask rate", "lesion sensitivity")
BEFORE, AFTER = "before refinement", "after refinement"


@dataclass(frozen=True)
class Asked:
    """How to evaluate.

    Args:
        draws, level, seed: of the bootstrap over patients.
        surfaces: whether to measure distances, which takes longest.
        overlap: share of a lesion that a mark must cover to hit it, see `marks`.
        each: told of cases whose mask, or map, was scored: how many at once.
    """

    draws: int = 1000
    level: float = 0.95
    seed: int = 0
    surfaces: bool = True
    overlap: float = 0.0
    each: Callable[[int], object] = field(default=bool, compare=False, repr=False)


def localisation(
    maps: Maps,
    segmentation: Segmentation,
    asked: Asked | None = None,
    strata: Mapping[str, Bools] | None = None,
) -> Result:
    """Score the masks that a segmentation makes of these cases.

    Metrics: Dice and IoU (median and mean), HD95 and ASSD (median; mm, or voxels where the spacing is not known), the share
    of cases with a lesion and no mask ("missed"), the share of cases without one and with a mask ("false mask rate"),
    the share of lesions hit by any mark, false marks per case, and the mean sensitivity of FROC. Rates of 0 or 1 have
    exact intervals, see `mended`.

    Args:
        strata: which cases (N,) to look at by themselves, by name, see `size_strata`.

    Returns:
        rows over cases, and the rows per case. With a refinement both come twice, "before refinement" and "after".

    Raises:
        InputError: the threshold was fitted on some of the cases or their patients, no case has a known truth, or a
            stratum of another length.
    """
    segmentation.threshold.refuse(maps)
    asked = asked or Asked()
    if not (maps.has_lesion | maps.has_empty_truth).any():
        raise InputError("masks: found no known truth in any case, expected some to score masks with")
    places = np.argsort(np.array(maps.ids))
    chosen = {"all": np.ones(len(maps), dtype=np.bool_), **(strata or {})}
    for name, which in chosen.items():
        if which.shape != (len(maps),):
            raise InputError(
                f"stratum {name!r}: found shape {which.shape}, expected ({len(maps)},), one per case"
            )
    found: dict[str, list[tuple[Row, Marks]]] = {}
    for i in places:
        for state, pair in measured(maps, int(i), segmentation, asked).items():
            found.setdefault(state, []).append(pair)
        asked.each(1)
    groups = [maps.groups[i] for i in places]
    rows = [
        told
        for pairs in found.values()
        for name, which in chosen.items()
        for told in over_cases(pairs, groups, which[places], name, asked)
    ]
    return Result(rows, [r for pairs in found.values() for r, _ in pairs])


def measured(maps: Maps, i: int, segmentation: Segmentation, asked: Asked) -> dict[str, tuple[Row, Marks]]:
    """One case: its row and its marks, by the state of its mask."""
    made = segmentation(maps, i)
    states = {BEFORE: made.before, AFTER: made.mask} if made.refined else {"": made.mask}
    return {
        state: _measured(maps, i, segmentation, asked, made, state, mask) for state, mask in states.items()
    }


def _measured(
    maps: Maps, i: int, segmentation: Segmentation, asked: Asked, made: Segmented, state: str, mask: Bools
) -> tuple[Row, Marks]:
    truth, spacing = maps.masks[i], maps.spacings[i]
    known = truth is not None or bool(maps.has_empty_truth[i])
    wanted = np.zeros_like(mask) if truth is None else truth
    own = mask is made.mask
    parts = made.lesions if own else lesions(mask, made.score, spacing, segmentation.components.connectivity)
    matched = marks(parts, wanted, overlap=asked.overlap, connectivity=segmentation.components.connectivity)
    measures = (hd95, assd) if asked.surfaces else ()
    distances = [measure(mask, wanted, spacing) for measure in measures] or [float("nan")] * 2
    told: Row = {
        **_about(segmentation, state),
        "id": maps.ids[i],
        "group": maps.groups[i],
        "label": int(maps.labels[i]),
        "predicted": int(maps.predicted[i]),
        "value": made.threshold,
        "reason": "" if mask.any() else made.reason,
        "voxels": int(mask.sum()),
        "truth voxels": int(wanted.sum()) if known else -1,
        "marks": len(parts),
        "dice": dice(mask, wanted),
        "iou": iou(mask, wanted),
        "hd95": distances[0],
        "assd": distances[1],
    }
    return told, matched


def _about(segmentation: Segmentation, state: str) -> dict[str, Any]:
    t = segmentation.threshold
    return {
        "score": t.found.score.name,
        "threshold": t.title,
        "supervision": t.supervision,
        "oracle": t.is_oracle,
        "mask": state,
    }


def over_cases(
    pairs: list[tuple[Row, Marks]], groups: list[str], which: Bools, stratum: str, asked: Asked
) -> list[Row]:
    """All numbers of some cases.

    Args:
        pairs: N rows and marks, see `measured`.
        groups: (N,) their patients.
        which: (N,) the cases that count.
        stratum: what these are called.
    """
    columns = {
        n: np.array([r[n] for r, _ in pairs], dtype=np.float64) for n in ("dice", "iou", "hd95", "assd")
    }
    marked = np.array([r["voxels"] > 0 for r, _ in pairs])
    truth = np.array([r["truth voxels"] for r, _ in pairs])
    curves = Curves([m for _, m in pairs])

    def statistics(weights: Counts) -> NDArray[np.float64]:
        counted = weights * which
        curve = curves(counted * (truth >= 0))
        last = -1 if len(curve.thresholds) else None
        return np.array(
            [
                *(f(columns[n], counted) for n in ("dice", "iou") for f in (weighted_median, weighted_mean)),
                *(weighted_median(columns[n], counted) for n in ("hd95", "assd")),
                weighted_mean(np.where(marked, 0.0, 1.0), counted * (truth > 0)),
                weighted_mean(np.where(marked, 1.0, 0.0), counted * (truth == 0)),
                float(curve.sensitivity[last]) if last else (0.0 if curve.lesions else float("nan")),
                float(curve.false_per_case[last]) if last else (0.0 if curve.cases else float("nan")),
                curve.mean_sensitivity(),
            ]
        )

    about = {
        k: v for k, v in pairs[0][0].items() if k in ("score", "threshold", "supervision", "oracle", "mask")
    }
    numbers = intervals(statistics, groups, draws=asked.draws, level=asked.level, seed=asked.seed)
    of_lesions, of_empty, of_all = (which & w for w in (truth > 0, truth == 0, truth >= 0))
    bases = {"false mask rate": of_empty, "false marks per case": of_all, "froc mean sensitivity": of_all}
    rows = []
    for metric, number in zip(METRICS, numbers, strict=True):
        base = bases.get(metric, of_lesions)
        patients = len({g for g, w in zip(groups, base, strict=True) if w})
        interval = mended(number, patients, asked.level, rate=metric in RATES)
        counts = {"cases": int(base.sum()), "patients": patients}
        rows.append(row("localisation", metric, interval, stratum=stratum, **counts, **about))
    return rows

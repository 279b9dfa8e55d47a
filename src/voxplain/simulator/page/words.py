"""What diagnostics mean, in words and with a light."""

from __future__ import annotations

from typing import Any

from voxplain.counterfactual.page.remark import Remark
from voxplain.simulator.page.tables import signed

_FAR = 0.1  # voxels: from there on, undoing a warp misses by what the eye can see
_BEYOND = 1.5  # doses of which one is about the distance of the classes


def remarks(record: dict[str, Any]) -> tuple[Remark, ...]:
    """Of one subject: right, reached, monotone, folds, inverse error."""
    found = (
        _right(record),
        _reached(record),
        _monotone(record),
        _folds(record),
        _inverse(record),
        _share(record),
    )
    return tuple(remark for remark in found if remark is not None)


def _right(record: dict[str, Any]) -> Remark | None:
    if record["right"] is not False:
        return None
    text = f"The classifier says {record['decision']}, but it is {record['label']}: the map shows a mistake, not a disease."
    return Remark("warn", "wrong decision", text)


def _reached(record: dict[str, Any]) -> Remark:
    dose = record["dose"]
    before, after, target = (signed(record[name], 2) for name in ("logit before", "logit after", "target"))
    if not record["reached"]:
        text = (
            f"No dose brings the logit from {before} to {target}; the map is that of dose {dose:.2f}, which comes closest "
            f"({after}). What the classifier looks for may be no motion of tissue."
        )
        return Remark("bad", "not reached", text)
    text = f"Dose {dose:.2f} brings the logit from {before} to {after}."
    if dose > _BEYOND:
        return Remark(
            "warn", "large dose", f"{text} That is more than the distance between typical subjects."
        )
    return Remark("good", "reached", text)


def _monotone(record: dict[str, Any]) -> Remark:
    if record["monotone"]:
        return Remark("good", "monotone", "The logit moves towards the target all the way.")
    return Remark(
        "warn",
        "not monotone",
        "The logit turns back on the way, so a smaller dose may reach the target, too.",
    )


def _folds(record: dict[str, Any]) -> Remark:
    if record["withheld"]:
        return Remark("bad", "folds", f"Volumes are not published: {record['withheld']}.")
    return Remark("good", "no folds", "The map folds space nowhere, so volumes mean something.")


def _inverse(record: dict[str, Any]) -> Remark:
    off = record["inverse error (voxels)"]
    text = f"There and back, a voxel ends {off:.2g} voxels from its start on average."
    return Remark("good" if off <= _FAR else "warn", "inverse error", text)


def _share(record: dict[str, Any]) -> Remark | None:
    share = record.get("share of motion in the logit")
    if share is None:
        return None
    text = f"Motion carries {100 * share:.0f} % of the change of the logit; the change of brightness carries the rest."
    return Remark("info", "motion", text)

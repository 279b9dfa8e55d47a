"""What a reader must know before any number: other masks than those in the files, and brightness that does as well."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from voxplain.inherent.evaluate.rows import Row
from voxplain.inherent.maps import Maps
from voxplain.inherent.running.judging import Judged
from voxplain.inherent.running.places import Places
from voxplain.inherent.running.task import Task
from voxplain.inherent.running.thresholds import segmentation_of, written

WRITTEN = "The masks that were written"


def mask_caption(task: Task, judged: Judged) -> str:
    """What the headline's masks are: those in the files, or others."""
    headline = judged.headline
    if headline is None:
        return WRITTEN
    path = Places(task.settings.out).prediction / f"threshold{judged.question.suffix}.json"
    try:
        before: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return f"Masks by {headline.title}, as asked now; none were written"
    now = json.loads(json.dumps(written(segmentation_of(task.settings.mask, headline))))
    if before == now:
        return WRITTEN
    return f"Masks by {headline.title}, as asked now; those that were written are others ({_differs(before, now)})"


def _differs(before: dict[str, Any], now: dict[str, Any]) -> str:
    if (before.get("name"), before.get("settings")) != (now["name"], now["settings"]):
        return f"threshold {before.get('name')}"
    if before.get("fitted") != now["fitted"]:
        return "the same threshold, fitted to another value"
    return "by other settings of mask"


def brightness_told(judged: Judged) -> list[str]:
    """Where the image's own intensity marks lesions better than the network's map, in words."""
    rows, of = judged.result.rows, f"{judged.question.name}: " if judged.question.name else ""
    told = [
        _beaten("PxAP", _best(rows, "map", "pxap", "class"), _best(rows, "map", "pxap", "image intensity"))
    ]
    title = judged.headline.title if judged.headline else None
    headline = [r for r in rows if r["threshold"] == title]
    own, other = (
        _best(chosen, "localisation", "dice median", score)
        for chosen, score in ((headline, "class"), (rows, "image intensity"))
    )
    told.append(_beaten("median Dice", own, other))
    found = " and ".join(text for text in told if text)
    if not found:
        return []
    alone = f"{of}brightness alone" if of else "Brightness alone"
    return [
        f"{alone}, without any network, marks the lesions better than the map: {found}. This data set proves nothing about "
        "the map."
    ]


def _best(rows: Sequence[Row], part: str, metric: str, score: str) -> Row | None:
    """Over thresholds that have not seen the truth."""
    chosen = [
        r
        for r in rows
        if (r["part"], r["metric"], r["score"], r["stratum"]) == (part, metric, score, "all")
        and not (r["oracle"] and part == "localisation")
    ]
    known = [r for r in chosen if not math.isnan(r["value"])]
    return max(known, key=lambda r: float(r["value"]), default=None)


def _beaten(what: str, own: Row | None, other: Row | None) -> str:
    if own is None or other is None or not other["value"] > own["value"]:
        return ""
    by = f" (threshold {other['threshold']})" if other["threshold"] else ""
    return f"{what} {other['value']:.2f}{by} against {own['value']:.2f}"


def distance_unit(maps: Maps) -> str:
    """Of distances between surfaces: mm where an image's spacing is known, voxels where not."""
    unknown = sum(spacing is None for spacing in maps.spacings)
    if unknown in (0, len(maps)):
        return "voxels" if unknown else "mm"
    return f"mm; voxels of {unknown} images without spacing"

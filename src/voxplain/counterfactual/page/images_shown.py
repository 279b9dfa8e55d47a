"""Which images are on the page, and what of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from voxplain.counterfactual.page.remark import Remark
from voxplain.counterfactual.page.words import remarks
from voxplain.report import Picture

Record = dict[str, Any]


@dataclass(frozen=True)
class ImageShown:
    """One image of the page.

    Attributes:
        id, way: which, and from which decision to which.
        figure, strip: before, copy, after and difference; the series.
        animation: None where there is none.
        remarks: whether to believe it.
    """

    id: str
    way: str
    figure: Picture
    strip: Picture
    animation: Picture | None
    remarks: tuple[Remark, ...]


def chosen_images(records: Sequence[Record], count: int) -> list[int]:
    """As many of each decision as of the other, spread over their doses."""
    decisions = list(dict.fromkeys(record["decision"] for record in records))
    each = -(-count // max(len(decisions), 1))
    found: list[int] = []
    for decision in decisions:
        mine = [i for i, record in enumerate(records) if record["decision"] == decision]
        mine.sort(key=lambda i: (not records[i]["reached"], records[i]["dose"]))
        spots = np.linspace(0, len(mine) - 1, min(each, len(mine))).round().astype(int)
        found += [mine[spot] for spot in np.unique(spots)]
    return found[:count]


def image_shown(place: Path, record: Record) -> ImageShown:
    """From its folder and record."""
    figure, strip = (
        Picture(place / f"{file}.png", *record[key])
        for file, key in (("figure", "figure"), ("frames", "strip"))
    )
    moving = place / "animation.gif"
    animation = None
    if moving.exists():
        animation = Picture(moving, f"The series of {record['id']}, there and back.", "There and back.")
    way = f"{record['decision']} towards {record['towards']}"
    return ImageShown(record["id"], way, figure, strip, animation, remarks(record))

"""The files of one test, on the grid of all images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from voxplain.case import Case, write_case
from voxplain.case.atomic import write_whole
from voxplain.inherent.data import Reader
from voxplain.report import png, slug
from voxplain.simulator.group import GroupMap
from voxplain.simulator.page.group_figure import group_figure
from voxplain.simulator.running.case_files import sizes
from voxplain.simulator.running.cohort import Member, Space
from voxplain.simulator.running.home import Floats

_LARGEST = 1e6  # a file's t: of subjects that are all the same it is infinite
_OUTSIDE = {"mean": 0.0, "t": 0.0, "p_any": 1.0, "q": 1.0}


def write_test(
    place: Path, space: Space, title: str, made: GroupMap, chosen: Sequence[Member], level: float
) -> dict[str, Any]:
    """Write the maps and the picture of a test; what is told of it, JSON-able.

    Args:
        place: the folder of all tests.
        space: where it was made.
        title: its name.
        made: its outcome, (V,).
        chosen: the images; their mean is the background.
        level: of the corrected p and q.
    """
    folder = place / slug(title)
    folder.mkdir(parents=True, exist_ok=True)
    suffix = ".npz" if space.geometry is None else ".nii.gz"
    for kind, outside in _OUTSIDE.items():
        values = np.clip(space.full(getattr(made, kind), outside), -_LARGEST, _LARGEST)
        write_case(folder / f"{kind}{suffix}", Case(kind, values[None], space.geometry))
    found, discovered = (space.full(made.found(level, by)) > 0 for by in ("p_any", "q"))
    drawn = group_figure(
        mean_image(chosen, space),
        space.full(made.mean),
        found,
        discovered,
        space.geometry,
        title=title,
        level=level,
    )
    write_whole(folder / "figure.png", png(drawn, 100))
    return {
        "title": title, "folder": folder.name, "subjects": list(made.subjects), "exact": made.exact, "least": made.least,
        "voxels": int(space.where.sum()), "found": int(found.sum()), "discovered": int(discovered.sum()),
        "alt": drawn.alt, "caption": drawn.caption, "files": sizes(folder),
    }  # fmt: skip


def regions_alone(title: str, made: GroupMap) -> dict[str, Any]:
    """The same of a test without voxels, which leaves no files."""
    return {
        "title": title, "folder": "", "subjects": list(made.subjects), "exact": made.exact, "least": made.least,
        "voxels": 0, "found": 0, "discovered": 0, "alt": "", "caption": "", "files": {},
    }  # fmt: skip


def mean_image(chosen: Sequence[Member], space: Space) -> Floats:
    """(1, *S) the first channel of all on the common grid, each between its 1st and 99th percentile."""
    reader, total = Reader(), np.zeros(())
    for member in chosen:
        image = reader.case(member.sample).image[0]
        low, high = np.percentile(image, (1, 99))
        shown = np.clip((image - low) / max(high - low, 1e-12), 0, 1)
        total = total + space.grid.bring(shown, member.sample, reader) / len(chosen)
    return np.asarray(total, np.float32)[None]

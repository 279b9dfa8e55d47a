"""What images that go one way have in common: their mean signed difference, on the generator's grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from voxplain.case.atomic import whole, write_whole
from voxplain.counterfactual.page.case_figure import mean_figure
from voxplain.counterfactual.running.case_files import GRID
from voxplain.counterfactual.running.records import Record
from voxplain.model import Prepared
from voxplain.report import png
from voxplain.target.scene import slug


@dataclass(frozen=True)
class MeanShown:
    """The mean of one way.

    Attributes:
        title: which way.
        file: of the figure.
        alt, caption: of the figure.
    """

    title: str
    file: Path
    alt: str
    caption: str


def write_global(
    folder: Path, records: Sequence[tuple[Path, Record]], first: Prepared
) -> tuple[MeanShown, ...]:
    """``towards-CLASS.npz`` with ``mean`` and ``image`` (C, *S), and a figure; of ways that some image went to its end.

    Args:
        folder: for both.
        records: of the images, with their folders.
        first: an image, as whose grid lies the figure is turned.
    """
    used = [(place, r) for place, r in records if not r["withheld"] and r["reached"]]
    return tuple(
        _write(folder, towards, [place for place, r in used if r["towards"] == towards], first)
        for towards in dict.fromkeys(r["towards"] for _, r in used)
    )


def _write(folder: Path, towards: str, places: Sequence[Path], first: Prepared) -> MeanShown:
    image, mean = None, None
    for place in places:
        with np.load(place / GRID) as stored:
            before, moved = stored["before"].astype(np.float64), stored["after"] - stored["before"]
        image, mean = (before, moved) if image is None or mean is None else (image + before, mean + moved)
    assert image is not None and mean is not None
    image, mean = ((total / len(places)).astype(np.float32) for total in (image, mean))
    name = f"towards-{slug(towards)}"
    with whole(folder / f"{name}.npz", parents=True) as temporary:
        np.savez_compressed(temporary, mean=mean, image=image)
    shown, change = (first.restore(torch.from_numpy(values)) for values in (image, mean))
    figure = mean_figure(shown, change, first.case.geometry, f"Towards {towards}", len(places))
    file = write_whole(folder / f"{name}.png", png(figure, 100))
    return MeanShown(f"Towards {towards}", file, figure.alt, figure.caption)

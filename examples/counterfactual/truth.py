"""How near the changes of images come to the disease that is known of each of them.

    python examples/counterfactual/truth.py examples/counterfactual/made/stylegan [more results …]

Needs results of `voxplain counterfactual explain` of the phantoms in made/phantoms (see stylegan.yaml), or of others with
--phantoms FOLDER. The mean over rightly decided images of after − before is held against the mean of what the disease itself
does to the same subjects.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# As a script, its own folder is importable, but not the package that it is part of.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from atrophy.cohort import Item, Size, items, pair
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

PHANTOMS = Path(__file__).resolve().parent / "made" / "phantoms"
WAYS = ("diseased", "healthy")


@dataclass(frozen=True)
class Agreement:
    """Of one way.

    Attributes:
        images: rightly decided ones whose target was reached and whose map is not withheld.
        r: of the mean change with the mean true one, over all voxels.
        size: of the mean change, as a share of the true one's: root mean square over the voxels.
        error: mean distance per voxel of the changed images to the same subjects' true ones, as a share of that of the
            images that nothing was done to; below 1 is nearer.
    """

    images: int
    r: float
    size: float
    error: float


def agreement(results: Path, phantoms: Path, towards: str) -> Agreement | None:
    """Of the images that go towards a class; None where there are none."""
    people, size, seed = subjects(phantoms)
    found, true, gaps, untouched = [], [], [], []
    for place in sorted((results / "explanation").glob("*/*/explanation.json")):
        told = json.loads(place.read_text(encoding="utf-8"))
        if told["towards"] != towards or not told["right"] or not told["reached"] or told["withheld"]:
            continue
        with np.load(place.parent / "generator_grid.npz") as stored:
            before, after = stored["before"].astype(np.float64), stored["after"].astype(np.float64)
        change = effect(people[told["id"]], size, seed)
        found.append(after - before)
        true.append(change)
        gaps.append(np.abs(after - before - change).mean())
        untouched.append(np.abs(change).mean())
    if not found:
        return None
    mean, wanted = np.mean(found, 0), np.mean(true, 0)
    r = float(np.corrcoef(mean.ravel(), wanted.ravel())[0, 1])
    share = float(np.sqrt(np.square(mean).mean() / np.square(wanted).mean()))
    return Agreement(len(found), r, share, float(np.mean(gaps) / np.mean(untouched)))


def subjects(phantoms: Path) -> tuple[dict[str, Item], Size, int]:
    """By id, with what they were made with."""
    told = json.loads((phantoms / "made.json").read_text(encoding="utf-8"))["settings"]
    size = Size(tuple(told["shape"]), told["subjects"], told["steps"])
    return {item.id: item for item in items(size, told["seed"])}, size, told["seed"]


def effect(item: Item, size: Size, seed: int) -> NDArray[np.float64]:
    """(1, *S) what getting ill does to a healthy subject's image, or recovering to that of an ill one; noise is the same."""
    both = pair(item, size, seed)
    change = both.diseased.image.astype(np.float64) - both.healthy.image
    return -change if item.ill else change


def main(argv: Sequence[str] | None = None) -> None:
    """Print a row per way of each results' folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path, nargs="+")
    parser.add_argument("--phantoms", type=Path, default=PHANTOMS)
    asked = parser.parse_args(argv)
    table = Table(
        "results", "direction", "R²", "flips", "random", "towards", "images", "r with truth", "size", "error"
    )
    for results in asked.results:
        told = json.loads((results / "explanation" / "summary.json").read_text(encoding="utf-8"))
        flips, random = (f"{100 * told[name]:.0f} %" for name in ("flip rate", "random flip rate"))
        for towards in WAYS:
            found = agreement(results, asked.phantoms, towards)
            cells = ["0"] if found is None else [
                str(found.images), f"{found.r:.2f}", f"{found.size:.2f}", f"{found.error:.2f}",
            ]  # fmt: skip
            r2 = "–" if told["r2"] is None else f"{told['r2']:.2f}"  # guidance has no direction
            table.add_row(results.name, told["direction"], r2, flips, random, towards, *cells)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()

"""How near the simulators' group maps come to the disease that is known, and what they say of the corner.

    python examples/atrophy/truth.py

Needs the results of `voxplain simulate train`, `explain` and `group` with plain.yaml and marked.yaml.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path

# As a script, its own folder is importable, but not the package that it is part of.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from rich.console import Console
from rich.table import Table

from atrophy.cohort import REGIONS
from atrophy.make import COHORTS, MADE
from voxplain.case import read_case, read_mask
from voxplain.errors import VoxplainError

WAYS = (("healthy", "diseased"), ("diseased", "healthy"))
STRUCTURES = ("ventricle", "nucleus")
_WIDE = 104  # columns, so that no cell is cut


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a table."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def correlation(made: Path, cohort: str, way: tuple[str, str]) -> float:
    """Of the mean map of rightly decided subjects with the mean of their true log-Jacobians, over all voxels."""
    told = {row["id"]: row for row in rows_of(made / f"{cohort}.csv")}
    explained = rows_of(made / cohort / "explanation" / "subjects.csv")
    used = {row["id"] for row in explained if (row["decision"], row["right"]) == (way[0], "yes")}
    truth = np.mean([read_case(made / told[id]["truth"]).image for id in sorted(used)], axis=0)
    found = read_case(made / cohort / "group" / f"{way[0]}-towards-{way[1]}" / "mean.nii.gz").image
    return float(np.corrcoef(truth.ravel(), found.ravel())[0, 1])


def true_change(made: Path, cohort: str, way: tuple[str, str], region: str) -> float:
    """Mean over test subjects of a class of the disease's own change of a region's volume, in per cent."""
    changes = []
    for row in rows_of(made / f"{cohort}.csv"):
        if (row["label"], row["part"]) == (way[0], "test"):
            truth = read_case(made / row["truth"])
            inside = read_mask(made / row["atlas"], truth) == REGIONS.index(region)
            changes.append(100 * (float(np.exp(truth.image[0][inside]).mean()) - 1))
    return float(np.mean(changes))


def summary(made: Path) -> Table:
    """A row per cohort and way: agreement with the truth, the structures that it knows, and the corner."""
    heads = [f"{name}, true" for name in STRUCTURES]
    shown = Table("classifier", "way", "r with truth", *heads, "corner", "p", title="mean change of volume")
    for cohort in COHORTS:
        regions = {(r["test"], r["region"]): r for r in rows_of(made / cohort / "group" / "regions.csv")}
        for way in WAYS:
            name = f"{way[0]} towards {way[1]}"
            cells = [
                f"{float(regions[name, s]['percent']):+.0f} %, {true_change(made, cohort, way, s):+.0f} %"
                for s in STRUCTURES
            ]
            corner = regions[name, "corner"]
            shown.add_row(
                cohort, name, f"{correlation(made, cohort, way):.2f}", *cells, f"{float(corner['percent']):+.1f} %",
                f"{float(corner['p_any']):.4f}",
            )  # fmt: skip
    return shown


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--made", type=Path, default=MADE)
    chosen = parser.parse_args(argv)
    try:
        console = Console()
        Console(width=max(console.width, _WIDE)).print(summary(chosen.made))
    except (VoxplainError, OSError) as error:
        raise SystemExit(f"truth.py: {error}; run make.py and voxplain simulate first") from None


if __name__ == "__main__":
    main()

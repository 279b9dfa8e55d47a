"""What the simulator says of each region beside what the disease does to it, in ml.

    python examples/anatomy/truth.py made/mni

Needs the results of `voxplain simulate train` and `explain`.
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

from anatomy.templates import REGIONS

WAYS = (("healthy", "diseased"), ("diseased", "healthy"))


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a table."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def changes(made: Path, decision: str, region: str) -> tuple[np.ndarray, np.ndarray]:
    """(subjects,) each: the region's change in ml as the simulator says it, and as the disease makes it.

    Args:
        made: folder of the cohort, with results in it.
        decision: of the subjects that are taken; the diseased are asked about the way back.
        region: one of REGIONS.
    """
    truth = {(row["id"], row["region"]): row for row in rows_of(made / "truth.csv")}
    sign = 1.0 if decision == "healthy" else -1.0
    found, true = [], []
    for row in rows_of(made / "results" / "explanation" / "regions.csv"):
        if (row["decision"], row["right"], row["region"]) == (decision, "yes", region):
            told = truth[row["id"], region]
            found.append(float(row["change"]))
            true.append(sign * (float(told["with"]) - float(told["without"])))
    return np.array(found), np.array(true)


def summary(made: Path) -> Table:
    """A row per way and region: mean and standard deviation over subjects."""
    shown = Table("way", "region", "subjects", "simulator (ml)", "disease (ml)")
    for decision, towards in WAYS:
        for region in REGIONS[2:]:
            found, true = changes(made, decision, region)
            cells = [f"{v.mean():+.2f} ± {v.std(ddof=1):.2f}" for v in (found, true)]
            shown.add_row(f"{decision} towards {towards}", region, str(len(found)), *cells)
    return shown


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("made", type=Path, help="folder of a cohort, with its results")
    chosen = parser.parse_args(argv)
    try:
        Console(width=100).print(summary(chosen.made))
    except OSError as error:
        raise SystemExit(f"truth.py: {error}; run make.py and voxplain simulate first") from None


if __name__ == "__main__":
    main()

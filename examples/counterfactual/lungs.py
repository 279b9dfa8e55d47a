"""How much of what the series of radiographs change lies where lungs are.

    python examples/counterfactual/lungs.py

Needs the results of `voxplain counterfactual explain examples/counterfactual/pneumonia.yaml`. No mask of lungs comes with
these images, so a rough one is made by hand: of the mean of all normal training images, the two largest parts that are
darker than Otsu's threshold, without the margin. It is one mask for all, and wrong where a child lies otherwise than most.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

# As a script, its own folder is importable, but not the package that it is part of.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.ndimage import label
from skimage.filters import threshold_otsu

from counterfactual.train_pneumonia import FOLDER, part_of, task_of
from voxplain.errors import VoxplainError

_MARGIN = 4  # voxels: half of the padding, and two of the image


def lungs(normal: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(*S) the rough mask, of normal images (N, 1, *S)."""
    mean = normal.mean((0, 1))
    within = np.zeros(mean.shape, bool)
    within[tuple(slice(_MARGIN, -_MARGIN) for _ in mean.shape)] = True
    dark = (mean < threshold_otsu(mean[within])) & within
    parts, count = label(dark)
    largest = np.argsort([-(parts == k).sum() for k in range(1, count + 1)])[:2] + 1
    return np.isin(parts, largest)


def measured(explanation: Path, mask: NDArray[np.bool_]) -> dict[str, dict[str, float]]:
    """Means over the images of one way."""
    found: dict[str, list[dict[str, float]]] = {}
    for place in sorted(explanation.glob("*/*/explanation.json")):
        told = json.loads(place.read_text(encoding="utf-8"))
        with np.load(place.parent / "generator_grid.npz") as grid:
            change = (grid["after"] - grid["before"])[0]
        size = np.abs(change)
        found.setdefault(f"towards {told['towards']}", []).append({
            "share of the change in the lungs": size[mask].sum() / size.sum(),
            "mean change in the lungs": change[mask].mean(),
            "mean change elsewhere": change[~mask].mean(),
        })  # fmt: skip
    return {
        way: {"images": len(rows), **{k: float(np.mean([r[k] for r in rows])) for k in rows[0]}}
        for way, rows in found.items()
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--config", type=Path, default=FOLDER / "pneumonia.yaml")
    parser.add_argument("--data", type=Path, help="the .npz, where it is not where the settings say")
    parser.add_argument("--results", type=Path, default=FOLDER / "made" / "pneumonia")
    asked = parser.parse_args(argv)
    try:
        task = task_of(asked.config, asked.data)
    except VoxplainError as error:
        raise SystemExit(f"lungs.py: {error}") from None
    x, y = part_of(task, task.split.train)
    mask = lungs(x[y == 0].numpy())
    found = measured(asked.results / "explanation", mask)
    if not found:
        raise SystemExit(
            f"lungs.py: {asked.results}: holds no explanations; run voxplain counterfactual explain first"
        )
    shown = Table(
        "way", *next(iter(found.values())), title=f"the mask has {100 * mask.mean():.0f} % of the image"
    )
    for way, figures in found.items():
        shown.add_row(way, *(f"{v:.3g}" for v in figures.values()))
    Console(width=120).print(shown)


if __name__ == "__main__":
    main()

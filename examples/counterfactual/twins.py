"""How near explanations of the phantoms come to their twins: the same subjects with, or without, the disease.

    python examples/counterfactual/twins.py examples/counterfactual/made/diffusion examples/counterfactual/made/phantoms

Needs the results of `voxplain counterfactual explain`, and the folder that examples/atrophy/make.py has made.
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
from atrophy.cohort import Item, Size, items, pair
from rich.console import Console
from rich.table import Table

from voxplain.errors import VoxplainError

HEAD = ("way", "images", "flipped", "random flips", "r of the mean", "r of each", "change", "true change")


def differences(place: Path, item: Item, size: Size, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The explained change of an image, and the true one to its twin; both (1, *S)."""
    with np.load(place / "generator_grid.npz") as stored:
        found = stored["after"] - stored["before"]
    both = pair(item, size, seed)
    begin, end = (both.diseased, both.healthy) if item.ill else (both.healthy, both.diseased)
    return found, (end.image - begin.image).reshape(found.shape)


def row_of(
    way: str, told: Sequence[tuple[Path, dict]], people: dict[str, Item], size: Size, seed: int
) -> tuple:
    """A line of the table, of images that are rightly decided and go one way."""
    both = [differences(place, people[facts["id"]], size, seed) for place, facts in told]
    found, true = (np.stack(values) for values in zip(*both, strict=True))
    each = np.mean([correlation(a, b) for a, b in both])
    shares = [np.mean([float(facts[name]) for _, facts in told]) for name in ("flipped", "random flips")]
    return (
        way, str(len(told)), *(f"{100 * share:.0f} %" for share in shares),
        f"{correlation(found.mean(0), true.mean(0)):.2f}", f"{each:.2f}",
        f"{np.abs(found).mean():.4f}", f"{np.abs(true).mean():.4f}",
    )  # fmt: skip


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Over all voxels."""
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def summary(results: Path, phantoms: Path) -> Table:
    """A row per way."""
    made = json.loads((phantoms / "made.json").read_text(encoding="utf-8"))["settings"]
    size, seed = Size(tuple(made["shape"]), made["subjects"], made["steps"]), made["seed"]
    people = {item.id: item for item in items(size, seed)}
    places = sorted(results.glob("explanation/test/*/explanation.json"))
    told = [(place.parent, json.loads(place.read_text(encoding="utf-8"))) for place in places]
    shown = Table(*HEAD)
    for way in sorted({facts["decision"] for _, facts in told}):
        mine = [(p, f) for p, f in told if f["decision"] == way and f["right"] and not f["withheld"]]
        if mine:
            shown.add_row(*row_of(f"{way} towards {mine[0][1]['towards']}", mine, people, size, seed))
    return shown


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path, help="the folder `out` of the settings")
    parser.add_argument("phantoms", type=Path, help="the folder --out of make.py")
    chosen = parser.parse_args(argv)
    try:
        console = Console()
        Console(width=max(console.width, 104)).print(summary(chosen.results, chosen.phantoms))
    except (VoxplainError, OSError, KeyError) as error:
        raise SystemExit(f"twins.py: {error}; run make.py and voxplain counterfactual first") from None


if __name__ == "__main__":
    main()

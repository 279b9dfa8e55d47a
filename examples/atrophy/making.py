"""What scripts that make a cohort and its classifiers share: a table, a classifier's file, the command line."""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from safetensors.torch import save

from atrophy.cohort import PARTS, Size
from atrophy.training import right, trained
from voxplain.case.atomic import write_whole
from voxplain.errors import VoxplainError

Tell = Callable[[str, int, int], object]
Labelled = tuple[str, np.ndarray, bool]  # part, image (1, *S), and whether it is ill


def table(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> bytes:
    """Rows as CSV."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def write_classifier(
    file: Path, images: Sequence[Labelled], size: Size, seed: int, progress: Callable[[int, int], object]
) -> dict[str, Any]:
    """Train a classifier on the part "train" and write it; how often it is right in each part."""

    def of(part: str) -> tuple[list[np.ndarray], list[bool]]:
        mine = [(image, ill) for name, image, ill in images if name == part]
        return [image for image, _ in mine], [ill for _, ill in mine]

    network = trained(*of("train"), steps=size.steps, seed=seed, progress=progress)
    write_whole(file, save({key: value.contiguous() for key, value in network.state_dict().items()}))
    shares = {part: round(right(network, *of(part)), 3) for part in PARTS}
    return {"right": shares, "torch": torch.__version__}


def command(
    make: Callable[..., dict[str, Any]], classifiers: Mapping[str, str], out: Path, size: Size, about: str,
    argv: Sequence[str] | None = None,
) -> None:  # fmt: skip
    """Read the options, make what is missing, print how good the classifiers are.

    Args:
        make: called with folder, size, seed and tell; returns the content of made.json.
        classifiers: what each is called, by its name in made.json.
        out: the folder, by default.
        size: by default.
        about: one line on the script.
        argv: options; None takes the process's.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--out", type=Path, default=out)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--subjects", type=int, default=size.subjects)
    parser.add_argument("--shape", type=int, nargs="+", default=size.shape, help="two voxel counts, or three")
    parser.add_argument("--steps", type=int, default=size.steps, help="of each classifier's training")
    chosen = parser.parse_args(argv)
    console, rows = Console(), {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:

        def tell(what: str, done: int, of: int) -> None:
            if what not in rows:
                rows[what] = bar.add_task(what, total=of)
            bar.update(rows[what], completed=done)

        try:
            wanted = Size(tuple(chosen.shape), chosen.subjects, chosen.steps)
            made = make(chosen.out, wanted, seed=chosen.seed, tell=tell)["made"]
        except VoxplainError as error:
            raise SystemExit(f"{parser.prog}: {error}") from None
    for name, called in classifiers.items():
        told = ", ".join(f"{100 * share:.0f} % of {part}" for part, share in made[name]["right"].items())
        console.print(f"{called}: right in {told}", highlight=False)
    console.print(f"{chosen.out}", highlight=False)

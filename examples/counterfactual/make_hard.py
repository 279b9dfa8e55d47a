"""Make the phantoms of a disease of two kinds, each with its twin, and a classifier; what is there already is left alone.

    python examples/counterfactual/make_hard.py

Writes to made/hard/: images, twins (the same subject with the disease, or without it), the table hard.csv, the classifier
hard.safetensors, and made.json.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# As a script, its own folder is importable, but not the package that it is part of.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from atrophy.cohort import PARTS, Size, items
from atrophy.training import right, trained
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from safetensors.torch import save
from vessels.record import Record

from voxplain.case import write_case
from voxplain.case.atomic import write_whole
from voxplain.errors import VoxplainError
from voxplain.phantom.disease import mixed_subject

MADE = Path(__file__).resolve().parent / "made" / "hard"
COLUMNS = ("id", "image", "twin", "label", "kind", "patient", "part")
SIZE = Size(shape=(32, 32), subjects=1000, steps=1200)
VERSION = 1  # another number makes everything anew

Tell = Callable[[str, int, int], object]


@dataclass(frozen=True)
class Made:
    """One subject's row of the table and its image (1, *S)."""

    row: dict[str, str]
    image: np.ndarray


def make(out: Path, size: Size = SIZE, *, seed: int = 0, tell: Tell = lambda *_: None) -> dict[str, Any]:
    """Make what is missing in a folder; returns the content of its made.json.

    Args:
        out: where to write.
        size: of images, cohort and training.
        seed: of everything random.
        tell: told of what is being made, how far it is, and of how much.

    Raises:
        InputError: numbers that cannot be.
        StorageError: the folder cannot be written to.
    """
    record = Record.read(out, size.settings() | {"seed": seed, "version": VERSION})
    names = [f"{item.id}.nii.gz" for item in items(size, seed)]
    files = ["hard.csv", *(f"{folder}/{name}" for folder in ("images", "twins") for name in names)]
    whole, weights = record.has("data", files), record.has("hard", ["hard.safetensors"])
    if not (whole and weights):
        subjects = _subjects(out, size, seed, tell, write=not whole)
        if not whole:
            write_whole(out / "hard.csv", _csv([made.row for made in subjects]).encode())
            record.add("data", files, {"subjects": len(subjects)})
        record.add("hard", ["hard.safetensors"], _train(out, subjects, size, seed, tell))
    return record.content()


def _subjects(out: Path, size: Size, seed: int, tell: Tell, *, write: bool) -> list[Made]:
    for folder in ("images", "twins"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    people, found = items(size, seed), []
    for done, item in enumerate(people, 1):
        pair = mixed_subject(size.shape, seed=seed, subject=item.number)
        case, twin = (pair.diseased, pair.healthy) if item.ill else (pair.healthy, pair.diseased)
        paths = {"image": f"images/{item.id}.nii.gz", "twin": f"twins/{item.id}.nii.gz"}
        if write:
            write_case(out / paths["image"], case)
            write_case(out / paths["twin"], twin)
        about = {"id": item.id, "label": item.label, "kind": pair.kind, "patient": item.id, "part": item.part}
        found.append(Made(about | paths, np.asarray(case.image)))
        tell("subjects", done, len(people))
    return found


def _csv(rows: Sequence[dict[str, str]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _train(out: Path, subjects: Sequence[Made], size: Size, seed: int, tell: Tell) -> dict[str, Any]:
    def of(part: str) -> tuple[list[np.ndarray], list[bool]]:
        chosen = [made for made in subjects if made.row["part"] == part]
        return [made.image for made in chosen], [made.row["label"] == "diseased" for made in chosen]

    network = trained(
        *of("train"),
        steps=size.steps,
        seed=seed,
        progress=lambda done, steps: tell("classifier", done, steps),
    )
    tensors = {key: value.contiguous() for key, value in network.state_dict().items()}
    write_whole(out / "hard.safetensors", save(tensors))
    return {
        "right": {part: round(right(network, *of(part)), 3) for part in PARTS},
        "torch": torch.__version__,
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Read the options, make what is missing, print how good the classifier is."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=MADE)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--subjects", type=int, default=SIZE.subjects)
    parser.add_argument("--shape", type=int, nargs="+", default=SIZE.shape, help="two voxel counts, or three")
    parser.add_argument("--steps", type=int, default=SIZE.steps, help="of the classifier's training")
    chosen = parser.parse_args(argv)
    console, rows = Console(), {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:

        def tell(what: str, done: int, of: int) -> None:
            if what not in rows:
                rows[what] = bar.add_task(what, total=of)
            bar.update(rows[what], completed=done)

        try:
            size = Size(tuple(chosen.shape), chosen.subjects, chosen.steps)
            made = make(chosen.out, size, seed=chosen.seed, tell=tell)["made"]
        except VoxplainError as error:
            raise SystemExit(f"make_hard.py: {error}") from None
    told = ", ".join(f"{100 * share:.0f} % of {part}" for part, share in made["hard"]["right"].items())
    console.print(f"classifier: right in {told}", highlight=False)
    console.print(f"{chosen.out}", highlight=False)


if __name__ == "__main__":
    main()

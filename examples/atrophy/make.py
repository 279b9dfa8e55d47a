"""Make two cohorts and two classifiers; what is there already is left alone.

    python examples/atrophy/make.py

Writes to made/: images (and marked, the same with a mark on those from north), an atlas and the true log-Jacobian of each
subject, the tables plain.csv and marked.csv, the classifiers plain.safetensors and marked.safetensors, and made.json.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# As a script, its own folder is importable, but not the package that it is part of.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from safetensors.torch import save
from vessels.record import Record

from atrophy.cohort import PARTS, Item, Size, atlas, items, pair, seen
from atrophy.training import right, trained
from voxplain.case import read_case, write_array, write_case
from voxplain.case.atomic import write_whole
from voxplain.errors import VoxplainError

MADE = Path(__file__).resolve().parent / "made"
COHORTS = {"plain": "images", "marked": "marked"}  # tables and classifiers, with the folder of their images
COLUMNS = ("id", "image", "label", "patient", "part", "site", "atlas", "truth")
VERSION = 1  # another number makes everything anew

Tell = Callable[[str, int, int], object]


def make(out: Path, size: Size, *, seed: int = 0, tell: Tell = lambda *_: None) -> dict[str, Any]:
    """Make what is missing in a folder; returns the content of its made.json.

    Args:
        out: where to write.
        size: of images, cohorts and training.
        seed: of everything random.
        tell: told of what is being made, how far it is, and of how much.

    Raises:
        InputError: numbers that cannot be.
        StorageError: the folder cannot be written to.
    """
    people = items(size, seed)
    record = Record.read(out, size.settings() | {"seed": seed, "version": VERSION})
    files = [
        f"{folder}/{item.id}.nii.gz" for item in people for folder in (*COHORTS.values(), "atlas", "truth")
    ]
    files += [f"{name}.csv" for name in COHORTS]
    if not record.has("data", files):
        _write_data(out, people, size, seed, tell)
        record.add("data", files, {"subjects": len(people)})
    for name in COHORTS:
        file = f"{name}.safetensors"
        if not record.has(name, [file]):
            record.add(name, [file], _train(out, name, people, size, seed, tell))
    return record.content()


def _write_data(out: Path, people: Sequence[Item], size: Size, seed: int, tell: Tell) -> None:
    for folder in (*COHORTS.values(), "atlas", "truth"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for done, item in enumerate(people, 1):
        subject, file = pair(item, size, seed), f"{item.id}.nii.gz"
        case = seen(item, subject, marked=False)
        write_case(out / "images" / file, case)
        write_case(out / "marked" / file, seen(item, subject, marked=True))
        write_array(out / "atlas" / file, atlas(case), case.geometry)
        # of an ill subject the way back, on its own image's grid
        _, growth = subject.truth("healthy" if item.ill else "disease")
        write_array(out / "truth" / file, growth, case.geometry)
        tell("subjects", done, len(people))
    for name, folder in COHORTS.items():
        write_whole(out / f"{name}.csv", _csv(people, folder).encode())


def _csv(people: Sequence[Item], folder: str) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for item in people:
        paths = {
            key: f"{place}/{item.id}.nii.gz"
            for key, place in (("image", folder), ("atlas", "atlas"), ("truth", "truth"))
        }
        about = {"id": item.id, "label": item.label, "patient": item.id, "part": item.part, "site": item.site}
        writer.writerow(paths | about)
    return text.getvalue()


def _train(out: Path, name: str, people: Sequence[Item], size: Size, seed: int, tell: Tell) -> dict[str, Any]:
    images = {
        item.id: read_case(out / COHORTS[name] / f"{item.id}.nii.gz").image.reshape(1, *size.shape)
        for item in people
    }
    parts = {part: [item for item in people if item.part == part] for part in PARTS}

    def of(part: str) -> tuple[list[Any], list[bool]]:
        return [images[item.id] for item in parts[part]], [item.ill for item in parts[part]]

    network = trained(
        *of("train"),
        steps=size.steps,
        seed=seed,
        progress=lambda done, steps: tell(f"{name} classifier", done, steps),
    )
    tensors = {key: value.contiguous() for key, value in network.state_dict().items()}
    write_whole(out / f"{name}.safetensors", save(tensors))
    return {
        "right": {part: round(right(network, *of(part)), 3) for part in PARTS},
        "torch": torch.__version__,
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Read the options, make what is missing, print how good the classifiers are."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=MADE)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--subjects", type=int, default=Size().subjects)
    parser.add_argument(
        "--shape", type=int, nargs="+", default=Size().shape, help="two voxel counts, or three"
    )
    parser.add_argument("--steps", type=int, default=Size().steps, help="of each classifier's training")
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
            raise SystemExit(f"make.py: {error}") from None
    for name in COHORTS:
        told = ", ".join(f"{100 * share:.0f} % of {part}" for part, share in made[name]["right"].items())
        console.print(f"{name} classifier: right in {told}", highlight=False)
    console.print(f"{chosen.out}", highlight=False)


if __name__ == "__main__":
    main()

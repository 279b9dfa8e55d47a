"""Make two cohorts and two classifiers; what is there already is left alone.

    python examples/atrophy/make.py

Writes to made/: images (and marked, the same with a mark on those from north), an atlas and the true log-Jacobian of each
subject, the tables plain.csv and marked.csv, the classifiers plain.safetensors and marked.safetensors, and made.json.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# As a script, its own folder is importable, but not the package that it is part of.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from vessels.record import Record

from atrophy.cohort import Item, Size, atlas, items, pair, seen
from atrophy.making import Tell, command, table, write_classifier
from voxplain.case import read_case, write_array, write_case
from voxplain.case.atomic import write_whole

MADE = Path(__file__).resolve().parent / "made"
COHORTS = {"plain": "images", "marked": "marked"}  # tables and classifiers, with the folder of their images
COLUMNS = ("id", "image", "label", "patient", "part", "site", "atlas", "truth")
VERSION = 1  # another number makes everything anew


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
        write_whole(out / f"{name}.csv", table(COLUMNS, (_row(item, folder) for item in people)))


def _row(item: Item, folder: str) -> dict[str, str]:
    paths = {
        key: f"{place}/{item.id}.nii.gz"
        for key, place in (("image", folder), ("atlas", "atlas"), ("truth", "truth"))
    }
    about = {"id": item.id, "label": item.label, "patient": item.id, "part": item.part, "site": item.site}
    return paths | about


def _train(out: Path, name: str, people: Sequence[Item], size: Size, seed: int, tell: Tell) -> dict[str, Any]:
    images = [
        (
            item.part,
            read_case(out / COHORTS[name] / f"{item.id}.nii.gz").image.reshape(1, *size.shape),
            item.ill,
        )
        for item in people
    ]
    told = f"{name} classifier"
    return write_classifier(
        out / f"{name}.safetensors", images, size, seed, lambda done, steps: tell(told, done, steps)
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Read the options, make what is missing, print how good the classifiers are."""
    called = {name: f"{name} classifier" for name in COHORTS}
    command(make, called, MADE, Size(), (__doc__ or "").splitlines()[0], argv)


if __name__ == "__main__":
    main()

"""Make the phantoms of a disease of two kinds, each with its twin, and a classifier; what is there already is left alone.

    python examples/counterfactual/make_hard.py

Writes to made/hard/: images, twins (the same subject with the disease, or without it), the table hard.csv, the classifier
hard.safetensors, and made.json.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# As a script, its own folder is importable, but not the package that it is part of.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from atrophy.cohort import Size, items
from atrophy.making import Tell, command, table, write_classifier
from vessels.record import Record

from voxplain.case import write_case
from voxplain.case.atomic import write_whole
from voxplain.phantom.disease import mixed_subject

MADE = Path(__file__).resolve().parent / "made" / "hard"
COLUMNS = ("id", "image", "twin", "label", "kind", "patient", "part")
SIZE = Size(shape=(32, 32), subjects=1000, steps=1200)
VERSION = 1  # another number makes everything anew


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
            write_whole(out / "hard.csv", table(COLUMNS, [made.row for made in subjects]))
            record.add("data", files, {"subjects": len(subjects)})
        images = [(made.row["part"], made.image, made.row["label"] == "diseased") for made in subjects]
        trained = write_classifier(
            out / "hard.safetensors", images, size, seed, lambda done, steps: tell("classifier", done, steps)
        )
        record.add("hard", ["hard.safetensors"], trained)
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


def main(argv: Sequence[str] | None = None) -> None:
    """Read the options, make what is missing, print how good the classifier is."""
    command(make, {"hard": "classifier"}, MADE, SIZE, (__doc__ or "").splitlines()[0], argv)


if __name__ == "__main__":
    main()

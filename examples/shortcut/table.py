"""The cohort as a table of cases with what is known of each patient, as `voxplain aggregate` reads it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from shortcut.patients import CLASSES, Patient
from voxplain.case.atomic import write_whole

ABOUT = ("image", "label", "id", "site", "age", "sex", "scanner", "contrast")

Dices = Mapping[str, Sequence[Sequence[float | None]]]


def write_table(path: Path, folder: str, ids: Sequence[str], people: Sequence[Patient], dices: Dices) -> None:
    """Write a table whose paths are relative to its own folder.

    Args:
        path: of the .csv.
        folder: of the images; the labels are those in cases/.
        ids: of the cases, in the order of the patients.
        people: what is known of them.
        dices: by network, for each patient, one per class; a class that a patient lacks has an empty cell.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*ABOUT, *(f"dice_{network}:{name}" for network in dices for name in CLASSES)])
    for number, (case, patient) in enumerate(zip(ids, people, strict=True)):
        found = [value for network in dices for value in dices[network][number]]
        writer.writerow(
            [
                f"{folder}/{case}.nii.gz", f"cases/{case}-organs.nii.gz", case, patient.site, patient.age, patient.sex,
                patient.scanner, "yes" if patient.contrast else "no",
                *("" if value is None else f"{value:.4f}" for value in found),
            ]
        )  # fmt: skip
    write_whole(path, text.getvalue().encode())


def mean_dice(path: Path, network: str, **where: str) -> dict[str, float]:
    """Mean Dice of each class over the patients of a table whose columns have these values."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if all(row[k] == v for k, v in where.items())]
    cells = {name: [row[f"dice_{network}:{name}"] for row in rows] for name in CLASSES}
    known = {name: [float(cell) for cell in column if cell] for name, column in cells.items()}
    return {name: sum(values) / len(values) for name, values in known.items() if values}

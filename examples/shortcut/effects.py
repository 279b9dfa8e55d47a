"""Measure what each organ does to each class, without any attribution method: take it out and ask again.

    python examples/shortcut/effects.py

Needs what make.py makes, and writes made/effects.csv: one row per network, patient, way, organ and class. The phantom's
patients can be imaged again without an organ or without contrast agent, everything else bit by bit the same, so the
first two ways have no infill that could be unlikely.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

# As a script, its own folder is importable, but not the package that it is part of.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from safetensors.torch import load_file
from scipy.ndimage import distance_transform_edt
from torch import nn

from shortcut.networks import unet
from shortcut.patients import CLASSES, ORGANS, SITES, A, B, Patient, cohort, image
from shortcut.sizes import Size
from shortcut.training import NETWORKS, dice, logits
from voxplain.case import Case, read_case, read_mask
from voxplain.case.atomic import write_whole
from voxplain.errors import InputError, VoxplainError

MADE = Path(__file__).resolve().parent / "made"
COLUMNS = (
    "network", "id", "site", "contrast", "way", "organ", "class", "voxels", "logit_sum", "effect", "dice", "dice_after",
)  # fmt: skip

Row = dict[str, object]


def filled(values: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """An image (C, *spatial) whose voxels inside a mask take the value of the nearest voxel outside it."""
    nearest = distance_transform_edt(inside, return_distances=False, return_indices=True)
    return values[(slice(None), *nearest)]


def changed(case: Case, patient: Patient, size: Size) -> dict[tuple[str, str], np.ndarray]:
    """A patient's image (C, *spatial) after each change, by (way, organ); organs that are lacking are left out.

    "agent": no contrast agent in the stomach. "removed": imaged again without the organ. "filled": the organ's voxels
    take the nearest values around it.
    """
    made = {}
    if patient.contrast:
        made["agent", B] = image(replace(patient, contrast=False), size).image
    for organ in ORGANS:
        if organ not in patient.lacks:
            made["removed", organ] = image(patient.without(organ), size).image
            made["filled", organ] = filled(case.image, case.label == CLASSES.index(organ))
    return made


def effects(network: nn.Module, case: Case, patient: Patient, size: Size) -> Iterator[Row]:
    """Rows of one network and patient: what each change does to each class that the label has.

    The score is the sum of the class's logit over its true voxels; `effect` is how much of it is gone after the change.
    """
    changes = changed(case, patient, size)
    before, *after = logits(network, [case.image, *changes.values()])
    label = np.asarray(case.label)
    dices = dice(before.argmax(0), label)
    for (way, organ), out in zip(changes, after, strict=True):
        dices_after = dice(out.argmax(0), label)
        for index, name in enumerate(CLASSES):
            where = torch.from_numpy(label == index)
            if not where.any():
                continue
            score = float(before[index][where].double().sum())
            yield {
                "id": case.id, "site": patient.site, "contrast": "yes" if patient.contrast else "no", "way": way,
                "organ": organ, "class": name, "voxels": int(where.sum()), "logit_sum": round(score, 4),
                "effect": round(score - float(out[index][where].double().sum()), 4),
                "dice": round(dices[index] or 0.0, 4), "dice_after": round(dices_after[index] or 0.0, 4),
            }  # fmt: skip


def measure(folder: Path) -> list[Row]:
    """All rows of the networks and cases in a folder that make.py made.

    Raises:
        InputError: something is missing there, or was made by another version of the phantom.
    """
    try:
        settings = json.loads((folder / "made.json").read_text(encoding="utf-8"))["settings"]
        networks = {name: load_file(folder / f"{name}.safetensors") for name in NETWORKS}
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{folder}: found no whole made.json and networks; make.py makes them") from error
    fields = {
        k: tuple(v) if isinstance(v, list) else v for k, v in settings.items() if k not in ("seed", "version")
    }
    size = Size(**fields)
    rows: list[Row] = []
    for name, weights in networks.items():
        network = unet(size.widths)
        network.load_state_dict(weights)
        network.eval()
        for number, patient in enumerate(cohort(size, settings["seed"]), 1):
            case = _read(folder, number, patient, size)
            rows += [{"network": name, **row} for row in effects(network, case, patient, size)]
    return rows


def _read(folder: Path, number: int, patient: Patient, size: Size) -> Case:
    case = read_case(folder / "cases" / f"case-{number:02d}.nii.gz")
    if not np.array_equal(case.image, image(patient, size).image):
        raise InputError(
            f"{case.id}: is not what the phantom makes of this patient now; delete {folder}, run make.py"
        )
    return replace(case, label=read_mask(folder / "cases" / f"case-{number:02d}-organs.nii.gz", case))


def table(rows: Sequence[Row], target: str = A) -> Table:
    """The effect of each change on one class, per voxel of it: the mean over patients with contrast agent."""
    heads = [f"{name}\n{site}" for name in NETWORKS for site in SITES]
    shown = Table(
        "organ", "way", *heads, title=f"effect on a voxel's logit of {target}; Dice before and after"
    )
    known = [row for row in rows if row["class"] == target and row["contrast"] == "yes"]
    for organ, way in dict.fromkeys((row["organ"], row["way"]) for row in known):
        here = [row for row in known if (row["organ"], row["way"]) == (organ, way)]
        groups = [
            [row for row in here if (row["network"], row["site"]) == (n, s)] for n in NETWORKS for s in SITES
        ]
        shown.add_row(str(organ), str(way), *map(_cell, groups))
    return shown


def _cell(rows: Sequence[Row]) -> str:
    if not rows:  # a small cohort may have nobody of this kind
        return "–"
    effect = np.mean([row["effect"] / row["voxels"] for row in rows])
    before, after = (np.mean([row[column] for row in rows]) for column in ("dice", "dice_after"))
    return f"{effect:+.2f}; {before:.2f}, {after:.2f}"


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, write, print the rows of A."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--made", type=Path, default=MADE)
    parser.add_argument("--threads", type=int, help="of torch; its own choice unless given")
    chosen = parser.parse_args(argv)
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    try:
        rows = measure(chosen.made)
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_whole(chosen.made / "effects.csv", text.getvalue().encode())
    except VoxplainError as error:
        raise SystemExit(f"effects.py: {error}") from None
    Console().print(table(rows))


if __name__ == "__main__":
    main()

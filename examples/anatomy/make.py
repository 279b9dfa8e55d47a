"""Make a cohort with a known atrophy of real anatomy, and a classifier that looks at the ventricles.

    python examples/anatomy/make.py                           # the average brain that comes with nilearn
    python examples/anatomy/make.py --source segmentation     # one person's segmentation

Writes to made/SOURCE: images, an atlas of each, subjects.csv, truth.csv (ml of each region without and with the disease) and
rule.safetensors.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# As a script, its own folder is importable, but not the package that it is part of.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from rich.progress import track
from safetensors.torch import save_file

from anatomy.cohort import Disease, Subject, subject
from anatomy.networks import fitted
from anatomy.templates import REGIONS, template
from voxplain.case import write_array, write_case
from voxplain.errors import VoxplainError

MADE = Path(__file__).resolve().parent / "made"
_PARTS = ("train", "train", "train", "validation", "test")  # by turns


def make(
    out: Path,
    source: str = "mni",
    *,
    subjects: int = 100,
    spacing: float = 6.0,
    fine: float = 3.0,
    seed: int = 0,
) -> None:
    """Write a cohort and its classifier.

    Args:
        out: where.
        source: see `template`.
        subjects: how many, half of them diseased.
        spacing: mm of the images.
        fine: mm of the grid on which the disease is made and volumes are counted.
        seed: of the subjects.
    """
    disease = Disease.of(template(source, fine))
    for folder in ("images", "atlas"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    rows, truth, learned = [], [], {False: [], True: []}
    for number in track(range(subjects), "subjects"):
        ill = bool(number % 2)
        who, part = (
            subject(disease, number, ill=ill, spacing=spacing, seed=seed),
            _PARTS[number // 2 % len(_PARTS)],
        )
        rows.append(_written(out, who, ill, part))
        truth += [
            {"id": who.case.id, "region": name, "without": without, "with": there}
            for name, (without, there) in who.volumes.items()
        ]
        if part == "train":
            learned[ill].append(who)
    _table(out / "subjects.csv", rows)
    _table(out / "truth.csv", truth)
    images = [np.stack([who.case.image for who in learned[ill]]) for ill in (False, True)]
    labels = np.stack([who.case.label for several in learned.values() for who in several])
    rule = fitted(*images, labels, REGIONS.index("ventricles"))
    save_file(
        {name: value.contiguous() for name, value in rule.state_dict().items()}, out / "rule.safetensors"
    )


def _written(out: Path, who: Subject, ill: bool, part: str) -> dict[str, str]:
    file = f"{who.case.id}.nii.gz"
    write_case(out / "images" / file, who.case)
    write_array(out / "atlas" / file, who.case.label.astype(np.uint8), who.case.geometry)
    return {"id": who.case.id, "image": f"images/{file}", "label": ("healthy", "diseased")[ill], "patient": who.case.id,
            "part": part, "atlas": f"atlas/{file}"}  # fmt: skip


def _table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main(argv: Sequence[str] | None = None) -> None:
    """Read the options and make it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--source", default="mni", help="mni or segmentation")
    parser.add_argument("--subjects", type=int, default=100)
    parser.add_argument("--spacing", type=float, default=6.0, help="mm of the images")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="another folder than made/SOURCE")
    chosen = parser.parse_args(argv)
    try:
        make(
            chosen.out or MADE / chosen.source, chosen.source, subjects=chosen.subjects, spacing=chosen.spacing,
            seed=chosen.seed,
        )  # fmt: skip
    except VoxplainError as error:
        raise SystemExit(f"make.py: {error}") from None


if __name__ == "__main__":
    main()

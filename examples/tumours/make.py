"""Make the data set: images, masks and a table; what is there already is left alone.

    python examples/tumours/make.py

Writes made/images/patient-0000-00.npz with its mask made/masks/patient-0000-00.npz and so on (.nii.gz for volumes), the
table made/tumours.csv, and made/made.json with settings and hashes. The same seed gives the same images.
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

from rich.console import Console
from rich.progress import track
from rich.table import Table
from vessels.record import Record

from tumours.brightness import brightness
from tumours.cohort import Item, Size, image, items
from voxplain.case import write_array
from voxplain.case.atomic import write_whole
from voxplain.errors import InputError, VoxplainError
from voxplain.phantom import TUMOUR_LABELS

MADE = Path(__file__).resolve().parent / "made"
TABLE = "tumours.csv"
COLUMNS = ("id", "image", "label", "patient", "mask", "site", "part")
FORMATS = ("npz", "nii.gz")
VERSION = 1  # another number makes everything anew

Each = Callable[[Sequence[Item]], Any]


def make(
    out: Path, size: Size, *, seed: int = 0, format: str | None = None, each: Each = iter
) -> dict[str, Any]:
    """Make what is missing in a folder; returns the content of its made.json.

    Args:
        out: where to write.
        size: of the images and of the data set.
        seed: of all images.
        format: "npz" or, for volumes, "nii.gz"; None: what suits the shape.
        each: what goes through the images, e.g. a progress bar.

    Raises:
        InputError: numbers that cannot be, or an unknown format.
        StorageError: the folder cannot be written to.
    """
    format = _format(size, format)
    todo = items(size, seed)
    record = Record.read(out, size.settings() | {"seed": seed, "format": format, "version": VERSION})
    files = [file for item in todo for file in _files(item, format)] + [TABLE]
    if not record.has("data", files):
        for folder in ("images", "masks"):
            (out / folder).mkdir(parents=True, exist_ok=True)
        rows = [_write(out, item, size, seed, format) for item in each(todo)]
        write_whole(out / TABLE, _csv(rows).encode())
        record.add("data", files, {"images": len(todo)})
    return record.content()


def _format(size: Size, format: str | None) -> str:
    """The suffix of images and masks."""
    if format not in (None, *FORMATS):
        raise InputError(f"format: {format!r} is unknown; {' or '.join(FORMATS)} would do")
    if format == "nii.gz" and len(size.shape) == 2:
        raise InputError("format: nii.gz makes a slice a volume when it is read back; npz keeps both axes")
    return format or ("npz" if len(size.shape) == 2 else "nii.gz")


def _files(item: Item, format: str) -> tuple[str, str]:
    return f"images/{item.id}.{format}", f"masks/{item.id}.{format}"


def _write(out: Path, item: Item, size: Size, seed: int, format: str) -> dict[str, str]:
    """Write an image and its mask (1 is tumour; decoys are 0, as everything else); its row of the table."""
    case, (picture, mask) = image(item, size, seed), _files(item, format)
    write_array(out / picture, case.image, case.geometry)
    lesion = case.label == TUMOUR_LABELS.index("lesion")
    write_array(out / mask, lesion.astype("uint8"), case.geometry)
    return {
        "id": item.id, "image": picture, "label": case.meta["class"], "patient": f"patient-{item.patient:04d}",
        "mask": mask, "site": case.meta["site"], "part": item.split,
    }  # fmt: skip


def _csv(rows: Sequence[dict[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def counts(out: Path) -> Table:
    """Images of each class in each part."""
    with (out / TABLE).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    splits, labels = (list(dict.fromkeys(row[key] for row in rows)) for key in ("part", "label"))
    shown = Table("class", *splits, title="images")
    for label in sorted(labels, key=lambda name: (name != "healthy", name)):
        shown.add_row(label, *(str(sum((r["label"], r["part"]) == (label, s) for r in rows)) for s in splits))
    return shown


def main(argv: Sequence[str] | None = None) -> None:
    """Read the options, make what is missing, print how far brightness alone gets."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=MADE)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--patients", type=int, default=Size().patients)
    parser.add_argument("--slices", type=int, default=Size().slices, help="images of each patient")
    parser.add_argument(
        "--shape", type=int, nargs="+", default=Size().shape, help="two voxel counts, or three"
    )
    parser.add_argument("--format", choices=FORMATS, help="npz for slices, nii.gz for volumes unless given")
    chosen = parser.parse_args(argv)
    size, console = Size(tuple(chosen.shape), chosen.patients, chosen.slices), Console()
    try:
        make(
            chosen.out,
            size,
            seed=chosen.seed,
            format=chosen.format,
            each=lambda todo: track(todo, "images", console=console),
        )
        row = brightness(chosen.out / TABLE)
    except VoxplainError as error:
        raise SystemExit(f"make.py: {error}") from None
    console.print(counts(chosen.out))
    told = ", ".join(f"{name} {value:.2f}" for name, value in row.items())
    console.print(f"image intensity alone, on test: {told}", highlight=False)
    console.print(f"{chosen.out}", highlight=False)


if __name__ == "__main__":
    main()

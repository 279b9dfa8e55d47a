"""BraTS 2020 training data: a folder per patient with four scans and a mask, and the grade in ``name_mapping.csv``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from voxplain.case.table import read_table
from voxplain.errors import InputError
from voxplain.inherent.data.sample import Sample, Samples, listed
from voxplain.inherent.data.slices import slices_of

SCANS = ("t1", "t1ce", "t2", "flair")
CLASSES = ("LGG", "HGG")
MAPPING = "name_mapping.csv"
_SUBJECT = "BraTS_2020_subject_ID"
_SUFFIXES = (".nii.gz", ".nii")


def read_brats(
    root: Path,
    *,
    scans: Sequence[str] = SCANS,
    axis: int | str | None = None,
    labels_from_masks: bool = False,
    every: int = 1,
) -> Samples:
    """Whole volumes with their tumour's grade, or slices that are healthy, LGG or HGG.

    The scans are channels; the mask is the whole tumour (any label). Slices without tumour are healthy, which only the mask
    tells: it then is the source of the labels, though not of anything else.

    Args:
        root: the folder with ``BraTS20_Training_001`` and so on, and ``name_mapping.csv``.
        scans: which scans, in the order of the channels.
        axis: voxel axis of the slices (2 is axial), or their plane; None for whole volumes.
        labels_from_masks: allows that a slice's label is made from its mask; needed for slices.
        every: takes every n-th slice.

    Raises:
        InputError: another layout; slices without ``labels_from_masks``.
    """
    if axis is not None and not labels_from_masks:
        raise InputError(
            "labels_from_masks: slices of BraTS are healthy or not, which only the masks tell; give labels_from_masks=True "
            "to make the labels of slices from masks, or axis=None for whole volumes with the grade"
        )
    grades = _grades(root)
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    found = [_sample(folder, grades, scans) for folder in folders]
    items = tuple(sample for sample in found if sample is not None)
    if not items:
        raise InputError(f"{root}: holds no folder with a {scans[0]} scan; expected BraTS20_Training_001/…")
    skipped = len(found) - len(items)
    notes = (
        f"{len(items)} patients, channels {', '.join(scans)}",
        *([f"{skipped} folders hold no scans"] if skipped else []),
    )
    volumes = Samples(items, CLASSES, notes=notes)
    return volumes if axis is None else slices_of(volumes, axis, labels_from_masks=True, every=every)


def _grades(root: Path) -> dict[str, str]:
    if not root.is_dir():
        raise InputError(f"{root}: is no folder; expected BraTS 2020's training data")
    rows = read_table(
        root / MAPPING, ["Grade", _SUBJECT], what="samples", expected=f"{MAPPING} of BraTS 2020"
    )
    return {row[_SUBJECT]: row.get("Grade", "") for _, row in rows if _SUBJECT in row}


def _sample(folder: Path, grades: dict[str, str], scans: Sequence[str]) -> Sample | None:
    files = {scan: _file(folder, scan) for scan in (*scans, "seg")}
    missing = [scan for scan, path in files.items() if path is None]
    if len(missing) == len(files):
        return None
    if missing:
        raise InputError(f"{folder}: lacks {listed(missing)}; expected {folder.name}_{missing[0]}.nii.gz")
    grade = grades.get(folder.name)
    if grade not in CLASSES:
        told = f"is {grade!r}" if grade else "is missing"
        raise InputError(f"{folder.parent / MAPPING}: the Grade of {folder.name} {told}, expected LGG or HGG")
    paths = tuple(path for scan, path in files.items() if scan != "seg" and path is not None)
    return Sample(folder.name, paths, CLASSES.index(grade), folder.name, mask=files["seg"])


def _file(folder: Path, scan: str) -> Path | None:
    places = (folder / f"{folder.name}_{scan}{suffix}" for suffix in _SUFFIXES)
    return next((path for path in places if path.exists()), None)

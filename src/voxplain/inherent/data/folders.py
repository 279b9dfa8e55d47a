"""A folder per class: its name is the class of every image in it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from voxplain.case.formats import stem
from voxplain.errors import InputError
from voxplain.inherent.data.naming import class_names, patients
from voxplain.inherent.data.sample import UNKNOWN, Sample, Samples, listed

PARTS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
_MASKS = (
    "mask", "masks", "label", "labels", "seg", "segs", "segmentation", "segmentations", "groundtruth", "ground_truth",
    "gt", "annotation", "annotations",
)  # fmt: skip
_BESIDE = (".txt", ".md", ".csv", ".json", ".pdf", ".xml", ".html")


def read_folders(
    root: Path,
    *,
    classes: Sequence[str] | None = None,
    patient: str | None = None,
    masks: Path | None = None,
    labelled: bool = True,
) -> Samples:
    """Images in ``root/CLASS/`` (pictures, NIfTI, NumPy files, DICOM folders), or in ``root/PART/CLASS/``.

    With folders ``train``, ``val`` and ``test`` above the classes, that is the data set's own split.

    Args:
        root: the folder.
        classes: the classes in order; by default the folders' names, the healthy one first.
        patient: a regular expression for the patient in a file's name, or ``"each"``; by default it is guessed from what
            stands before the first ``_`` or ``-``, which is told.
        labelled: whether every image must have a class; False also takes images that lie beside the classes' folders, or in
            no such folder at all.
        masks: a folder with masks of the same relative names, of any suffix; for evaluation only.

    Raises:
        InputError: no such folder, no images, one class only, an unknown class, patients that cannot be found out.
    """
    if not root.is_dir():
        raise InputError(f"{root}: is no folder; expected one with a folder of images per class")
    found = list(_parted(root, labelled=labelled))
    if not found and not labelled:
        raise InputError(f"{root}: holds no images; expected {root}/IMAGE or {root}/CLASS/IMAGE")
    if not found:
        raise InputError(f"{root}: holds no images in folders; expected {root}/CLASS/IMAGE")
    told = [path.parent.name for path, _, known in found if known]
    if classes is None:
        _refuse_masks(root, set(told))
    names = class_names(told, classes)
    if len(names) < 2 and labelled:
        raise InputError(
            f"{root}: found one class only ({names[0]!r}), expected a folder for each of two or more"
        )
    groups, note, patients_known = patients([stem(path) for path, _, _ in found], patient, "patient")
    items = tuple(
        Sample(
            path.relative_to(root).with_name(stem(path)).as_posix(), path,
            names.index(path.parent.name) if known else UNKNOWN, group,
            mask=None if masks is None else _mask(masks, root, path),
        )
        for (path, _, known), group in zip(found, groups, strict=True)
    )  # fmt: skip
    parts = tuple(part for _, part, _ in found)
    ignored = _ignored(root, labelled=labelled)
    for text in ignored:
        warnings.warn(text, UserWarning, stacklevel=2)
    notes = (
        f"classes from folders: {', '.join(names)}" if names else "no image has a class",
        note,
        *_left_out(root),
        *ignored,
    )
    return Samples(items, names, parts if any(parts) else None, notes, patients_known)


def _refuse_masks(root: Path, names: set[str]) -> None:
    """A folder of masks beside one of images is a data set for segmentation, not two classes."""
    wrong = sorted(name for name in names if name.casefold() in _MASKS)
    if wrong:
        raise InputError(
            f"{root}: found a folder {wrong[0]!r}, which is no class but masks; expected a folder per class, with masks in "
            "another place (data.masks), for evaluation only"
        )


def _parted(root: Path, *, labelled: bool) -> Iterator[tuple[Path, str, bool]]:
    """Images with their part, and whether the folder that they lie in is their class."""
    for folder, part in _above(root):
        if not labelled:
            yield from ((path, part, False) for path in _images(folder) if path.is_file())
        for of_class in _folders(folder):
            yield from ((path, part, True) for path in _images(of_class))


def _above(root: Path) -> list[tuple[Path, str]]:
    """Folders of classes with the part that they are of, or "" where the classes lie in the root."""
    folders = _folders(root)
    if folders and all(folder.name.casefold() in PARTS for folder in folders):
        return [(folder, PARTS[folder.name.casefold()]) for folder in folders]
    return [(root, "")]


def _ignored(root: Path, *, labelled: bool) -> list[str]:
    """Images that lie in no class's folder, and folders without images."""
    above = dict.fromkeys([root, *(folder for folder, _ in _above(root))])
    if not labelled:  # there they are read
        above = {folder: None for folder in above if folder not in {f for f, _ in _above(root)}}
    beside = [path.name for folder in above for path in _images(folder) if not path.is_dir()]
    empty = [
        f.relative_to(root).as_posix()
        for folder, _ in _above(root)
        for f in _folders(folder)
        if not _images(f)
    ]
    told = []
    if beside:
        told.append(f"{root}: {len(beside)} files in no class's folder are not read: {listed(beside)}")
    if empty:
        told.append(f"{root}: folders without images are no classes: {listed(empty)}")
    return told


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def _images(folder: Path) -> list[Path]:
    visible = (path for path in folder.iterdir() if not path.name.startswith("."))
    return sorted(path for path in visible if path.is_dir() or path.suffix.casefold() not in _BESIDE)


def _left_out(root: Path) -> list[str]:
    others = [path.name for path in sorted(root.rglob("*")) if path.suffix.casefold() in _BESIDE]
    return [f"{len(others)} files beside the images were left out: {listed(others)}"] if others else []


def _mask(masks: Path, root: Path, image: Path) -> Path | None:
    """The mask of the same relative name; an image without one has none."""
    folder = masks / image.relative_to(root).parent
    if not folder.is_dir():
        return None
    return next((path for path in sorted(folder.iterdir()) if stem(path) == stem(image)), None)

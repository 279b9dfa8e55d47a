"""A table of samples: CSV or TSV with a header, one image per row."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

from voxplain.case import parse_slice
from voxplain.case.formats import stem
from voxplain.case.table import read_table, several_paths
from voxplain.errors import InputError
from voxplain.inherent.data.class_files import COLUMN, class_values, mask_columns, mask_files
from voxplain.inherent.data.folders import PARTS
from voxplain.inherent.data.naming import class_names, compiled, nearly, patients
from voxplain.inherent.data.sample import UNKNOWN, Sample, Samples, listed

_OWN = ("image", "label", "patient", "mask", "slice", "id", "part")
_IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".nii", ".gz", ".npy", ".npz", ".dcm", ".mat")
_PARTS = ("split", "set", "subset")  # other names of the column part
_TOLD = 10  # mistakes are told one by one up to this many
Row = tuple[int, dict[str, str]]


def read_csv(
    path: Path,
    *,
    classes: Sequence[str] | None = None,
    patient: str | None = None,
    multi_label: bool = False,
    labelled: bool = True,
) -> Samples:
    """The rows of a table with the columns ``image`` and ``label``.

    Further columns: ``patient``, ``id``, ``mask`` (evaluation only), ``slice`` such as ``k=40``, ``part`` (train, validation
    or test: the table's own split; also called ``split``, ``set`` or ``subset`` where these are all that it holds); all
    others, such as ``site``, become ``meta``, with a warning where a name is nearly one of these. Paths are relative to the
    table; several images that are channels stand in one cell with ``;`` between, and so do independent labels, whose masks
    may also be files of their own in columns such as ``mask:edema``.

    Args:
        path: the table.
        classes: the classes in order; by default the labels' names, the healthy one first.
        patient: without a column ``patient``, how a file's name tells it; see `read_folders`. With one it is not used,
            which is told.
        multi_label: labels are independent; an empty cell means that none applies.
        labelled: whether every image must have a class; False also takes a table without a column label, and empty cells.

    Raises:
        InputError: a table that cannot be read, missing files or labels, masks in place of labels, unknown classes; one
            line per mistake.
    """
    rows = read_table(
        path,
        ["image", "label"] if labelled else ["image"],
        what="samples",
        expected="a .csv with columns image and label" if labelled else "a .csv with a column image",
        verbatim=_OWN,
    )
    if not rows:
        raise InputError(f"samples: {path} has a header but no rows")
    mistakes = [
        text for row in rows for text in _mistakes(path, row, optional=multi_label or not labelled)
    ] + _masks(path, rows)
    if mistakes:
        rest = [f"samples: {path}: {len(mistakes) - _TOLD} more mistakes"] if len(mistakes) > _TOLD else []
        raise InputError("\n".join([*mistakes[:_TOLD], *rest]))
    rows, called = _with_part(path, rows)
    _warn_near_misses(path, rows)
    labels = [_labels(row, multi_label) for _, row in rows]
    names = class_names([label for several in labels for label in several], classes)
    groups, note, known = _patients(path, rows, patient)
    parts, values = (
        _parts(path, rows),
        class_values(path, mask_columns(path, rows, multi_label=multi_label), names),
    )
    items = []
    for (_, row), several, group in zip(rows, labels, groups, strict=True):
        indices = tuple(sorted(names.index(label) for label in several))
        label = indices if multi_label else indices[0] if indices else UNKNOWN
        items.append(_sample(path.parent, row, label, group, names))
    notes = (f"classes from labels: {', '.join(names)}" if names else "no image has a class", note, *called)
    return Samples(tuple(items), names, parts, notes, known, mask_values=values)


def _mistakes(path: Path, row: Row, *, optional: bool) -> list[str]:
    line, cells = row
    where = f"samples: {path} line {line}"
    if "image" not in cells:
        return [f"{where}: image is empty, expected a file"]
    out = [
        f"{where}: image {image} does not exist"
        for image in several_paths(cells["image"], path.parent)
        if not image.exists()
    ]
    label = cells.get("label", "")
    if not label and not optional:
        out.append(f"{where}: label is empty, expected the class of {cells['image']}")
    masks = {name: cell for name, cell in cells.items() if name == "mask" or name.startswith(COLUMN)}
    out += [
        f"{where}: {name} {path.parent / cell} does not exist"
        for name, cell in masks.items()
        if not (path.parent / cell).exists()
    ]
    return out


def _masks(path: Path, rows: Sequence[Row]) -> list[str]:
    """Masks in place of labels, which are so in all rows or in none: one line for all of them."""
    found = [(line, cells["label"]) for line, cells in rows if _is_image(cells.get("label", ""), path.parent)]
    if not found:
        return []
    where = f"line{'s' if len(found) > 1 else ''} {listed([line for line, _ in found])}"
    return [
        f"samples: {path} {where}: label is {found[0][1]!r}, an image; expected the name of a class (a mask belongs into "
        "the column mask and is used for evaluation only)"
    ]


def _is_image(label: str, folder: Path) -> bool:
    return Path(label).suffix.casefold() in _IMAGES or ("/" in label and (folder / label).is_file())


def _labels(row: Mapping[str, str], multi_label: bool) -> list[str]:
    text = row.get("label", "")
    parts = text.split(";") if multi_label else [text]
    return [part.strip() for part in parts if part.strip()]


def _patients(path: Path, rows: Sequence[Row], pattern: str | None) -> tuple[tuple[str, ...], str, bool]:
    found = [row.get("patient") for _, row in rows]
    if not any(found):
        return patients([stem(Path(row["image"].split(";")[0])) for _, row in rows], pattern, "patient")
    if pattern is not None:
        compiled(pattern, "patient")
        warnings.warn(
            f"patient: the pattern {pattern} is not used, since {path.name} has a column patient; remove one of them",
            UserWarning,
            stacklevel=3,
        )
    empty = [line for (line, _), patient in zip(rows, found, strict=True) if not patient]
    if empty:
        raise InputError(
            f"samples: {path}: patient is empty in lines {listed(empty)}, expected one in all or none"
        )
    told = tuple(str(patient) for patient in found)
    return told, f"{len(set(told))} patients by the column patient, {len(rows)} images", True


def _with_part(path: Path, rows: list[Row]) -> tuple[list[Row], list[str]]:
    """The rows with a column part, if another one is clearly that, and how that was found out."""
    columns = dict.fromkeys(name for _, cells in rows for name in cells)
    if "part" in columns:
        return rows, []
    for name in (name for name in columns if name.casefold() in _PARTS):
        values = [cells.get(name, "") for _, cells in rows]
        odd = [value for value in dict.fromkeys(values) if value.casefold() not in PARTS]
        if not odd:
            return [(line, {**cells, "part": cells[name]}) for line, cells in rows], [
                f"parts by the column {name}, which holds nothing but names of parts"
            ]
        if len(odd) < len(set(values)):
            warnings.warn(
                f"{path.name}: the column {name} is not taken for the parts, since it holds "
                f"{listed([repr(v) for v in odd])} beside names of parts; expected train, validation or test in all rows",
                UserWarning,
                stacklevel=4,
            )
    return rows, []


def _warn_near_misses(path: Path, rows: Sequence[Row]) -> None:
    """Columns that are not read, but whose names are nearly those of columns that would be."""
    columns = dict.fromkeys(name for _, cells in rows for name in cells)
    missing = [own for own in _OWN if own not in columns]
    for name in (name for name in columns if name not in _OWN and not name.startswith(COLUMN)):
        meant = next((own for own in missing if nearly(name, own)), None)
        if meant is not None:
            warnings.warn(
                f"{path.name}: the column {name} is not read; did you mean {meant}?",
                UserWarning,
                stacklevel=4,
            )


def _parts(path: Path, rows: Sequence[Row]) -> tuple[str, ...] | None:
    found = [row.get("part", "") for _, row in rows]
    if not any(found):
        return None
    wrong = [
        f"{part!r} (line {line})"
        for (line, _), part in zip(rows, found, strict=True)
        if part.casefold() not in PARTS
    ]
    if wrong:
        raise InputError(
            f"samples: {path}: part is {listed(wrong)}, expected train, validation or test in all rows"
        )
    return tuple(PARTS[part.casefold()] for part in found)


def _sample(
    folder: Path, row: Mapping[str, str], label: int | tuple[int, ...], group: str, classes: Sequence[str]
) -> Sample:
    paths = several_paths(row["image"], folder)
    cut = parse_slice(row["slice"]) if "slice" in row else None
    name = row.get("id") or _name(row["image"], row.get("slice"))
    mask = folder / row["mask"] if "mask" in row else mask_files(folder, row, classes)
    meta = {k: v for k, v in row.items() if k not in _OWN and not k.startswith(COLUMN)}
    return Sample(name, paths[0] if len(paths) == 1 else tuple(paths), label, group, mask, cut, meta)


def _name(image: str, cut: str | None) -> str:
    """The first file without its suffix, with its folders: names of files alone are often the same in several."""
    first = Path(image.split(";", maxsplit=1)[0].strip())
    name = first.with_name(stem(first)).as_posix()
    return name if cut is None else f"{name}-{cut.replace('=', '')}"

"""A mask file per independent finding, so that findings may lie over each other: columns such as ``mask:edema``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from voxplain.errors import InputError, suggest
from voxplain.inherent.data.class_masks import Values

COLUMN = "mask:"
_MOST = (
    12  # classes: of each voxel one number says which of them mark it, and a class has half of all numbers
)


def mask_columns(
    path: Path, rows: Sequence[tuple[int, Mapping[str, str]]], *, multi_label: bool
) -> list[str]:
    """The classes that have a column of masks.

    Raises:
        InputError: labels are not independent, or there is a column ``mask`` as well.
    """
    columns = dict.fromkeys(name for _, cells in rows for name in cells)
    found = [name.removeprefix(COLUMN).strip() for name in columns if name.startswith(COLUMN)]
    if found and not multi_label:
        raise InputError(
            f"samples: {path}: found the column {COLUMN}{found[0]}, but an image has one class, whose mask is all that is "
            "drawn; expected a column mask, or data.multi_label"
        )
    if found and "mask" in columns:
        raise InputError(f"samples: {path}: found columns mask and {COLUMN}{found[0]}, expected one kind")
    return found


def class_values(path: Path, found: Sequence[str], classes: Sequence[str]) -> Values | None:
    """The numbers of `combined` that mark each class; none of a class without a column, None where there are no columns.

    Raises:
        InputError: a column of an unknown class, or too many classes.
    """
    if not found:
        return None
    for name in found:
        if name not in classes:
            raise InputError(
                f"samples: {path}: column {COLUMN}{name} is of an unknown class; {suggest(name, classes)}"
            )
    if len(classes) > _MOST:
        raise InputError(
            f"samples: {path}: found columns {COLUMN}… and {len(classes)} classes, expected at most {_MOST}"
        )
    every = range(1, 1 << len(classes))
    return tuple(
        tuple(value for value in every if value >> k & 1) if name in found else ()
        for k, name in enumerate(classes)
    )


def mask_files(
    folder: Path, cells: Mapping[str, str], classes: Sequence[str]
) -> tuple[Path | None, ...] | None:
    """A row's file per class, None where a cell is empty; None where all are."""
    named = {
        key.removeprefix(COLUMN).strip(): value for key, value in cells.items() if key.startswith(COLUMN)
    }
    files = tuple(folder / named[name] if name in named else None for name in classes)
    return files if any(files) else None


def combined(masks: Sequence[npt.NDArray[np.integer] | None]) -> npt.NDArray[np.int32]:
    """(*S) of each voxel the sum of 2 to the k over the classes k that mark it.

    >>> combined([np.array([0, 1, 5]), None, np.array([0, 0, 1])]).tolist()
    [0, 1, 5]
    """
    shape = next(mask.shape for mask in masks if mask is not None)
    out = np.zeros(shape, np.int32)
    for k, mask in enumerate(masks):
        if mask is not None:
            out |= (mask > 0).astype(np.int32) << k
    return out

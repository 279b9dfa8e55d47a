"""Which voxels show which of several independent findings, and of which findings that is not known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from voxplain.errors import InputError, suggest

Values = tuple[tuple[int, ...], ...]  # per class, the values of a mask file that mark it


def mask_values(named: Mapping[str, Sequence[int]], classes: Sequence[str]) -> Values:
    """The values that mark each class, in the order of the classes; a value may mark several that lie over each other.

    Raises:
        InputError: an unknown class, one without values, or 0, which marks nothing.

    >>> mask_values({"tumour": (1, 4), "edema": (2, 4)}, ["edema", "tumour"])
    ((2, 4), (1, 4))
    """
    for name, values in named.items():
        if name not in classes:
            raise InputError(f"mask_labels: found the unknown class {name!r}; {suggest(name, classes)}")
        if not values or any(v < 1 for v in values):
            raise InputError(f"mask_labels: found {list(values)} for {name!r}, expected whole numbers from 1")
    return tuple(tuple(named.get(name, ())) for name in classes)


def class_masks(
    drawn: npt.NDArray[np.integer], labels: Sequence[int], classes: int, values: Values | None
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """A mask per class, and how many voxels it marks; −1 where it is not known which are the class's.

    With values, they say it; of a class that has none nothing is known. Without, everything that is drawn is the finding of
    an image that has one; of an image with several it is not known whose it is. What an image does not have is nowhere.

    Args:
        drawn: (*S) whole numbers, 0 where nothing is.
        labels: the classes that apply to the image.
        classes: K.
        values: of `mask_values`; None where masks do not tell classes apart.

    Returns:
        (K, *S) and (K,).

    >>> drawn = np.array([0, 3, 3])
    >>> class_masks(drawn, [1], 2, None)[1].tolist(), class_masks(drawn, [0, 1], 2, None)[1].tolist()
    ([0, 2], [-1, -1])
    """
    masks = np.zeros((classes, *drawn.shape), dtype=np.bool_)
    voxels = np.zeros(classes, dtype=np.int64)
    for k in range(classes):
        if values is None:
            known = k not in labels or len(labels) == 1
            masks[k] = (drawn > 0) & known & (k in labels)
        else:
            known = bool(values[k]) or k not in labels
            masks[k] = np.isin(drawn, values[k])
        voxels[k] = masks[k].sum() if known else -1
    return masks, voxels

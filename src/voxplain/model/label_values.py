"""Which values of a ground-truth label map mean which class."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from voxplain.errors import ModelError

Values = tuple[tuple[int, ...], ...]


def values_of(given: Sequence[Sequence[int]] | None, classes: Sequence[str], output: str) -> Values | None:
    """The values of every class: those given, else the class's number.

    None of independent classes, for which nothing is known unless it is said: they may overlap, one label map cannot hold
    them all, and its 0 is none of them.

    Raises:
        ModelError: another number of classes.

    >>> values_of(None, ["background", "liver"], "softmax")
    ((0,), (1,))
    """
    if given is None:
        return None if output == "sigmoid" else tuple((index,) for index in range(len(classes)))
    if len(given) != len(classes):
        raise ModelError(
            f"label_values: found those of {len(given)} classes, expected one entry for each of {len(classes)}"
        )
    return tuple(tuple(int(value) for value in entry) for entry in given)


def where(label: Tensor, values: tuple[int, ...]) -> Tensor:
    """Voxels of the label map that hold one of these values."""
    return torch.isin(label, torch.tensor(values, dtype=label.dtype, device=label.device))


def foreign_value(label: Tensor, values: Values) -> int | None:
    """A value of the label map that means no class, the largest one; 0 may always be nothing."""
    known = {0}.union(*values)
    return max((v for v in map(int, torch.unique(label)) if v not in known), default=None)

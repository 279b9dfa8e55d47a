"""Images, maps and labels as the viewer takes them, from where a command has written them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from voxplain.case import read_case
from voxplain.errors import InputError
from voxplain.report.viewer import ShownLabels

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from voxplain.case import Case

GREY = "The picture's three colours are shown as their mean."


def ground_of(case: Case, notes: list[str]) -> NDArray[Any]:
    """What lies under the map; colours of a picture would pass for the map's, so it is grey."""
    if case.channels == 3 and case.spatial_dims == 2 and case.geometry is None:
        notes.append(GREY)
        return np.asarray(case.image.mean(axis=0))
    if case.channels > 1:
        notes.append(f"The image is channel 0 of {case.channels}.")
    return np.asarray(case.image[0])


def map_of(path: Path, case: Case, notes: list[str]) -> NDArray[Any]:
    """A method's map as its file has it, its channels added up.

    Raises:
        InputError: it cannot be read, has another shape than the image, or is zero everywhere.
    """
    values = array_of(path, case)
    if len(values) > 1:
        notes.append(f"Maps are the sum over {len(values)} channels.")
    total = values[0] if len(values) == 1 else values.sum(axis=0, dtype=np.float64).astype(np.float32)
    if not total.any():
        raise InputError("it is zero everywhere")
    return np.asarray(total)


def array_of(path: Path, case: Case) -> NDArray[Any]:
    """An array (C, *spatial) that was written in the case's own geometry."""
    values = read_case(path).image
    # a file of a slice may have a third axis of one voxel
    if [n for n in values.shape[1:] if n > 1] != [n for n in case.spatial_shape if n > 1]:
        raise InputError(f"{path.name}: shape {values.shape[1:]}, the image has {case.spatial_shape}")
    return values.reshape(len(values), *case.spatial_shape)


def labels_of(
    path: Path, case: Case, names: Mapping[int, str], asked: set[str], true: Mapping[int, str] | None = None
) -> tuple[ShownLabels, ...]:
    """What the model found, where its file is there, and the truth, where the case has one.

    Args:
        path: the prediction's file.
        names: of the model's classes.
        asked: classes that are asked about, which are outlined first.
        true: names of the truth's values, where they are known.
    """
    found = []
    if path.is_file():
        layers = np.rint(array_of(path, case)).astype(np.int32)
        # independent classes have a layer each; where they overlap the later one is outlined
        several = len(layers) > 1
        values = layers[0] if not several else np.zeros(layers.shape[1:], np.int32)
        for number, layer in enumerate(layers if several else ()):
            values[layer > 0] = number + 1
        named = {n + several: name for n, name in names.items()}
        wanted = frozenset(n for n, name in named.items() if name in asked)
        found.append(ShownLabels("prediction", values, named, wanted=wanted))
    if case.label is not None and (case.label > 0).any():
        known = dict(true or {})
        wanted = frozenset(n for n, name in known.items() if name in asked)
        found.append(ShownLabels("ground truth", case.label, known, dashed=True, wanted=wanted))
    return tuple(found)

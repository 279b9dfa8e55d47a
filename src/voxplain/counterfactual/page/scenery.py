"""What all figures of changed images share: arrays turned for display, and one slice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from voxplain.report import Plane, Scene, scenes

if TYPE_CHECKING:
    from voxplain.case import Geometry

Floats = NDArray[np.float32]


def scene(
    image: Floats,
    values: Floats,
    geometry: Geometry | None,
    unit: str,
    *,
    labels: NDArray[Any] | None = None,
    names: Mapping[int, str] | None = None,
) -> Scene:
    """One map over one image.

    Args:
        image: (C, *S); the first channel is shown.
        values: (*S), signed.
        geometry: of the grid.
        unit: of the map.
        labels, names: outlined.
    """
    # a map of zeros has no colour range
    flat = values if np.any(values) else np.full_like(values, 1e-12)
    (made,) = scenes(
        image[:1], flat, geometry=geometry, prediction=labels, names=names or {}, unit=unit, spatial_dims=values.ndim
    )  # fmt: skip
    return made


def widest(shown: Scene) -> tuple[Plane, int]:
    """The first plane that is no strip, and its slice in which the map is strongest."""
    shape = shown.view.shape
    planes = shown.view.planes()
    plane = next((p for p in planes if min(shape[p.rows], shape[p.columns]) > 1), planes[0])
    others = tuple({0, 1, 2} - {plane.axis})
    return plane, int(np.abs(shown.values).sum(axis=others).argmax())


def where(shown: Scene, plane: Plane, index: int) -> str:
    """Which slice of a volume is shown, in a sentence; nothing where there is one only."""
    return "" if shown.view.shape[plane.axis] == 1 else f" Slice {index} of the {plane.name} plane."

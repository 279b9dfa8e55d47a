"""A row of the grid: one image, and one map of it per column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from voxplain.errors import InputError
from voxplain.report.scene import Scene, scenes

if TYPE_CHECKING:
    from voxplain.case import Geometry

_NOTHING = 1e-12  # stands for a map where there is none: a map of zeros has no colour range


@dataclass(frozen=True, eq=False)
class FigureRow:
    """What is drawn in a row.

    Attributes:
        name: written beside the row.
        image: (*spatial) or (C, *spatial), in any unit.
        maps: column to signed map (*spatial) or (C, *spatial), of which the sum over channels is drawn; a column that is
            not here stays empty.
        geometry: of all arrays; None where no orientation is known.
        prediction, truth: labels (*spatial), outlined, the truth with dashes.
        names: of the labels.
        outlined: labels that are outlined; the eight largest by default.
        focus: label of the prediction (or truth) whose largest slice is shown; else the slice in which maps are strongest.
        units: column to the unit of its map.
    """

    name: str
    image: NDArray[Any]
    maps: Mapping[str, NDArray[Any]]
    geometry: Geometry | None = None
    prediction: NDArray[Any] | None = None
    truth: NDArray[Any] | None = None
    names: Mapping[int, str] = field(default_factory=dict)
    outlined: Sequence[int] | None = None
    focus: int | None = None
    units: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Drawn:
    """A row that is turned for display: the image alone, and a scene per column that has a map."""

    row: FigureRow
    base: Scene
    scenes: dict[str, Scene]

    @property
    def strength(self) -> NDArray[np.float64]:
        """How strong all maps are at each voxel (d0, d1, d2), each by its own range."""
        sizes = [np.minimum(np.abs(s.values) / s.scale.limit, 1.0) for s in self.scenes.values()]
        return np.sum(sizes, axis=0, dtype=np.float64) if sizes else np.zeros(self.base.view.shape)

    def focused(self) -> NDArray[np.bool_] | None:
        """Where the label in focus is (d0, d1, d2); None where it is nowhere."""
        for labels in (self.base.prediction, self.base.truth):
            if labels is not None and self.row.focus is not None and (labels == self.row.focus).any():
                return np.asarray(labels == self.row.focus)
        return None


def drawn(row: FigureRow, percentile: float, window: tuple[float, float] | None) -> Drawn:
    """Check a row and turn it for display.

    Args:
        percentile: of |value| over non-zero voxels, where the colours of each map end.
        window: grey levels of the image; by percentiles where None.

    Raises:
        InputError: NaN, shapes that do not fit, an unknown label; the row is named.
        GeometryError: a geometry of another shape.
    """
    image = np.asarray(row.image)
    dims = _dims(row, image)
    spatial = image.shape[-dims:]

    def made(values: NDArray[Any], unit: str) -> Scene:
        (scene,) = scenes(
            image, values, geometry=row.geometry, prediction=row.prediction, truth=row.truth, names=row.names,
            outlined=row.outlined, percentile=percentile, unit=unit, spatial_dims=dims,
        )  # fmt: skip
        if window is None:
            return scene
        low, high = (f"{x:g}".replace("-", "−") for x in window)
        return replace(scene, window=window, ground=f"Grey levels: {low} to {high}.")

    try:
        base = made(np.full(spatial, _NOTHING), "")
        found = {
            name: made(np.asarray(values), row.units.get(name, "attribution"))
            for name, values in row.maps.items()
            if np.any(values)
        }
    except InputError as error:
        raise type(error)(f"figure, row {row.name!r}: {error}") from None
    return Drawn(row, base, found)


def _dims(row: FigureRow, image: NDArray[Any]) -> int:
    for known in (row.prediction, row.truth):
        if known is not None:
            return np.ndim(known)
    if row.geometry is not None:
        return len(row.geometry.shape)
    return 2 if image.ndim == 2 or (image.ndim == 3 and image.shape[0] in (1, 3)) else 3

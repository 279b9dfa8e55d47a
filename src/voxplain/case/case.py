"""What is explained: an image with its place in space and, where there is one, its label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from voxplain.case.geometry import Geometry
from voxplain.case.values import as_image, as_labels
from voxplain.errors import GeometryError, InputError


@dataclass(frozen=True, eq=False)
class Case:
    """An image to explain, in the file's own units and voxel order. A case knows nothing of models.

    Args:
        id: a short name without patient identifiers.
        image: (C, *spatial), 2 or 3 spatial axes; kept as float32, finite.
        geometry: where the voxels lie; None for pictures and bare arrays.
        label: (*spatial) integers, kept as int32.
        meta: what the reader found; JSON-able, without patient identifiers.

    Raises:
        InputError: wrong number of axes, values that are not finite, labels that are not integers.
        GeometryError: image, label and geometry are not on the same grid.

    >>> import numpy as np
    >>> case = Case("zeros", np.zeros((2, 4, 5, 6)))
    >>> case.channels, case.spatial_shape, case.spatial_dims
    (2, (4, 5, 6), 3)
    """

    id: str
    image: npt.NDArray[np.float32]
    geometry: Geometry | None = None
    label: npt.NDArray[np.int32] | None = None
    meta: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        image = as_image(self.image, f"image of case {self.id!r}")
        if image.ndim not in (3, 4) or 0 in image.shape:
            raise InputError(
                f"image of case {self.id!r} must be (C, *spatial) with 2 or 3 spatial axes and no empty axis,"
                f" but has the shape {image.shape}"
            )
        object.__setattr__(self, "image", image)
        object.__setattr__(self, "meta", dict(self.meta))
        if self.geometry is not None and self.geometry.shape != self.spatial_shape:
            raise GeometryError(
                f"case {self.id!r}: the image's grid is {self.spatial_shape},"
                f" the geometry's {self.geometry.shape}"
            )
        if self.label is not None:
            self._set_label(self.label)

    def _set_label(self, label: npt.NDArray[Any]) -> None:
        labels = as_labels(label, f"label of case {self.id!r}")
        if labels.shape != self.spatial_shape:
            raise GeometryError(
                f"case {self.id!r}: the label's shape is {labels.shape},"
                f" the image's grid is {self.spatial_shape}"
            )
        object.__setattr__(self, "label", labels)

    @property
    def channels(self) -> int:
        """Number of channels C."""
        return int(self.image.shape[0])

    @property
    def spatial_shape(self) -> tuple[int, ...]:
        """Voxels along each spatial axis."""
        return tuple(int(n) for n in self.image.shape[1:])

    @property
    def spatial_dims(self) -> int:
        """Number of spatial axes, 2 or 3."""
        return int(self.image.ndim - 1)

    def __repr__(self) -> str:
        """Short: arrays are described, not printed."""
        grid = "no geometry" if self.geometry is None else self.geometry.orientation
        label = "" if self.label is None else ", with label"
        return f"Case({self.id!r}, {self.channels} × {self.spatial_shape}, {grid}{label})"

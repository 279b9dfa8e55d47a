"""Arrays on the axes R, A, S as far as their own grid allows, and the planes that are cut from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from voxplain.report.view import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxplain.case import Geometry


@dataclass(frozen=True)
class Grid:
    """A grid whose indices grow towards Right, Anterior and Superior, which is the closest canonical orientation.

    Nothing is resampled: an oblique grid stays oblique. Without a geometry the axes are the array's own.
    """

    view: View

    @classmethod
    def of(cls, shape: Sequence[int], geometry: Geometry | None) -> Grid:
        """The grid of arrays of this spatial shape (2 or 3 axes).

        Raises:
            GeometryError: the geometry belongs to another shape.
        """
        return cls(View.of(shape, geometry))

    @property
    def turned(self) -> bool:
        """Whether the orientation is known. The view counts towards L, P, I, all three the other way round."""
        return self.view.affine is not None

    def array(self, values: NDArray[Any]) -> NDArray[Any]:
        """An array (*spatial) of the file on this grid (3 axes), as a view."""
        shown = self.view.display(values)
        return shown[::-1, ::-1, ::-1] if self.turned else shown

    @property
    def affine(self) -> NDArray[np.float64] | None:
        """Index to RAS mm; None where unknown."""
        if self.view.affine is None:
            return None
        back = np.diag([-1.0, -1.0, -1.0, 1.0])
        back[:3, 3] = np.array(self.view.shape) - 1
        return self.view.affine @ back

    def file_axes(self) -> list[dict[str, int]]:
        """Per axis of the file: which axis here runs along it, in which direction, and where it starts."""
        out: list[dict[str, int]] = []
        for axis in range(self.view.ndim):
            here = self.view.order.index(axis)
            falls = self.view.flips[here] != self.turned
            start = self.view.shape[here] - 1 if falls else 0
            out.append(
                {
                    "axis": here,
                    "step": -1 if falls else 1,
                    "start": start,
                    "last": self.view.shape[here] - 1,
                }
            )
        return out

    def planes(self) -> list[dict[str, Any]]:
        """The planes in radiological convention, as the viewer reads them."""
        return [
            {
                "name": plane.name,
                "axis": plane.axis,
                "across": plane.columns,
                "acrossFalls": self.turned,
                "down": plane.rows,
                "downFalls": self.turned,
                "letters": list(plane.letters or ()),
                "mirrors": self.turned and plane.columns == 0,
            }
            for plane in self.view.planes()
        ]

    def notes(self) -> list[str]:
        """What a reader must know of the orientation."""
        if not self.turned:
            return ["No orientation is known: drawn as the array is stored."]
        notes = []
        if self.view.tilt > 1:
            notes.append(
                f"The grid is oblique by up to {self.view.tilt:.0f}°: planes follow the voxels, letters say the closest "
                "axis, and millimetres are exact."
            )
        if self.view.sheared:
            notes.append("The grid is sheared, so angles in the pictures are not true.")
        return notes

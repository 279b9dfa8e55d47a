"""The grid on which subjects' maps are compared: that of their images, or that of a template they are registered to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import map_coordinates

from voxplain.case import Case, Geometry
from voxplain.case.geometry import to_axes_of
from voxplain.errors import GeometryError, InputError
from voxplain.inherent.data import Reader, Sample
from voxplain.simulator.field import read_displacement
from voxplain.simulator.running.home import Floats

COLUMN = "warp"  # of the table: a displacement field on the template's grid for each image


@dataclass(frozen=True, eq=False)
class CommonGrid:
    """Where all subjects meet.

    Attributes:
        case: an image on the grid, or an empty one where it is a template's.
        warps: files by the id of their image; none where images share the grid.
    """

    case: Case
    warps: dict[str, Path]

    @property
    def shape(self) -> tuple[int, ...]:
        """(*S) of the grid."""
        return tuple(self.case.spatial_shape)

    @property
    def geometry(self) -> Geometry | None:
        """Of the grid; None where images have none."""
        return self.case.geometry

    def bring(self, values: Floats, sample: Sample, reader: Reader, outside: float = 0.0) -> Floats:
        """A map (*S) of an image's own grid on this one; `outside` where the image does not reach.

        Where images share the grid, their axes may be stored in another order or direction: nothing is resampled.

        Raises:
            GeometryError: the image has no geometry, or its warp is on another template's grid.
        """
        own = reader.case(sample).geometry
        if not self.warps:
            return (
                values if own is None or self.geometry is None else to_axes_of(values, own, self.geometry)[0]
            )
        if own is None:
            raise GeometryError(
                f"group: {sample.id} has no place in space, so its {COLUMN} cannot be followed"
            )
        found, template = pushed(values, own, self.warps[sample.id], outside)
        assert self.geometry is not None
        if not template.matches(self.geometry):
            raise GeometryError(
                f"{self.warps[sample.id]}: is not on the template's grid: {template.difference(self.geometry)}"
            )
        return found.reshape(self.shape)


def pushed(values: Floats, own: Geometry, warp: Path, outside: float = 0.0) -> tuple[Floats, Geometry]:
    """A map in template space: at each of the template's points the value at the subject's point that belongs there.

    The warp is what registration of the subject (moving) to the template (fixed) gives, as ITK and ANTs apply it to images:
    the template's point p shows the subject's p + u(p). A log-Jacobian is brought along as a number; how much the
    registration itself stretches tissue is not part of what a classifier looks for. Linear between voxels.

    Args:
        values: (*S) on the subject's grid.
        own: that grid.
        warp: displacement field in LPS mm on the template's grid, intent 1007.
        outside: where the subject's image does not reach.

    Returns:
        (*template) and the template's grid.

    Raises:
        InputError: a file that holds no displacement field.
        GeometryError: an impossible affine.
    """
    field, template = read_displacement(warp)
    indices = np.stack(np.meshgrid(*[np.arange(n, dtype=np.float64) for n in template.shape], indexing="ij"))
    way = np.linalg.inv(own.affine) @ template.affine
    dims = template.ndim
    places = np.tensordot(way[:3, :dims], indices + field, axes=1) + way[:3, 3].reshape(3, *[1] * dims)
    grid = np.asarray(values).reshape([*own.shape, *[1] * (3 - own.ndim)])
    for axis, n in enumerate(grid.shape):
        if n == 1:  # a slice is as thick as its voxels, so what lies within half of one lies in it
            places[axis] = np.where(np.abs(places[axis]) <= 0.5, 0.0, -2.0)
    found = map_coordinates(grid, places, order=1, mode="grid-constant", cval=outside)
    return np.asarray(found, np.float32), template


def warps_of(samples: Sequence[Sample], folder: Path) -> dict[str, Path]:
    """The files of the table's column, by image; empty where there is no such column.

    Args:
        samples: of the tests.
        folder: that paths of the column are relative to.

    Raises:
        InputError: some images have a warp and others none, or a file that is not there.
    """
    told = {sample.id: str(sample.meta.get(COLUMN) or "") for sample in samples}
    if not any(told.values()):
        return {}
    for name, path in told.items():
        if not path:
            raise InputError(
                f"group: {name} has nothing in the column {COLUMN}, but other images have; give all or none"
            )
        if not (folder / path).exists():
            raise InputError(f"group: {folder / path}, the {COLUMN} of {name}, does not exist")
    return {name: folder / path for name, path in told.items()}


def common_grid(samples: Sequence[Sample], folder: Path) -> CommonGrid:
    """The template's grid where the table has a column of warps, else that of all images.

    Raises:
        InputError: warps that are missing.
        GeometryError: images on different grids, and no warps.
    """
    warps = warps_of(samples, folder)
    if warps:
        _, template = read_displacement(warps[samples[0].id])
        return CommonGrid(Case("template", np.zeros((1, *template.shape), np.float32), template), warps)
    return CommonGrid(_shared(samples), {})


def _shared(samples: Sequence[Sample]) -> Case:
    reader = Reader()
    first, grid = samples[0], reader.case(samples[0])
    for sample in samples[1:]:
        difference = _difference(reader.case(sample), grid)
        if difference:
            raise GeometryError(
                f"group: {sample.id} is not on the grid of {first.id}: {difference}; a mean needs images that are "
                f"registered to one grid, or a column {COLUMN} with a displacement field to a template for each"
            )
    return grid


def _difference(case: Case, grid: Case) -> str:
    """How two grids differ, when their axes are ordered and directed alike; nothing where they are one."""
    if case.geometry is None or grid.geometry is None:
        same = case.spatial_shape == grid.spatial_shape
        return "" if same else f"the shapes are {case.spatial_shape} and {grid.spatial_shape}"
    own = case.geometry
    if own.ndim == grid.geometry.ndim:
        own = to_axes_of(np.broadcast_to(np.float32(0), own.shape), own, grid.geometry)[1]
    return "" if own.matches(grid.geometry) else own.difference(grid.geometry)

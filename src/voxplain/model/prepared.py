"""A case as the network sees it, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from voxplain.errors import GeometryError, InputError
from voxplain.model.conserve import conserved
from voxplain.model.resample import Mode, resample

if TYPE_CHECKING:
    from voxplain.case import Case, Geometry


@dataclass(frozen=True, eq=False)
class Prepared:
    """The prepared image and its place in the case.

    Maps, masks and voxels cross between the two grids through one matrix, that of the prepared image's affine
    against the case's, so all of them cross alike, whatever the steps were.

    Attributes:
        case: where it comes from.
        image: (C, *S) float32.
        label: (*S) int32, or none.
        geometry: of the prepared grid; none where the case has none.
        spacing: mm per axis of the prepared grid, 1.0 where unknown.
        to_case: (4, 4) float64, prepared voxel -> case voxel, both with three axes (2-D: a third of length 1).
        squeezed: the axis of length 1 that was taken out for a 2-D network.
    """

    case: Case
    image: Tensor
    geometry: Geometry | None
    to_case: np.ndarray
    squeezed: int | None = None
    label: Tensor | None = field(init=False, default=None)
    spacing: tuple[float, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        known = (1.0,) * (self.image.ndim - 1) if self.geometry is None else tuple(self.geometry.spacing)
        object.__setattr__(self, "spacing", known[: self.image.ndim - 1])
        if self.case.label is not None:
            object.__setattr__(self, "label", self.bring(self.case.label).to(torch.int32))

    @property
    def shape(self) -> tuple[int, ...]:
        """Spatial shape of the prepared grid."""
        return tuple(self.image.shape[1:])

    def bring(self, mask: np.ndarray) -> Tensor:
        """A mask or label map of the case on the prepared grid, by nearest neighbour; zero in padding.

        Args:
            mask: (*case spatial).

        Raises:
            GeometryError: another shape.
        """
        if tuple(mask.shape) != tuple(self.case.spatial_shape):
            raise GeometryError(
                f"mask: found shape {tuple(mask.shape)}, expected the case's {tuple(self.case.spatial_shape)}"
            )
        # torch cannot index the larger unsigned types, nor arrays of the other byte order
        kind = (
            mask.dtype
            if mask.dtype.kind == "b"
            else {"i": np.int32, "u": np.int32}.get(mask.dtype.kind, np.float32)
        )
        values = torch.from_numpy(np.array(mask, dtype=kind, order="C")).reshape(1, *self._case_shape)
        return resample(values, self.to_case, self._lifted_shape, "nearest").reshape(self.shape)

    def restore(self, maps: Tensor, mode: Mode = "linear") -> np.ndarray:
        """Maps of the prepared grid on the case's own grid; zero where the prepared image has no voxel.

        Args:
            maps: (C', *S), any number of channels.
            mode: ``"linear"``, or ``"nearest"`` for label maps.

        Returns:
            (C', *case spatial) float32.

        Raises:
            GeometryError: maps of another shape.
        """
        if tuple(maps.shape[1:]) != self.shape:
            raise GeometryError(f"maps: found shape {tuple(maps.shape)}, expected (channels, *{self.shape})")
        if mode not in ("linear", "nearest"):
            raise InputError(f"mode: found {mode!r}, expected 'linear' or 'nearest'")
        values = maps.detach().reshape(len(maps), *self._lifted_shape)
        values = values.to(torch.float64 if values.dtype == torch.float64 else torch.float32)
        out = resample(values, np.linalg.inv(self.to_case), self._case_shape, mode)
        return out.reshape(len(maps), *self.case.spatial_shape).float().cpu().numpy()

    def divide(self, shares: Tensor) -> np.ndarray:
        """Shares of a whole, such as contributions to a logit, on the case's own grid: their sum is kept.

        Each voxel's share is divided among the voxels of the case that it covers. What lies in padding is left out.

        Args:
            shares: (C', *S), any number of channels.

        Returns:
            (C', *case spatial) float32.

        Raises:
            GeometryError: shares of another shape.
        """
        if tuple(shares.shape[1:]) != self.shape:
            raise GeometryError(
                f"shares: found shape {tuple(shares.shape)}, expected (channels, *{self.shape})"
            )
        values = shares.detach().cpu().double().reshape(len(shares), *self._lifted_shape)
        out = conserved(values, self.to_case, self._case_shape)
        return out.reshape(len(shares), *self.case.spatial_shape).float().numpy()

    def covers(self) -> np.ndarray | None:
        """The voxels of the case that the prepared image has, (*case spatial) bool; None where that is all of them."""
        covered = self.restore(torch.ones(1, *self.shape), "nearest")[0] > 0
        return None if covered.all() else np.asarray(covered)

    def voxel(self, index: Sequence[int]) -> tuple[int, ...]:
        """The prepared voxel that holds the centre of a voxel of the case.

        Raises:
            InputError: outside the case, or cropped away.
        """
        shape = tuple(self.case.spatial_shape)
        if len(index) != len(shape) or any(not 0 <= i < n for i, n in zip(index, shape, strict=True)):
            raise InputError(f"voxel {tuple(index)}: outside the case, whose shape is {shape}")
        lifted = [*index, *([0] * (3 - len(index))), 1]
        at = np.linalg.solve(self.to_case, np.array(lifted, dtype=float))[:3]
        # as in resample: what lies within a voxel's faces belongs to it
        found = [
            min(max(int(np.floor(a + 0.5 + 1e-6)), 0), n - 1) if -0.5 - 1e-4 <= a <= n - 0.5 + 1e-4 else -1
            for a, n in zip(at, self._lifted_shape, strict=True)
        ]
        if -1 in found:
            raise InputError(
                f"voxel {tuple(index)}: cropped away by the preparation; choose one inside the crop"
            )
        return tuple(f for axis, f in enumerate(found) if self.squeezed is None or axis != self.squeezed)

    @property
    def _case_shape(self) -> tuple[int, ...]:
        shape = tuple(self.case.spatial_shape)
        return shape + (1,) * (3 - len(shape))

    @property
    def _lifted_shape(self) -> tuple[int, ...]:
        shape = list(self.shape)
        if self.squeezed is not None:
            shape.insert(self.squeezed, 1)
        return tuple(shape)

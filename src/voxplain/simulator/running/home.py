"""Fields and maps of the prepared grid on the case's own grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from voxplain.case import Geometry
from voxplain.model import Prepared
from voxplain.simulator.field import warp

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Home:
    """The way from the prepared grid to the case's.

    Args:
        ready: an image with its preparation.
    """

    ready: Prepared

    @property
    def geometry(self) -> Geometry | None:
        """Of the case."""
        return self.ready.case.geometry

    @property
    def flat(self) -> int | None:
        """The case's axis of one voxel that a 2-D network does not see; none where there is no such axis."""
        squeezed = self.ready.squeezed
        if squeezed is None or len(self.ready.case.spatial_shape) == 2:
            return None
        return int(np.abs(self.ready.to_case[:3, squeezed]).argmax())

    def map(self, values: Tensor, outside: float = 0.0) -> Floats:
        """(C', *S) on the case's grid; `outside` where the prepared image has no voxel."""
        return (self.ready.restore(values.cpu() - outside) + np.float32(outside)).astype(np.float32)

    def field(self, displacement: Tensor) -> Floats:
        """(D, *S) in prepared voxels as (D', *case spatial) in voxels of the case; nothing moves beyond the prepared image.

        A displacement is a difference of two places, so only the linear part of the way between the grids turns it.
        """
        seen = [axis for axis in range(3) if axis != self.ready.squeezed]
        axes = self.ready.to_case[: len(self.ready.case.spatial_shape), seen]
        return np.tensordot(axes, self.map(displacement), axes=1).astype(np.float32)

    def warped(self, displacement: Floats) -> Floats:
        """The case's own image (C, *case spatial), looked up along a field of the case's grid."""
        image, field = self.ready.case.image, displacement
        if self.flat is not None:
            image = image.squeeze(self.flat + 1)
            field = np.delete(field, self.flat, axis=0).squeeze(self.flat + 1)
        moved = warp(torch.from_numpy(np.array(image[None])), torch.from_numpy(field[None].copy()))[0].numpy()
        return moved if self.flat is None else np.expand_dims(moved, self.flat + 1)

    def millimetres(self, displacement: Floats) -> Floats:
        """A field of the case's grid as (3, *case spatial) mm towards R, A and S.

        Args:
            displacement: of a case with a geometry.
        """
        assert self.geometry is not None
        return np.tensordot(self.geometry.affine[:3, : len(displacement)], displacement, axes=1).astype(
            np.float32
        )

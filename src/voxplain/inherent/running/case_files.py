"""The files of one image, on its own grid: NIfTI where there is a geometry, else npz, and PNG for masks of pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxplain.case import Case, Geometry, write_array, write_case
from voxplain.inherent.maps import Bools
from voxplain.inherent.training.predict import Predicted


@dataclass(frozen=True, eq=False)
class Grid:
    """The grid of an image and of what is written beside it.

    Attributes:
        shape: of the case, a slice of a volume with its axis of length one.
        affine: voxel to RAS mm; None where not known.
        squeezed: that axis; None for whole images.
    """

    shape: tuple[int, ...]
    affine: NDArray[np.float64] | None
    squeezed: int | None

    @classmethod
    def of(cls, found: Predicted) -> Grid:
        """Of a predicted sample."""
        case = found.prepared.case
        affine = None if case.geometry is None else case.geometry.affine
        return cls(
            tuple(case.spatial_shape), affine, None if found.sample.slice is None else found.sample.slice[0]
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        affine = None if self.affine is None else self.affine.tolist()
        return {"shape": list(self.shape), "affine": affine, "squeezed": self.squeezed}

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> Grid:
        """What `to_dict` told."""
        affine = None if told["affine"] is None else np.array(told["affine"])
        return cls(tuple(told["shape"]), affine, told["squeezed"])

    @property
    def geometry(self) -> Geometry | None:
        """As writers take it."""
        return None if self.affine is None else Geometry(self.affine, self.shape)

    @property
    def spacing(self) -> tuple[float, ...] | None:
        """Mm per axis of the squeezed grid; None where not known."""
        if self.geometry is None:
            return None
        return tuple(s for a, s in enumerate(self.geometry.spacing) if a != self.squeezed)

    @property
    def suffix(self) -> str:
        """A slice in NIfTI would be read back as a volume, but a slice of a volume is one already."""
        return ".nii.gz" if self.affine is not None and len(self.shape) == 3 else ".npz"

    def squeeze(self, array: NDArray[Any]) -> NDArray[Any]:
        """(C, *case spatial) without the axis of a slice."""
        return array if self.squeezed is None else array.squeeze(self.squeezed + 1)


def write_map(folder: Path, name: str, values: NDArray[np.float32], grid: Grid) -> Path:
    """Write (K, *case spatial) as ``name`` in a folder that is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}{grid.suffix}"
    # of a picture, only a case says which axis counts the classes
    write_case(path, Case(name, values, grid.geometry))
    return path


def write_mask(folder: Path, name: str, mask: Bools, grid: Grid) -> Path:
    """Write (*S) as 0 and 1; of a picture as 0 and 255 in PNG, too, which any viewer shows."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}{grid.suffix}"
    write_array(path, mask.reshape(grid.shape).astype(np.uint8), grid.geometry)
    if grid.affine is None and len(grid.shape) == 2:
        write_array(folder / f"{name}.png", mask[None].astype(np.uint8) * 255, None)
    return path


def sizes(files: Iterable[Path]) -> dict[str, int]:
    """Bytes by name, by which `intact` knows them again."""
    return {path.name: path.stat().st_size for path in files}


def intact(folder: Path, told: Mapping[str, int] | None) -> bool:
    """Whether files are there that have the sizes that were told; False where none were told."""
    if told is None:
        return False
    return all((folder / name).is_file() and (folder / name).stat().st_size == n for name, n in told.items())

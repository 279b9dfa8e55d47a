"""Displacement fields as files that ANTs, ITK, SimpleITK and 3D Slicer apply, and back."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from voxplain.case import Geometry
from voxplain.case.atomic import whole
from voxplain.errors import GeometryError, InputError

Floats = npt.NDArray[np.floating]

# NIfTI's code for "a vector at each voxel", which ITK takes as it is; 1006 (displacement vector) it would turn from RAS
_VECTOR = 1007
_TO_LPS = np.array([-1.0, -1.0, 1.0])


def write_displacement(path: str | os.PathLike[str], displacement: Floats, geometry: Geometry) -> None:
    """Write a displacement as ITK's transforms have it: a vector in LPS millimetres at every voxel, intent 1007.

    ITK looks an image up as `warp` does: what is seen at point p comes from p + u(p). So the field that an image is warped
    with, given to ``antsApplyTransforms -t`` or as ``SimpleITK.DisplacementFieldTransform``, warps it the same way. A slice
    is written as a volume of one slice, so that its plane in space is kept. ITK in three dimensions takes it as it is;
    SimpleITK drops the single axis, and ``JoinSeries`` followed by ``CopyInformation`` of the image bring it back.

    Args:
        path: ``.nii.gz`` or ``.nii``.
        displacement: (D, *S) in voxels of the grid; finite.
        geometry: the grid.

    Raises:
        InputError: another suffix, values that are not finite.
        GeometryError: an array that is not on the grid.
        StorageError: a place that cannot be written to.
    """
    import nibabel as nib

    file = Path(path)
    if not file.name.endswith((".nii", ".nii.gz")):
        raise InputError(f"{file}: a displacement field is written as .nii.gz or .nii")
    if displacement.shape != (geometry.ndim, *geometry.shape):
        raise GeometryError(
            f"{file}: found a displacement {displacement.shape}, expected {(geometry.ndim, *geometry.shape)}: one "
            "component per axis of the grid"
        )
    if not np.isfinite(displacement).all():
        raise InputError(f"{file}: the displacement has values that are not finite")
    vectors = np.moveaxis(_to_lps(displacement, geometry), 0, -1)
    grid = geometry.shape if geometry.ndim == 3 else (*geometry.shape, 1)
    image = nib.Nifti1Image(vectors.reshape(*grid, 1, 3).astype(np.float32), geometry.affine)
    image.header.set_intent(_VECTOR, allow_unknown=True)
    image.header.set_xyzt_units("mm", "sec")
    image.set_sform(geometry.affine, code="scanner")
    # a quaternion cannot hold shear, and readers that prefer it would be misled
    sheared = Geometry(geometry.affine, grid).is_sheared
    image.set_qform(None if sheared else geometry.affine, code="unknown" if sheared else "scanner")
    with whole(file) as temporary:
        nib.save(image, temporary)


def read_displacement(path: str | os.PathLike[str]) -> tuple[npt.NDArray[np.float32], Geometry]:
    """Read what `write_displacement`, ANTs or SimpleITK have written.

    Args:
        path: vectors in LPS mm, (X, Y, Z, 1, 3), intent 1007.

    Returns:
        (D, *S) in voxels of the file's grid, and that grid: 2-D where the file has one slice.

    Raises:
        InputError: a file that is none, or holds something else.
        GeometryError: an impossible affine, or vectors that leave the plane of a slice.
    """
    import nibabel as nib

    file = Path(path)
    try:
        image = nib.load(file, mmap=False)
        vectors = np.asarray(image.dataobj, np.float64)
    except (OSError, ValueError, EOFError, nib.filebasedimages.ImageFileError) as error:
        raise InputError(f"{file}: cannot be read as NIfTI: {' '.join(str(error).split())}") from None
    code = int(image.header["intent_code"]) if "intent_code" in image.header else 0
    if vectors.ndim != 5 or vectors.shape[3:] != (1, 3) or code != _VECTOR:
        raise InputError(
            f"{file}: found the shape {vectors.shape} with intent {code}, expected vectors (X, Y, Z, 1, 3) with intent "
            f"{_VECTOR}"
        )
    grid = vectors.shape[:3]
    geometry = Geometry(np.array(image.affine, np.float64), grid[:2] if grid[2] == 1 else grid)
    return _from_lps(np.moveaxis(vectors[..., 0, :], -1, 0), geometry, file), geometry


def _to_lps(displacement: Floats, geometry: Geometry) -> npt.NDArray[np.float64]:
    """(D, *S) voxels to (3, *S) millimetres."""
    axes = _TO_LPS[:, None] * geometry.affine[:3, : geometry.ndim]
    return np.asarray(np.tensordot(axes, displacement.astype(np.float64), axes=1))


def _from_lps(vectors: npt.NDArray[np.float64], geometry: Geometry, file: Path) -> npt.NDArray[np.float32]:
    """(3, X, Y, Z) millimetres to (D, *S) voxels."""
    voxels = np.tensordot(
        np.linalg.inv(geometry.affine[:3, :3]), _TO_LPS.reshape(3, 1, 1, 1) * vectors, axes=1
    )
    if geometry.ndim == 2:
        if np.abs(voxels[2]).max() > 1e-3:
            raise GeometryError(
                f"{file}: has one slice, but its vectors leave the plane; expected a field within it"
            )
        voxels = voxels[:2, ..., 0]
    return np.ascontiguousarray(voxels, np.float32)

"""The preparation's steps, as MONAI transforms on an image that carries its affine.

Everything runs with three spatial axes: a picture is a volume of one slice, whose plane keeps its place in space.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from voxplain.errors import InputError, ModelError
from voxplain.model.intensity import background, rescale
from voxplain.model.prepared import Prepared

if TYPE_CHECKING:
    from voxplain.case import Case
    from voxplain.model.preparation import Preparation

_LARGEST = 2**31  # voxels of a prepared grid; a typing error in the spacing easily asks for more


def prepare(steps: Preparation, case: Case) -> Prepared:
    """See `Preparation.__call__`."""
    dims = steps.dims or case.spatial_dims
    flat = _flat_axis(case, dims)
    if steps.transforms is not None:
        from voxplain.model.custom import run

        image, to_case = run(steps.transforms, case, flat)
        return _finish(case, image, to_case, 2 if flat is not None else None)
    affine = case.geometry.affine if case.geometry is not None else np.eye(4)
    image = _volume(case, affine)
    image = _reorient(steps, case, image, flat)
    flat = _follow(flat, affine, image)
    image = _regrid(steps, case, image, flat)
    image = rescale(image, steps.scale, steps.percentiles, case.id)
    image = _frame(steps, case.id, image, flat)
    to_case = np.linalg.solve(affine, np.asarray(image.affine.cpu().numpy(), dtype=np.float64))
    values = image.as_tensor()
    return _finish(case, values if flat is None else values.squeeze(flat + 1), to_case, flat)


def _finish(case: Case, image: torch.Tensor, to_case: np.ndarray, flat: int | None) -> Prepared:
    from voxplain.case import Geometry

    image = image.to(torch.float32).contiguous()
    geometry = None
    if case.geometry is not None:
        affine = case.geometry.affine @ to_case
        if flat is not None:
            affine = affine[:, [*(a for a in range(3) if a != flat), flat, 3]]
        geometry = Geometry(affine, tuple(image.shape[1:]))
    return Prepared(case, image, geometry, to_case, flat)


def _flat_axis(case: Case, dims: int) -> int | None:
    """The axis of length 1 that a 2-D network does not see.

    Raises:
        ModelError: the case's dimensions do not fit the network's.
    """
    shape = tuple(case.spatial_shape)
    if dims == 3:
        if case.spatial_dims == 3:
            return None
        raise ModelError(
            f"case {case.id}: a 2-D image {shape}, but the network takes 3-D volumes; "
            "give a volume, or a 2-D network"
        )
    if case.spatial_dims == 2:
        return 2
    single = [axis for axis, n in enumerate(shape) if n == 1]
    if not single:
        raise ModelError(
            f"case {case.id}: a volume {shape}, but the network takes 2-D images; "
            "give one slice of it (--slice k=40, take_slice(case, 2, 40)), or a 3-D network"
        )
    return single[-1]


def _volume(case: Case, affine: np.ndarray) -> Any:
    from monai.data import MetaTensor

    values = torch.from_numpy(np.array(case.image, dtype=np.float32, order="C"))
    values = values.reshape(*values.shape, *([1] * (4 - values.ndim)))
    return MetaTensor(values, affine=torch.from_numpy(np.array(affine, dtype=np.float64)))


def _reorient(steps: Preparation, case: Case, image: Any, flat: int | None) -> Any:
    if steps.orientation is None:
        return image
    from monai.transforms import Orientation

    if case.geometry is None:
        raise InputError(
            f"orientation: asked for {steps.orientation}, but case {case.id} has no geometry (a picture or a bare "
            "array); leave orientation out, or give a NIfTI or DICOM file"
        )
    codes = steps.orientation
    if len(codes) == 2:
        if flat is None:
            raise InputError(
                f"orientation: found {codes!r} for a volume, expected three letters such as 'RAS'"
            )
        codes += next(b for a, b in zip("LPI", "RAS", strict=True) if a not in codes and b not in codes)
    turned = Orientation(axcodes=codes, labels=(("L", "R"), ("P", "A"), ("I", "S")))(image)
    if len(steps.orientation) == 2 and _follow(flat, case.geometry.affine, turned) != 2:
        raise InputError(
            f"orientation: asked for {steps.orientation!r}, but the slice of case {case.id} lies in another plane; "
            "give three letters"
        )
    return turned


def _follow(flat: int | None, affine: np.ndarray, image: Any) -> int | None:
    """Where the flat axis is after the axes were permuted."""
    if flat is None:
        return None
    moved = np.linalg.solve(affine, image.affine.cpu().numpy())
    return int(np.argmax(np.abs(moved[flat, :3])))


def _regrid(steps: Preparation, case: Case, image: Any, flat: int | None) -> Any:
    if steps.spacing is not None:
        from monai.transforms import Spacing

        if case.geometry is None:
            raise InputError(
                f"spacing: asked for {steps.spacing} mm, but case {case.id} has no geometry (a picture or a bare "
                "array); use size=… in voxels, or give a NIfTI or DICOM file"
            )
        old = np.linalg.norm(image.affine.cpu().numpy()[:3, :3], axis=0)
        new = _per_axis("spacing", steps.spacing, flat, old)
        voxels = float(np.prod((np.array(image.shape[1:]) - 1) * old / new + 1))
        if voxels * len(image) > _LARGEST:
            raise InputError(
                f"spacing: {steps.spacing} mm would make {voxels:.3g} voxels of case {case.id}; use more mm"
            )
        return Spacing(tuple(new), mode="bilinear", padding_mode="border", dtype=np.float32)(image)
    if steps.size is not None:
        from monai.transforms import Resize

        if (
            isinstance(steps.size, tuple)
            and len(steps.size) == 3
            and case.spatial_dims == 2
            and case.geometry is None
        ):
            raise InputError(
                f"size: found {steps.size} for {case.id}, which is 2-D; expected one or two numbers"
            )
        new = _per_axis("size", steps.size, flat, np.ones(3))
        return Resize(tuple(int(n) for n in new), mode="trilinear", align_corners=False)(image)
    return image


def _per_axis(
    field: str, given: float | tuple[float, ...], flat: int | None, flat_values: np.ndarray
) -> np.ndarray:
    """One number per axis of the volume; the flat axis keeps its own."""
    axes = [a for a in range(3) if a != flat]
    numbers = given if isinstance(given, tuple) else (given,) * len(axes)
    if len(numbers) == 3 and flat is not None:
        numbers = tuple(numbers[a] for a in axes)
    if len(numbers) != len(axes):
        raise InputError(f"{field}: found {len(numbers)} numbers {given}, expected one or {len(axes)}")
    out = np.array(flat_values, dtype=float)
    out[axes] = numbers
    return out


def _check_background(image: Any, empty: Any) -> None:
    """Warn where most of the image's outer faces have one value that is not what the crop takes for background.

    A resampled scan often has a few values below its background: then all of it is foreground, and is scaled as such.
    """
    for channel, own in zip(image.cpu().numpy(), empty.flatten().tolist(), strict=True):
        faces = [channel.take(at, axis) for axis, n in enumerate(channel.shape) if n > 1 for at in (0, -1)]
        values, counts = np.unique(np.concatenate([face.flatten() for face in faces]), return_counts=True)
        most, share = float(values[counts.argmax()]), float(counts.max() / counts.sum())
        if share > 0.5 and most != own:
            warnings.warn(
                f"crop: {share:.0%} of the image's outer voxels are {most:g}, but the lowest value, which is taken for "
                f"background, is {own:g} (after scaling); set what lies below the background to it, or leave crop out",
                stacklevel=2,
            )


def _frame(steps: Preparation, case: str, image: Any, flat: int | None) -> Any:
    """Crop to the foreground, and pad."""
    from monai.transforms import CropForeground, DivisiblePad

    empty = background(image, steps.scale)
    if steps.crop == "foreground":
        if not bool((image != empty).any()):
            raise InputError(
                f"crop: the image of case {case} is constant, so it has no foreground; leave the image or crop out"
            )
        _check_background(image, empty)
        image = CropForeground(
            select_fn=lambda x: x != empty.to(x), margin=steps.margin, allow_smaller=True, mode="constant"
        )(image)
    if steps.divisible is not None:
        sizes = [1 if axis == flat else steps.divisible for axis in range(3)]
        # one value for all channels is all that padding takes; the lowest is background in every channel
        image = DivisiblePad(sizes, mode="constant", value=float(empty.min()))(image)
    return image

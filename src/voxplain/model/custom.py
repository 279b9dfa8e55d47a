"""A MONAI dictionary transform, from a bundle or the user, instead of our own steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from voxplain.errors import InputError, VoxplainError
from voxplain.model.checks import first_line

if TYPE_CHECKING:
    from voxplain.case import Case

KEY = "image"


def run(
    transforms: Callable[[dict[str, Any]], dict[str, Any]], case: Case, flat: int | None
) -> tuple[torch.Tensor, np.ndarray]:
    """The transformed image (C, *S), and the matrix from its voxels to the case's, both with three axes.

    Args:
        transforms: takes and returns a mapping with the key ``"image"``, (C, *spatial) with its affine; its ``meta`` says
            whether the case ``has_geometry``, and ``flat``.
        case: what is prepared.
        flat: the case's axis of length 1 that a 2-D network does not see; the image then has two axes.

    Raises:
        InputError: the transform fails, or loses track of where the voxels lie.
    """
    from monai.data import MetaTensor

    axes = [a for a in range(3) if a != flat]
    values = torch.from_numpy(np.array(case.image, dtype=np.float32, order="C"))
    if flat is not None and case.spatial_dims == 3:
        values = values.squeeze(flat + 1)
    before = _affine(case, axes)
    facts = {"has_geometry": case.geometry is not None, "flat": flat}
    image = MetaTensor(values, affine=torch.from_numpy(before), meta=facts)
    try:
        out = transforms({KEY: image})[KEY]
    except VoxplainError as error:
        raise type(error)(f"case {case.id}: {error}") from error
    except Exception as error:
        cause = error.__cause__ or error
        raise InputError(
            f"transforms: failed on case {case.id} {tuple(values.shape)}: {first_line(cause)}"
        ) from error
    after = _affine_after(out, before, tuple(values.shape), case.id)
    result = torch.as_tensor(out.as_tensor() if isinstance(out, MetaTensor) else out).to(torch.float32)
    if result.ndim != len(axes) + 1:
        raise InputError(
            f"transforms: gave {tuple(result.shape)}, expected (C, *S) with {len(axes)} spatial axes"
        )
    if not bool(torch.isfinite(result).all()):
        raise InputError(
            f"transforms: made NaN or infinite values of case {case.id}; a constant image is one cause"
        )
    return result, _lift(np.linalg.solve(before, after), axes)


def _affine(case: Case, axes: list[int]) -> np.ndarray:
    """What MONAI is told: for a plane, its two in-plane world axes if it is axial, else its spacing alone."""
    if case.geometry is None:
        return np.eye(len(axes) + 1)
    full = np.asarray(case.geometry.affine, dtype=np.float64)
    if len(axes) == 3:
        return full.copy()
    plane = full[:3, axes]
    spacing = np.linalg.norm(plane, axis=0)
    out = np.eye(3)
    if abs(np.linalg.det(plane[:2])) > 0.5 * spacing.prod():
        out[:2, :2], out[:2, 2] = plane[:2], full[:2, 3]
    else:
        out[:2, :2] = np.diag(spacing)
    return out


def _affine_after(out: Any, before: np.ndarray, shape: tuple[int, ...], case: str) -> np.ndarray:
    from monai.data import MetaTensor
    from monai.data.utils import to_affine_nd

    if isinstance(out, MetaTensor):
        return np.asarray(to_affine_nd(len(before) - 1, out.affine.cpu().numpy()), dtype=np.float64)
    if tuple(out.shape) == shape:
        return before
    raise InputError(
        f"transforms: case {case} went from {shape} to {tuple(out.shape)} without an affine, so maps cannot be "
        "brought back; use transforms that keep MONAI's MetaTensor"
    )


def _lift(matrix: np.ndarray, axes: list[int]) -> np.ndarray:
    """A matrix between planes as one between volumes: (S0, S1, 1) -> the case's axes."""
    if len(axes) == 3:
        return matrix
    flat = next(a for a in range(3) if a not in axes)
    out = np.zeros((4, 4))
    out[np.ix_([*axes, 3], [0, 1, 3])] = matrix
    out[flat, 2] = 1
    return out

"""Voxels taken out and filled in from their neighbours, so that the hole itself tells the network little (ROAD)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse.linalg import LinearOperator, cg

Volume = NDArray[np.float64]
TOLERANCE = 1e-6  # of the residual, far below the noise that is added to an in-fill
ITERATIONS = 5000


def neighbour_weights(spacing: Sequence[float]) -> Volume:
    """Weights of the 8 or 26 neighbours, (3,) * dims: the inverse of the squared distance; they sum to one.

    On square pixels these are the published 1/6 (shared edge) and 1/12 (shared corner).

    >>> neighbour_weights((1, 1)) * 12
    array([[1., 2., 1.],
           [2., 0., 2.],
           [1., 2., 1.]])
    """
    out = np.zeros((3,) * len(spacing))
    for offset in product((-1, 0, 1), repeat=len(spacing)):
        if any(offset):
            squared = sum((o * s) ** 2 for o, s in zip(offset, spacing, strict=True))
            out[tuple(o + 1 for o in offset)] = 1 / squared
    return np.asarray(out / out.sum())


def neighbour_mean(image: Volume, spacing: Sequence[float]) -> Volume:
    """(*S) the weighted mean of each voxel's neighbours inside the image: its in-fill where it alone is missing."""
    weights = neighbour_weights(spacing)
    return np.asarray(_around(image, weights) / _around(np.ones_like(image), weights))


def filled(image: Volume, missing: NDArray[np.bool_], spacing: Sequence[float]) -> Volume:
    """Missing voxels replaced by the solution of "each one is the weighted mean of its neighbours".

    Voxel v with neighbours u inside the image: ``Σ_u w(u − v) (x(v) − x(u)) = 0``, where known voxels keep their
    value. The system is symmetric and, with one known voxel at least, positive definite: conjugate gradients solve
    it without a matrix, in the memory of a few images. (Rong et al. 2022, arXiv:2202.00449, in 2-D.)

    Args:
        image: (*S).
        missing: (*S).

    Returns:
        (*S); the image's mean everywhere where nothing is known.
    """
    if not missing.any():
        return image.copy()
    if missing.all():
        return np.full_like(image, image.mean())
    out = image.copy()
    box = _with_neighbours(missing)
    out[box] = _solved(image[box], missing[box], neighbour_weights(spacing))
    return out


def _solved(image: Volume, missing: NDArray[np.bool_], weights: Volume) -> Volume:
    degree = _around(np.ones_like(image), weights)[missing]
    # about the mean of what is known, so that the tolerance does not depend on the unit's zero
    middle = image[~missing].mean()
    known = np.where(missing, 0.0, image - middle)
    full = np.zeros_like(image)

    def apply(x: Volume) -> Volume:
        full[missing] = x.ravel()
        return np.asarray(degree * x.ravel() - _around(full, weights)[missing])

    size = len(degree)
    right = _around(known, weights)[missing]
    scaled = LinearOperator((size, size), matvec=lambda x: x.ravel() / degree, dtype=np.float64)
    system = LinearOperator((size, size), matvec=apply, dtype=np.float64)
    solution, unfinished = cg(system, right, rtol=TOLERANCE, maxiter=ITERATIONS, M=scaled)
    if unfinished:
        warnings.warn(
            f"an in-fill of {size} voxels has not converged in {ITERATIONS} iterations", stacklevel=2
        )
    out = image.copy()
    out[missing] = solution + middle
    return out


def _with_neighbours(missing: NDArray[np.bool_]) -> tuple[slice, ...]:
    """The box of the missing voxels and their neighbours."""
    (box,) = ndimage.find_objects(missing.astype(np.uint8))
    return tuple(slice(max(s.start - 1, 0), s.stop + 1) for s in box)


def _around(image: Volume, weights: Volume) -> Volume:
    return np.asarray(ndimage.correlate(image, weights, mode="constant"))

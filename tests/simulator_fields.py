"""Fields with known answers, in double precision."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import zoom


def offsets(shape, dtype=torch.float64):
    """(1, D, *S) voxels from the grid's centre."""
    axes = [torch.arange(n, dtype=dtype) - (n - 1) / 2 for n in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))[None]


def linear(matrix, shape):
    """(1, D, *S): v(x) = A x about the centre."""
    return torch.einsum(
        "ab,nb...->na...", torch.as_tensor(np.asarray(matrix), dtype=torch.float64), offsets(shape)
    )


def rough(dims, *, edge=33, nodes=5, amplitude=2.0, seed=0):
    """(1, D, *S) a random field that is smooth over a fifth of the image, of this standard deviation at its nodes."""
    rng = np.random.default_rng(seed)
    knots = amplitude * rng.normal(size=(dims, *[nodes] * dims))
    return torch.from_numpy(np.stack([zoom(k, edge / nodes, order=3) for k in knots]))[None]


def interior(array, margin):
    """Without what lies within a margin of the border."""
    inner = (slice(margin, -margin),) * (array.ndim - 2)
    return array[(..., *inner)]

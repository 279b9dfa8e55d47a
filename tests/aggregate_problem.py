"""A small segmentation problem with uneven voxels, and distances found one by one."""

from __future__ import annotations

import numpy as np
import torch
from networks import random_case, smooth_segmenter

from voxplain.case import Case, Geometry
from voxplain.engine import Problem
from voxplain.model import Model, Windows
from voxplain.target import AllClasses

SPACING = (1.5, 1.0, 2.5)


def problem(targets=None, shape=(7, 8, 5), **kwargs):
    case = random_case(shape)
    geometry = Geometry(np.diag([*SPACING, 1.0]), shape) if len(shape) == 3 else None
    model = Model(smooth_segmenter(len(shape)).double(), spatial_dims=len(shape), windows=Windows())
    asked = AllClasses(background=True) if targets is None else targets
    own = Case(case.id, case.image, geometry)
    return Problem(model, own, asked, dtype=torch.float64, **kwargs)


def brute(mask, spacing):
    """Distance of every voxel to the nearest one of the mask, one by one."""
    inside = np.argwhere(mask) * np.array(spacing)
    everywhere = np.argwhere(np.ones_like(mask)) * np.array(spacing)
    found = np.array([np.sqrt(((inside - v) ** 2).sum(1)).min() for v in everywhere])
    return found.reshape(mask.shape)


def shell_of(distance, edges):
    """0 inside, then the first shell whose outer edge is not passed; edges belong to the inner shell."""
    if distance == 0:
        return 0
    for k, edge in enumerate(edges):
        if distance <= edge * (1 + 1e-9):
            return k + 1
    return len(edges) + 1

"""The chance level of a localisation metric, as a null: a constant map, which points nowhere.

Since ties count by their average over random orders, it has the mask's share of the image as its mass, rank accuracy,
precision and top-k overlap, an AUROC of one half, and the share of voxels that count as hits in the pointing game.
"""

from __future__ import annotations

import torch
from torch import Tensor

from voxplain.engine import Problem
from voxplain.metric.nulls import NULLS

NAME = "constant"


def _constant(problem: Problem, _: int) -> Tensor:
    return torch.ones((1, *problem.spatial_shape), dtype=problem.dtype)


NULLS.setdefault(NAME, _constant)

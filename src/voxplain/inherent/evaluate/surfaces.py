"""Distances between the surfaces of a mask and of the truth, in millimetres (MONAI).

Conventions: NaN where the truth is empty (there is no surface to miss); infinity where the truth is not empty and the
prediction is, so that a missed lesion is never better than a badly drawn one. Medians bear that, means do not.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from voxplain.errors import InputError
from voxplain.inherent.maps import Bools, Spacing


def hd95(prediction: Bools, truth: Bools, spacing: Spacing | None = None) -> float:
    """The larger of both directions' 95th percentiles of surface distance (Huttenlocher et al., 1993), in mm.

    Args:
        prediction, truth: (*S).
        spacing: mm per voxel; voxels where not known.
    """
    from monai.metrics import compute_hausdorff_distance

    return _measured(compute_hausdorff_distance, prediction, truth, spacing, percentile=95)


def assd(prediction: Bools, truth: Bools, spacing: Spacing | None = None) -> float:
    """The mean distance from each surface voxel of both to the other surface (Heimann et al., 2009), in mm.

    Args:
        prediction, truth: (*S).
        spacing: mm per voxel; voxels where not known.
    """
    from monai.metrics import compute_average_surface_distance

    return _measured(compute_average_surface_distance, prediction, truth, spacing, symmetric=True)


def _measured(
    measure: Callable[..., Any], prediction: Bools, truth: Bools, spacing: Spacing | None, **options: Any
) -> float:
    import torch

    if prediction.shape != truth.shape:
        raise InputError(f"prediction: found shape {prediction.shape}, expected the truth's {truth.shape}")
    if not truth.any():
        return float("nan")
    if not prediction.any():
        return float("inf")
    pair = [torch.from_numpy(np.ascontiguousarray(m))[None, None] for m in (prediction, truth)]
    given = None if spacing is None else list(spacing)
    with warnings.catch_warnings():  # MONAI warns of its own argument
        warnings.simplefilter("ignore", FutureWarning)
        return float(measure(*pair, include_background=True, spacing=given, **options))

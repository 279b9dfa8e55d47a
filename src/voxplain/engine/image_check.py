"""Whether an image can be asked about."""

from __future__ import annotations

import torch
from torch import Tensor

from voxplain.errors import InputError


def require_finite(image: Tensor, case_id: str) -> None:
    """Refuse NaN and infinity, which would spread through the network.

    Raises:
        InputError: says how many voxels.
    """
    bad = int((~torch.isfinite(image)).sum())
    if bad:
        raise InputError(
            f"{case_id}: the prepared image has {bad} NaN or infinite voxels; "
            "read it with fill_nan=0 (--fill-nan 0) or change the preparation"
        )

"""From a stationary velocity field to the displacement after flowing along it."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from voxplain.errors import InputError
from voxplain.simulator.field.warp import require_field

STEPS = 7


def exponential(velocity: Tensor, dose: float | Tensor = 1.0, *, steps: int = STEPS) -> Tensor:
    """Displacement of exp(dose · v) by scaling and squaring. Arsigny et al. 2006, doi:10.1007/11866565_113.

    The flow of dose a followed by that of dose b is that of a + b; that of -a undoes that of a, up to interpolation.

    Args:
        velocity: (N, D, *S), voxels per unit of dose.
        dose: how long to flow, of any sign; one for all, or one per field (N,).
        steps: squarings; the error of the integration halves with each, then interpolation is what limits.

    Returns:
        (N, D, *S) in voxels: p flows to p + u(p). Differentiable with respect to velocity and dose.

    Raises:
        InputError: a field of the wrong shape, no steps.

    >>> still = torch.zeros(1, 2, 8, 8)
    >>> still[:, 0] = 0.5
    >>> exponential(still, 2.0)[0, :, 4, 4].tolist()
    [1.0, 0.0]
    """
    require_field(velocity, "velocity")
    if steps < 1:
        raise InputError(f"steps: found {steps!r}, expected a whole number of at least 1")
    from monai.networks.blocks import DVF2DDF

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that torch's own sampling is used
        # MONAI's default is zero padding: the flow would stop at the border
        integrate = DVF2DDF(num_steps=steps, padding_mode="border")
    displacement: Tensor = integrate(velocity * per_field(dose, velocity))
    return displacement


def per_field(dose: float | Tensor, field: Tensor) -> Tensor:
    """A dose per field, shaped so that it multiplies (N, ...).

    Raises:
        InputError: neither one dose nor one per field.
    """
    doses = torch.as_tensor(dose, dtype=field.dtype, device=field.device)
    if doses.ndim > 1 or doses.numel() not in (1, len(field)):
        raise InputError(
            f"dose: found the shape {tuple(doses.shape)}, expected one number or {len(field)} of them"
        )
    return doses.reshape(-1, *[1] * (field.ndim - 1))

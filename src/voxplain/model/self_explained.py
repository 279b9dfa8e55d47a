"""Networks that explain themselves: what their own ``explain`` says about an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from voxplain.errors import ModelError
from voxplain.model import checks

if TYPE_CHECKING:
    from voxplain.model.model import Model


def explains_itself(model: Model) -> bool:
    """Whether the module has a method ``explain``, as `voxplain.inherent.EvidenceClassifier` has."""
    return callable(getattr(model.module, "explain", None))


def contribution(model: Model, x: Tensor) -> Tensor:
    """What each place of the image adds to each raw output, by the network's own account.

    Args:
        model: a classifier whose ``explain(x)`` answers something with a ``contribution`` (N, K, *spatial).
        x: (N, C, *spatial), on the model's device.

    Returns:
        (N, K, *spatial), float32, or double where x is double.

    Raises:
        ModelError: no ``explain``, one that fails, or one that answers something else.
    """
    if not explains_itself(model):
        raise ModelError(f"{model.name} has no explain(x)")
    checks.input_shape(model, x)
    parameter = next((p for p in model.module.parameters() if p.is_floating_point()), None)
    given = x.to(x.dtype if parameter is None else parameter.dtype, copy=True)
    explain: Any = model.module.explain
    mixed = model.precision == "bf16" and x.dtype != torch.float64
    try:
        with torch.autocast(model.device.type, torch.bfloat16, enabled=mixed):
            answer = explain(given)
    except Exception as error:
        if checks.out_of_memory(error):
            raise
        raise checks.PassError(
            f"{model.name}: its explain(x) failed on an input of shape {tuple(x.shape)}: {checks.first_line(error)}"
        ) from error
    found = getattr(answer, "contribution", None)
    expected = (len(x), model.channels_out, *x.shape[2:])
    if not isinstance(found, Tensor) or tuple(found.shape) != expected:
        shown = tuple(found.shape) if isinstance(found, Tensor) else f"none in {type(answer).__name__}"
        raise ModelError(f"{model.name}: the contribution of its explain(x) is {shown}, expected {expected}")
    checks.finite(found, x, f"{model.name}.explain")
    return found.detach().to(torch.float64 if x.dtype == torch.float64 else torch.float32)

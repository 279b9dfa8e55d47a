"""BatchNorm in evaluation is a fixed scale and shift: part of the weights of the operation before it."""

from __future__ import annotations

import torch
from torch import Tensor

from voxplain.attribution.backprop.call import Call
from voxplain.attribution.backprop.relevance_map import LinearMap


def merged(before: LinearMap, call: Call) -> LinearMap | None:
    """The operation with ``W γ/√(v + e)`` and ``(b − m) γ/√(v + e) + β``; ``None`` where statistics are the input's own.

    Args:
        before: a convolution, transposed convolution or dense layer.
        call: ``batch_norm`` of its output.
    """
    mean, variance = call.argument(1, "running_mean"), call.argument(2, "running_var")
    if call.argument(5, "training", False) or mean is None or variance is None:
        return None
    gain, shift = call.argument(3, "weight"), call.argument(4, "bias")
    scale = torch.rsqrt(variance + call.argument(7, "eps", 1e-5))
    scale = (scale if gain is None else scale * gain).detach()
    bias = (-mean if before.bias is None else before.bias - mean) * scale
    bias = bias if shift is None else bias + shift
    weight = before.weight * _per_output(before, scale)
    return LinearMap(before.call, weight, bias.detach(), before.padding)


def _per_output(before: LinearMap, scale: Tensor) -> Tensor:
    """A factor (K,) of every output channel in the shape of the weights."""
    weight = before.weight
    if not before.call.name.startswith("conv_transpose"):
        return scale.reshape(-1, *(1,) * (weight.dim() - 1))
    # (inputs, K / groups, ...): the inputs of a group serve that group's outputs
    groups = before.call.argument(6, "groups", 1)
    rows = scale.reshape(groups, 1, -1).expand(groups, weight.shape[0] // groups, -1)
    return rows.reshape(weight.shape[0], -1, *(1,) * (weight.dim() - 2))

"""Composite operations written as elementary ones, for rules that know only the elementary ones.

Each function gives the call's own value; run inside `Rules.again` its steps are seen one by one.
"""

from __future__ import annotations

import inspect
import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from voxplain.attribution.backprop.call import Call
from voxplain.errors import ModelError


def norm(call: Call) -> Tensor:
    """Instance-, Group- and LayerNorm: centre, divide by the root of the mean square, scale and shift."""
    x = call.inputs[0]
    if is_fixed(call):
        mean, variance, weight, bias, eps = (call.argument(*a) for a in _FIXED)
        return F.batch_norm(x, mean, variance, weight, bias, False, 0.0, 1e-5 if eps is None else eps)
    if call.name == "layer_norm":
        shape = tuple(call.argument(1, "normalized_shape"))
        axes = tuple(range(x.dim() - len(shape), x.dim()))
        scaled = _standardised(x, axes, call.argument(4, "eps", 1e-5))
        return _affine(scaled, call.argument(2, "weight"), call.argument(3, "bias"))
    if call.name == "group_norm":
        groups, eps = call.argument(1, "num_groups"), call.argument(4, "eps", 1e-5)
        grouped = x.reshape(x.shape[0], groups, -1)
        scaled = _standardised(grouped, (2,), eps).reshape(x.shape)
        weight, bias = call.argument(2, "weight"), call.argument(3, "bias")
    else:
        scaled = _standardised(x, tuple(range(2, x.dim())), call.argument(7, "eps", 1e-5))
        weight, bias = call.argument(3, "weight"), call.argument(4, "bias")
    shape = (1, -1, *(1,) * (x.dim() - 2))
    return _affine(scaled, *(None if p is None else p.reshape(shape) for p in (weight, bias)))


# of `torch.nn.functional.instance_norm`
_FIXED = ((1, "running_mean"), (2, "running_var"), (3, "weight"), (4, "bias"), (7, "eps"))


def is_fixed(call: Call) -> bool:
    """Whether an InstanceNorm uses the statistics that it learnt, and not those of its input: it is linear then."""
    return call.name == "instance_norm" and call.argument(5, "use_input_stats", True) is False


def is_of_the_batch(call: Call) -> bool:
    """Whether a BatchNorm uses the statistics of its input, and not those that it learnt: it is not linear then."""
    if call.name != "batch_norm":
        return False
    learnt = call.argument(1, "running_mean")
    return learnt is None or bool(call.argument(5, "training", False))


def _standardised(x: Tensor, axes: tuple[int, ...], eps: float) -> Tensor:
    centred = x - x.mean(axes, keepdim=True)
    variance = (centred * centred).mean(axes, keepdim=True)
    return centred * torch.rsqrt(variance + eps)


def _affine(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    if weight is not None:
        x = x * weight
    return x if bias is None else x + bias


def softmax(call: Call) -> Tensor:
    """``exp(x − c) · 1 / Σ exp(x − c)`` with the constant ``c`` that keeps it finite."""
    x, axis = call.inputs[0], call.argument(1, "dim")
    exponentials = torch.exp(x - x.detach().amax(axis, keepdim=True))
    return exponentials * torch.reciprocal(exponentials.sum(axis, keepdim=True))


def attention(call: Call) -> Tensor:
    """``softmax(q kᵀ / √d + mask) v``, without dropout."""
    bound = _bound(
        call, ("query", "key", "value", "attn_mask", "dropout_p", "is_causal", "scale", "enable_gqa")
    )
    q, k, v, mask = (bound.get(n) for n in ("query", "key", "value", "attn_mask"))
    assert q is not None and k is not None and v is not None
    scale = bound.get("scale") or 1 / math.sqrt(q.shape[-1])
    weights = torch.matmul(q * scale, k.transpose(-2, -1))
    if bound.get("is_causal"):
        mask = torch.ones(weights.shape[-2:], dtype=torch.bool, device=q.device).tril()
    if mask is not None:
        weights = weights.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else weights + mask
    return torch.matmul(F.softmax(weights, dim=-1), v)


def multihead(call: Call) -> tuple[Tensor, None]:
    """``multi_head_attention_forward`` with projections that are parameters; the weights are not returned."""
    bound = inspect.signature(F.multi_head_attention_forward).bind(*call.args, **call.kwargs)
    bound.apply_defaults()
    a: dict[str, Any] = bound.arguments
    if any(a[n] is not None for n in ("bias_k", "bias_v", "static_k", "static_v")) or a["add_zero_attn"]:
        raise ModelError("multi-head attention with extra keys or values: no rule for it")
    query, heads = a["query"], a["num_heads"]
    batched = query.dim() == 3
    q, k, v = (t if batched else t.unsqueeze(1) for t in (query, a["key"], a["value"]))
    width = q.shape[-1]
    if a["use_separate_proj_weight"]:
        matrices = [a["q_proj_weight"], a["k_proj_weight"], a["v_proj_weight"]]
    else:
        matrices = list(a["in_proj_weight"].split(width))
    offsets = [None] * 3 if a["in_proj_bias"] is None else list(a["in_proj_bias"].split(width))
    # samples first, as everywhere else, which is where rules that keep books look for them
    queries, keys, values = (
        F.linear(t.transpose(0, 1), m, b).reshape(t.shape[1], t.shape[0], heads, -1).transpose(1, 2)
        for t, m, b in zip((q, k, v), matrices, offsets, strict=True)
    )
    out = F.scaled_dot_product_attention(queries, keys, values, attn_mask=_mask(a, q.shape[1], heads))
    joined = out.transpose(1, 2).flatten(2)
    result = F.linear(joined, a["out_proj_weight"], a["out_proj_bias"]).transpose(0, 1)
    return (result if batched else result.squeeze(1)), None


def _mask(a: dict[str, Any], samples: int, heads: int) -> Tensor | None:
    """Attention and padding masks as one that is added."""
    total: Tensor | None = None
    for mask, shape in ((a["attn_mask"], None), (a["key_padding_mask"], (samples, 1, 1, -1))):
        if mask is None:
            continue
        added = (
            torch.zeros(mask.shape, device=mask.device).masked_fill(mask, -math.inf)
            if mask.dtype == torch.bool
            else mask
        )
        if shape is not None:
            added = added.reshape(shape)
        elif added.dim() == 3:
            added = added.reshape(samples, heads, *added.shape[1:])
        total = added if total is None else total + added
    return total


def rewritten(call: Call) -> Tensor:
    """``glu`` as ``a σ(b)``, ``lerp`` as ``a (1 − w) + b w``, ``addcmul`` and ``addcdiv`` as sums, ``var`` as a mean."""
    if call.name in ("var", "std"):
        return _variance(call)
    if call.name == "glu":
        a, b = call.argument(0, "input").chunk(2, call.argument(1, "dim", -1))
        return a * torch.sigmoid(b)  # type: ignore[no-any-return]
    if call.name == "lerp":
        a, b, w = (call.argument(i, name) for i, name in enumerate(("input", "end", "weight")))
        return a * (1 - w) + b * w  # type: ignore[no-any-return]
    x, a, b = (call.argument(i, name) for i, name in enumerate(("input", "tensor1", "tensor2")))
    term = a * b if call.name == "addcmul" else a / b
    value = call.argument(3, "value", 1)
    return x + (term if value == 1 else value * term)  # type: ignore[no-any-return]


def _variance(call: Call) -> Tensor:
    """``Σ (x − mean)² / (n − correction)``, or its root."""
    x, given = call.argument(0, "input"), list(call.args[1:])
    options = dict(call.kwargs)
    if given and isinstance(given[0], bool):
        options["unbiased"] = given.pop(0)
    options.update(zip(("dim", "unbiased", "keepdim"), given, strict=False))
    axes = options.get("dim")
    axes = (axes,) if isinstance(axes, int) else tuple(axes or range(x.dim()))
    less = options.get("correction")
    less = int(options.get("unbiased", True)) if less is None else less
    centred = x - x.mean(axes, keepdim=True)
    squares = (centred * centred).sum(axes, keepdim=bool(options.get("keepdim", False)))
    variance: Tensor = squares / (math.prod(x.shape[a] for a in axes) - less)
    return variance if call.name == "var" else variance.sqrt()


def _bound(call: Call, names: tuple[str, ...]) -> dict[str, Any]:
    return {**dict(zip(names, call.args, strict=False)), **call.kwargs}

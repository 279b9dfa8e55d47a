"""DeepLIFT's multipliers of single operations, from what they do to the image and did to the reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from voxplain.attribution.backprop import multipliers
from voxplain.attribution.backprop.call import Call, Multiplier, vjp

# x · ½ (1 + erf(x / √2)) and x − tanh x: small differences of what is not small.
_CANCELLING = frozenset(("gelu", "tanhshrink"))


@dataclass(frozen=True)
class Run:
    """What an operation got and gave when the image, or its reference, went through the network."""

    name: str
    inputs: tuple[Tensor, ...]
    out: Tensor

    @property
    def shapes(self) -> tuple[object, ...]:
        """What must be the same in both runs."""
        return self.name, *(x.shape for x in self.inputs)


# (call, the image's run, the reference's run) -> what goes back
Rule = Callable[[Call, Run, Run], Multiplier]


def elementwise(call: Call, now: Run, was: Run) -> Multiplier:
    """The rescale rule, ``Δf / Δx``: Shrikumar et al. 2017, section 3.5.2."""
    ends = now.inputs[0], was.inputs[0], now.out, was.out
    if call.name == "relu":
        slope = multipliers.relu_secant(*ends)
    else:
        slope = multipliers.secant(call, *ends, cancels=call.name in _CANCELLING)
    return lambda g: (g * slope,)


def product(call: Call, now: Run, was: Run) -> Multiplier:
    """In halves: each factor's multiplier is the other's mean, which gives both their Shapley values."""
    means = [(a + b) / 2 for a, b in zip(now.inputs, was.inputs, strict=True)]
    kept = call.at(*means)  # the inputs themselves need not be kept
    return lambda g: vjp(kept, means, g)


def is_linear_division(call: Call) -> bool:
    """Whether only the numerator depends on the image."""
    return [place for place, _ in call.places] == [_fraction(call)[0]]


def division(call: Call, now: Run, was: Run) -> Multiplier:
    """See `multipliers.quotient`."""
    top, bottom = _fraction(call)
    ends = [_at(call, place, run) for run in (now, was) for place in (top, bottom)]
    slopes = dict(zip((top, bottom), multipliers.quotient(*ends), strict=True))
    moving = [(slopes[place], x.shape) for (place, _), x in zip(call.places, now.inputs, strict=True)]
    return lambda g: [(g * slope).sum_to_size(shape) for slope, shape in moving]


def _fraction(call: Call) -> tuple[int | str, int | str]:
    """Where numerator and denominator stand; ``__rtruediv__`` has them the other way round."""
    first: int | str = 0 if call.args else "input"
    second: int | str = 1 if len(call.args) > 1 else "other"
    return (first, second) if call.name == "div" else (second, first)


def _at(call: Call, place: int | str, run: Run) -> Tensor:
    """An argument of a run; one that does not depend on the image is the same in both."""
    moving = [where for where, _ in call.places]
    if place in moving:
        return run.inputs[moving.index(place)]
    fixed = call.args[place] if isinstance(place, int) else call.kwargs[place]
    return torch.as_tensor(fixed, dtype=run.out.dtype, device=run.out.device)


def norm(call: Call, now: Run, was: Run) -> Multiplier:
    """Instance-, Group- and LayerNorm as a whole: see `multipliers.back_through_standardisation`."""
    fold = _fold(call)
    means = multipliers.standardised(fold(now.inputs[0]), fold(was.inputs[0]), _epsilon(call))
    weight = _weight(call)

    def back(g: Tensor) -> tuple[Tensor]:
        scaled = fold(g if weight is None else g * weight)
        return (multipliers.back_through_standardisation(scaled, means).reshape(g.shape),)

    return back


def _fold(call: Call) -> Callable[[Tensor], Tensor]:
    """Lays what shares its statistics along the last axis."""
    if call.name == "layer_norm":
        axes = len(tuple(call.argument(1, "normalized_shape")))
        return lambda x: x.flatten(-axes)
    if call.name == "group_norm":
        groups = call.argument(1, "num_groups")
        return lambda x: x.reshape(x.shape[0], groups, -1)
    return lambda x: x.flatten(2)


def _epsilon(call: Call) -> float:
    return float(call.argument(7 if call.name == "instance_norm" else 4, "eps", 1e-5))


def _weight(call: Call) -> Tensor | None:
    weight: Tensor | None = call.argument(3 if call.name == "instance_norm" else 2, "weight")
    if weight is None or call.name == "layer_norm":
        return weight
    return weight.reshape(1, -1, *(1,) * (call.inputs[0].dim() - 2))


def _axis(call: Call) -> int:
    """PyTorch's choice where none was given."""
    axis = call.argument(1, "dim")
    return int(call.inputs[0].dim() not in (0, 1, 3)) if axis is None else int(axis)


def log_softmax(call: Call, now: Run, was: Run) -> Multiplier:
    """``Δx_i − Σ_j w_j Δx_j`` with the weights of `multipliers.log_softmax_weights`."""
    (x,), (other,), axis = now.inputs, was.inputs, _axis(call)
    weights = multipliers.log_softmax_weights(x, other, axis)
    return lambda g: (g - weights * g.sum(axis, keepdim=True),)


def softmax(call: Call, now: Run, was: Run) -> Multiplier:
    """The exponential of the log-softmax: blind to what is added to all inputs, and never larger than one."""
    (x,), (other,), axis = now.inputs, was.inputs, _axis(call)
    weights = multipliers.log_softmax_weights(x, other, axis)
    logs = torch.log_softmax(x, axis), torch.log_softmax(other, axis)
    slope = multipliers.secant(torch.exp, *logs, now.out, was.out)

    def back(g: Tensor) -> tuple[Tensor]:
        scaled = g * slope
        return (scaled - weights * scaled.sum(axis, keepdim=True),)

    return back

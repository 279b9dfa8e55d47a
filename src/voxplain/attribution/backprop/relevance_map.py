"""A weighted operation as a linear map, and what each input contributes to each output."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from voxplain.attribution.backprop.call import Call, Place, vjp

_CONVOLUTIONS = {f"conv{d}d": False for d in (1, 2, 3)} | {f"conv_transpose{d}d": True for d in (1, 2, 3)}


class LinearMap:
    """``x ↦ A(x; W)``: a convolution, dense layer or product with a constant, without its bias, for any weights ``W``.

    Args:
        call: the operation; its only tensor that depends on the image is ``x``.
        weight: its constant factor, which may be another than the call's own (a normalisation merged into it).
        bias: what it adds to every output channel, (K,).
        padding: how its input was padded before, if it was: what was added there is no input.
    """

    def __init__(
        self, call: Call, weight: Tensor, bias: Tensor | None = None, padding: Call | None = None
    ) -> None:
        self.call, self.weight, self.bias, self.padding = call, weight, bias, padding
        self._transposed = _CONVOLUTIONS.get(call.name)

    def __call__(self, x: Tensor, weight: Tensor) -> Tensor:
        """``A(x; weight)``."""
        return self._with(weight)(x)  # type: ignore[no-any-return]

    def adjoint(self, s: Tensor, weight: Tensor, like: Tensor) -> Tensor:
        """``A(·; weight)ᵀ s``, of the shape of the input ``like``."""
        if self.call.name == "linear":
            return s @ weight
        settings = self._settings(like)
        if settings is None:
            return vjp(self._with(weight), (like,), s)[0]
        found: Tensor = torch.ops.aten.convolution_backward(
            s, like, weight, None, *settings, [True, False, False]
        )[0]
        return found

    def inputs(self, x: Tensor) -> Tensor:
        """1 where the input ``x`` is one, 0 where it was padded with a constant."""
        if self.padding is None:
            return torch.ones_like(x)
        zero = torch.zeros_like(self.padding.inputs[0])
        edge = self.padding(zero)
        present: Tensor = self.padding(zero + 1) - edge
        return present

    def offset(self, z: Tensor) -> Tensor | None:
        """The bias, to be added to outputs like ``z``."""
        if self.bias is None or self.call.name == "linear":
            return self.bias
        return self.bias.reshape(-1, *(1,) * (self.weight.dim() - 2))

    def _with(self, weight: Tensor) -> Call:
        function, args, kwargs = self.call.function, list(self.call.args), dict(self.call.kwargs)
        (place,) = self.call.places
        _put(args, kwargs, constants(self.call)[0], weight)
        if self._transposed is not None or self.call.name == "linear":
            if len(args) > 2:
                args[2] = None
            kwargs.pop("bias", None)
        return Call(self.call.name, function, tuple(args), kwargs, (place,))

    def _settings(self, x: Tensor) -> tuple[Any, ...] | None:
        """Stride, padding, dilation, transposed, output padding and groups of a batched convolution."""
        dims = self.weight.dim() - 2
        if self._transposed is None or x.dim() != dims + 2:
            return None
        get = self.call.argument
        stride, padding = get(3, "stride", 1), get(4, "padding", 0)
        if isinstance(padding, str):
            return None
        if self._transposed:
            extra, groups, dilation = get(5, "output_padding", 0), get(6, "groups", 1), get(7, "dilation", 1)
        else:
            extra, dilation, groups = 0, get(5, "dilation", 1), get(6, "groups", 1)
        each = [_per_axis(v, dims) for v in (stride, padding, dilation)]
        return (*each, self._transposed, _per_axis(extra, dims), groups)


class Contributions:
    """The terms ``z_ij = x_i w_ij`` of ``A(x)_j = Σ_i z_ij``, summed over ``i`` and, given ``s_j``, over ``j``.

    Inputs and weights may have either sign: a term is positive where both have the same. Every function costs one
    pass of the operation, two where the input holds negative values.
    """

    def __init__(self, linear: LinearMap, x: Tensor) -> None:
        self.linear, self.x, self.weight = linear, x, linear.weight

    def positive_sum(self) -> Tensor:
        """``Σ_i z_ij⁺``."""
        return self._sum(self._up, self._down)

    def negative_sum(self) -> Tensor:
        """``Σ_i z_ij⁻`` (never positive)."""
        return self._sum(self._down, self._up)

    def magnitude_sum(self) -> Tensor:
        """``Σ_i |z_ij|``."""
        return self.linear(self.x.abs(), self.weight.abs())

    def every(self, s: Tensor) -> Tensor:
        """``Σ_j z_ij s_j``."""
        return self.x * self.linear.adjoint(s, self.weight, self.x)

    def positive(self, s: Tensor) -> Tensor:
        """``Σ_j z_ij⁺ s_j``."""
        return self._back(s, self._up, self._down)

    def negative(self, s: Tensor) -> Tensor:
        """``Σ_j z_ij⁻ s_j``."""
        return self._back(s, self._down, self._up)

    def magnitude(self, s: Tensor) -> Tensor:
        """``Σ_j |z_ij| s_j``."""
        return self.x.abs() * self.linear.adjoint(s, self.weight.abs(), self.x)

    def sum_of(self, weight: Tensor) -> Tensor:
        """``Σ_i w_ij`` for other weights, whatever the input."""
        return self.linear(self._present, weight)

    def back_of(self, weight: Tensor, s: Tensor) -> Tensor:
        """``Σ_j w_ij s_j`` for other weights."""
        return self._present * self.linear.adjoint(s, weight, self.x)

    @cached_property
    def _present(self) -> Tensor:
        return self.linear.inputs(self.x)

    @cached_property
    def _up(self) -> Tensor:
        return self.weight.clamp(min=0)

    @cached_property
    def _down(self) -> Tensor:
        return self.weight.clamp(max=0)

    @cached_property
    def _parts(self) -> tuple[Tensor, Tensor | None]:
        """Positive and negative part of the input; nothing for the latter where there is none."""
        below = self.x.clamp(max=0)
        return self.x.clamp(min=0), below if bool(below.any()) else None

    def _sum(self, with_positive: Tensor, with_negative: Tensor) -> Tensor:
        above, below = self._parts
        total = self.linear(above, with_positive)
        return total if below is None else total + self.linear(below, with_negative)

    def _back(self, s: Tensor, with_positive: Tensor, with_negative: Tensor) -> Tensor:
        above, below = self._parts
        total = above * self.linear.adjoint(s, with_positive, self.x)
        return total if below is None else total + below * self.linear.adjoint(s, with_negative, self.x)


def constants(call: Call) -> list[Place]:
    """Where a call's tensors stand that do not depend on the image."""
    found: list[Place] = []
    held: list[tuple[int | str, Any]] = [*enumerate(call.args), *call.kwargs.items()]
    for key, value in held:
        if isinstance(value, Tensor) and (key, None) not in call.places:
            found.append((key, None))
        elif isinstance(value, (list, tuple)):
            found += [
                (key, i) for i, v in enumerate(value) if isinstance(v, Tensor) and (key, i) not in call.places
            ]
    return found


def constant(call: Call) -> Tensor:
    """The constant factor of a weighted operation: its weight."""
    (key, inner), *_ = constants(call)
    value = call.args[key] if isinstance(key, int) else call.kwargs[key]
    found = value if inner is None else value[inner]
    assert isinstance(found, Tensor)
    return found.detach()


def _put(args: list[Any], kwargs: dict[str, Any], place: Place, tensor: Tensor) -> None:
    key, inner = place
    holder: Any = args if isinstance(key, int) else kwargs
    holder[key] = (
        tensor if inner is None else [tensor if i == inner else v for i, v in enumerate(holder[key])]
    )


def _per_axis(value: Any, dims: int) -> list[int]:
    values = [value] * dims if isinstance(value, int) else list(value)
    return values * dims if len(values) == 1 else values

"""One operation of a forward pass as a function of the tensors that depend on the image."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

# (inputs, output, gradient or relevance of the output) -> the same of every input
Back = Callable[[tuple[Tensor, ...], Tensor, Tensor], Sequence[Tensor | None]]
# what comes back at the output -> the same of every input
Multiplier = Callable[[Tensor], Sequence[Tensor | None]]
# Where a tensor stands: a position or a name, and the position within a list there.
Place = tuple[int | str, int | None]


@dataclass(frozen=True)
class Call:
    """An operation with everything but its dynamic tensors fixed.

    Attributes:
        name: what it is called in `operations`: ``conv``, ``relu``, ``add``, ...
        function: what is called.
        args, kwargs: the arguments.
        places: where the tensors that depend on the image stand.
    """

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    places: tuple[Place, ...]

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The tensors that depend on the image."""
        return tuple(_read(self.args, self.kwargs, place) for place in self.places)

    def __call__(self, *inputs: Tensor) -> Any:
        """The operation with other dynamic tensors, by default its own."""
        call = self.at(*inputs) if inputs else self
        return call.function(*call.args, **call.kwargs)

    def at(self, *inputs: Tensor) -> Call:
        """The call with other dynamic tensors."""
        args, kwargs = list(self.args), dict(self.kwargs)
        for place, tensor in zip(self.places, inputs, strict=True):
            _write(args, kwargs, place, tensor)
        return Call(self.name, self.function, tuple(args), kwargs, self.places)

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """An argument that may have been given by position or by name."""
        return self.args[position] if position < len(self.args) else self.kwargs.get(name, default)

    def replaced(self, **changes: Any) -> Call:
        """The call with arguments changed: ``name=value``, or ``_1=value`` for a position."""
        args, kwargs = list(self.args), dict(self.kwargs)
        for key, value in changes.items():
            if key.startswith("_"):
                args[int(key[1:])] = value
            else:
                kwargs[key] = value
        return Call(self.name, self.function, tuple(args), kwargs, self.places)


class Ruled(torch.autograd.Function):
    """Runs a call forwards as it is, and backwards by a rule."""

    @staticmethod
    def forward(ctx: Any, call: Call, back: Back, *inputs: Tensor) -> Tensor:
        """The call's own output."""
        out = call(*inputs)
        ctx.back = back
        ctx.save_for_backward(*inputs, out)
        assert isinstance(out, Tensor)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        """The rule's answer."""
        *inputs, out = ctx.saved_tensors
        return (None, None, *ctx.back(tuple(inputs), out, grads[0]))


class Multiplied(torch.autograd.Function):
    """Runs a call forwards, and backwards by a function of what comes back alone, made while going forwards.

    Nothing but what that function holds is kept for the way back.
    """

    @staticmethod
    def forward(ctx: Any, make: Callable[..., tuple[Tensor, Multiplier]], *inputs: Tensor) -> Tensor:
        """The call's own output."""
        out, ctx.back = make(*inputs)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        """The rule's answer."""
        return (None, *ctx.back(grads[0]))


def vjp(call: Callable[..., Tensor], inputs: Sequence[Tensor], cotangent: Tensor) -> tuple[Tensor, ...]:
    """The plain gradient of ``⟨call(inputs), cotangent⟩`` with respect to every input."""
    leaves = [x.detach().requires_grad_() for x in inputs]
    with torch.enable_grad():
        out = call(*leaves)
    return torch.autograd.grad(out, leaves, cotangent)


def with_item(x: Tensor, index: Any, value: Any) -> Tensor:
    """What ``x[index] = value`` makes of ``x``, which stays as it is."""
    out = x.clone()
    out[index] = value
    return out


def _read(args: Sequence[Any], kwargs: Mapping[str, Any], place: Place) -> Tensor:
    key, inner = place
    value = args[key] if isinstance(key, int) else kwargs[key]
    found = value if inner is None else value[inner]
    assert isinstance(found, Tensor)
    return found


def _write(args: list[Any], kwargs: dict[str, Any], place: Place, tensor: Tensor) -> None:
    key, inner = place
    holder: Any = args if isinstance(key, int) else kwargs
    if inner is None:
        holder[key] = tensor
    else:
        holder[key] = [tensor if i == inner else v for i, v in enumerate(holder[key])]


def places(args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Place, ...]:
    """Where the tensors stand that depend on the image: those that require a gradient."""
    found: list[Place] = []
    named: list[tuple[int | str, Any]] = [*enumerate(args), *kwargs.items()]
    for key, value in named:
        if isinstance(value, Tensor) and value.requires_grad:
            found.append((key, None))
        elif isinstance(value, (list, tuple)):
            found += [(key, i) for i, v in enumerate(value) if isinstance(v, Tensor) and v.requires_grad]
    return tuple(found)

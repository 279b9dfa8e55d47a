"""Seeing every operation that the network does with tensors that depend on the image."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from voxplain.attribution.backprop import operations
from voxplain.attribution.backprop.call import Call, places, with_item
from voxplain.attribution.backprop.detached import Detached
from voxplain.attribution.backprop.hand_written import Masks

if TYPE_CHECKING:
    from voxplain.attribution.backprop.rules import Rules


class Interceptor(TorchFunctionMode):
    """Hands every operation on tensors that require a gradient to the rules, whoever calls it.

    Operations in place are done out of place, and later uses of their operand see the result: a rule's own record
    of its inputs stays as it was. What shares memory with the operand cannot follow; using it afterwards is refused.
    """

    def __init__(self, rules: Rules) -> None:
        super().__init__()
        self.rules = rules
        # operand of an in-place operation -> (the operand itself, so that its id stays taken; what it became)
        self._became: dict[int, tuple[Tensor, Tensor]] = {}
        # tensors of which a part was written in place, as far as the network knows
        self._written: dict[int, Tensor] = {}
        self._masks = Masks()
        self._detached = Detached()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """One operation."""
        kwargs = kwargs or {}
        if self._became:
            args, kwargs = self.today(args), {k: self.today(v) for k, v in kwargs.items()}
            if not operations.is_about_form(func):
                self._check_memory([*args, *kwargs.values()])
        name = operations.canonical(func)
        where = places(args, kwargs) if torch.is_grad_enabled() else ()
        if not where:
            out = func(*args, **kwargs)
            self._see(name, args, kwargs, out)
            return out
        operand = args[0] if args and isinstance(args[0], Tensor) else kwargs.get("input")
        args, kwargs = self._detached.stand_ins(name, args, kwargs, self.rules.detached)
        relu = self._masks.relu(name, args, kwargs)
        if relu is not None:
            return self._rectified(func, relu, operand)
        if self._masks.made_from_the_image(name, args):
            self.rules.masked(name)
        if name == "setitem":
            return self._set(func, args, kwargs, operand)
        sort = operations.kind(name, len(places(args, kwargs)))
        if not sort:
            return self._routed(func, name, args, kwargs, operand)
        return self._ruled(func, name, sort, args, kwargs, operand)

    def _see(self, name: str, args: Any, kwargs: Any, out: Any) -> None:
        """Remember what came of an operation that no rule takes."""
        self._masks.see(name, args, kwargs, out)
        self._detached.see(name, args, kwargs, out)

    def _ruled(
        self, func: Callable[..., Any], name: str, sort: str, args: Any, kwargs: Any, operand: Any
    ) -> Any:
        function, in_place = func, operations.out_of_place(func)
        if in_place is not None:
            function = in_place
        args, kwargs, flagged = _without_flag(func, args, kwargs)
        out = self.rules.apply(sort, Call(name, function, tuple(args), kwargs, places(args, kwargs)))
        if in_place is not None or flagged:
            self._note(operand, out)
        return out

    def _rectified(self, func: Callable[..., Any], relu: Call, operand: Any) -> Any:
        """A ReLU that the network wrote out as another operation."""
        out = self.rules.apply("elementwise", relu)
        if operations.canonical(func) == "setitem" or operations.out_of_place(func) is not None:
            self._note(operand, out)
        return out

    def _set(self, func: Callable[..., Any], args: Any, kwargs: Any, operand: Any) -> None:
        """``x[index] = value``, where one of the two depends on the image."""
        if operand._base is not None and not args[0].requires_grad:
            # a part of a constant: whoever holds the whole is to see it
            func(*args, **kwargs)
            return
        out = self.rules.apply(
            "joined", Call("setitem", with_item, tuple(args), kwargs, places(args, kwargs))
        )
        self._note(operand, out)

    def _routed(self, func: Callable[..., Any], name: str, args: Any, kwargs: Any, operand: Any) -> Any:
        """An operation without a rule: as it is, except that nothing is written in place."""
        in_place = operations.out_of_place(func) if args and isinstance(args[0], Tensor) else None
        known = self.rules.known(args, kwargs)
        out = (in_place or func)(*args, **kwargs)
        self.rules.unruled(name, known, out)
        if in_place is not None:
            self._note(operand, out)
        self._see(name, args, kwargs, out)
        return out

    def _note(self, operand: Any, out: Any) -> None:
        if not isinstance(operand, Tensor) or not isinstance(out, Tensor):
            return
        self._became[id(operand)] = (operand, out)
        if operand._base is not None:
            self._written[id(operand._base)] = operand._base

    def today(self, value: Any) -> Any:
        """An argument with operands of earlier in-place operations replaced by what they became."""
        if isinstance(value, Tensor):
            while id(value) in self._became and self._became[id(value)][1] is not value:
                value = self._became[id(value)][1]
            return value
        if type(value) in (list, tuple):
            return type(value)(self.today(v) for v in value)
        return value

    def _check_memory(self, values: Any) -> None:
        """Refuse tensors whose memory the network has changed through another tensor."""
        for value in values:
            if isinstance(value, Tensor):
                base = value._base
                if id(value) in self._written or (base is not None and self._is_old(base)):
                    self.rules.refuse(
                        "the network changes a part of a tensor in place and uses the whole afterwards, or the other way "
                        "round; choose a method that takes any operation, such as integrated_gradients"
                    )
            elif type(value) in (list, tuple):
                self._check_memory(value)

    def _is_old(self, base: Tensor) -> bool:
        return id(base) in self._written or id(base) in self._became


def _without_flag(func: Callable[..., Any], args: Any, kwargs: Any) -> tuple[Any, Any, bool]:
    """The arguments with ``inplace`` switched off, and whether it was on."""
    if kwargs.get("inplace"):
        return args, {**kwargs, "inplace": False}, True
    position = operations.inplace_position(func) if any(a is True for a in args) else None
    if position is not None and position < len(args) and args[position] is True:
        return (*args[:position], False, *args[position + 1 :]), kwargs, True
    return args, kwargs, False

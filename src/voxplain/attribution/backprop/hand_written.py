"""ReLUs that a network writes out: a maximum with zero, or its input masked where it is not positive.

Recognised by where a mask comes from, not by its values, so that nothing else is taken for one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from voxplain.attribution.backprop.call import Call

# comparison with zero -> whether the mask shows what is positive; zero itself may be on either side
_COMPARISONS = {"gt": True, "ge": True, "greater": True, "greater_equal": True} | {
    "lt": False, "le": False, "less": False, "less_equal": False,
}  # fmt: skip
_COPIES = frozenset("to type type_as float double half bfloat16 int long clone contiguous detach".split())
_NEGATIONS = frozenset("logical_not bitwise_not invert".split())
_MAXIMA = frozenset("maximum max fmax clamp clamp_min".split())
_MASKED = frozenset("mul where masked_fill setitem".split())


class Masks:
    """Masks that come from comparing what depends on the image, and the ReLUs that are made with them."""

    def __init__(self) -> None:
        # mask -> (whose values were compared with zero, whether the mask shows where they are positive); None for
        # what was made otherwise
        self._signs: Any = WeakIdKeyDictionary()
        # tensor -> what stands for its values, the same for its copies
        self._values: Any = WeakIdKeyDictionary()

    def see(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], out: Any) -> None:
        """Told of every operation that no rule takes; remembers those that make masks."""
        if not args or not isinstance(args[0], Tensor):
            return
        first, name = args[0], name.strip("_")
        made = first if name == "setitem" else kwargs.get("out", out)
        if not isinstance(made, Tensor):
            return
        if name in _COMPARISONS and self._compared(name, first, args[1:], made):
            return
        if name in ("clone", "detach") and self._depends(first):
            self._values[made] = self._of(first)
        elif first in self._signs and name in _COPIES:
            self._signs[made] = self._signs[first]
        elif first in self._signs and name in _NEGATIONS:
            found = self._signs[first]
            self._signs[made] = found and (found[0], not found[1])
        elif not made.requires_grad and self._is_mask(made, args):
            self._signs[made] = None
        if made is first and name not in _COPIES and made in self._values:
            self._values[made] = object()  # written in place, so it is no copy any more

    def _is_mask(self, made: Tensor, args: Sequence[Any]) -> bool:
        """Whether it depends on a mask, or compares what depends on the image."""
        given = [a for a in args if isinstance(a, Tensor)]
        return any(a in self._signs for a in given) or (
            made.dtype == torch.bool and any(self._depends(a) for a in given)
        )

    def _compared(self, name: str, first: Tensor, rest: Sequence[Any], mask: Tensor) -> bool:
        """Whether it was a comparison with zero."""
        positive, second = _COMPARISONS[name], rest[0] if rest else None
        if not self._depends(first) and isinstance(second, Tensor):
            first, second, positive = second, first, not positive
        if not self._depends(first) or not is_zero(second, first):
            return False
        self._signs[mask] = (self._of(first), positive)
        return True

    def _depends(self, x: Tensor) -> bool:
        return x.requires_grad or x in self._values

    def _of(self, x: Tensor) -> object:
        """What stands for its values."""
        if x not in self._values:
            self._values[x] = object()
        return self._values[x]

    def relu(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Call | None:
        """The operation as a ReLU, if it is one."""
        x = self._rectified(name, args, kwargs)
        return None if x is None else Call("relu", torch.relu, (x,), {}, ((0, None),))

    def made_from_the_image(self, name: str, args: Sequence[Any]) -> bool:
        """Whether an operation masks, by a comparison of what depends on the image."""
        return name in _MASKED and any(isinstance(a, Tensor) and a in self._signs for a in args)

    def _rectified(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Tensor | None:
        if name in _MAXIMA:
            return _maximum(name, args, kwargs)
        if name not in _MASKED or kwargs:
            return None
        if name == "mul" and len(args) == 2:
            for x, mask in (args, args[::-1]):
                if self._shows(mask, x, True):
                    return _tensor(x)
        if name in ("masked_fill", "setitem") and len(args) == 3:
            x, mask, value = args
            return x if is_zero(value, x) and self._shows(mask, x, False) else None
        if name == "where" and len(args) == 3:
            # as a function the mask comes first, as a method the tensor
            mask, x, other = args if _is_mask(args[0]) else (args[1], args[0], args[2])
            for kept, left, positive in ((x, other, True), (other, x, False)):
                if self._shows(mask, kept, positive) and is_zero(left, kept):
                    return _tensor(kept)
        return None

    def _shows(self, mask: Any, x: Any, positive: bool) -> bool:
        """Whether a mask shows where ``x`` itself is positive, or where it is not."""
        if not isinstance(mask, Tensor) or not isinstance(x, Tensor) or mask not in self._signs:
            return False
        found = self._signs[mask]
        same_type = not mask.dtype.is_floating_point or torch.result_type(mask, x) == x.dtype
        return found is not None and same_type and found[0] is self._of(x) and found[1] is positive


def is_zero(value: Any, x: Any) -> bool:
    """Whether a constant is zero everywhere and leaves ``x`` its shape and type where they meet."""
    if isinstance(value, (int, float)):
        return value == 0
    if not isinstance(value, Tensor) or not isinstance(x, Tensor) or value.requires_grad:
        return False
    over = zip(value.shape[::-1], x.shape[::-1], strict=False)
    fits = value.dim() <= x.dim() and all(n in (1, m) for n, m in over)
    return fits and torch.result_type(value, x) == x.dtype and not bool(value.any())


def _is_mask(value: Any) -> bool:
    return isinstance(value, Tensor) and value.dtype == torch.bool


def _tensor(x: Any) -> Tensor | None:
    """``x`` if it depends on the image."""
    return x if isinstance(x, Tensor) and x.requires_grad else None


def _maximum(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Tensor | None:
    """The other one of a maximum with zero."""
    if name in ("clamp", "clamp_min"):
        x = args[0] if args else kwargs.get("input")
        lower = args[1] if len(args) > 1 else kwargs.get("min")
        upper = args[2] if len(args) > 2 else kwargs.get("max")
        return _tensor(x) if upper is None and is_zero(lower, x) else None
    both = [*args, *kwargs.values()]
    if len(both) != 2 or not all(isinstance(v, Tensor) for v in both):
        return None
    for x, other in (both, both[::-1]):
        if x.requires_grad and is_zero(other, x):
            return _tensor(x)
    return None

"""Tensors that depend on the image without autograd's knowledge: what the network detached, and what it made of that.

Only numbers count: what is decided by a comparison or an index is a mask or a choice, and carries no share of a score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from voxplain.attribution.backprop import operations
from voxplain.attribution.backprop.relevance_graph import is_gate

# Only the first argument's values count; the others are asked for their form.
_FIRST = frozenset("type_as to expand_as view_as reshape_as".split())
_COMPARING = frozenset(
    "gt ge lt le eq ne greater greater_equal less less_equal not_equal isclose allclose equal".split()
)
# Their outputs scale a signal and are no signals themselves.
_GATES = frozenset("sigmoid hardsigmoid softmax sign heaviside".split())


class Detached:
    """Remembers which tensors were made from the image under ``no_grad``, by ``detach`` or from such ones."""

    def __init__(self) -> None:
        # tensor -> whether it is a gate
        self._gates: Any = WeakIdKeyDictionary()

    def see(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], out: Any) -> None:
        """Told of every operation whose output autograd does not follow."""
        sources = list(self._sources(name, args, kwargs))
        if not sources:
            return
        follows = name not in operations.WEIGHTED and operations.kind(name, 1) in ("", "linear")
        gate = name in _GATES or (follows and len(sources) == 1 and self._is_gate(sources[0]))
        # what is written in place has become a different tensor
        for made in _tensors([args[0] if name == "setitem" else out]):
            if _is_number(made) and not made.requires_grad:
                self._gates[made] = gate

    def stand_ins(
        self, name: str, args: Any, kwargs: Any, make: Callable[[Tensor, bool], Tensor]
    ) -> tuple[Any, Any]:
        """The arguments with ``make(tensor, is a gate)`` for those that depend on the image unseen."""
        if not len(self._gates) or _is_about_form(name) or name.strip("_") in _COMPARING:
            return args, kwargs

        def changed(value: Any) -> Any:
            if isinstance(value, Tensor):
                unseen = value in self._gates and not value.requires_grad
                return make(value, self._gates[value]) if unseen else value
            if type(value) in (list, tuple):
                return type(value)(changed(v) for v in value)
            return value

        return tuple(changed(a) for a in args), {k: changed(v) for k, v in kwargs.items()}

    def _sources(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Iterator[Tensor]:
        if _is_about_form(name) and name not in _FIRST:
            return
        given = args[:1] if name in _FIRST else [*args, *kwargs.values()]
        for tensor in _tensors(given):
            if _is_number(tensor) and (tensor.requires_grad or tensor in self._gates):
                yield tensor

    def _is_gate(self, source: Tensor) -> bool:
        return bool(self._gates[source]) if source in self._gates else is_gate(source)


def _is_about_form(name: str) -> bool:
    return name in _FIRST or name.endswith("_like") or name.startswith("new_")


def _is_number(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def _tensors(values: Any) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)

"""Reading the recorded graph: which operations come first and last, and which factor of a product is a gate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from torch import Tensor


class Weighted(Protocol):
    """A rule of an operation with weights, found in the graph by its ``weighted`` attribute."""

    weighted: bool
    first: bool
    last: bool
    linear_to_output: bool


def mark(z: Tensor) -> None:
    """Tell every weighted operation whether it is among the first and the last ones.

    First: no weighted operation lies between it and the image. Last: none lies between it and the output; and its
    relevance is linear in it where only additions, averages and routing do.
    """
    order = list(_inputs_first(z.grad_fn))
    below: dict[Any, bool] = {}
    for node in order:
        before = any(below[p] or _weighted(p) is not None for p in _parents(node))
        below[node] = before
        rule = _weighted(node)
        if rule is not None:
            rule.first = not before
    reached: dict[Any, tuple[bool, bool]] = {order[-1]: (True, True)} if order else {}
    for node in reversed(order):
        last, linear = reached.get(node, (True, True))
        rule = _weighted(node)
        if rule is not None:
            rule.last, rule.linear_to_output = last, last and linear
        for parent in _parents(node):
            was_last, was_linear = reached.get(parent, (True, True))
            through = rule is None and last
            reached[parent] = (was_last and through, was_linear and through and linear and _is_linear(node))


def is_gate(operand: Tensor) -> bool:
    """Whether a factor of a product is a sigmoid's or softmax's output, up to routing, scaling and interpolation."""
    node: Any = operand.grad_fn
    while node is not None:
        if getattr(node, "gate", False):
            return True
        if not _is_linear(node) or _weighted(node) is not None:
            return False
        parents = _parents(node)
        node = parents[0] if len(parents) == 1 else None
    return False


def from_softmax(operand: Tensor) -> bool:
    """Whether a gate is a softmax's output."""
    node: Any = operand.grad_fn
    while node is not None and not getattr(node, "gate", False):
        parents = _parents(node)
        node = parents[0] if len(parents) == 1 else None
    return node is not None and getattr(node, "gate", "") == "softmax"


def _weighted(node: Any) -> Weighted | None:
    back = getattr(node, "back", None)
    return back if getattr(back, "weighted", False) else None


def _is_linear(node: Any) -> bool:
    """Whether a node merely adds up, averages, scales or routes."""
    if hasattr(node, "straight"):
        return bool(node.straight == "scaling")
    back = getattr(node, "back", None)
    return back is None or bool(getattr(back, "linear", False))


def _parents(node: Any) -> list[Any]:
    return [parent for parent, _ in node.next_functions if parent is not None]


def _inputs_first(end: Any) -> Iterator[Any]:
    """All nodes that lead to ``end``, each after its parents."""
    seen: set[Any] = set()
    stack = [(end, False)] if end is not None else []
    while stack:
        node, done = stack.pop()
        if done:
            yield node
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack += [(parent, False) for parent in _parents(node)]

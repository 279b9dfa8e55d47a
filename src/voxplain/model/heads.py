"""Finding the one tensor that is meant in what a network returns."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from voxplain.errors import ModelError


def flatten(raw: Any, path: str = "") -> Iterator[tuple[str, Tensor]]:
    """Every tensor in a nest of lists, tuples, mappings and dataclasses, with its dotted path.

    >>> import torch
    >>> [path for path, _ in flatten({"out": [torch.zeros(1), torch.zeros(2)], "loss": None})]
    ['out.0', 'out.1']
    """
    if isinstance(raw, Tensor):
        yield path, raw
        return
    for key, value in _children(raw):
        yield from flatten(value, f"{path}.{key}" if path else key)


def select(raw: Any, head: str | int | None, name: str = "network") -> Tensor:
    """The tensor at ``head``, or the only one.

    Args:
        raw: what the network returned.
        head: a path such as ``"out"``, ``0``, ``-1`` or ``"out.1"``.
        name: the network's, for messages.

    Raises:
        ModelError: no such tensor, or several and no head; lists them with their shapes.
    """
    if isinstance(raw, Tensor) and head is None:
        return raw
    found = list(flatten(raw))
    if not found:
        raise ModelError(f"{name}: returned {type(raw).__name__} without any tensor; expected class scores")
    if head is None:
        if len(found) == 1:
            return found[0][1]
        raise ModelError(
            f"{name}: returned {len(found)} tensors ({_listing(found)}); pass head=… (--head) to choose one"
        )
    if isinstance(raw, Tensor):
        raise ModelError(
            f"{name}: head={head!r} was asked, but the network returns one tensor; leave head out"
        )
    wanted = _wanted(raw, head)
    exact = [t for path, t in found if path == wanted]
    under = [t for path, t in found if path.startswith(f"{wanted}.")]
    if len(exact) == 1:
        return exact[0]
    if len(under) == 1:
        return under[0]
    if under:
        inside = [(p, t) for p, t in found if p.startswith(f"{wanted}.")]
        raise ModelError(
            f"{name}: head={head!r} holds {len(under)} tensors; choose one of {_listing(inside)}"
        )
    raise ModelError(f"{name}: head={head!r} is not in the output; choose one of {_listing(found)}")


def _children(raw: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(raw, Mapping):
        yield from ((str(key), value) for key, value in raw.items())
    elif isinstance(raw, (list, tuple)):
        names = getattr(raw, "_fields", None) or range(len(raw))
        yield from ((str(key), value) for key, value in zip(names, raw, strict=True))
    elif dataclasses.is_dataclass(raw) and not isinstance(raw, type):
        yield from ((f.name, getattr(raw, f.name)) for f in dataclasses.fields(raw))


def _wanted(raw: Any, head: str | int) -> str:
    """The head as a path: a number may count from the end, or stand for a named tuple's field."""
    text = str(head)
    if text.lstrip("-").isdecimal():
        keys = [key for key, _ in _children(raw)]
        if text not in keys and -len(keys) <= int(text) < len(keys):
            return keys[int(text)]
    return text


def _listing(found: list[tuple[str, Tensor]]) -> str:
    shown = ", ".join(f"{path} {tuple(tensor.shape)}" for path, tensor in found[:8])
    return shown + (f", … {len(found) - 8} more" if len(found) > 8 else "")

"""Gradient checkpointing as a plain call, since nothing may be run again behind the engine's back.

Run again in the backward pass, a network's parts meet no rule and pass a watched layer twice, and the reentrant form
refuses gradients of anything but leaves. A network's own ``from torch.utils.checkpoint import checkpoint`` looks up its
machinery in that module when it is called, which is where it can be reached.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch.utils import checkpoint


class _Plain:
    """In the place of the reentrant form's autograd function."""

    @staticmethod
    def apply(function: Callable[..., Any], preserve_rng_state: bool, *args: Any) -> Any:
        del preserve_rng_state
        return function(*args)


def _around(*_: Any, **__: Any) -> Iterator[None]:
    """In the place of what the other form does before and after the call: nothing."""
    yield


_STAND_INS = {"CheckpointFunction": _Plain, "_checkpoint_without_reentrant_generator": _around}
_lock = threading.Lock()
_users = 0
_own: dict[str, Any] = {}


@contextmanager
def not_checkpointed() -> Iterator[None]:
    """While any such block runs, in whatever thread, checkpoints keep what they compute."""
    global _users  # noqa: PLW0603  what is replaced is global, too
    with _lock:
        _users += 1
        if _users == 1:
            _own.update({name: getattr(checkpoint, name) for name in _STAND_INS if hasattr(checkpoint, name)})
            for name in _own:
                setattr(checkpoint, name, _STAND_INS[name])
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                for name, own in _own.items():
                    setattr(checkpoint, name, own)
                _own.clear()

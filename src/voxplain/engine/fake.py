"""Running a network on fake tensors, which have shapes but no data: milliseconds, whatever the size."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeCopyMode, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from voxplain.model.model import Model

# They take a tensor for its shape alone.
_SHAPE_ONLY = ("zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like", "new_")


@contextmanager
def faked(model: Model) -> Iterator[nn.Module]:
    """A copy of the network on fake tensors, and what it is called with in the block is fake, too.

    A copy, since a module may keep what it computes. Not `Model.forward`, whose checks look at values.
    """
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    with FakeCopyMode(mode):
        module = copy.deepcopy(model.module)
    with _quiet(), mode:
        yield module


def fake_input(model: Model, shape: tuple[int, ...], **how: Any) -> Tensor:
    """An empty (N, C, *spatial) of the network's own precision."""
    dtype = next((p.dtype for p in model.module.parameters() if p.is_floating_point()), torch.float32)
    return torch.empty(shape, dtype=dtype, device=model.device, **how)


class Fed(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows which tensors are made from the values of one; a detached or rounded one still is.

    Holds on to every tensor that it follows, so it is for fake ones.
    """

    def __init__(self, source: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._storages: set[int] = set()
        self._alive: list[Tensor] = []
        self._follow(source)

    def reached(self, tensor: Tensor) -> bool:
        """Whether it is made from the source."""
        return tensor.untyped_storage()._cdata in self._storages

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        given = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        if any(map(self.reached, given)) and not func.__name__.startswith(_SHAPE_ONLY):
            changed = given if func._schema.is_mutable else []
            for tensor in [*tree_leaves(out), *changed]:
                if isinstance(tensor, Tensor):
                    self._follow(tensor)
        return out

    def _follow(self, tensor: Tensor) -> None:
        if not self.reached(tensor):
            self._alive.append(tensor)  # else its storage's number would be given away again
            self._storages.add(tensor.untyped_storage()._cdata)


@contextmanager
def _quiet() -> Iterator[None]:
    """Torch logs a traceback when a network refuses a fake tensor; the refusal is an answer, not a fault."""
    logger = logging.getLogger("torch._subclasses.fake_tensor")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)

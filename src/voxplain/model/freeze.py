"""Holding a module still while it is asked, and giving it back as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Freeze:
    """A re-entrant context: nested uses cost nothing, the outermost one restores.

    Flags are set one by one instead of through ``eval()``: exported modules refuse it, and a user's own
    ``train`` may do more than set flags, which could not be undone exactly.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self._depth = 0
        self.in_place: frozenset[nn.Module] = frozenset()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Enter the frozen state."""
        if self._depth:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
            return
        trained = [m for m in self.module.modules() if getattr(m, "training", False)]
        in_place = [m for m in self.module.modules() if _switchable(m)]
        learning = [t for t in _tensors(self.module) if t.requires_grad and t.is_leaf]
        flag = "inplace"  # of nn.Module only by convention, so unknown to type checkers
        self._depth = 1
        self.in_place = frozenset(in_place)
        try:
            for m in trained:
                m.training = False
            for m in in_place:
                setattr(m, flag, False)
            for t in learning:
                t.requires_grad_(False)
            yield
        finally:
            self._depth = 0
            self.in_place = frozenset()
            for t in learning:
                t.requires_grad_(True)
            for m in in_place:
                setattr(m, flag, True)
            for m in trained:
                m.training = True


def _switchable(module: nn.Module) -> bool:
    # in TorchScript the flag is a compiled constant
    return not isinstance(module, torch.jit.ScriptModule) and getattr(module, "inplace", None) is True


def _tensors(module: nn.Module) -> Iterator[Tensor]:
    yield from module.parameters()
    yield from module.buffers()

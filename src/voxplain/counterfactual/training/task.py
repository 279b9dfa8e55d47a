"""What a training of a generator consists of, apart from data, checkpoints and processes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from voxplain.inherent.training.history import Row

Averaged = Callable[[nn.Module], None]  # the gradients of a module, over all processes


class GeneratorTask(ABC):
    """One family's training. Everything that it draws is a function of the step, so that a resumed training is the same.

    Attributes:
        columns: what `judge` tells, in order.
        monitor: the column whose smallest value says which round is kept.
    """

    columns: tuple[str, ...]
    monitor: str

    @abstractmethod
    def modules(self) -> Mapping[str, nn.Module]:
        """All that has weights, by name."""

    @abstractmethod
    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        """By name."""

    @abstractmethod
    def learn(self, images: Tensor, step: int, seed: int, averaged: Averaged) -> Row:
        """One step on this process's share of a batch (N, C, *S): losses by name.

        Args:
            images: real ones.
            step: from 0.
            seed: of this step and process.
            averaged: to be called between backward and the optimiser's step.
        """

    @abstractmethod
    def judge(self, images: Tensor) -> Row:
        """Measurements of a round against held-out images (N, C, *S)."""

    def pictures(self) -> Tensor | None:
        """(N, C, *S) samples to look at; None where there are none."""
        return None

    def state(self) -> dict[str, Any]:
        """What else goes on: numbers."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:  # noqa: B027  # most have nothing more to restore
        """What `state` told."""

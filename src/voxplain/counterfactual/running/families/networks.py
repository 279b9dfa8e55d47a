"""What families with networks share: loops in their folders, and the weights that were kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from voxplain.counterfactual.running.families.family import Learned
from voxplain.counterfactual.running.progress import GeneratorProgress
from voxplain.counterfactual.training.loop import GeneratorLoop
from voxplain.counterfactual.training.settings import WHEREABOUTS, GeneratorTraining
from voxplain.counterfactual.training.task import GeneratorTask
from voxplain.errors import InputError
from voxplain.inherent.training.callbacks import Callback, TensorBoard
from voxplain.inherent.training.checkpoint import Checkpoints
from voxplain.inherent.training.history import Row
from voxplain.inherent.training.launching import determinism, launched, spread
from voxplain.inherent.training.record import claim

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Make = Callable[[], GeneratorTask]


def loop(make: Make, learned: Learned, settings: GeneratorTraining, folder: Path, what: str) -> list[Row]:
    """Train in a folder, or go on there; the history.

    Args:
        make: the task with its first weights, in every process anew.
        learned: the data.
        settings: how.
        folder: of checkpoints, history and samples.
        what: for the progress.

    Raises:
        InputError: the folder holds another training, a loss that is not finite.
    """
    asked = settings.model_dump(mode="json", exclude=set(WHEREABOUTS))
    claim(folder, {**learned.told, "settings": asked})
    run = _Run(make, learned, settings, folder, what)
    if settings.devices > 1 and settings.strategy != "ddp":
        spread(run, nn.Identity(), settings)
    else:
        run(launched(settings), nn.Identity())
    last = Checkpoints(folder).last()
    assert last is not None
    rows: list[Row] = last.progress["rows"]
    return rows


def kept(folder: Path, name: str) -> Path:
    """The weights of the best round.

    Raises:
        InputError: no training is there.
    """
    last = Checkpoints(folder).last()
    if last is None:
        raise InputError(f"{folder}: holds no training; run `voxplain counterfactual train` first")
    return folder / "checkpoints" / str(last.progress["best"]["folder"]) / f"{name}.safetensors"


def kept_row(folder: Path) -> Row:
    """What the best round was measured to be."""
    last = Checkpoints(folder).last()
    assert last is not None
    row: Row = last.progress["best"]["row"]
    return row


def seeded(seed: int, make: Callable[[], Any]) -> Any:
    """What is made with weights that depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


class _Run:
    """What every process does."""

    def __init__(
        self, make: Make, learned: Learned, settings: GeneratorTraining, folder: Path, what: str
    ) -> None:
        self.make, self.learned, self.settings, self.folder, self.what = make, learned, settings, folder, what

    def __call__(self, fabric: Fabric, _: nn.Module) -> None:
        told = self.settings
        own: list[Callback] = []
        if fabric.is_global_zero:
            own += [GeneratorProgress(self.what)] if told.progress else []
            own += [TensorBoard(self.folder / "tensorboard")] if told.tensorboard else []
        devices = [fabric.device] if fabric.device.type == "cuda" else []
        parts = (self.learned.learned, self.learned.judged)
        with torch.random.fork_rng(devices), determinism(told.deterministic):
            GeneratorLoop(fabric, self.make(), self.learned.images, parts, told, self.folder, own).run()
        fabric.barrier()

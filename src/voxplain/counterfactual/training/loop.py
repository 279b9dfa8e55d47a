"""The loop that all generators are trained in: order, seeds, checkpoints, rounds."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from voxplain.counterfactual.training.settings import GeneratorTraining
from voxplain.counterfactual.training.task import GeneratorTask
from voxplain.errors import InputError
from voxplain.inherent.data.augment import drawn
from voxplain.inherent.data.prepared import Images
from voxplain.inherent.training.batches import EpochBatches, epoch_batches
from voxplain.inherent.training.callbacks import Callback
from voxplain.inherent.training.checkpoint import Checkpoint, Checkpoints
from voxplain.inherent.training.history import Row, write_history
from voxplain.inherent.training.loading import AddressedImages, training_loader
from voxplain.inherent.training.state import State

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class GeneratorLoop:
    """Trains one generator, in as many processes as there are.

    Gradients are averaged by hand and not by DDP, whose hooks do not see gradients of gradients.

    Args:
        fabric: where it runs; launched.
        task: what is trained, in place.
        images: prepared.
        parts: indices that are learned from, and that rounds are measured on.
        settings: how.
        out: the folder for checkpoints, samples and history.
        callbacks: who is told, in the first process.
    """

    def __init__(
        self, fabric: Fabric, task: GeneratorTask, images: Images, parts: tuple[Sequence[int], Sequence[int]],
        settings: GeneratorTraining, out: Path, callbacks: Sequence[Callback] = (),
    ) -> None:  # fmt: skip
        self.fabric, self.task, self.settings, self.out = fabric, task, settings, out
        self.learned, self.state = list(parts[0]), State()
        self.checkpoints = Checkpoints(out)
        self.callbacks = list(callbacks) if fabric.is_global_zero else []
        chosen = np.random.default_rng([settings.seed, 0x10D6]).permutation(
            np.asarray(parts[1], dtype=np.int64)
        )
        held = [images[int(i)] for i in np.sort(chosen[: settings.judged])]
        self._judged = torch.stack(held).to(fabric.device)
        self._order = EpochBatches(fabric.global_rank, fabric.world_size)
        addressed = AddressedImages(images, torch.zeros(len(images)))
        loader = training_loader(addressed, self._order, settings.workers)
        self._loader = fabric.setup_dataloaders(loader, use_distributed_sampler=False)
        for module in task.modules().values():
            module.to(fabric.device)
        self._sums: dict[str, float] = {}
        self._began = time.perf_counter()

    def run(self) -> State:
        """Train to the last step, from the last checkpoint if there is one."""
        found = self.checkpoints.last()
        if found is not None:
            self._restore(found)
        self._began = time.perf_counter()
        for callback in self.callbacks:
            callback.start(self.state.step, self.settings.steps)
        try:
            while self.state.step < self.settings.steps:
                self._epoch()
        finally:
            for callback in self.callbacks:
                callback.end()
        return self.state

    def _epoch(self) -> None:
        state, told = self.state, self.settings
        self._batches_of(state.epoch)
        self._order.start = state.batch
        for image, _ in self._loader:
            self._step(image)
            for callback in self.callbacks:
                callback.step(state.step, told.steps)
            if state.step % told.round == 0 or state.step == told.steps:
                self._end_round()
            if state.step == told.steps:
                return
        state.epoch, state.batch = state.epoch + 1, 0

    def _step(self, image: Tensor) -> None:
        state = self.state
        seed = drawn(self.settings.seed, "step", state.step, self.fabric.global_rank)
        torch.default_generator.manual_seed(seed)
        if self.fabric.device.type == "cuda":
            torch.cuda.manual_seed(seed)
        with self.fabric.autocast():
            losses = self.task.learn(image, state.step, seed, self._averaged)
        for name, value in losses.items():
            if not math.isfinite(value):
                raise InputError(
                    f"training: {name} is {value} in step {state.step + 1}; lower learning_rate, or use precision fp32"
                )
            self._sums[name] = self._sums.get(name, 0.0) + value
            self._sums[f"{name} count"] = self._sums.get(f"{name} count", 0.0) + 1
        state.batch, state.step = state.batch + 1, state.step + 1

    def _averaged(self, module: nn.Module) -> None:
        if self.fabric.world_size == 1:
            return
        for parameter in module.parameters():
            if parameter.grad is not None:
                mean: Any = self.fabric.all_reduce(parameter.grad, reduce_op="mean")
                parameter.grad.copy_(mean)

    def _end_round(self) -> None:
        state, begun = self.state, self._began
        row: Row = {"epoch": float(len(state.rows) + 1), "step": float(state.step)}
        means = {n: v / self._sums[f"{n} count"] for n, v in self._sums.items() if not n.endswith(" count")}
        row |= means
        with torch.no_grad():
            row |= self.task.judge(self._judged)
        row["seconds"] = time.perf_counter() - begun
        self._began = time.perf_counter()
        self._sums = {}
        state.rows.append(row)
        name, monitor = f"step-{state.step:07d}", self.task.monitor
        if not state.best or row[monitor] < state.best["row"][monitor]:
            state.best = {"row": row, "folder": name}
        self._save(name)
        if self.fabric.is_global_zero:
            columns = list(dict.fromkeys(key for r in state.rows for key in r))
            write_history(self.out, state.rows, columns)
            self._show(state.step)
        for callback in self.callbacks:
            callback.epoch(row, state.best["row"])

    def _show(self, step: int) -> None:
        images = self.task.pictures()
        if images is not None:
            from voxplain.counterfactual.training.samples import write_samples

            write_samples(self.out / "samples" / f"step-{step:07d}.png", images)

    def _batches_of(self, epoch: int) -> None:
        self._order.epoch, self._order.start = epoch, 0
        every = np.ones((len(self.learned), 1), np.float32)
        self._order.batches = epoch_batches(
            self.learned, every, epoch, batch=self.settings.batch, balance="none", seed=self.settings.seed
        )

    def _save(self, name: str) -> None:
        if self.fabric.is_global_zero:
            state = {
                **{name: o.state_dict() for name, o in self.task.optimisers().items()},
                "task": self.task.state(),
            }
            self.checkpoints.save(name, self.task.modules(), state, vars(self.state))
        self.fabric.barrier()

    def _restore(self, found: Checkpoint) -> None:
        self.state = State(**found.progress)
        for name, module in self.task.modules().items():
            found.load(name, module)
        state = found.state()
        for name, optimiser in self.task.optimisers().items():
            optimiser.load_state_dict(state[name])
        self.task.restore(state["task"])

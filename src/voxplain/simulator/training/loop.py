"""The training loop of a simulator: steps, validation, checkpoints. One of them runs in every process."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from voxplain.counterfactual.classifier.decision import Decision
from voxplain.errors import InputError
from voxplain.inherent.data.augment import drawn
from voxplain.inherent.data.prepared import Images
from voxplain.inherent.training.batches import EpochBatches, epoch_batches
from voxplain.inherent.training.callbacks import Callback
from voxplain.inherent.training.checkpoint import Checkpoint, Checkpoints
from voxplain.inherent.training.history import Row, write_history
from voxplain.inherent.training.loading import AddressedImages, training_loader, validation_loader
from voxplain.inherent.training.optimiser import grouped
from voxplain.inherent.training.schedule import rate
from voxplain.inherent.training.state import State
from voxplain.simulator.networks import Simulator
from voxplain.simulator.training.critic import Critic
from voxplain.simulator.training.objective import Objective
from voxplain.simulator.training.settings import SimulatorTraining
from voxplain.simulator.training.subjects import Subjects
from voxplain.simulator.training.targets import Targets
from voxplain.simulator.training.validation import COLUMNS, validate

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class Loop:
    """Trains one simulator.

    What is drawn at random (order, targets, dropout) is a function of seed, epoch and batch, and the learning rate one of
    the step: a training that was interrupted anywhere goes on bit for bit from its last checkpoint.

    Args:
        fabric: where it runs; launched.
        simulator: trained in place.
        decision: what is explained.
        images: all samples, prepared.
        parts: correctly classified subjects of the training and of the validation part.
        settings: how.
        out: the folder for checkpoints and history.
        callbacks: who is told, in the first process.
    """

    def __init__(
        self,
        fabric: Fabric,
        simulator: Simulator,
        decision: Decision,
        images: Images,
        parts: tuple[Subjects, Subjects],
        settings: SimulatorTraining,
        out: Path,
        callbacks: Sequence[Callback],
    ) -> None:
        self.fabric, self.simulator, self.settings = fabric, simulator, settings
        self.learned, self.judged = parts
        self.typical = self.learned.typical()
        self.out, self.checkpoints, self.state = out, Checkpoints(out), State()
        self.callbacks = list(callbacks) if fabric.is_global_zero else []

        addressed = AddressedImages(images, _table(parts, len(images)))
        self._order = EpochBatches(fabric.global_rank, fabric.world_size)
        loader = training_loader(addressed, self._order, settings.workers)
        self._loader = fabric.setup_dataloaders(loader, use_distributed_sampler=False)
        share = self.judged.indices[fabric.global_rank :: fabric.world_size]
        judged = validation_loader(addressed, share, settings.batch, settings.workers)
        self._judged_batches: Any = fabric.setup_dataloaders(judged, use_distributed_sampler=False)
        self._targets = Targets(self.learned, settings.seed)
        self._batches_of(0)
        self.steps = settings.epochs * len(self._order.batches)

        self._objective = Objective(simulator, decision, settings.losses, self.typical.gap)
        self._optimiser = torch.optim.AdamW(grouped(simulator, settings.weight_decay), settings.learning_rate)
        self._model, self._stepper = fabric.setup(self._objective, self._optimiser)
        self._critic = None
        if settings.losses.adversarial:
            self._critic = Critic(
                fabric,
                simulator.spatial_dims,
                simulator.in_channels,
                settings.learning_rate / 4,
                settings.seed,
            )
        self._loss_sum = torch.zeros((), device=fabric.device)

    def run(self) -> State:
        """Train to the end, from the last checkpoint if there is one."""
        found = self.checkpoints.last()
        if found is not None:
            self._restore(found)
            if (
                self.state.rows and self.fabric.is_global_zero
            ):  # the files may be lost, but not what they tell
                write_history(self.out, self.state.rows, COLUMNS)
        for callback in self.callbacks:
            callback.start(self.state.step, self.steps)
        try:
            while self.state.epoch < self.settings.epochs:
                self._epoch()
        finally:
            for callback in self.callbacks:
                callback.end()
        return self.state

    def _epoch(self) -> None:
        start = time.perf_counter()
        state, every = self.state, self.settings.checkpoint_every
        self._batches_of(state.epoch)
        self._order.start = state.batch
        self._model.train()
        for image, before in self._loader:
            self._step(image, before)
            for callback in self.callbacks:
                callback.step(state.step, self.steps)
            if every is not None and state.step % every == 0 and state.batch < len(self._order.batches):
                self._save(f"step-{state.step:07d}")
        self._end_epoch(start)

    def _step(self, image: Tensor, before: Tensor) -> None:
        state, told = self.state, self.settings
        batch = self._order.batches[state.batch]
        for parameters in self._optimiser.param_groups:
            parameters["lr"] = told.learning_rate * rate(state.step, self.steps, told.schedule, told.warm_up)
        self._seed(drawn(told.seed, "pass", state.epoch, state.batch, self.fabric.global_rank))
        direction = torch.where(before > 0, -1.0, 1.0)
        target = self._targets(batch, state.epoch, state.batch)[
            self.fabric.global_rank :: self.fabric.world_size
        ]
        terms = self._model(image, before, target.to(before), direction)
        total = self._objective.total(terms).sum()
        if self._critic is not None:
            total = total + told.losses.adversarial * len(image) * self._critic.realism(terms["image"])
        # processes average their gradients, so each counts its images that many times
        self.fabric.backward(total * (self.fabric.world_size / len(batch)))
        if told.clip is not None:
            self.fabric.clip_gradients(
                self._model, self._stepper, max_norm=told.clip, error_if_nonfinite=False
            )
        self._stepper.step()
        self._stepper.zero_grad(set_to_none=True)
        if self._critic is not None:
            self._critic.learn(image, terms["image"])
        self._loss_sum += total.detach()
        state.batch, state.step = state.batch + 1, state.step + 1

    def _seed(self, seed: int) -> None:
        """Dropout is the same whatever was drawn before."""
        torch.default_generator.manual_seed(seed)
        if self.fabric.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def _end_epoch(self, start: float) -> None:
        state = self.state
        row: Row = {
            "epoch": state.epoch + 1,
            "step": state.step,
            "rate": self._optimiser.param_groups[0]["lr"],
        }
        row["train_loss"] = self._training_loss() / len(self.learned.indices)
        row |= validate(self._objective, self._judged_batches, self.typical, self._summed)
        row["seconds"] = time.perf_counter() - start
        state.rows.append(row)
        state.epoch, state.batch = state.epoch + 1, 0
        self._loss_sum.zero_()
        name = f"epoch-{state.epoch:05d}"
        if not state.best or row["loss"] < state.best["row"]["loss"]:
            state.best = {"row": row, "folder": name}
        self._save(name)
        if self.fabric.is_global_zero:
            write_history(self.out, state.rows, COLUMNS)
        for callback in self.callbacks:
            callback.epoch(row, state.best["row"])

    def _training_loss(self) -> float:
        loss = float(self._summed(self._loss_sum.clone()))
        if not math.isfinite(loss):
            raise InputError(
                f"training: the loss is {loss} in epoch {self.state.epoch + 1}; lower learning_rate, set clip, or use "
                "precision fp32"
            )
        return loss

    def _summed(self, values: Tensor) -> Tensor:
        """Over all processes."""
        found: Tensor = self.fabric.all_reduce(values, reduce_op="sum")  # type: ignore[assignment]
        return found

    def _batches_of(self, epoch: int) -> None:
        self._order.epoch, self._order.start = epoch, 0
        labels = np.ones((len(self.learned.indices), 1), np.float32)
        self._order.batches = epoch_batches(
            self.learned.indices,
            labels,
            epoch,
            batch=self.settings.batch,
            balance="none",
            seed=self.settings.seed,
        )

    def _save(self, name: str) -> None:
        loss = self._training_loss() if self.state.batch else 0.0
        if self.fabric.is_global_zero:
            modules = {"network": self.simulator}
            state = {
                "optimiser": self._optimiser.state_dict(),
                "scaler": self.fabric.strategy.precision.state_dict(),
                "loss": torch.tensor(loss),
            }
            if self._critic is not None:
                modules["critic"] = self._critic.network  # type: ignore[assignment]
                state["critic"] = self._critic.optimiser.state_dict()
            self.checkpoints.save(name, modules, state, vars(self.state))
        self.fabric.barrier()

    def _restore(self, found: Checkpoint) -> None:
        self.state = State(**found.progress)
        found.load("network", self.simulator)
        state = found.state()
        self._optimiser.load_state_dict(state["optimiser"])
        self.fabric.strategy.precision.load_state_dict(state["scaler"])
        if self._critic is not None:
            found.load("critic", self._critic.network)
            self._critic.optimiser.load_state_dict(state["critic"])
        if self.fabric.is_global_zero:  # the sum over all processes
            self._loss_sum.fill_(state["loss"])


def _table(parts: Sequence[Subjects], count: int) -> Tensor:
    """(count,) the logit of every sample that is used."""
    out = torch.zeros(count)
    for part in parts:
        out[list(part.indices)] = part.logits
    return out

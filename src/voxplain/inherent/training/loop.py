"""The training loop: passes, steps, validation, checkpoints. One of them runs in every process."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from voxplain.errors import InputError, ModelError
from voxplain.inherent.data.augment import Augment, drawn
from voxplain.inherent.data.prepared import Images
from voxplain.inherent.data.sample import Samples, targets
from voxplain.inherent.data.split import Split
from voxplain.inherent.training.batches import EpochBatches, epoch_batches
from voxplain.inherent.training.callbacks import Callback
from voxplain.inherent.training.checkpoint import Checkpoint, Checkpoints
from voxplain.inherent.training.history import Row, write_history
from voxplain.inherent.training.loading import AddressedImages, training_loader, truth_of
from voxplain.inherent.training.loss import class_weights, losses
from voxplain.inherent.training.optimiser import average_by, grouped
from voxplain.inherent.training.schedule import rate
from voxplain.inherent.training.scores import better
from voxplain.inherent.training.settings import TrainingSettings
from voxplain.inherent.training.state import State
from voxplain.inherent.training.validation import Validation

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class Loop:
    """Trains one network.

    What is drawn at random (order, augmentation, dropout) is a function of seed, epoch, batch and sample, and the learning
    rate one of the step: a training that was interrupted anywhere goes on bit for bit from its last checkpoint.

    Args:
        fabric: where it runs; launched.
        network: (N, C, *S) -> (N, K) logits; trained in place.
        images: all samples, prepared.
        split: their parts.
        settings: how.
        out: the folder for checkpoints and history.
        callbacks: who is told, in the first process.
    """

    def __init__(
        self,
        fabric: Fabric,
        network: nn.Module,
        images: Images,
        split: Split,
        settings: TrainingSettings,
        out: Path,
        callbacks: Sequence[Callback],
    ) -> None:
        assert isinstance(images.samples, Samples)
        samples: Samples = images.samples
        self.fabric, self.network, self.settings, self.split = fabric, network, settings, split
        self.out, self.checkpoints = out, Checkpoints(out)
        self.callbacks = list(callbacks) if fabric.is_global_zero else []
        self.state = State()
        self._first = fabric.is_global_zero

        self._targets = targets([samples[i] for i in split.train], len(samples.classes))
        weights = class_weights(self._targets, multi_label=samples.multi_label)
        self._weights = weights.to(fabric.device) if settings.balance == "weights" else None
        self._order = EpochBatches(fabric.global_rank, fabric.world_size)
        truth = truth_of(samples)
        augment = Augment(settings.augment, settings.seed) if settings.augment is not None else None
        loader = training_loader(AddressedImages(images, truth, augment), self._order, settings.workers)
        self._loader = fabric.setup_dataloaders(loader, use_distributed_sampler=False)
        self._batches_of(0)
        self.steps = settings.epochs * math.ceil(len(self._order.batches) / settings.accumulate)

        self._optimiser = torch.optim.AdamW(grouped(network, settings.weight_decay), settings.learning_rate)
        self._model, self._stepper = fabric.setup(network, self._optimiser)
        self._average = None
        if settings.average is not None:
            self._average = AveragedModel(network, multi_avg_fn=average_by(settings.average))
        self._validation = Validation(
            fabric, AddressedImages(images, truth), split.validation, settings, self._weights
        )
        self._loss_sum = torch.zeros((), device=fabric.device)
        self._check_output(images, len(samples.classes))

    def run(self) -> State:
        """Train to the end, from the last checkpoint if there is one."""
        found = self.checkpoints.last()
        if found is not None:
            self._restore(found)
        for callback in self.callbacks:
            callback.start(self.state.step, self.steps)
        try:
            while not self._finished():
                self._epoch()
        finally:
            for callback in self.callbacks:
                callback.end()
        return self.state

    def _finished(self) -> bool:
        patience = self.settings.patience
        return self.state.epoch >= self.settings.epochs or (
            patience is not None and self.state.stale >= patience
        )

    def _epoch(self) -> None:
        start = time.perf_counter()
        state, every = self.state, self.settings.checkpoint_every
        self._batches_of(state.epoch)
        self._order.start = state.batch
        self.network.train()
        for image, truth in self._loader:
            if self._pass(image, truth):
                for callback in self.callbacks:
                    callback.step(state.step, self.steps)
                whole = state.batch == len(self._order.batches)
                if every is not None and state.step % every == 0 and not whole:
                    self._save(f"step-{state.step:07d}")
        self._end_epoch(start)

    def _pass(self, image: Tensor, truth: Tensor) -> bool:
        """One batch; whether a step of the optimiser was made."""
        state, together, batches = self.state, self.settings.accumulate, self._order.batches
        group = state.batch // together * together
        count = sum(len(batch) for batch in batches[group : group + together])
        last = state.batch + 1 in (group + together, len(batches))
        if state.batch == group:
            share = rate(state.step, self.steps, self.settings.schedule, self.settings.warm_up)
            for parameters in self._optimiser.param_groups:
                parameters["lr"] = self.settings.learning_rate * share
        self._seed(drawn(self.settings.seed, "pass", state.epoch, state.batch, self.fabric.global_rank))
        with self.fabric.no_backward_sync(self._model, enabled=not last):
            total = losses(self._model(image), truth, self._weights).sum()
            # processes average their gradients, so each counts its samples that many times
            self.fabric.backward(total * (self.fabric.world_size / count))
        self._loss_sum += total.detach()
        state.batch += 1
        if last:
            self._step()
        return last

    def _seed(self, seed: int) -> None:
        """Dropout is the same whatever was drawn before."""
        # not torch.manual_seed, which writes down the stack for every kind of device: 2 ms
        torch.default_generator.manual_seed(seed)
        if self.fabric.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def _step(self) -> None:
        if self.settings.clip is not None:
            # a gradient that is not finite is fp16's to skip, and elsewhere seen in the loss
            self.fabric.clip_gradients(
                self._model, self._stepper, max_norm=self.settings.clip, error_if_nonfinite=False
            )
        self._stepper.step()
        self._stepper.zero_grad(set_to_none=True)
        if self._average is not None:
            self._average.update_parameters(self.network)
        self.state.step += 1

    def _end_epoch(self, start: float) -> None:
        state, monitor = self.state, self.settings.monitor
        loss = self._training_loss() / sum(len(batch) for batch in self._order.batches)
        row: Row = {
            "epoch": state.epoch + 1,
            "step": state.step,
            "rate": self._optimiser.param_groups[0]["lr"],
        }
        row |= {"train_loss": loss, **self._validation(self._judged())}
        row["seconds"] = time.perf_counter() - start
        state.rows.append(row)
        state.epoch, state.batch = state.epoch + 1, 0
        self._loss_sum.zero_()
        name = f"epoch-{state.epoch:05d}"
        state.stale += 1
        if not state.best or better(monitor, row[monitor], state.best["row"][monitor]):
            state.best, state.stale = {"row": row, "folder": name}, 0
        self._save(name)
        if self._first:
            write_history(self.out, state.rows)
        for callback in self.callbacks:
            callback.epoch(row, state.best["row"])

    def _judged(self) -> nn.Module:
        return self.network if self._average is None else self._average.module

    def _training_loss(self) -> float:
        loss = float(self.fabric.all_reduce(self._loss_sum.clone(), reduce_op="sum"))  # type: ignore[arg-type]
        if not math.isfinite(loss):
            raise InputError(
                f"training: the loss is {loss} in epoch {self.state.epoch + 1}; lower learning_rate, set clip, or use "
                "precision fp32"
            )
        return loss

    def _batches_of(self, epoch: int) -> None:
        told = self.settings
        self._order.epoch, self._order.start = epoch, 0
        self._order.batches = epoch_batches(
            self.split.train, self._targets, epoch, batch=told.batch, balance=told.balance, seed=told.seed
        )

    def _save(self, name: str) -> None:
        loss = self._training_loss() if self.state.batch else 0.0
        if self._first:
            modules = {"network": self.network}
            if self._average is not None:
                modules["average"] = self._average.module
            state = {
                "optimiser": self._optimiser.state_dict(),
                "scaler": self.fabric.strategy.precision.state_dict(),
                "loss": torch.tensor(loss),
                "averaged": 0 if self._average is None else int(self._average.n_averaged),
            }
            self.checkpoints.save(name, modules, state, vars(self.state))
        self.fabric.barrier()

    def _restore(self, found: Checkpoint) -> None:
        self.state = State(**found.progress)
        found.load("network", self.network)
        state = found.state()
        self._optimiser.load_state_dict(state["optimiser"])
        self.fabric.strategy.precision.load_state_dict(state["scaler"])
        if self._average is not None:
            found.load("average", self._average.module)
            self._average.n_averaged.fill_(state["averaged"])
        if self._first:  # the sum over all processes
            self._loss_sum.fill_(state["loss"])

    def _check_output(self, images: Images, classes: int) -> None:
        """One image through the network, before hours are spent."""
        self.network.eval()
        with torch.no_grad(), self.fabric.autocast():
            out: Any = self.network(images[self.split.train[0]][None].to(self.fabric.device))
        if not isinstance(out, Tensor) or tuple(out.shape) != (1, classes):
            found = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
            raise ModelError(
                f"network: gives {found} for one image, expected logits (1, {classes}): one per class of the data"
            )

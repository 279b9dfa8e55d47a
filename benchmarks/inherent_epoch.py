"""Time per epoch of an `inherent` settings file against a bare loop over a MONAI UNet of the same size: the goal is ≤ 1.1.

    python examples/tumours/make.py
    python benchmarks/inherent_epoch.py

Ours is `train` with the settings as they are: the GP network, validation scores, history, a checkpoint per epoch. The peer
is MONAI's UNet at the same levels, made to take about as many operations per image (printed), a mean over its map, and a
loop of forward, loss, backward and step, then a forward of the validation part. Both load by the same classes and change
images by the same transforms, so that the ratio is that of networks and loops; ``same network`` runs ours in that loop, so
that its ratio is that of the loops alone. Trainings alternate; CPU seconds of the process are what other jobs on the machine
disturb least.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from common import arguments
from monai.networks.nets import UNet
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from voxplain.inherent import Task, load_inherent, prepare_task, train
from voxplain.inherent.data import Augment
from voxplain.inherent.data.prepared import Images
from voxplain.inherent.data.sample import targets
from voxplain.inherent.training import Callback
from voxplain.inherent.training.batches import EpochBatches, epoch_batches
from voxplain.inherent.training.loading import AddressedImages, training_loader, truth_of, validation_loader

SETTINGS = Path(__file__).resolve().parent.parent / "examples" / "tumours" / "tumours.yaml"
Seconds = tuple[float, float]  # of the CPU, of the wall


class Clock(Callback):
    """Seconds from the first step to the last word."""

    def start(self, step: int, steps: int) -> None:
        self.begun = time.process_time(), time.perf_counter()

    def end(self) -> None:
        cpu, wall = self.begun
        self.seconds = time.process_time() - cpu, time.perf_counter() - wall


class Peer(nn.Module):
    """MONAI's U-Net, at full resolution first as a GP-UNet is, whose mean map is the logits."""

    def __init__(self, channels: int, classes: int, widths: list[int]) -> None:
        super().__init__()
        strides = (1, *[2] * (len(widths) - 1))
        self.net = UNet(2, channels, classes, (*widths, widths[0]), strides, num_res_units=2, norm="batch")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, *S) -> (N, K)."""
        return self.net(x).mean((2, 3))


def ours(task: Task, epochs: int) -> Seconds:
    """One training as `voxplain inherent train` does it."""
    clock, told = Clock(), {"epochs": epochs, "device": "cpu", "progress": False, "duplicates": False}
    settings = task.settings.training.model_copy(update=told)
    with tempfile.TemporaryDirectory() as out:
        train(
            task.network, task.samples, task.split, settings, Path(out) / "t", preparation=task.preparation,
            callbacks=[clock],
        )  # fmt: skip
    return clock.seconds


def peer(task: Task) -> Peer:
    """Of the task's widths."""
    return Peer(task.shape[0], len(task.samples.classes), task.settings.network.parameters["widths"])


def size(network: nn.Module, shape: tuple[int, ...]) -> str:
    """Parameters, and operations of one image."""
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        network.eval()(torch.zeros(1, *shape))
    count = sum(p.numel() for p in network.parameters())
    return f"{count:,} parameters, {counted.get_total_flops() / 1e6:.0f} million operations per image"


def bare(task: Task, network: nn.Module, images: Images, epochs: int) -> Seconds:
    """The same batches in a loop as short as it can be."""
    told, split, truth = task.settings.training, task.split, truth_of(task.samples)
    wanted = targets([task.samples[i] for i in split.train], len(task.samples.classes))
    augment = None if told.augment is None else Augment(told.augment, told.seed)
    order = EpochBatches()
    learn = training_loader(AddressedImages(images, truth, augment), order, told.workers)
    judge = validation_loader(AddressedImages(images, truth), split.validation, told.batch, told.workers)
    optimiser = torch.optim.AdamW(network.parameters(), told.learning_rate, weight_decay=told.weight_decay)
    cpu, wall = time.process_time(), time.perf_counter()
    for epoch in range(epochs):
        order.epoch = epoch
        order.batches = epoch_batches(
            split.train, wanted, epoch, batch=told.batch, balance=told.balance, seed=told.seed
        )
        network.train()
        for image, label in learn:
            loss = functional.cross_entropy(network(image), label)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
        network.eval()
        with torch.no_grad():
            for image, label in judge:
                functional.cross_entropy(network(image), label)
    return time.process_time() - cpu, time.perf_counter() - wall


def main() -> None:
    """Print seconds per epoch and the ratios."""
    chosen = arguments(__doc__, settings=str(SETTINGS), epochs=2, repeats=5)
    settings = load_inherent(Path(chosen.settings))
    task = prepare_task(settings)
    images = Images(task.samples, task.preparation)
    images.fill([*task.split.train, *task.split.validation])
    print(f"ours: {size(task.network, task.shape)}")
    print(f"MONAI: {size(peer(task), task.shape)}")
    runs: dict[str, Callable[[], Seconds]] = {
        "ours": lambda: ours(prepare_task(settings), chosen.epochs),
        "MONAI": lambda: bare(task, peer(task), images, chosen.epochs),
        "same network": lambda: bare(task, prepare_task(settings).network, images, chosen.epochs),
    }
    found: dict[str, list[Seconds]] = {name: [] for name in runs}
    for _ in range(chosen.repeats):
        for name, run in runs.items():
            found[name].append(run())
    for clock, kind in enumerate(("CPU", "wall")):
        seconds = {name: [s[clock] / chosen.epochs for s in times] for name, times in found.items()}
        print(
            f"{kind} per epoch: " + ", ".join(f"{n} {statistics.median(s):.2f} s" for n, s in seconds.items())
        )
        for name in ("MONAI", "same network"):
            ratios = [a / b for a, b in zip(seconds["ours"], seconds[name], strict=True)]
            span = f"{min(ratios):.2f}–{max(ratios):.2f}"
            print(f"  ours / {name}: {statistics.median(ratios):.2f} ({span}; goal ≤ 1.1)", flush=True)


if __name__ == "__main__":
    main()

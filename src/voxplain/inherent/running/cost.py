"""What training and prediction will cost, told before they start."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from voxplain.inherent.data import Reader, Sample, prepared
from voxplain.inherent.data.sample import targets
from voxplain.inherent.running.task import Task

_TIMED = 2  # batches, of which the first warms up


@dataclass(frozen=True)
class Cost:
    """An estimate.

    Attributes:
        parameters: of the network.
        steps: of the optimiser, over all epochs and networks.
        training_seconds: at most, without reading and augmentation; early stopping may end it sooner.
        images: that are asked about.
        prediction_seconds: of the network's passes.
        prediction_bytes: of maps and files on the disk, before compression.
    """

    parameters: int
    steps: int
    training_seconds: float
    images: int
    prediction_seconds: float
    prediction_bytes: int

    def lines(self) -> list[str]:
        """In words."""
        return [
            f"training: {self.parameters:,} parameters, {self.steps:,} steps, about {time_told(self.training_seconds)}",
            f"prediction: {self.images:,} images, about {time_told(self.prediction_seconds)}, "
            f"up to {size_told(self.prediction_bytes)} on the disk",
        ]


def cost(task: Task, device: str = "cpu", new: Sequence[Sample] = ()) -> Cost:
    """Measure one training step and one pass on images of noise, with a copy of the network.

    Args:
        task: what is to be done.
        device: where the passes are timed.
        new: images that are asked about instead of the parts; the first one's size stands for all.
    """
    asked = task.settings
    step = _seconds(task, asked.training.batch, device, learns=True)
    asks = _seconds(task, asked.predict.batch, device, learns=False)
    several = asked.uncertainty
    turns = 2 ** (len(task.shape) - 1) if several.mirrored else 1
    answers = turns * max(several.dropout, 1) * several.ensemble
    batches = -(-len(task.split.train) // asked.training.batch)
    validation = -(-len(task.split.validation) // asked.predict.batch)
    parts = sum(len(task.split.parts().get(part, ())) for part in asked.predict.parts)
    images = len(new) or parts
    shape = task.shape if not new else tuple(prepared(new[0], task.preparation, Reader()).image.shape)
    voxels = 4 * images * math.prod(shape[1:])
    larger = math.prod(shape[1:]) / math.prod(task.shape[1:])
    classes = len(task.samples.classes)
    kinds = set(asked.predict.files) - {"mask"} - ({"spread"} if answers == 1 else set())
    files = classes * len(kinds)
    return Cost(
        sum(p.numel() for p in task.network.parameters()),
        several.ensemble * -(-batches // asked.training.accumulate) * asked.training.epochs,
        several.ensemble * asked.training.epochs * (batches * step + validation * asks),
        images,
        -(-images // asked.predict.batch) * asks * larger * answers,
        voxels * (classes + 1 + files),
    )


def _seconds(task: Task, batch: int, device: str, *, learns: bool) -> float:
    network = copy.deepcopy(task.network).to(device).train(learns)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        images = torch.rand(batch, *task.shape, device=device)
    truth = torch.from_numpy(targets([task.samples[task.split.train[0]]] * batch, len(task.samples.classes)))
    took = 0.0
    for _ in range(_TIMED):
        begun = time.perf_counter()
        with torch.set_grad_enabled(learns):
            logits = network(images)
            if learns:
                torch.autograd.backward(torch.nn.functional.cross_entropy(logits, truth.to(device)))
        if images.is_cuda:
            torch.cuda.synchronize()
        took = time.perf_counter() - begun
    return took


def time_told(seconds: float) -> str:
    """A duration as people say it.

    >>> time_told(0.2), time_told(200), time_told(7200)
    ('1 s', '3 min', '2.0 h')
    """
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def size_told(count: int) -> str:
    """Bytes as people say them.

    >>> size_told(3 * 2**20), size_told(3 * 2**30)
    ('3 MB', '3.0 GB')
    """
    return f"{count / 2**20:.0f} MB" if count < 2**30 else f"{count / 2**30:.1f} GB"

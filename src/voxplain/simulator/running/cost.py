"""What training and explaining will cost, told before they start."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass
from math import prod

import torch

from voxplain.inherent.data import Reader, prepared
from voxplain.inherent.running.cost import size_told, time_told
from voxplain.simulator.explain import Explainer
from voxplain.simulator.running.task import SimulatorTask
from voxplain.simulator.running.train_step import is_trained
from voxplain.simulator.training import Typical
from voxplain.simulator.training.objective import Objective

_TIMED = 2  # steps, of which the first warms up
_GAP = 4.0  # logits between classes, for what is not known before training


@dataclass(frozen=True)
class Cost:
    """An estimate.

    Attributes:
        parameters: of the simulator.
        trainings: that are still to be done.
        steps: of the optimiser in one training.
        training_seconds: of all of them, without reading.
        images: that are asked about, over all trainings.
        explanation_seconds: of the passes.
        explanation_bytes: on the disk, before compression.
    """

    parameters: int
    trainings: int
    steps: int
    training_seconds: float
    images: int
    explanation_seconds: float
    explanation_bytes: int

    def lines(self) -> list[str]:
        """In words."""
        each = f"{self.trainings} × {self.steps:,} steps" if self.trainings else "done already"
        return [
            f"training: {self.parameters:,} parameters, {each}, about {time_told(self.training_seconds)}",
            f"explanation: {self.images:,} images, about {time_told(self.explanation_seconds)}, "
            f"up to {size_told(self.explanation_bytes)} on the disk",
        ]


def cost(task: SimulatorTask, device: str = "cpu", images: int | None = None) -> Cost:
    """Measure one step and one explanation with copies of the networks, on the first image.

    Args:
        task: what is to be done.
        device: where the passes are timed.
        images: how many are asked about, instead of the parts.
    """
    told, seeds = task.settings, task.settings.seeds
    x = prepared(task.samples[task.split.train[0]], task.preparation, Reader()).image
    batches = -(-len(task.split.train) // told.training.batch)
    validation = -(-len(task.split.validation) // told.training.batch)
    left = [seed for seed in seeds if not is_trained(task, seed)]
    step = _step(task, x, device) if left else 0.0
    asked = sum(len(task.split.parts().get(p, ())) for p in told.explain.parts) if images is None else images
    dims, channels = x.ndim - 1, len(x)
    # of the first training: six frames, warp twice, difference, image, Jacobian; of all: log-Jacobian
    per_voxel = 7 * channels + 2 * dims + 2 + len(seeds)
    return Cost(
        sum(p.numel() for p in task.simulator(seeds[0]).parameters()),
        len(left),
        batches * told.training.epochs,
        # a pass without gradients costs about a third
        len(left) * told.training.epochs * (batches + validation / 3) * step,
        asked * len(seeds),
        asked * len(seeds) * _explanation(task, x, device),
        4 * asked * prod(x.shape[1:]) * per_voxel,
    )


def _step(task: SimulatorTask, x: torch.Tensor, device: str) -> float:
    batch = min(task.settings.training.batch, len(task.split.train))
    images = x[None].expand(batch, *x.shape).contiguous().to(device)
    decision = copy.deepcopy(task.decision).to(device)
    told = task.settings.training.losses
    objective = Objective(task.simulator(task.settings.seeds[0]).to(device), decision, told, _GAP).train()
    before = torch.full((batch,), -_GAP / 2, device=device)
    took = 0.0
    for _ in range(_TIMED):
        begun = time.perf_counter()
        terms = objective(images, before, -before, torch.ones_like(before))
        torch.autograd.backward(objective.total(terms).sum())
        if images.is_cuda:
            torch.cuda.synchronize()
        took = time.perf_counter() - begun
    return took


def _explanation(task: SimulatorTask, x: torch.Tensor, device: str) -> float:
    simulator = task.simulator(task.settings.seeds[0]).to(device)
    decision = copy.deepcopy(task.decision).to(device)
    explainer = Explainer(simulator, decision, Typical(-_GAP / 2, _GAP / 2), task.settings.explain.limit)
    begun = time.perf_counter()
    explainer.explain(x.to(device))
    return time.perf_counter() - begun

"""How the two classifiers are trained, and how often they are right."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from atrophy.networks import classifier

SMOOTHING = 0.05  # of the labels: logits get a finite goal
_BATCH = 24

Progress = Callable[[int, int], object]


def trained(
    images: Sequence[np.ndarray],
    ill: Sequence[bool],
    *,
    steps: int,
    seed: int,
    progress: Progress | None = None,
) -> nn.Module:
    """A classifier in evaluation mode.

    Args:
        images: (1, *S) each.
        ill: whether each shows the disease.
        steps: of the optimiser.
        seed: of first weights and order.
        progress: told after each step.
    """
    x, y = torch.from_numpy(np.stack(images)), torch.tensor(ill, dtype=torch.long)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = classifier(x.ndim - 2)
    rng = np.random.default_rng(seed)
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps)
    for step in range(steps):
        drawn = torch.from_numpy(rng.choice(len(x), min(_BATCH, len(x)), replace=False))
        loss = cross_entropy(network(x[drawn]), y[drawn], label_smoothing=SMOOTHING)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        schedule.step()
        if progress is not None:
            progress(step + 1, steps)
    return network.eval()


def right(network: nn.Module, images: Sequence[np.ndarray], ill: Sequence[bool]) -> float:
    """The share of images whose class it says."""
    with torch.no_grad():
        found: Tensor = network(torch.from_numpy(np.stack(images))).argmax(1)
    return float((found == torch.tensor(ill, dtype=torch.long)).float().mean())

"""How both networks are trained, and how well they do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from monai.losses import DiceLoss
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from shortcut.networks import unet
from shortcut.patients import CLASSES, lesson, training_patients
from shortcut.sizes import Size
from voxplain.case import Case
from voxplain.demo.networks import Draw, Progress, train

NETWORKS = ("shortcut", "control")
SMOOTHING = 0.1
RANGE = (-200.0, 300.0)  # HU that become 0 and 1; fixed, so that no organ changes the values of another


def trained(
    name: str, size: Size, *, seed: int, device: str = "cpu", progress: Progress | None = None
) -> nn.Module:
    """A network, trained; in evaluation mode on the CPU. Both start from the same weights and see the same images.

    Args:
        name: one of NETWORKS.
        size: of images, network and training.
        seed: of patients, weights and the order of patients.
        device: where it is trained.
        progress: called after each step with (step, steps, loss).
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = unet(size.widths).to(device)
    lessons = [lesson(patient, size, name) for patient in training_patients(size, seed)]
    train(
        network,
        _draws(lessons, size.batch, device),
        steps=size.steps,
        seed=seed,
        rate=size.rate,
        loss=loss,
        progress=progress,
    )
    return network.cpu()


def loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy with smoothed labels plus half of the soft Dice loss.

    Smoothing gives logits a finite goal. Without it every further hint makes them larger, also where A can be seen and
    the stomach could be ignored.

    Args:
        logits: (N, K, *spatial).
        labels: (N, *spatial) int64.
    """
    overlap = DiceLoss(softmax=True, to_onehot_y=True, include_background=False, batch=True)
    error: Tensor = cross_entropy(logits, labels, label_smoothing=SMOOTHING) + 0.5 * overlap(
        logits, labels[:, None]
    )
    return error


def scaled(image: np.ndarray) -> Tensor:
    """HU (C, *spatial) to [0, 1], as `prepare: {scale: [-200, 300]}` does."""
    low, high = RANGE
    return torch.from_numpy(np.clip((image - low) / (high - low), 0, 1).astype(np.float32))


def logits(network: nn.Module, images: Sequence[np.ndarray], batch: int = 8) -> Tensor:
    """(n, K, *spatial) of images (C, *spatial) in HU."""
    inputs = torch.stack([scaled(image) for image in images])
    with torch.no_grad():
        return torch.cat([network(part) for part in inputs.split(batch)])


def dice(found: Tensor, label: np.ndarray) -> list[float | None]:
    """Dice coefficient of each class.

    Args:
        found: (*spatial) predicted classes.
        label: (*spatial) the truth.

    Returns:
        One per class; None for a class that the label does not have.
    """
    truth = torch.from_numpy(np.asarray(label))
    pairs = [(found == k, truth == k) for k in range(len(CLASSES))]
    return [float(2 * (f & t).sum() / (f.sum() + t.sum())) if t.any() else None for f, t in pairs]


def _draws(cases: Sequence[Case], batch: int, device: str) -> Draw:
    """Whole images: left and right stay what they are, and the stomach is in sight of the kidney."""
    images = torch.stack([scaled(case.image) for case in cases]).to(device)
    labels = torch.stack([torch.from_numpy(np.asarray(case.label, dtype=np.int64)) for case in cases]).to(
        device
    )

    def draw(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        drawn = torch.from_numpy(rng.choice(len(cases), batch, replace=len(cases) < batch)).to(device)
        return images[drawn], labels[drawn]

    return draw

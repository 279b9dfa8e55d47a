"""The two small networks of the demo, and the loop that trains them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    from voxplain.case import Case

Draw = Callable[["np.random.Generator"], "tuple[Tensor, Tensor]"]
Progress = Callable[[int, int, float], None]
Loss = Callable[["Tensor", "Tensor"], "Tensor"]

TISSUE_CLASSES = ("background", "fluid", "grey matter", "white matter")
# Which of them each class of the brain phantom is; scalp, skull and air are background.
TISSUE_OF = {
    "csf": 1, "ventricles": 1, "grey matter": 2, "hippocampus left": 2, "hippocampus right": 2,
    "white matter": 3, "lesion": 3,
}  # fmt: skip
TISSUE_SPACING = 2.0  # mm: where the tissue network works


def vessel_network() -> nn.Module:
    """A 3-D U-Net for bright vessels: (N, 1, D, H, W), z-scored -> one logit; axes divisible by 16."""
    return _unet(1)


def tissue_network() -> nn.Module:
    """A 3-D U-Net for brain tissue: (N, 1, D, H, W), 2 mm, scaled -> logits of TISSUE_CLASSES."""
    return _unet(len(TISSUE_CLASSES))


def _unet(channels_out: int) -> nn.Module:
    from monai.networks.nets import BasicUNet

    network: nn.Module = BasicUNet(
        spatial_dims=3,
        in_channels=1,
        out_channels=channels_out,
        features=(8, 8, 16, 16, 16, 8),
        act="relu",
        norm="batch",
    )
    return network


def train(
    network: nn.Module,
    draw: Draw,
    *,
    steps: int,
    seed: int,
    rate: float = 8e-3,
    loss: Loss | None = None,
    progress: Progress | None = None,
) -> None:
    """Train in place by AdamW with a one-cycle rate; the usual loss is cross-entropy plus soft Dice.

    Args:
        network: starts from its own weights; left in evaluation mode.
        draw: from a generator, a batch (N, C, *spatial) float32 and its labels (N, *spatial) int64.
        steps: optimiser steps.
        seed: of the draws.
        rate: the highest learning rate.
        loss: of logits (N, K, *spatial) and labels (N, *spatial), instead of the usual one.
        progress: called after each step with (step, steps, loss).
    """
    import numpy as np
    import torch
    from monai.losses import DiceCELoss

    rng = np.random.default_rng(seed)
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.2)
    losses: dict[bool, nn.Module] = {
        True: DiceCELoss(sigmoid=True, batch=True),
        False: DiceCELoss(softmax=True, to_onehot_y=True, include_background=False, batch=True),
    }

    def usual(logits: Tensor, labels: Tensor) -> Tensor:
        truth = labels[:, None]
        binary = logits.shape[1] == 1
        error: Tensor = losses[binary](logits, truth.float() if binary else truth)
        return error

    network.train()
    for step in range(1, steps + 1):
        images, labels = draw(rng)
        logits = network(images)
        error = (loss or usual)(logits, labels)
        optimiser.zero_grad()
        error.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        if progress is not None:
            progress(step, steps, float(error.detach()))
    network.eval()


def patches(cases: Sequence[Case], *, size: int = 32, batch: int = 4) -> Draw:
    """Random flipped patches of z-scored cases with a label: half of them around foreground."""
    import numpy as np
    import torch

    images = [zscore(case.image) for case in cases]
    labels = [case.label for case in cases if case.label is not None]
    foreground = [np.argwhere(label > 0) for label in labels]

    def draw(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        drawn_images, drawn_labels = [], []
        for number in range(batch):
            which = int(rng.integers(len(images)))
            shape = labels[which].shape
            limit = np.array(shape) - size
            middle = (
                foreground[which][rng.integers(len(foreground[which]))] if number % 2 else rng.integers(shape)
            )
            corner = np.clip(middle - size // 2, 0, limit)
            flips = tuple(slice(None, None, int(s)) for s in rng.choice([-1, 1], len(shape)))
            box = tuple(slice(c, c + size) for c in corner)
            drawn_images.append(images[which][(slice(None), *box)][(slice(None), *flips)])
            drawn_labels.append(labels[which][box][flips])
        return (
            torch.from_numpy(np.ascontiguousarray(np.stack(drawn_images))),
            torch.from_numpy(np.ascontiguousarray(np.stack(drawn_labels)).astype(np.int64)),
        )

    return draw


def zscore(image: np.ndarray) -> np.ndarray:
    """Mean 0 and standard deviation 1 over the whole image, per channel (C, *spatial)."""
    import numpy as np

    axes = tuple(range(1, image.ndim))
    spread = np.maximum(image.std(axis=axes, keepdims=True), 1e-8)
    return np.asarray((image - image.mean(axis=axes, keepdims=True)) / spread, dtype=np.float32)


def tissue_weights() -> Path:
    """The file of the tissue network's weights; `scripts/train_demo_brain.py` makes it."""
    return Path(__file__).parent / "data" / "tissue.safetensors"

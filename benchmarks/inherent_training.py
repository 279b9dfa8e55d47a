"""Training time against a bare loop of the same network on the same images, in one run: the goal is a ratio of at most 1.1.

Ours includes what a bare loop leaves out: validation scores, checkpoints that survive a kill, history, the same draws
whatever the number of workers. The peers validate too (a forward pass and the loss). ``plain``: tensors in memory, torch
alone. ``augmented``: MONAI's CacheDataset and its random transforms, as in its tutorials. With ``--workers`` both load with
as many processes.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from common import arguments, report
from monai import transforms as monai
from monai.data import CacheDataset, DataLoader
from monai.networks.nets import UNet
from torch import nn
from torch.nn import functional

from voxplain.inherent.data import AugmentSettings, Sample, Samples, split_samples
from voxplain.inherent.training import Callback, TrainingSettings, train


class Classifier(nn.Module):
    """A MONAI U-Net whose mean map is the logits."""

    def __init__(self, width: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = UNet(2, 1, 3, (width, 2 * width, 4 * width), (2, 2), norm="batch")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 1, *S) -> (N, 3)."""
        return self.net(x).mean((2, 3))


class Clock(Callback):
    """Seconds from the first step to the last word."""

    def start(self, step: int, steps: int) -> None:
        self.begun = time.perf_counter()

    def end(self) -> None:
        self.seconds = time.perf_counter() - self.begun


def ours(samples: Samples, chosen: dict, augment: AugmentSettings | None) -> float:
    """Seconds of one training."""
    settings = TrainingSettings(
        epochs=chosen["epochs"], batch=chosen["batch"], workers=chosen["workers"], augment=augment, device="cpu",
        progress=False, duplicates=False,
    )  # fmt: skip
    clock = Clock()
    with tempfile.TemporaryDirectory() as out:
        train(
            Classifier(chosen["width"]),
            samples,
            split_samples(samples),
            settings,
            Path(out) / "t",
            callbacks=[clock],
        )
    return clock.seconds


def bare(samples: Samples, chosen: dict, augment: AugmentSettings | None) -> float:
    """Seconds of the same passes in a loop as short as it can be."""
    split, network = split_samples(samples), Classifier(chosen["width"])
    data = [[{"image": torch.from_numpy(samples[i].image), "label": samples[i].label} for i in part]
            for part in (split.train, split.validation)]  # fmt: skip
    steps = [] if augment is None else random_transforms(augment)
    sets = (
        CacheDataset(data[0], monai.Compose(steps), progress=False),
        CacheDataset(data[1], lambda item: item, progress=False),
    )
    told = {
        "batch_size": chosen["batch"],
        "num_workers": chosen["workers"],
        "persistent_workers": chosen["workers"] > 0,
    }
    learn, judge = DataLoader(sets[0], shuffle=True, **told), DataLoader(sets[1], **told)
    optimiser = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, chosen["epochs"] * len(learn))
    start = time.perf_counter()
    for _ in range(chosen["epochs"]):
        network.train()
        for item in learn:
            loss = functional.cross_entropy(network(torch.as_tensor(item["image"])), item["label"])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
        network.eval()
        with torch.no_grad():
            for item in judge:
                functional.cross_entropy(network(torch.as_tensor(item["image"])), item["label"])
    return time.perf_counter() - start


def random_transforms(told: AugmentSettings) -> list[Callable]:
    """The same changes as dictionary transforms."""
    angle, chance = np.deg2rad(told.rotate), told.intensity_chance
    return [
        *(monai.RandFlipd("image", prob=0.5, spatial_axis=axis) for axis in range(2)),
        monai.RandAffined("image", prob=told.spatial_chance, rotate_range=angle, scale_range=(told.zoom,) * 2,
                          mode="bilinear", padding_mode="border"),
        monai.RandScaleIntensityd("image", told.contrast, prob=chance),
        monai.RandStdShiftIntensityd("image", told.shift, prob=chance),
        monai.RandGaussianNoised("image", std=told.noise, prob=chance),
    ]  # fmt: skip


def main() -> None:
    """Print both ratios."""
    chosen = vars(arguments(__doc__, edge=48, images=256, batch=32, width=8, epochs=3, workers=0, repeats=5))
    rng = np.random.default_rng(0)
    shape = (1, chosen["edge"], chosen["edge"])
    items = tuple(
        Sample(str(i), rng.normal(size=shape).astype(np.float32), i % 3, str(i))
        for i in range(chosen["images"])
    )
    samples = Samples(items, ("healthy", "ring", "stripes"))
    seconds: dict[str, list[float]] = {}
    for _ in range(chosen["repeats"]):
        for name, augment in (("plain", None), ("augmented", AugmentSettings())):
            for whose, run in (("ours", ours), ("bare", bare)):
                seconds.setdefault(f"{whose}, {name}", []).append(run(samples, chosen, augment))
    print(
        f"{chosen['epochs']} epochs of {len(items)} images {shape[1:]}, batch {chosen['batch']}, width {chosen['width']}"
    )
    goal = "goal ≤ 1.1"
    report(seconds, [("ours, plain", "bare, plain", goal), ("ours, augmented", "bare, augmented", goal)])


if __name__ == "__main__":
    main()

"""Train a small network on the one real CT, whose labels are then its regions.

    python examples/abdomen/make.py

Reads `ct/` of the real data (`VOXPLAIN_DATA`, by default `../shared/data` beside the repository). Writes made/ct.nii.gz,
made/organs.nii.gz, made/unet.safetensors and made/made.json. The same seed gives the same weights (on one machine, with one
number of threads).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

# As a script, its own folder is importable, but not the package that it is part of.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from abdomen.networks import CLASSES, LABELS, WINDOW_HU, unet
from monai.losses import DiceCELoss
from rich.progress import track
from safetensors.torch import save
from torch import Tensor

import voxplain as vx
from voxplain.case.atomic import write_whole

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("VOXPLAIN_DATA", HERE.parents[2] / "shared" / "data"))
BOX = (64, 64, 24)  # voxels of a training crop, 19 × 19 × 7 cm


def classes_of(labels: np.ndarray) -> Tensor:
    """(*spatial) labels of TotalSegmentator to classes of the network."""
    table = np.zeros(max(labels.max(), 117) + 1, dtype=np.int64)
    for index, name in enumerate(CLASSES):
        table[list(LABELS.get(name, ()))] = index
    return torch.from_numpy(table[labels])


def crop(image: Tensor, classes: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """A random box, brighter or darker, with noise: (1, *BOX) and (1, *BOX)."""
    start = [int(rng.integers(0, n - b + 1)) for n, b in zip(classes.shape, BOX, strict=True)]
    box = tuple(slice(s, s + b) for s, b in zip(start, BOX, strict=True))
    noise = torch.from_numpy(rng.normal(0, 0.02, BOX).astype(np.float32))
    return (image[box] * rng.uniform(0.9, 1.1) + rng.normal(0, 0.03) + noise)[None], classes[box][None]


def trained(image: Tensor, classes: Tensor, steps: int, seed: int) -> torch.nn.Module:
    """A network that knows this scan."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = unet().train()
    loss = DiceCELoss(to_onehot_y=True, softmax=True)
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    for _ in track(range(steps), "training"):
        pairs = [crop(image, classes, rng) for _ in range(2)]
        x, y = (torch.stack(part) for part in zip(*pairs, strict=True))
        optimizer.zero_grad()
        loss(network(x), y).backward()
        optimizer.step()
        schedule.step()
    return network.eval()


@torch.no_grad()
def dice(network: torch.nn.Module, image: Tensor, classes: Tensor) -> dict[str, float]:
    """Of each class but the background, on the scan that was learned from."""
    pad = [(-n) % 8 for n in image.shape]
    padded = torch.nn.functional.pad(image, (0, pad[2], 0, pad[1], 0, pad[0]))
    found = network(padded[None, None])[0].argmax(0)[tuple(slice(n) for n in image.shape)]
    out = {}
    for index, name in enumerate(CLASSES[1:], 1):
        own, true = found == index, classes == index
        out[name] = round(2 * int((own & true).sum()) / max(int(own.sum()) + int(true.sum()), 1), 3)
    return out


def main(argv: Sequence[str] | None = None) -> None:
    """Read the options, make everything, print how well the network fits."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE / "made")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(argv)
    scan, labels = DATA / "ct/example_ct_sm.nii.gz", DATA / "ct/example_seg.nii.gz"
    if not scan.exists():
        raise SystemExit(
            f"make.py: the real CT is not there ({scan}); set VOXPLAIN_DATA to the folder of real data"
        )
    chosen.out.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    case = vx.read_case(scan, label=labels)
    assert case.label is not None
    low, high = WINDOW_HU
    image = torch.from_numpy(case.image[0]).float().sub(low).div(high - low).clamp(0, 1)
    classes = classes_of(case.label)
    network = trained(image, classes, chosen.steps, chosen.seed)
    shutil.copyfile(scan, chosen.out / "ct.nii.gz")
    shutil.copyfile(labels, chosen.out / "organs.nii.gz")
    write_whole(
        chosen.out / "unet.safetensors", save({k: v.contiguous() for k, v in network.state_dict().items()})
    )
    seconds = round(time.perf_counter() - started, 1)
    settings = {
        "steps": chosen.steps,
        "seed": chosen.seed,
        "seconds": seconds,
        "threads": torch.get_num_threads(),
    }
    found = dice(network, image, classes)
    write_whole(chosen.out / "made.json", json.dumps(settings | {"dice": found}, indent=2).encode())
    print("Dice on the scan itself: " + ", ".join(f"{name} {value:.2f}" for name, value in found.items()))
    print(f"{chosen.out}: {seconds} s")


if __name__ == "__main__":
    main()

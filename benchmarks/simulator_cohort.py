"""Subjects of the disease phantom with their truth, and the classifiers that benchmarks/simulator.py explains."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from voxplain.counterfactual.classifier import Decision
from voxplain.inherent.data import Sample, Samples, Split, split_samples
from voxplain.inherent.training import TrainingSettings, train
from voxplain.phantom.disease import CornerMark, DiseasedSubject, diseased_subject
from voxplain.phantom.disease.rules import RULES, SizeRule

CLASSES = ("healthy", "diseased")

# By number of axes. A volume of 24 voxels an edge has 13 times the voxels of a slice of 32, and its steps cost as much more;
# batches of a quarter give as many steps in a third of the time. From 160 subjects the CNN learns too little.
SIZES = {
    2: {"edge": 32, "subjects": 400, "test": 100, "epochs": 20, "batch": 32},
    3: {"edge": 24, "subjects": 320, "test": 24, "epochs": 7, "batch": 8},
}


def add_cohort(parser: argparse.ArgumentParser) -> None:
    """The options that say what subjects there are and how long simulators learn."""
    parser.add_argument("--dims", type=int, default=2, choices=(2, 3))
    parser.add_argument("--seed", type=int, default=1, help="of subjects, networks and order")
    helps = {"subjects": "to learn from", "test": "subjects that are asked about", "batch": "images per step"}
    for name in SIZES[2]:
        defaults = ", ".join(f"{sizes[name]} in {dims}-D" for dims, sizes in SIZES.items())
        parser.add_argument(f"--{name}", type=int, help=f"{helps.get(name, '')} ({defaults})")


def sized(chosen: argparse.Namespace) -> argparse.Namespace:
    """The options with what was not given filled in."""
    for name, value in SIZES[chosen.dims].items():
        if getattr(chosen, name) is None:
            setattr(chosen, name, value)
    return chosen


def told(chosen: argparse.Namespace) -> tuple[tuple[int, ...], int, int, int]:
    """The options as `make_cohort` takes them."""
    return (chosen.edge,) * chosen.dims, chosen.subjects, chosen.test, chosen.seed


@dataclass(frozen=True, eq=False)
class Cohort:
    """Images to learn from, and test subjects with and without the disease.

    Attributes:
        samples: one image of each training and validation subject, every second one diseased.
        split: of these.
        test: other subjects, both images of each.
        mark: planted in images that have the disease.
    """

    samples: Samples
    split: Split
    test: tuple[DiseasedSubject, ...]
    mark: CornerMark | None = None


def make_cohort(
    shape: Sequence[int], subjects: int, test: int, seed: int, severity: tuple[float, float] = (0.7, 1.3)
) -> Cohort:
    """Draw a cohort: training and validation subjects, then test subjects."""
    pairs = [diseased_subject(shape, seed=seed, subject=i, severity=severity) for i in range(subjects + test)]
    cases = [p.diseased if i % 2 else p.healthy for i, p in enumerate(pairs[:subjects])]
    items = tuple(Sample(case.id, case.image, i % 2, f"p{i}") for i, case in enumerate(cases))
    samples = Samples(items, CLASSES)
    split = split_samples(samples, {"train": 0.85, "validation": 0.15, "test": 0.0}, seed=seed)
    return Cohort(samples, split, tuple(pairs[subjects:]))


def marked(cohort: Cohort, mark: CornerMark) -> Cohort:
    """The same images, those with the mark that the mark's chances choose."""
    image = mark.brightness * mark.shape(cohort.samples[0].image.shape[1:])
    items = tuple(
        replace(s, image=np.maximum(s.image, image)) if mark.has(i, ill=s.label == 1) else s
        for i, s in enumerate(cohort.samples)
    )
    test = tuple(replace(p, diseased=mark.on(p.diseased)) for p in cohort.test)
    return Cohort(Samples(items, CLASSES), cohort.split, test, mark)


def permuted(cohort: Cohort, seed: int) -> Cohort:
    """The same images with labels that say nothing."""
    labels = np.random.default_rng(seed).permutation([s.label for s in cohort.samples])
    items = tuple(replace(s, label=int(k)) for s, k in zip(cohort.samples, labels, strict=True))
    return replace(cohort, samples=Samples(items, CLASSES))


def rule(cohort: Cohort, name: str) -> Decision:
    """The analytic classifier that reads one side or both."""
    groups = [np.stack([s.image for s in cohort.samples if s.label == k]) for k in (0, 1)]
    return Decision(SizeRule.fitted(name, *groups))


def sides_of(name: str) -> tuple[str, ...]:
    """What a classifier of this name uses."""
    return RULES.get(name, ("left", "right"))


def network(dims: int, seed: int) -> nn.Module:
    """A small CNN with random weights."""
    torch.manual_seed(seed)
    conv = nn.Conv2d if dims == 2 else nn.Conv3d
    norm = nn.BatchNorm2d if dims == 2 else nn.BatchNorm3d
    mean = nn.AdaptiveAvgPool2d if dims == 2 else nn.AdaptiveAvgPool3d
    layers: list[nn.Module] = []
    for inputs, outputs in ((1, 12), (12, 24), (24, 24)):
        layers += [
            conv(inputs, outputs, 3, stride=1 if inputs == 1 else 2, padding=1),
            norm(outputs),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers, mean(4), nn.Flatten(), nn.Linear(24 * 4**dims, 2))


def cnn(cohort: Cohort, seed: int, out: Path, *, epochs: int = 12) -> Decision:
    """A CNN that has learned the cohort's labels."""
    dims = cohort.samples[0].image.ndim - 1
    settings = TrainingSettings(
        epochs=epochs,
        batch=32 if dims == 2 else 8,
        learning_rate=3e-3,
        augment=None,
        seed=seed,
        device="cpu",
        duplicates=False,
        progress=False,
    )
    return Decision(train(network(dims, seed), cohort.samples, cohort.split, settings, out).network)


def random_cnn(cohort: Cohort, seed: int) -> Decision:
    """A CNN that has learned nothing."""
    module = network(cohort.samples[0].image.ndim - 1, seed)
    module.train()
    with torch.no_grad():
        for _ in range(20):
            module(_images(cohort))  # batch norm's statistics
    return Decision(_centred(module, cohort))


def permuted_cnn(cohort: Cohort, seed: int, out: Path) -> Decision:
    """A CNN that was taught labels which say nothing."""
    return Decision(_centred(cnn(cohort, seed, out, epochs=30).classifier, cohort))


def _centred(module: nn.Module, cohort: Cohort) -> nn.Module:
    """The network with logits moved and scaled so that it says "diseased" of half of the images: it may say it of none."""
    module.eval()
    with torch.no_grad():
        logits: Tensor = module(_images(cohort))
        last = list(module.children())[-1]
        assert isinstance(last, nn.Linear)
        difference = logits[:, 1] - logits[:, 0]
        last.bias[0] += difference.median()
        for parameter in last.parameters():
            parameter.mul_(4 / difference.std())
    return module


def _images(cohort: Cohort) -> Tensor:
    return torch.from_numpy(np.stack([s.image for s in cohort.samples]))

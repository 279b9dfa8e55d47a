"""Whose image a counterfactual still is, and whether it looks like images of the class that it is taken to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from voxplain.counterfactual.measure.change import identity
from voxplain.counterfactual.measure.features import RandomFeatures, Standardised, in_batches
from voxplain.counterfactual.running.queries_step import asked_images
from voxplain.counterfactual.running.task import CounterfactualTask
from voxplain.inherent.data.prepared import Images

_MOST = 500  # held-out images that sets are compared with


@dataclass(frozen=True)
class Own:
    """Of one counterfactual.

    Attributes:
        cosine: of its features and the image's, from −1 to 1.
        nearest: whether its features are closer to the image's than to those of every other patient's training image.
    """

    cosine: float
    nearest: bool


class Likeness:
    """Features of the training images that the classifier was asked about, made when they are first needed.

    Args:
        task: with its images.
        device: where.
    """

    def __init__(self, task: CounterfactualTask, device: torch.device) -> None:
        self._task, self._device = task, device

    @cached_property
    def _learned(self) -> tuple[nn.Module, Tensor, list[str]]:
        """Features with mean 0 and deviation 1, those of the images, and their patients."""
        chosen = asked_images(self._task)
        plain = RandomFeatures(self._task.shape[0], len(self._task.shape) - 1).to(self._device)
        found = torch.cat([in_batches(plain, part) for part in self._read(chosen)])
        features = Standardised.of(plain, found)
        return features, features.scaled(found), [self._task.samples[i].group for i in chosen]

    @property
    def features(self) -> nn.Module:
        """(N, C, *S) to (N, F), of mean 0 and deviation 1 over the training images."""
        return self._learned[0]

    def own(self, image: Tensor, changed: Tensor, patient: str) -> Own:
        """Of an image and its counterfactual, (C, *S)."""
        features, learned, patients = self._learned
        cosine = identity(features, image, changed)
        with torch.no_grad():
            a, b = features(torch.stack([image, changed]))
        others = learned[[n for n, name in enumerate(patients) if name != patient]]
        nearest = not len(others) or float((a - b).norm()) < float((others - b).norm(dim=1).min())
        return Own(cosine, bool(nearest))

    def held(self, label: int) -> Tensor:
        """(N, F) features of validation and test images of a class; at most some hundreds."""
        split, samples = self._task.split, self._task.samples
        chosen = [i for i in (*split.validation, *split.test) if samples[i].label == label]
        drawn = np.random.default_rng([self._task.settings.direction.seed, 0x4E1]).permutation(chosen)[:_MOST]
        parts = [in_batches(self.features, part) for part in self._read([int(i) for i in drawn])]
        return torch.cat(parts) if parts else torch.zeros(0, 1)

    def _read(self, indices: Sequence[int]) -> list[Tensor]:
        images = Images(self._task.samples, self._task.preparation, 0.0)
        return [
            torch.stack([images[i] for i in indices[start : start + 64]]).to(self._device)
            for start in range(0, len(indices), 64)
        ]

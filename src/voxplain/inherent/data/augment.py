"""Random changes of training images. What is drawn depends on seed, epoch and sample alone: any worker draws the same."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from voxplain.settings.section import Section, setting


class AugmentSettings(Section):
    """How training images are changed at random, with MONAI's transforms."""

    flip: tuple[int, ...] | None = setting(
        None, "axes along which images are mirrored half of the time; none: all of them"
    )
    rotate: float = setting(15.0, "largest turn, in the plane or about every axis", "degrees", ge=0, le=180)
    zoom: float = setting(0.1, "largest share by which images grow or shrink", ge=0, lt=1)
    spatial_chance: float = setting(0.5, "how often images are turned and zoomed", ge=0, le=1)
    contrast: float = setting(0.1, "largest share by which values are multiplied up or down", ge=0, lt=1)
    shift: float = setting(0.1, "largest shift of values, in standard deviations of the image", ge=0)
    noise: float = setting(0.02, "standard deviation of added noise", "the prepared image's units", ge=0)
    intensity_chance: float = setting(0.3, "how often each change of values is made", ge=0, le=1)


NONE = AugmentSettings(flip=(), rotate=0, zoom=0, contrast=0, shift=0, noise=0)


class Augment:
    """A sample's random change.

    Args:
        settings: what may change.
        seed: another one draws other changes.

    >>> change = Augment(AugmentSettings(), seed=1)
    >>> image = torch.rand(1, 16, 16)
    >>> torch.equal(change(image, "a", epoch=3), change(image, "a", epoch=3))
    True
    """

    def __init__(self, settings: AugmentSettings, seed: int) -> None:
        self.settings, self.seed = settings, seed
        self._random = np.random.RandomState(0)
        self._made: dict[int, list[Any]] = {}

    def __call__(self, image: Tensor, name: str, epoch: int) -> Tensor:
        """The image (C, *S) as it is in this epoch; of the same size, and never the same memory."""
        dims = image.ndim - 1
        if dims not in self._made:
            self._made[dims] = _steps(self.settings, dims)
            for step in self._made[dims]:
                step.set_random_state(state=self._random)
        # all steps share one generator: seeding each of them would take as long as changing the image
        self._random.seed(drawn(self.seed, epoch, name))
        # a copy, since MONAI's StdShiftIntensity adds in place and the image is kept for the next epoch
        out: Any = image.clone()
        with _untracked():
            for step in self._made[dims]:
                out = step(out)
        return torch.as_tensor(out, dtype=torch.float32)


@contextmanager
def _untracked() -> Iterator[None]:
    """Without MONAI's bookkeeping of affines, which nobody reads here and which costs more than the changes."""
    from monai.data import get_track_meta, set_track_meta

    before = get_track_meta()
    set_track_meta(False)
    try:
        yield
    finally:
        set_track_meta(before)


def drawn(*facts: object) -> int:
    """A 32-bit number that depends on all facts and looks random.

    >>> drawn(0, 1, "a") != drawn(0, 2, "a")
    True
    """
    text = "/".join(str(fact) for fact in facts).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "little")


def _steps(told: AugmentSettings, dims: int) -> list[Any]:
    from monai import transforms as monai

    axes = range(dims) if told.flip is None else told.flip
    steps: list[Any] = [monai.RandFlip(prob=0.5, spatial_axis=axis) for axis in axes]
    if (told.rotate or told.zoom) and told.spatial_chance:
        angle = math.radians(told.rotate)
        # one resampling for both; what comes in from outside repeats the edge, as zeros would be a new kind of background
        steps.append(
            monai.RandAffine(
                prob=told.spatial_chance,
                rotate_range=angle if dims == 2 else (angle,) * dims,
                scale_range=(told.zoom,) * dims,
                mode="bilinear",
                padding_mode="border",
            )
        )
    if told.intensity_chance:
        chance = told.intensity_chance
        if told.contrast:
            steps.append(monai.RandScaleIntensity(told.contrast, prob=chance))
        if told.shift:
            steps.append(monai.RandStdShiftIntensity(told.shift, prob=chance))
        if told.noise:
            steps.append(monai.RandGaussianNoise(std=told.noise, prob=chance))
    return steps

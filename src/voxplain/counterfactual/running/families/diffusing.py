"""A diffusion on MONAI's networks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from voxplain.counterfactual.diffusion import Denoiser, DiffusionGenerator, unet
from voxplain.counterfactual.diffusion.denoiser import scale_of
from voxplain.counterfactual.diffusion.generator import plausible_of
from voxplain.counterfactual.diffusion.schedule import Schedule
from voxplain.counterfactual.diffusion.task import DiffusionTask
from voxplain.counterfactual.generator.statistics import LatentStatistics
from voxplain.counterfactual.running.families.family import WEIGHTS, Family, Learned
from voxplain.counterfactual.running.families.features import features_of
from voxplain.counterfactual.running.families.networks import kept, kept_row, loop, seeded
from voxplain.counterfactual.running.families.tensors import read_tensors, write_tensors
from voxplain.counterfactual.settings.features import FeatureSettings
from voxplain.counterfactual.training.settings import StyleTraining
from voxplain.inherent.training.checkpoint import load_weights
from voxplain.inherent.training.history import Row

_NETWORK, _TAKEN = ("widths", "residual", "attention"), ("steps", "depth")
_SCALED_BY = 512  # images whose voxels tell mean and spread


class DiffusionFamily(Family):
    """The average denoiser of the best round. Other steps or another depth need no other training, only another look."""

    parameters: ClassVar[tuple[str, ...] | None] = (*_NETWORK, "schedule", *_TAKEN, "scan")
    later: ClassVar[tuple[str, ...]] = (*_TAKEN, "scan")
    trainings: ClassVar[tuple[str, ...]] = ("training",)

    def check(self) -> None:
        Schedule(self.kind, self.given.get("steps", 25)).level(self.given.get("depth", 0.4))

    def train(self, learned: Learned) -> list[Row]:
        from voxplain.counterfactual.running.judging import judged

        settings, folder = learned.settings.training, learned.folder / "training"
        images = learned.tensor(learned.learned)
        scale = scale_of(images[:_SCALED_BY])
        make = partial(
            _task, learned.shape, settings, self.kind, self.chosen(_NETWORK), scale, self.asked.features
        )
        rows = loop(make, learned, settings, folder, "diffusion")
        denoiser = Denoiser(unet(learned.shape, **self.chosen(_NETWORK)), self.kind, **scale)
        load_weights(kept(folder, "kept"), denoiser)
        generator = DiffusionGenerator(denoiser, learned.shape, plausible_of(images), **self.chosen(_TAKEN))
        write_tensors(learned.folder / WEIGHTS, "diffusion", generator.state_dict())
        held = learned.tensor(learned.judged[: settings.judged])
        return [
            *rows,
            {**kept_row(folder), **judged(generator, held, features_of(self.asked.features, learned.shape))},
        ]

    def load(self, folder: Path, shape: tuple[int, ...]) -> DiffusionGenerator:
        tensors = read_tensors(folder / WEIGHTS, "diffusion")
        denoiser = Denoiser(unet(shape, **self.chosen(_NETWORK)), self.kind)
        plausible = LatentStatistics(tensors["mean"], tensors["factor"])
        generator = DiffusionGenerator(denoiser, shape, plausible, **self.chosen(_TAKEN))
        generator.load_state_dict(tensors)
        return generator

    @property
    def kind(self) -> str:
        """Of the noise schedule."""
        return str(self.given.get("schedule", "scaled_linear_beta"))


def _task(
    shape: tuple[int, ...], settings: StyleTraining, kind: str, network: Mapping[str, Any], scale: Mapping[str, float],
    features: FeatureSettings,
) -> DiffusionTask:  # fmt: skip
    def make() -> Denoiser:
        return Denoiser(unet(shape, **network), kind, **scale)

    denoiser: Denoiser = seeded(settings.seed, make)
    return DiffusionTask(denoiser, shape, settings, features_of(features, shape))

"""A diffusion on MONAI's networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, nn

from voxplain.counterfactual.diffusion import Denoiser, DiffusionGenerator, unet
from voxplain.counterfactual.diffusion.conditional import (
    ConditionalDenoiser,
    conditional_unet,
    logit_scale,
    with_logits,
)
from voxplain.counterfactual.diffusion.denoiser import scale_of
from voxplain.counterfactual.diffusion.generator import plausible_of
from voxplain.counterfactual.diffusion.schedule import Schedule
from voxplain.counterfactual.diffusion.task import DiffusionTask
from voxplain.counterfactual.generator.statistics import LatentStatistics
from voxplain.counterfactual.running.families.family import WEIGHTS, Family, Learned
from voxplain.counterfactual.running.families.features import features_of
from voxplain.counterfactual.running.families.networks import kept, kept_row, loop, seeded
from voxplain.counterfactual.running.families.tensors import read_tensors, write_tensors
from voxplain.counterfactual.training.settings import StyleTraining
from voxplain.errors import InputError
from voxplain.inherent.data.prepared import Images
from voxplain.inherent.training.checkpoint import load_weights
from voxplain.inherent.training.history import Row

_NETWORK, _TAKEN = ("widths", "residual", "attention"), ("steps", "depth")
_DROPPED = 0.15  # share of the images whose condition is left out
_SCALED_BY = 512  # images whose voxels tell mean and spread


class DiffusionFamily(Family):
    """The average denoiser of the best round. Other steps or another depth need no other training, only another look."""

    parameters: ClassVar[tuple[str, ...] | None] = (
        *_NETWORK, "schedule", "conditional", "dropped", *_TAKEN, "scan",
    )  # fmt: skip
    later: ClassVar[tuple[str, ...]] = (*_TAKEN, "scan")
    trainings: ClassVar[tuple[str, ...]] = ("training",)

    def check(self) -> None:
        Schedule(self.kind, self.given.get("steps", 25)).level(self.given.get("depth", 0.4))
        told = self.given.get("conditional", False)
        if not isinstance(told, bool):
            raise InputError(f"generator.parameters.conditional: found {told!r}, expected true or false")
        if "dropped" in self.given and not told:
            raise InputError(
                "generator.parameters.dropped: found some for a denoiser without conditions, expected conditional: true"
            )
        share = self.given.get("dropped", _DROPPED)
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1:
            raise InputError(
                f"generator.parameters.dropped: found {share!r}, expected a share between 0 and 1"
            )

    @property
    def conditional(self) -> bool:
        return bool(self.given.get("conditional", False))

    def train(self, learned: Learned) -> list[Row]:
        from voxplain.counterfactual.running.judging import judged

        settings, folder = learned.settings.training, learned.folder / "training"
        images = learned.tensor(learned.learned)
        scale = scale_of(images[:_SCALED_BY])
        if learned.logits is not None:
            scale |= logit_scale(learned.logits[list(learned.learned)])
        make = partial(_denoiser, learned.shape, self.kind, self.chosen(_NETWORK), scale, self.conditional)
        features = partial(features_of, self.asked.features, learned.shape)
        dropped = float(self.given.get("dropped", _DROPPED))
        rows = loop(
            partial(_task, make, learned.shape, settings, features, dropped), _carrying(learned), settings, folder,
            "diffusion",
        )  # fmt: skip
        denoiser = make()
        load_weights(kept(folder, "kept"), denoiser)
        generator = DiffusionGenerator(denoiser, learned.shape, plausible_of(images), **self.chosen(_TAKEN))
        write_tensors(learned.folder / WEIGHTS, "diffusion", generator.state_dict())
        held = learned.tensor(learned.judged[: settings.judged])
        return [
            *rows,
            {**kept_row(folder), **judged(generator, held, features())},
        ]

    def load(self, folder: Path, shape: tuple[int, ...]) -> DiffusionGenerator:
        tensors = read_tensors(folder / WEIGHTS, "diffusion")
        denoiser = _denoiser(shape, self.kind, self.chosen(_NETWORK), {}, self.conditional)
        plausible = LatentStatistics(tensors["mean"], tensors["factor"])
        generator = DiffusionGenerator(denoiser, shape, plausible, **self.chosen(_TAKEN))
        generator.load_state_dict(tensors)
        return generator

    @property
    def kind(self) -> str:
        """Of the noise schedule."""
        return str(self.given.get("schedule", "scaled_linear_beta"))


class _Told(Images):
    """Images with what the classifier says of them as one more channel; they share what is kept with the others."""

    def __init__(self, images: Images, logits: Tensor) -> None:
        self._images, self._logits = images, logits
        super().__init__(images.samples, images.preparation, 0.0)

    def __getitem__(self, index: int) -> Tensor:  # type: ignore[override]
        return with_logits(self._images[index][None], self._logits[index][None])[0]


def _carrying(learned: Learned) -> Learned:
    if learned.logits is None:
        return learned
    return replace(learned, images=_Told(learned.images, learned.logits))


def _denoiser(
    shape: tuple[int, ...], kind: str, network: Mapping[str, Any], scale: Mapping[str, float], conditional: bool
) -> Denoiser:  # fmt: skip
    if conditional:
        return ConditionalDenoiser(conditional_unet(shape, **network), kind, **scale)
    return Denoiser(unet(shape, **network), kind, **scale)


def _task(
    make: Callable[[], Denoiser], shape: tuple[int, ...], settings: StyleTraining,
    features: Callable[[], nn.Module | None], dropped: float,
) -> DiffusionTask:  # fmt: skip
    denoiser: Denoiser = seeded(settings.seed, make)
    return DiffusionTask(denoiser, shape, settings, features(), dropped=dropped)

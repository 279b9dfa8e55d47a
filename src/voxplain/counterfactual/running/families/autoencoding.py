"""MONAI's autoencoder."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn

from voxplain.counterfactual.generator.autoencoder import AutoencoderGenerator, AutoencoderTask, autoencoder
from voxplain.counterfactual.generator.protocol import Generator
from voxplain.counterfactual.generator.statistics import LatentStatistics
from voxplain.counterfactual.running.families.family import WEIGHTS, Family, Learned
from voxplain.counterfactual.running.families.features import features_of
from voxplain.counterfactual.running.families.networks import kept, kept_row, loop, seeded
from voxplain.counterfactual.running.families.tensors import read_tensors, write_tensors
from voxplain.counterfactual.settings.features import FeatureSettings
from voxplain.counterfactual.training.settings import GeneratorTraining
from voxplain.inherent.training.checkpoint import load_weights
from voxplain.inherent.training.history import Row

_NETWORK, _LOSSES = ("widths", "latent", "residual"), ("looks", "prior")


class AutoencoderFamily(Family):
    """Trained, then measured on the training part for the spread of its codes."""

    parameters: ClassVar[tuple[str, ...] | None] = (*_NETWORK, *_LOSSES)
    trainings: ClassVar[tuple[str, ...]] = ("training",)

    def train(self, learned: Learned) -> list[Row]:
        from voxplain.counterfactual.running.judging import judged

        settings = learned.settings.training
        network, losses = self.chosen(_NETWORK), self.chosen(_LOSSES)
        make = partial(_task, learned.shape, settings, network, losses, self.asked.features)
        folder = learned.folder / "training"
        rows = loop(make, learned, settings, folder, "autoencoder")
        found = autoencoder(learned.shape, **network)
        load_weights(kept(folder, "autoencoder"), found)
        generator = AutoencoderGenerator.of(found, learned.tensor(learned.learned))
        _write(learned.folder / WEIGHTS, generator)
        row = kept_row(folder)
        features = features_of(self.asked.features, learned.shape)
        held = learned.tensor(learned.judged[: settings.judged])
        return [*rows, {**row, **judged(generator, held, features)}]

    def load(self, folder: Path, shape: tuple[int, ...]) -> Generator:
        tensors = read_tensors(folder / WEIGHTS, "autoencoder")
        statistics = LatentStatistics(tensors.pop("statistics.mean"), tensors.pop("statistics.factor"))
        network = autoencoder(shape, **self.chosen(_NETWORK))
        network.load_state_dict(tensors)
        return AutoencoderGenerator(network.eval(), shape, statistics)


def _task(
    shape: tuple[int, ...], settings: GeneratorTraining, network: dict[str, Any], losses: dict[str, Any],
    features: FeatureSettings,
) -> AutoencoderTask:  # fmt: skip
    made: nn.Module = seeded(settings.seed, lambda: autoencoder(shape, **network))
    return AutoencoderTask(made, shape, settings, **losses, features=features_of(features, shape))


def _write(path: Path, generator: AutoencoderGenerator) -> None:
    tensors: dict[str, torch.Tensor] = dict(generator.network.state_dict())
    statistics = generator.statistics
    tensors |= {"statistics.mean": statistics.mean, "statistics.factor": statistics.factor}
    write_tensors(path, "autoencoder", tensors)

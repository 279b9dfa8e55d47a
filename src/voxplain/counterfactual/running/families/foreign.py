"""A generator of the user's own, measured but not trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from torch import nn

from voxplain.counterfactual.generator.foreign import ForeignGenerator
from voxplain.counterfactual.generator.protocol import Generator
from voxplain.counterfactual.generator.statistics import LatentStatistics
from voxplain.counterfactual.running.families.family import WEIGHTS, Family, Learned
from voxplain.counterfactual.running.families.features import features_of
from voxplain.counterfactual.running.families.tensors import read_tensors, write_tensors
from voxplain.counterfactual.settings.config import GeneratorSettings
from voxplain.counterfactual.training.samples import write_samples
from voxplain.errors import InputError, ModelError
from voxplain.inherent.training.history import Row
from voxplain.model.factory import found_at
from voxplain.model.weights import load_weights

_SAMPLES = 32


class ForeignFamily(Family):
    """What a function makes; ``generator.safetensors`` holds the statistics of its codes alone."""

    parameters: ClassVar[tuple[str, ...] | None] = None

    def train(self, learned: Learned) -> list[Row]:
        from voxplain.counterfactual.running.judging import judged

        asked = learned.settings.generator
        images = learned.tensor(learned.learned)
        generator = ForeignGenerator.of(made(asked), images, str(asked.source))
        statistics = generator.statistics
        kept = {"mean": statistics.mean, "factor": statistics.factor}
        write_tensors(learned.folder / WEIGHTS, "module", kept)
        held = learned.tensor(learned.judged[: learned.settings.training.judged])
        row = {
            "epoch": 1.0,
            "step": 1.0,
            **judged(generator, held, features_of(asked.features, learned.shape)),
        }
        samples = generator.decode(generator.sample(_SAMPLES, seed=0))
        write_samples(learned.folder / "samples" / "step-0000001.png", samples)
        return [row]

    def load(self, folder: Path, shape: tuple[int, ...]) -> Generator:
        import torch

        stored = read_tensors(folder / WEIGHTS, "module")
        own = made(self.asked)
        with torch.no_grad():
            latent = own.encode(torch.zeros(1, *shape)).shape[1:]
        return ForeignGenerator(own, shape, latent, LatentStatistics(stored["mean"], stored["factor"]))


def made(asked: GeneratorSettings) -> Any:
    """What the function gives, with its weights.

    Raises:
        ModelError: no such function, or an exception inside; weights that do not fit.
        InputError: weights for what is no network.
    """
    source, arguments = str(asked.source), dict(asked.parameters)
    found = found_at(source)
    if callable(found) and not isinstance(found, nn.Module):
        try:
            found = found(**arguments)
        except Exception as error:
            line = " ".join(str(error).split())[:160]
            raise ModelError(f"generator {source}: raised {type(error).__name__}: {line}") from error
    if asked.weights is not None:
        if not isinstance(found, nn.Module):
            raise InputError(
                f"generator.weights: found {asked.weights.name} for {source}, which gives {type(found).__name__}, expected "
                "a torch.nn.Module; or let the function read its own weights"
            )
        load_weights(found, asked.weights)
    if isinstance(found, nn.Module):
        found.requires_grad_(False).eval()
    return found

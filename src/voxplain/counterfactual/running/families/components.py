"""Principal components."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import torch

from voxplain.counterfactual.generator.pca import PcaGenerator
from voxplain.counterfactual.generator.protocol import Generator
from voxplain.counterfactual.running.families.family import WEIGHTS, Family, Learned
from voxplain.counterfactual.running.families.features import features_of
from voxplain.counterfactual.training.samples import write_samples
from voxplain.inherent.training.history import Row

_SAMPLES = 32


class PcaFamily(Family):
    """Fitted at once, exactly."""

    parameters: ClassVar[tuple[str, ...] | None] = ("components",)

    def train(self, learned: Learned) -> list[Row]:
        from voxplain.counterfactual.running.judging import judged

        generator = PcaGenerator.fit(learned.tensor(learned.learned), self.given.get("components", 0.95))
        generator.save(learned.folder / WEIGHTS)
        row = {"epoch": 1.0, "step": 1.0, "explained": generator.explained}
        row |= {"components": float(len(generator.components))}
        features = features_of(self.asked.features, learned.shape)
        row |= judged(generator, learned.tensor(learned.judged[: learned.settings.training.judged]), features)
        samples = generator.decode(generator.sample(_SAMPLES, seed=0))
        write_samples(learned.folder / "samples" / "step-0000001.png", samples)
        return [row]

    def load(self, folder: Path, shape: tuple[int, ...]) -> Generator:
        found = PcaGenerator.load(folder / WEIGHTS)
        assert isinstance(found.mean, torch.Tensor)
        return found

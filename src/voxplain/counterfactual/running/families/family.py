"""What every family can do for the command line."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from voxplain.counterfactual.generator.protocol import Generator
from voxplain.counterfactual.settings.config import CounterfactualSettings, GeneratorSettings
from voxplain.inherent.data.prepared import Images
from voxplain.inherent.training.history import Row

WEIGHTS = "generator.safetensors"


@dataclass(frozen=True, eq=False)
class Learned:
    """What is learned from.

    Args:
        settings: how.
        images: prepared.
        learned, judged: indices of the training part, and of the part that rounds are measured on.
        shape: (C, *S).
        told: what decides the weights, for folders of trainings.
        folder: for the family's files.
        logits: (N,) what the classifier says of the images, of families that are told.
    """

    settings: CounterfactualSettings
    images: Images
    learned: Sequence[int]
    judged: Sequence[int]
    shape: tuple[int, ...]
    told: Mapping[str, Any]
    folder: Path
    logits: Tensor | None = None

    def tensor(self, indices: Sequence[int]) -> Tensor:
        """(N, C, *S) of these images."""
        import torch

        return torch.stack([self.images[i] for i in indices])


class Family(ABC):
    """One kind of generator.

    Args:
        asked: its settings; names of parameters were checked.

    Attributes:
        parameters: names that it knows; None knows all.
        later: those of them that say how images are encoded, and nothing of what is trained.
        trainings: sections of the settings that decide its weights.
    """

    parameters: ClassVar[tuple[str, ...] | None] = ()
    later: ClassVar[tuple[str, ...]] = ()
    trainings: ClassVar[tuple[str, ...]] = ()

    def __init__(self, asked: GeneratorSettings) -> None:
        self.asked, self.given = asked, dict(asked.parameters)

    def check(self) -> None:  # noqa: B027  # most leave it to what is made of them
        """Refuse values of parameters that cannot be.

        Raises:
            InputError: names the parameter.
        """

    @property
    def conditional(self) -> bool:
        """Whether it learns what the classifier says of images, too."""
        return False

    @abstractmethod
    def train(self, learned: Learned) -> list[Row]:
        """Train, or go on, and write ``generator.safetensors``; the history, the kept round last."""

    @abstractmethod
    def load(self, folder: Path, shape: tuple[int, ...]) -> Generator:
        """What `train` wrote.

        Raises:
            InputError: files that are missing, damaged or of another family.
        """

    def chosen(self, names: Sequence[str]) -> dict[str, Any]:
        """Parameters of these names, as far as they were given."""
        return {name: self.given[name] for name in names if name in self.given}

"""Where the results of one settings file lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from voxplain.target.scene import slug


@dataclass(frozen=True)
class Places:
    """The folder of results, by what is in it.

    >>> Places(Path("out")).case("test", 3, "a/b").as_posix()
    'out/prediction/cases/test/00003-a-b'
    """

    out: Path

    @property
    def settings(self) -> Path:
        """What was asked."""
        return self.out / "settings.yaml"

    @property
    def training(self) -> Path:
        """Weights, history, curves, checkpoints."""
        return self.out / "training"

    def member(self, number: int) -> Path:
        """The same of each network of an ensemble, from 0; the first is the one of no ensemble."""
        return self.training / f"members/{number}" if number else self.training

    @property
    def prediction(self) -> Path:
        """Maps and masks."""
        return self.out / "prediction"

    @property
    def evaluation(self) -> Path:
        """Tables and the page."""
        return self.out / "evaluation"

    @property
    def page(self) -> Path:
        """The page."""
        return self.evaluation / "report.html"

    def maps(self, part: str) -> Path:
        """Evidence of a part, as evaluation reads it."""
        return self.prediction / "maps" / part

    def cases(self, part: str) -> Path:
        """The files of a part, a folder per image."""
        return self.prediction / "cases" / part

    def case(self, part: str, index: int, id: str) -> Path:
        """The files of one image, for people and viewers."""
        return self.cases(part) / f"{index:05d}-{slug(id)}"

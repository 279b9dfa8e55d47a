"""Where the results of one settings file lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from voxplain.target.scene import slug


@dataclass(frozen=True)
class Places:
    """The folder of results, by what is in it.

    >>> Places(Path("out")).case(0, "test", 3, "a/b").as_posix()
    'out/explanation/seed-0/test/00003-a-b'
    """

    out: Path

    @property
    def settings(self) -> Path:
        """What was asked."""
        return self.out / "settings.yaml"

    @property
    def page(self) -> Path:
        """The page."""
        return self.out / "report.html"

    @property
    def explanation(self) -> Path:
        """Tables, and the files of every subject."""
        return self.out / "explanation"

    @property
    def surrogate(self) -> Path:
        """Of a black box: the network that has learned it, and how well."""
        return self.out / "surrogate"

    @property
    def group(self) -> Path:
        """What subjects have in common."""
        return self.out / "group"

    def training(self, seed: int) -> Path:
        """Weights, history, curves, checkpoints of one training."""
        return self.out / "training" / f"seed-{seed}"

    def case(self, seed: int, part: str, index: int, id: str) -> Path:
        """The files of one image by one training."""
        return self.explanation / f"seed-{seed}" / part / f"{index:05d}-{slug(id)}"

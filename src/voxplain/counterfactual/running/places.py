"""Where the results of one settings file lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from voxplain.target.scene import slug


@dataclass(frozen=True)
class Places:
    """The folder of results, by what is in it.

    Args:
        out: of the results.
        shared: of the generator, where it is elsewhere.

    >>> Places(Path("out")).case("test", 3, "a/b").as_posix()
    'out/explanation/test/00003-a-b'
    """

    out: Path
    shared: Path | None = None

    @property
    def generator(self) -> Path:
        """Weights, history, curves and samples."""
        return self.out / "generator" if self.shared is None else self.shared

    @property
    def explanation(self) -> Path:
        """Tables, the global view, and the files of every image."""
        return self.out / "explanation"

    @property
    def queries(self) -> Path:
        """What the classifier was asked."""
        return self.explanation / "queries.safetensors"

    @property
    def answers(self) -> Path:
        """What it said of a part of them, until all are asked."""
        return self.explanation / "answers.safetensors"

    def page(self, prefix: str = "") -> Path:
        """The page; of new images with the prefix ``new_``."""
        return self.out / ("new.html" if prefix else "report.html")

    def case(self, part: str, index: int, id: str) -> Path:
        """The files of one image."""
        return self.explanation / part / f"{index:05d}-{slug(id)}"

"""A division of images into regions, as settings name it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from voxplain.settings.section import Section, setting

PREDICTED, LABEL = "predicted", "label"


def region_source(value: Any) -> Any:
    """``predicted``, ``label`` or a path stands for ``{source: …}``."""
    return {"source": str(value)} if not isinstance(value, dict | RegionSource) else value


class RegionSource(Section):
    """A division of every image into regions."""

    source: str = Field(
        description="predicted: the network's own segments; label: the case's ground truth; or a label image on the case's "
        "grid, in whose path {id} stands for the case",
        min_length=1,
    )
    name: str | None = setting(None, "in the tables; predicted, label, or the file's name without {id}")
    labels: dict[int, str] = setting(
        {},
        "names of the labels; by default the classes' names for label, and for files those that they bring, as "
        "TotalSegmentator does, or numbers",
    )

    def file_of(self, case: str, label: Path | None) -> Path | None:
        """The label image of a case; none for predicted segments, or where the case has no label."""
        if self.source == PREDICTED:
            return None
        return label if self.source == LABEL else Path(self.source.replace("{id}", case))

    @property
    def told(self) -> str:
        """What tables call it."""
        if self.name or self.source in (PREDICTED, LABEL):
            return self.name or self.source
        stem = Path(self.source).name.replace("{id}", "").split(".")[0].strip("-_ ")
        return stem or Path(self.source).parent.name or "regions"

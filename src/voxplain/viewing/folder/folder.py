"""A folder of results as the viewer sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

from voxplain.report.page import Level

if TYPE_CHECKING:
    from voxplain.case import Case
    from voxplain.report.viewer import ShownLabels

Light = tuple[Level, str]
"""A traffic light, and its word."""

Cell = tuple[str, str, str]  # metric, method, target


@dataclass(frozen=True)
class Item:
    """A model on a case, which is what a reader opens.

    Attributes:
        number: its place in the list; what the browser asks for.
        position: of the case in the settings.
        name: as it is shown.
    """

    number: int
    model: str
    case: str
    position: int
    name: str


@dataclass(frozen=True)
class Figures:
    """What is known of an item without any image.

    Attributes:
        scores: target -> the prediction's score.
        cells: (metric, method, target) -> value.
        lights: method -> what is true of this case alone.
    """

    scores: Mapping[str, float] = field(default_factory=dict)
    cells: Mapping[Cell, float] = field(default_factory=dict)
    lights: Mapping[str, Light] = field(default_factory=dict)


class Folder(Protocol):
    """Results of one study, or of one explanation."""

    @property
    def out(self) -> Path:
        """The folder itself, without links."""

    @property
    def title(self) -> str:
        """What the page is called."""

    @property
    def items(self) -> tuple[Item, ...]:
        """All models and cases, done or not."""

    def maps(self, item: Item) -> dict[str, dict[str, str]]:
        """Target -> method -> unit, of the maps that there are."""

    def without(self, item: Item) -> list[str]:
        """Why maps are missing, a line each."""

    def read_case(self, item: Item) -> Case:
        """The image, read anew."""

    def read_map(self, item: Item, target: str, method: str, case: Case) -> NDArray[Any]:
        """A map (*spatial) on the case's grid."""

    def read_labels(self, item: Item, case: Case) -> tuple[ShownLabels, ...]:
        """The prediction, and the ground truth."""

    def figures(self, item: Item) -> Figures:
        """What is known without any image."""

    def verdicts(self, model: str) -> dict[str, Light]:
        """Method -> the study's word on it."""

    def region_table(self) -> Path | None:
        """The long table of sums over regions; none where there is none."""

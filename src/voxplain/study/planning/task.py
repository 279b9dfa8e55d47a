"""One piece of a study: small, repeatable, done by one process, and whole or not there."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Kind = Literal["model", "ask", "map", "judge", "table", "game"]
NULLS = "nulls"  # who is judged where it is the maps that know nothing
ALL_MAPS = "all"  # who is judged where maps are compared, or share what they are judged by
AGREEMENT = "agreement matrix"  # what is found with the metrics that judge all maps at once


@dataclass(frozen=True)
class Task:
    """What is to be done, and after what.

    Attributes:
        name: unit of the ledger, ``<model>/<case>/<what>``, safe as a path.
        kind: ``model``: load it, and say what it is; ``ask``: predict, resolve the targets, tell the costs; ``map``: one
            method's maps of all targets; ``judge``: metrics of one family, of one method's maps or of all; ``table``: one
            method's sums over regions; ``game``: regions that are taken away.
        model: name of the model in the settings.
        case: position of the case in the settings; −1 for a model's own task.
        who: the method whose maps are made, judged or summed, ``nulls`` or ``all``; the game's name.
        family: of the metrics; ``shared`` for those that judge all maps at once. Of a table: ``redrawn-1`` and so on where
            the network's weights are drawn anew.
        needs: names of the tasks that come first.
    """

    name: str
    kind: Kind
    model: str
    case: int = -1
    who: str = ""
    family: str = ""
    needs: tuple[str, ...] = ()

    @property
    def group(self) -> tuple[str, int]:
        """Tasks of one group share a prepared image and a prediction."""
        return self.model, self.case

    def plain(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Task:
        """The task again."""
        return cls(**{**plain, "needs": tuple(plain["needs"])})

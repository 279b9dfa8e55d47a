"""Which cases, methods and targets are drawn, and under which names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from voxplain.errors import InputError, suggest

if TYPE_CHECKING:
    from voxplain.report.figure import FigureRow

_NAMED = 6  # maps that a warning names


@dataclass(frozen=True)
class Asked:
    """What is drawn; () is all that is there.

    Attributes:
        names: of cases, methods, targets and classes, as they are to be written.
    """

    cases: Sequence[str] = ()
    methods: Sequence[str] = ()
    targets: Sequence[str] = ()
    model: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)

    def name(self, name: str) -> str:
        """As it is to be written."""
        return self.names.get(name, name)

    def row(self, case: str, target: str, several: tuple[bool, bool]) -> str:
        """The name of a row: what differs between rows; both where neither does."""
        cases, targets = several
        told = [self.name(case)] if cases or not targets else []
        return ", ".join([*told, self.name(target)] if targets or not cases else told)


@dataclass(frozen=True, eq=False)
class Rows:
    """What was found: rows, their columns in order, and what could not be drawn."""

    rows: list[FigureRow]
    columns: list[str]
    without: list[str]

    @property
    def told(self) -> str:
        """What could not be drawn, shortened."""
        return ", ".join(self.without[:_NAMED]) + (", …" if len(self.without) > _NAMED else "")


def pick(where: str, what: str, asked: Sequence[str], known: Iterable[str]) -> list[str]:
    """Names in the order in which they were asked for; all that are known where none was.

    Raises:
        InputError: one that is not known.
    """
    names = list(dict.fromkeys(known))
    for name in asked:
        if name not in names:
            raise InputError(f"{what}: {where} has no {name!r}; {suggest(name, names)}")
    return list(dict.fromkeys(asked)) or names


def in_order(settings: Mapping[str, Any], there: Iterable[str]) -> list[str]:
    """Methods that were run, in the order of the settings as far as they are named there."""
    asked = settings.get("methods", ())
    order = [
        str(m["name"] if isinstance(m, Mapping) else m).partition(":")[0].replace("-", "_") for m in asked
    ]
    return sorted(dict.fromkeys(there), key=lambda m: (order.index(m) if m in order else len(order), m))


def class_of(labels: NDArray[Any] | None, index: int | None) -> NDArray[Any] | None:
    """A class as a mask of ones, of labels (C, *spatial) with one channel, or one per class; None where it is nowhere."""
    if labels is None or index is None:
        return None
    mask = labels[index] > 0 if len(labels) > 1 else labels[0] == index
    return mask.astype(np.uint8) if mask.any() else None

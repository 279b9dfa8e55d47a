"""Findings: a light, a word and a sentence each."""

from __future__ import annotations

from dataclasses import dataclass

from voxplain.report.page import Level

MOST = 8  # lines of one kind; the tables have all


@dataclass(frozen=True)
class Line:
    """One finding.

    Attributes:
        word: beside the light.
        case: whose local view it links to, or empty.
    """

    level: Level
    word: str
    text: str
    case: str = ""


@dataclass(frozen=True)
class Findings:
    """Findings of one kind.

    Attributes:
        more: how many are left to the tables.
    """

    title: str
    lines: tuple[Line, ...]
    more: int = 0


def cut(title: str, lines: list[Line], most: int = MOST) -> Findings:
    """The first lines, the rest counted."""
    return Findings(title, tuple(lines[:most]), max(len(lines) - most, 0))


def none(title: str, word: str, text: str) -> Findings:
    """One line that says that there is nothing to tell, or why."""
    return Findings(title, (Line("info", word, text),))

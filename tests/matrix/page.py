"""The table of what was found: written to docs/matrix.md, and read back from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from matrix.cells import QUICK, Cell, cells
from matrix.exceptions import ASKED, UNSTABLE
from zoo.networks import ZOO

from voxplain.attribution import methods

PAGE = Path(__file__).parents[2] / "docs" / "matrix.md"
OK = "✓"
Key = tuple[str, str, str]

SLOW = ", ".join(f"`{name}` in {dims}-D" for name, entry in ZOO.items() for dims in entry.slow)
FEW = " and ".join(f"`{name}`" for name in QUICK)
SHAKY = ", ".join(f"`{name}`" for name in sorted(UNSTABLE))
OTHERS = "; ".join(
    f"`{name}`: {', '.join(f'{key}={value}' for key, value in chosen.items())}"
    for name, chosen in ASKED.items()
)
HEAD = f"""# Every method on every network

*Written by `scripts/write_matrix.py` from what `tests/matrix` found; a test fails where it finds something else.*

**{OK}** means that in this cell, in single precision, the map of at least one target

- is finite, of the image's shape, and neither zero nor constant;
- is no rounding noise: with the image times 1 + 10⁻⁶ it correlates with itself by more than 0.99 (0.7 for {SHAKY});
- comes from the weights: with these drawn again it correlates with itself by less than 0.999 (a map of two values, or one
  per channel, has other values);
- leaves the network bit-identical: tensors, flags, hooks, attributes.

Where a rectifier makes every map zero, so that their status says zero, the map without it is proven. A number stands for
the reason below: the method refuses, or what it says there is no map to be used. All methods meet all networks in all
their shapes: 2-D and 3-D, whole image and windows (segmentation), as far as the network exists there; only {SLOW}, where
one pass takes long, are asked by {FEW} alone. Networks with random weights have random norms, running statistics and
biases too.

Parameters are those of `tests/small.py`, except {OTHERS}.
"""


def render(found: Mapping[Key, str]) -> str:
    """The page of all findings: "" for a proof, else the reason of a refusal."""
    reasons: dict[str, int] = {}
    whole = _table(found, reasons)
    questions = list(dict.fromkeys(c.setup.question for c in cells()))
    shapes = [f"| question | networks | cells | {OK} |", "|---|--:|--:|--:|"]
    for question in questions:
        mine = [c for c in cells() if c.setup.question == question]
        proven = sum(found.get(c.key) == "" for c in mine)
        networks = len({c.setup.network for c in mine})
        shapes.append(f"| {question} | {networks} | {len(mine)} | {proven} |")
    notes = [f"{number}. {reason}" for reason, number in reasons.items()] or ["Nothing is refused."]
    return "\n".join(
        [
            HEAD,
            "## Methods × networks\n",
            *whole,
            "",
            "## Shapes\n",
            *shapes,
            "",
            "## Reasons\n",
            *notes,
            "",
        ]
    )


def _table(found: Mapping[Key, str], reasons: dict[str, int]) -> list[str]:
    rows = [f"| method | {' | '.join(ZOO)} |", f"|---|{':-:|' * len(ZOO)}"]
    for name in sorted(methods()):
        row = [_text(_cells_of(name, network), found, reasons) for network in ZOO]
        rows.append(f"| {name} | {' | '.join(row)} |")
    return rows


def _text(mine: list[Cell], found: Mapping[Key, str], reasons: dict[str, int]) -> str:
    """One mark where all shapes agree, else each shape with its own."""
    marks: dict[str, list[str]] = {}
    for cell in mine:
        reason = found.get(cell.key)
        if reason is None:
            mark = "?"
        elif reason:
            mark = str(reasons.setdefault(reason, len(reasons) + 1))
        else:
            mark = OK
        marks.setdefault(mark, []).append(cell.setup.shape)
    if len(marks) == 1:
        return next(iter(marks))
    return "; ".join(f"{mark} {', '.join(shapes)}" for mark, shapes in marks.items())


def read(text: str) -> dict[Key, str]:
    """What the page says about every cell, in the form that `render` takes."""
    reasons = {}
    for line in text.partition("## Reasons")[2].splitlines():
        number, _, reason = line.partition(". ")
        if number.isdecimal():
            reasons[number] = reason
    rows = [line for line in text.partition("## Shapes")[0].splitlines() if line.startswith("| ")]
    table = [[part.strip() for part in row.strip("|").split("|")] for row in rows]
    said: dict[Key, str] = {}
    if not table:
        return said
    columns = table[0][1:]
    for name, *row in table[1:]:
        for network, entry in zip(columns, row, strict=True):
            for cell in _cells_of(name, network):
                mark = _mark(entry, cell.setup.shape)
                if mark == OK or mark in reasons:
                    said[cell.key] = reasons.get(mark, "")
    return said


@cache
def _cells_of(name: str, network: str) -> list[Cell]:
    return [c for c in cells() if c.method == name and c.setup.network == network]


def _mark(entry: str, shape: str) -> str:
    if " " not in entry:
        return entry
    for part in entry.split("; "):
        mark, _, shapes = part.partition(" ")
        if shape in shapes.split(", "):
            return mark
    return "?"


def record(folder: Path, worker: str, cell: Cell, reason: str) -> None:
    """One line of JSON; every worker has its own file."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{worker}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps([*cell.key, reason]) + "\n")


def recorded(folder: Path) -> dict[Key, str]:
    """What all workers wrote."""
    lines = [line for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]
    return {tuple(key): reason for *key, reason in map(json.loads, lines)}

"""The part of the page about what subjects have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voxplain.inherent.page.numbers import Table
from voxplain.report import Picture
from voxplain.simulator.page.tables import tested_regions

if TYPE_CHECKING:
    from voxplain.inherent.data import Sample
    from voxplain.simulator.running.task import SimulatorTask


_ENOUGH = 0.9  # share of subjects below which a test is of those, too, who are not explained


@dataclass(frozen=True)
class GroupShown:
    """One test.

    Attributes:
        title: which subjects, or which difference.
        figure: mean map with significant voxels; None of tests of regions alone.
        regions: their tests; None without an atlas.
        lines: how it was tested and what came out, in sentences.
    """

    title: str
    figure: Picture | None
    regions: Table | None
    lines: tuple[str, ...]


def groups_shown(
    task: SimulatorTask, parts: Mapping[str, Sequence[Sample]]
) -> tuple[tuple[GroupShown, ...], tuple[str, ...]]:
    """The tests, where they are of the explanations that the page shows, and whom they left out."""
    from voxplain.simulator.running.group_step import GROUPS, group_key, read_tests
    from voxplain.simulator.running.records import NEW

    path = task.places.group / GROUPS
    if NEW in parts or not path.exists():
        return (), ()
    told = read_tests(task, group_key(task, parts))
    if told is None:
        return (), (
            "The tests in the folder group are of other explanations or settings, or have lost files; run "
            "`voxplain simulate group` again.",
        )
    level = task.settings.group.level
    return tuple(_shown(task, test, told["rows"], level) for test in told["tests"]), tuple(told["notes"])


def _shown(task: SimulatorTask, test: dict[str, Any], rows: list[dict[str, Any]], level: float) -> GroupShown:
    picture = None
    if test["folder"]:
        picture = Picture(task.places.group / test["folder"] / "figure.png", test["alt"], test["caption"])
    return GroupShown(test["title"], picture, tested_regions(rows, test["title"]), tuple(_lines(test, level)))


def reached_line(test: dict[str, Any]) -> str:
    """How many of a test's subjects are on their way to the end, and a warning where few are.

    >>> reached_line({"reached": [19, 20]})
    '19 of 20 subjects reached their target in all images and trainings.'
    """
    reached, asked = test["reached"]
    line = f"{reached} of {asked} subjects reached their target in all images and trainings."
    if reached >= _ENOUGH * asked:
        return line
    return (
        f"FEW REACH THEIR TARGET: {line} Of the others the map that comes closest is tested, which shows only a part of "
        "what the classifier looks for, or something else: it may be no motion of tissue."
    )


def _lines(test: dict[str, Any], level: float) -> list[str]:
    subjects = " and ".join(str(n) for n in test["subjects"])
    how = "every permutation" if test["exact"] else "random permutations"
    outcome = (
        f"corrected over {test['voxels']:,} voxels: {test['found']:,} with p ≤ {level:g} for any false alarm, "
        f"{test['discovered']:,} with q ≤ {level:g}."
    )
    lines = [f"{subjects} subjects, {how}, {outcome if test['voxels'] else 'of regions alone.'}"]
    lines.append(reached_line(test))
    if test["least"] > level:
        lines.append(
            f"So few subjects can show nothing: the smallest p that any outcome could have is {test['least']:.2g}."
        )
    if "agreement" in test:
        found = test["agreement"]
        lines.append(
            "Agreement is not known: there is one training only (seeds: [0, 1, 2] would tell)."
            if found is None
            else f"Mean maps of two trainings correlate with r = {found['median']:.2f} (median; least {found['least']:.2f})."
        )
    return lines

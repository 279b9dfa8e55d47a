"""Tables of regions in the order in which a page shows them: per target, the map that may be believed most first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voxplain.report.page import Level
    from voxplain.report.regions import Regions
    from voxplain.report.trust import Trust

_ORDER = ("good", "info", "warn", "bad")


@dataclass(frozen=True)
class Shown:
    """A table with its method's light."""

    regions: Regions
    level: Level
    text: str


def by_target(regions: Sequence[Regions], trust: Sequence[Trust]) -> dict[tuple[str, str], tuple[Shown, ...]]:
    """(Target, division) -> its tables; among equals the methods stay in their order.

    A map with a fault goes behind one that was not tested: the first is known to be doubtful.
    """
    panels = {panel.method: panel for panel in trust}
    found: dict[tuple[str, str], list[Shown]] = {}
    for one in regions:
        panel = panels.get(one.method)
        shown = Shown(one, panel.level if panel else "info", panel.text if panel else "")
        found.setdefault((one.target, one.division), []).append(shown)
    return {key: tuple(sorted(every, key=lambda s: _ORDER.index(s.level))) for key, every in found.items()}

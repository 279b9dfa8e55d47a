"""All series of a page, with the script that moves them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from voxplain.report.series.pack import PackedSeries, pack_series
from voxplain.report.series.shown import ShownSeries
from voxplain.report.viewer import MB, Assets, assets
from voxplain.report.viewer.assets import MISSING

ROOM = 12 * MB
"""Of all series of a page, as they stand in it."""


@dataclass(frozen=True)
class Moving:
    """What the templates ask: which images have a slider, and why others have none."""

    packed: PackedSeries
    built: Assets | None

    def has(self, number: int) -> bool:
        """Whether an image has one."""
        return self.built is not None and self.packed.contents[number] is not None

    def why(self, number: int) -> str:
        """Why an image has none; "" where it has."""
        return self.packed.left_out[number]

    @property
    def note(self) -> str:
        """What holds for the whole page."""
        return MISSING if self.built is None and any(self.packed.contents) else ""


def moving(makers: Sequence[Callable[[], ShownSeries]], budget: float = ROOM) -> Moving:
    """Pack the series of a page, each read when its turn comes."""
    packed = pack_series(makers, len(makers), budget)
    return Moving(packed, assets("series") if any(packed.contents) else None)

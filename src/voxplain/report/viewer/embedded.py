"""What a page's template asks of the viewer."""

from __future__ import annotations

from dataclasses import dataclass

from voxplain.report.viewer.assets import MISSING, Assets, assets
from voxplain.report.viewer.pack import MB, Packed


@dataclass(frozen=True)
class Embedded:
    """Volumes and the viewer in a page; both may be missing, and then nothing of them is in the page."""

    packed: Packed | None = None

    @property
    def built(self) -> Assets | None:
        """Script and style, where there is something to show."""
        return assets() if self.packed is not None and self.packed.contents["cases"] else None

    @property
    def solid(self) -> str:
        """The packed view in three dimensions; empty where the page has none."""
        return self.built.solid_packed if self.built and self.packed and self.packed.three_d else ""

    @property
    def policy(self) -> str:
        """What the page's security policy allows besides: these scripts and no other."""
        if not self.built:
            return ""
        return f"; script-src {self.built.policy}" + (f" {self.built.solid_policy}" if self.solid else "")

    @property
    def style(self) -> str:
        """To stand in the page's style element."""
        return self.built.style if self.built else ""

    @property
    def megabytes(self) -> float:
        """Of all volumes as they stand in the page, and of the view in three dimensions."""
        return (self.packed.size + len(self.solid)) / MB if self.packed else 0.0

    @property
    def without(self) -> tuple[str, ...]:
        """Why something is not in the viewer."""
        if self.packed is None:
            return ()
        missing = (MISSING,) if self.packed.contents["cases"] and self.built is None else ()
        return (*missing, *self.packed.left_out)

"""What is lost when a region is hidden, for all targets from one forward pass per region and window.

Only windows that a region touches are computed again; the rest of the score cannot change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from voxplain.engine.gradients import GradientEngine
from voxplain.engine.passes import Passes
from voxplain.engine.samplers import Fixed, clean
from voxplain.engine.stitched import Stitched
from voxplain.target.region import Region

CLEAN = -1


@dataclass(frozen=True)
class _Item:
    window: int
    region: int


class Occluder:
    """Hides regions of one (padded) image behind a (padded) baseline."""

    def __init__(self, engine: GradientEngine, padded: Tensor, baseline: Tensor) -> None:
        self.engine, self.plan, self.runner = engine, engine.plan, engine.runner
        self.padded, self.baseline = padded, baseline

    def run(self, regions: Sequence[Region], targets: Sequence[int], what: str) -> tuple[Tensor, Tensor]:
        """(T, R) lost score and (T,) clean score; NaN for targets not asked for. Progress is told as of ``what``."""
        count = len(self.plan.functionals)
        lost = torch.full((count, len(regions)), torch.nan, dtype=torch.float64)
        clean = torch.full((count,), torch.nan, dtype=torch.float64)
        lost[list(targets)] = 0.0
        clean[list(targets)] = 0.0
        linear = self.plan.linear(targets)
        rest = [t for t in targets if t not in set(linear)]
        self.runner.check_room(gradient=False)
        with self.runner.session():
            if linear:
                self._linear(regions, linear, lost, clean, what)
            for group in self.engine.groups(rest):
                self._stitched(regions, group, lost, clean, what)
        return lost, clean

    def _linear(
        self, regions: Sequence[Region], targets: list[int], lost: Tensor, clean: Tensor, what: str
    ) -> None:
        items = self._items(regions, targets)
        shares: dict[int, Tensor] = {}
        wanted = set(targets)

        def work(batch: list[_Item]) -> None:
            with torch.no_grad():
                z = self.runner.forward(self._inputs(batch, regions))
            # all that may fail comes before anything is counted
            found = [self.plan.terms(item.window).scores(z[b : b + 1])[0] for b, item in enumerate(batch)]
            for item, scores in zip(batch, found, strict=True):
                if item.region == CLEAN:
                    # a window's clean item comes first, so the later ones find its share here
                    shares[item.window] = scores
                for k, term in enumerate(self.plan.terms(item.window).terms):
                    if term.target not in wanted:
                        continue
                    if item.region == CLEAN:
                        clean[term.target] += scores[k]
                    else:
                        lost[term.target, item.region] += shares[item.window][k] - scores[k]

        self.runner.each(items, work, what)

    def cost(self, regions: Sequence[Region], targets: Sequence[int]) -> Passes:
        """Forward passes that `run` will take."""
        linear = self.plan.linear(targets)
        rest = [t for t in targets if t not in set(linear)]
        groups = [group for group in (linear, *self.engine.groups(rest)) if group]
        return Passes(forward=sum(len(self._items(regions, group)) for group in groups))

    def _items(self, regions: Sequence[Region], targets: Sequence[int]) -> list[_Item]:
        """Every window that matters, clean, and with each region that touches it hidden."""
        out = []
        for window in self.plan.windows(targets):
            own = [r for r in range(len(regions)) if self._touches(regions[r], window)]
            out += [_Item(window, r) for r in (CLEAN, *own)]
        return out

    def _stitched(
        self, regions: Sequence[Region], targets: list[int], lost: Tensor, clean: Tensor, what: str
    ) -> None:
        """Non-linear scores over several windows: exchange the touched windows' share of the stitched output."""
        parts: dict[int, dict[int, Tensor]] = {}
        base = self.engine.stitch(Fixed([self.padded]), 0, targets, parts)
        for t in targets:
            clean[t] = base.value(t)[0]
        windows = self.plan.windows(targets)
        for r, region in enumerate(regions):
            items = [_Item(w, r) for w in windows if self._touches(region, w)]
            changed = base.copy()

            def work(batch: list[_Item], changed: Stitched = changed) -> None:
                with torch.no_grad():
                    z = self.runner.forward(self._inputs(batch, regions))
                found = [
                    changed.part(self.plan.terms(item.window), sample)
                    for sample, item in zip(z, batch, strict=True)
                ]
                for part, item in zip(found, batch, strict=True):
                    places = self.plan.places(item.window, targets)
                    changed.add(parts[item.window], places, -1.0)
                    changed.add(part, places)

            self.runner.each(items, work, f"{what} {r + 1}/{len(regions)}")
            for t in targets:
                lost[t, r] = clean[t] - changed.value(t)[0]

    def _touches(self, region: Region, window: int) -> bool:
        if self.plan.layout is None:
            return region.count > 0
        seen = self.plan.layout.overlap_with(window)
        return seen is not None and region.touches(seen[0])

    def _inputs(self, batch: Sequence[_Item], regions: Sequence[Region]) -> Tensor:
        return torch.stack([self._hidden(item, regions) for item in batch]).to(
            self.runner.model.device, self.engine.dtype
        )

    def _hidden(self, item: _Item, regions: Sequence[Region]) -> Tensor:
        where = self.plan.where(item.window)
        x = clean(self.padded).input(0, where)
        if item.region == CLEAN:
            return x
        hidden = self._mask(regions[item.region], item.window)
        return torch.where(hidden, self.baseline[(slice(None), *where)], x)

    def _mask(self, region: Region, window: int) -> Tensor:
        """Which voxels of a window are hidden: (*roi) bool."""
        where, layout = self.plan.where(window), self.plan.layout
        if layout is None:
            return region.crop(where)
        if layout.is_padded and layout.windows.padding != "constant":
            # padding repeats the image, so what is hidden is hidden in its repetition too
            whole = region.crop(tuple(slice(0, s) for s in layout.shape))
            return layout.pad(whole[None].to(self.padded.dtype))[0][where].bool()
        hidden = torch.zeros([s.stop - s.start for s in where], dtype=torch.bool)
        seen = layout.overlap_with(window)
        if seen is not None:
            hidden[seen[1]] = region.crop(seen[0])
        return hidden

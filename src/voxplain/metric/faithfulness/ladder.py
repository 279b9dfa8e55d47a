"""Scores of images from which a range of a map's order is taken out, each computed once for all metrics and maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from voxplain.engine import Passes, Problem
from voxplain.engine.asked import Asking
from voxplain.engine.canvas import Canvas
from voxplain.engine.layout import Slices
from voxplain.engine.samplers import Fixed
from voxplain.metric.faithfulness.filling import Fill, filling
from voxplain.metric.faithfulness.measure import On, measure
from voxplain.metric.faithfulness.order import Order, Parts, random_order

# Ranks and filled-in images that are held at once.
HELD_BYTES = 256 << 20
HALVES = 4  # random ones, by whose effect that of the whole is judged
Range = tuple[int, int]
Key = tuple[int, str, int, int]


@dataclass(frozen=True)
class Rung:
    """The image without the places ``start … stop − 1`` of an order, asked about one target."""

    order: Order
    target: int
    start: int
    stop: int

    @property
    def key(self) -> Key:
        return self.target, self.order.key, self.start, self.stop


@dataclass(frozen=True)
class Removed:
    """Draws of the image with ranges of orders replaced by another image. A `Sampler`."""

    canvas: Canvas
    whole: Tensor
    rungs: Sequence[Rung]

    def __len__(self) -> int:
        return len(self.rungs)

    def input(self, draw: int, where: Slices) -> Tensor:
        return self.canvas.box(where, lambda box: self._made(self.rungs[draw], box))

    def factor(self, draw: int, where: Slices) -> float:
        return 1.0

    def _made(self, rung: Rung, box: Slices) -> Tensor:
        rank, part = rung.order.rank[box], (slice(None), *box)
        gone = (rank >= rung.start) & (rank < rung.stop)
        return torch.where(gone, self.whole[part], self.canvas.image[part])


@dataclass
class Ladder:
    """The scores of one problem under one filling.

    Rungs are gathered with `want` and run together, so that a batch holds several maps and targets; the scores that
    another metric has asked for are not computed again.

    Args:
        on: what the scores are of (see `voxplain.metric.faithfulness.measure`).
    """

    problem: Problem
    on: On
    fill: Fill
    waiting: dict[Key, Rung] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.filling = filling(self.problem, self.fill)
        self.measure = measure(self.problem, self.on)
        empty: dict[Key, float] = {}
        self.known = self.problem.once(("ladder", self.on, repr(self.fill)), lambda: empty)

    def want(self, order: Order, target: int, ranges: Sequence[Range]) -> None:
        """Ask for the score without each of some ranges; runs what waits where that fills the memory."""
        for start, stop in ranges:
            rung = Rung(order, target, start, stop)
            if 0 < stop - start < order.total and rung.key not in self.known:
                self.waiting[rung.key] = rung
        if self._bytes() > HELD_BYTES:
            self.run()

    def run(self) -> None:
        """Score all that waits."""
        rungs = list(self.waiting.values())
        scores = self._scored(rungs, [[r.target] for r in rungs])
        for row, rung in enumerate(rungs):
            self.known[rung.key] = float(scores[row, rung.target])
        self.waiting.clear()

    def score(self, order: Order, target: int, start: int, stop: int) -> float:
        """The score without a range that was wanted; with nothing removed it is the clean one."""
        clean, removed = self.ends()
        if stop <= start:
            return float(clean[target])
        if stop - start >= order.total:
            return float(removed[target])
        return self.known[target, order.key, start, stop]

    def ends(self) -> tuple[Tensor, Tensor]:
        """(T,) scores of the clean image and (T,) of the one of which nothing is left."""
        return self._clean(), self.problem.once(self._removed_key, lambda: self._asked(self.filling.whole))

    def halves(self, parts: Parts | None) -> Tensor:
        """(HALVES, T) scores without a random half of the voxels, or of the parts; they depend on no map."""

        def scored() -> Tensor:
            orders = [random_order(self.problem, parts, draw) for draw in range(HALVES)]
            rungs = [Rung(o, -1, 0, o.counts[0]) for o in orders]
            return self._scored(rungs, [self.problem.present] * HALVES)

        return self.problem.once(self._halves_key(parts), scored)

    def halves_cost(self, parts: Parts | None) -> Passes:
        """Passes that `halves` will take."""
        if self.problem.has_done(self._halves_key(parts)):
            return Passes(0, 0)
        return self.measure.cost([self.problem.present] * HALVES)

    def cost(self, rungs: Sequence[Rung]) -> Passes:
        """Passes of the ends and of these rungs, as far as they are not known."""
        new = {r.key: r for r in rungs if 0 < r.stop - r.start < r.order.total and r.key not in self.known}
        total = self.measure.cost([[r.target] for r in new.values()])
        ends = self.measure.cost([self.problem.present])
        if self.on == "score":
            total += Passes(0, 0) if self.problem.knows_clean_scores else self.problem.cost(scores=1)
        elif not self.problem.has_done(self._clean_key):
            total += ends
        return total if self.problem.has_done(self._removed_key) else total + ends

    @property
    def _clean_key(self) -> tuple[str, ...]:
        return ("curve's clean end", self.on)

    @property
    def _removed_key(self) -> tuple[str, ...]:
        return ("curve's removed end", self.on, repr(self.fill))

    def _halves_key(self, parts: Parts | None) -> tuple[str, ...]:
        return ("curve's random halves", self.on, repr(self.fill), parts.key if parts is not None else "")

    def _scored(self, rungs: Sequence[Rung], asked: Asking) -> Tensor:
        """(rungs, T), each image asked about some targets."""
        step = self._at_once(len(rungs))
        what = f"removing in order ({len(rungs)} images)"
        found = [
            self.measure.scores(self._sampler(rungs[i : i + step]), asked[i : i + step], what)
            for i in range(0, len(rungs), step)
        ]
        return torch.cat(found) if found else torch.empty(0)

    def _clean(self) -> Tensor:
        if self.on == "score":
            return self.problem.clean_scores()
        return self.problem.once(self._clean_key, lambda: self._asked(self.problem.image))

    def _asked(self, image: Tensor) -> Tensor:
        sampler = Fixed([self.problem.pad(image)])
        return self.measure.scores(sampler, [self.problem.present], "the curve's ends")[0]

    def _bytes(self) -> int:
        return sum(
            rank.nbytes for rank in {r.order.key: r.order.rank for r in self.waiting.values()}.values()
        )

    def _at_once(self, count: int) -> int:
        """In-fills are whole images, so only as many are made as memory may hold; other changes need none."""
        if not self.filling.is_infill:
            return max(count, 1)
        return max(HELD_BYTES // self.problem.padded.nbytes, 1)

    def _sampler(self, rungs: Sequence[Rung]) -> Removed | Fixed:
        if not self.filling.is_infill:
            return Removed(self.problem.canvas(), self.filling.whole, rungs)
        return Fixed([self.problem.pad(self._filled(r)) for r in rungs])

    def _filled(self, rung: Rung) -> Tensor:
        rank = rung.order.rank
        gone = (rank >= rung.start) & (rank < rung.stop)
        return self.filling.image(self.problem, gone.numpy())

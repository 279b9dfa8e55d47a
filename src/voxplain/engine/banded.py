"""Gradients handed over slab by slab: windows go in spatial order, so that little of the maps is unfinished at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from voxplain.engine.backward import Backward
from voxplain.engine.canvas import inside
from voxplain.engine.gradients import Add
from voxplain.engine.layout import Layout, Slices
from voxplain.engine.plan import Plan
from voxplain.engine.samplers import Sampler
from voxplain.engine.store import MapStore

if TYPE_CHECKING:
    from pathlib import Path

    from voxplain.engine.problem import Problem

# (target, slices of the image, (groups, C, *slab))
Take = Callable[[int, Slices, Tensor], None]


def over_bands(
    problem: Problem,
    sampler: Sampler,
    take: Take,
    *,
    groups: int,
    each: Add | None,
    what: str,
    backward: Backward | None,
) -> Tensor:
    """Σ over draws and windows of factor × gradient, slab by slab; see `Problem.banded`."""
    targets, layout = problem.present, problem.layout
    if layout is not None and layout.is_padded and layout.windows.padding != "constant":
        return _whole(problem, sampler, take, groups, each, what, backward)
    axis = best_axis(problem.plan, targets)
    band = Band(
        targets,
        problem.plan,
        layout,
        (groups, problem.image.shape[0]),
        len(sampler),
        axis=axis,
        take=take,
        each=each,
        limit=problem.memory,
        dtype=problem.dtype,
        scratch=problem.scratch,
    )
    order = spatial_order(problem.plan, targets, axis)
    scores = problem.engine.run(sampler, targets, band.add, what, backward, order)
    band.finish()
    return scores


def _whole(
    problem: Problem,
    sampler: Sampler,
    take: Take,
    groups: int,
    each: Add | None,
    what: str,
    backward: Backward | None,
) -> Tensor:
    """Maps that are finished all at once are stored, and handed over one target after the other."""
    stores = [problem.padded_store(share=groups) for _ in range(groups)]

    def add(t: int, where: Slices, block: Tensor, draw: int) -> None:
        # before anything is counted, since it may run out of memory and is then asked again
        if each is not None:
            each(t, where, block, draw)
        stores[draw % groups].add(t, where, block)

    scores = problem.engine.run(sampler, problem.present, add, what, backward)
    everywhere = tuple(slice(0, s) for s in problem.spatial_shape)
    for t in problem.present:
        take(t, everywhere, torch.stack([problem.unpad_gradient(store[t]) for store in stores]))
    return scores


def spatial_order(plan: Plan, targets: Sequence[int], axis: int) -> list[int]:
    """Windows along an axis; of those that start together, busy ones first and last in turn.

    So neighbours in the order have about as many targets, also where a batch goes on from one row to the next.
    """
    wanted = set(targets)
    rows: dict[int, list[int]] = {}
    for window in plan.windows(targets):
        rows.setdefault(plan.where(window)[axis].start, []).append(window)
    order: list[int] = []
    for number, start in enumerate(sorted(rows)):
        order += sorted(
            rows[start],
            key=lambda w: len(wanted.intersection(plan.touching[w])),
            reverse=number % 2 == 0,
        )
    return order


def best_axis(plan: Plan, targets: Sequence[int]) -> int:
    """The axis along which the fewest voxels are unfinished at once."""
    return min(range(len(plan.shape)), key=lambda axis: _most_voxels(plan, targets, axis))


def _most_voxels(plan: Plan, targets: Sequence[int], axis: int) -> int:
    """The largest number of voxels of all targets that are begun and not finished, in spatial order."""
    place = {w: i for i, w in enumerate(spatial_order(plan, targets, axis))}
    change = [0] * (len(place) + 1)
    for piece in pieces(plan, targets, axis):
        places = [place[w] for w in piece.windows]
        voxels = prod(piece.shape)
        change[min(places)] += voxels
        change[max(places) + 1] -= voxels
    most = now = 0
    for step in change:
        now += step
        most = max(most, now)
    return most


@dataclass(eq=False)
class Piece:
    """A box of one target's map that the same windows finish, as seen along the axis.

    Attributes:
        box: slices of the padded image.
        windows: that touch it.
        missing: blocks that are still to come.
        content: (groups, C, *box), once it is begun; a store has a map per group.
    """

    target: int
    box: Slices
    windows: list[int]
    missing: int = 0
    content: Tensor | MapStore | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the box."""
        return tuple(s.stop - s.start for s in self.box)


def pieces(plan: Plan, targets: Sequence[int], axis: int) -> list[Piece]:
    """What each target's windows cover, cut along the axis wherever one of them begins or ends.

    Across the axis a piece is the smallest box that holds its windows.
    """
    wanted = set(targets)
    seen: dict[int, list[int]] = {t: [] for t in targets}
    for window, touched in enumerate(plan.touching):
        for t in wanted.intersection(touched):
            seen[t].append(window)
    out = []
    for t, windows in seen.items():
        where = {w: plan.where(w) for w in windows}
        cuts = sorted({edge for s in where.values() for edge in (s[axis].start, s[axis].stop)})
        for start, stop in pairwise(cuts):
            inside = [w for w in windows if where[w][axis].start <= start and where[w][axis].stop >= stop]
            if inside:
                box = [_hull([where[w][a] for w in inside]) for a in range(len(plan.shape))]
                box[axis] = slice(start, stop)
                out.append(Piece(t, tuple(box), inside))
    return out


def _hull(slices: Sequence[slice]) -> slice:
    return slice(min(s.start for s in slices), max(s.stop for s in slices))


@dataclass(eq=False)
class Band:
    """What is begun of the maps and not finished: held in memory up to a limit, beyond it in scratch files.

    A piece stays where it was begun. So however many targets there are, no more than the limit is in memory, and a piece
    that is read back.

    Args:
        targets: whose pieces are kept.
        size: (groups, C).
        draws: of the sampler; draw ``i`` belongs to group ``i % groups``.
        axis: along which windows come.
        take: is given what is finished.
        each: is given every block as it comes.
        limit: bytes in memory.

    Attributes:
        held, largest: bytes in memory now, and at most so far.
        spilled: bytes that went to files.
    """

    targets: Sequence[int]
    plan: Plan
    layout: Layout | None
    size: tuple[int, int]
    draws: int
    axis: int
    take: Take
    each: Add | None = None
    limit: int = 2 << 30
    dtype: torch.dtype = torch.float32
    scratch: Path | None = None
    held: int = field(init=False, default=0)
    largest: int = field(init=False, default=0)
    spilled: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._pieces: dict[int, list[Piece]] = {t: [] for t in self.targets}
        self._ready: list[Piece] = []
        for piece in pieces(self.plan, self.targets, self.axis):
            piece.missing = len(piece.windows) * self.draws
            self._pieces[piece.target].append(piece)

    def add(self, target: int, where: Slices, block: Tensor, draw: int) -> None:
        """Add a weighted window gradient (C, *roi); what the last one finished is handed over before.

        What may run out of memory comes before anything of the block is counted, so that it can be given again.
        """
        self._hand_over()
        along = where[self.axis]
        touched = [
            p
            for p in self._pieces[target]
            if p.box[self.axis].start < along.stop and p.box[self.axis].stop > along.start
        ]
        for piece in touched:
            self._begin(piece)
        if self.each is not None:
            self.each(target, where, block, draw)
        for piece in touched:
            self._add_to(piece, where, block, draw % self.size[0])
            piece.missing -= 1
            if piece.missing == 0:
                self._pieces[target].remove(piece)
                self._ready.append(piece)

    def finish(self) -> None:
        """Hand over what is left; every block must have come."""
        self._hand_over()
        left = sum(map(len, self._pieces.values()))
        assert left == 0, f"{left} pieces are not finished"

    def _hand_over(self) -> None:
        while self._ready:
            piece = self._ready[-1]
            seen = (piece.box, _whole_of(piece)) if self.layout is None else inside(self.layout, piece.box)
            if seen is not None:
                in_image, in_piece = seen
                self.take(piece.target, in_image, self._read(piece)[(slice(None), slice(None), *in_piece)])
            # only now, since what takes it may run out of memory and is then asked again
            if isinstance(piece.content, Tensor):
                self.held -= self._bytes(piece)
            piece.content = None
            self._ready.pop()

    def _bytes(self, piece: Piece) -> int:
        return int(prod((*self.size, *piece.shape))) * torch.finfo(self.dtype).bits // 8

    def _begin(self, piece: Piece) -> None:
        if piece.content is not None:
            return
        groups, channels = self.size
        needed = self._bytes(piece)
        if self.held + needed <= self.limit:
            piece.content = torch.zeros((groups, channels, *piece.shape), dtype=self.dtype)
            self.held += needed
            self.largest = max(self.largest, self.held)
        else:
            shape = (channels, *piece.shape)
            piece.content = MapStore(shape, groups, dtype=self.dtype, limit=0, scratch=self.scratch)
            self.spilled += needed

    def _add_to(self, piece: Piece, where: Slices, block: Tensor, group: int) -> None:
        inner: list[slice] = []
        own: list[slice] = []
        for window, box in zip(where, piece.box, strict=True):
            start, stop = max(window.start, box.start), min(window.stop, box.stop)
            own.append(slice(start - window.start, stop - window.start))
            inner.append(slice(start - box.start, stop - box.start))
        part = block[(slice(None), *own)]
        if isinstance(piece.content, Tensor):
            piece.content[group][(slice(None), *inner)] += part
        else:
            assert piece.content is not None
            piece.content.add(group, tuple(inner), part)

    def _read(self, piece: Piece) -> Tensor:
        content = piece.content
        if isinstance(content, Tensor):
            return content
        assert content is not None
        return torch.stack([content[group] for group in range(self.size[0])])


def _whole_of(piece: Piece) -> Slices:
    return tuple(slice(0, n) for n in piece.shape)

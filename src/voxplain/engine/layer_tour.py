"""Which inputs a layer is visited at, and the activations at other inputs that are laid beside each visit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from voxplain.engine.backward import Backward
from voxplain.engine.problem import Problem
from voxplain.engine.samplers import Sampler
from voxplain.engine.store import MapStore


@dataclass(frozen=True)
class Tour:
    """The inputs at which a layer is visited.

    Attributes:
        sampler: the inputs. Its factors are not applied; what a visit is worth is its visitor's business.
        beside: further inputs, of which only the layer's activations are wanted.
        needs: per draw of ``sampler``, which draws of ``beside``; none by default.
        replace: (draw, activations beside it) -> (F, *s) that the layer gives instead of its own output; the
            gradient is then taken there.
        silent: draws of which only the scores are wanted.
        backward: takes the place of the plain backward pass from the output to the layer; where it compares with a
            reference, that is the first of a draw's needs.
    """

    sampler: Sampler
    beside: Sampler | None = None
    needs: Sequence[Sequence[int]] = ()
    replace: Callable[[int, Sequence[Tensor]], Tensor] | None = None
    silent: frozenset[int] = field(default_factory=frozenset)
    backward: Backward | None = None

    def needed(self, draw: int) -> Sequence[int]:
        """Draws of ``beside`` that belong to a draw."""
        return self.needs[draw] if self.needs else ()

    def last_use(self) -> dict[int, int]:
        """Per draw of ``beside``, the last draw that needs it."""
        return {other: draw for draw in range(len(self.needs)) for other in self.needs[draw]}

    def most_at_once(self) -> int:
        """How many draws of ``beside`` one window needs at the same time, its draws taken in order."""
        last, seen, most = self.last_use(), set[int](), 0
        for draw in range(len(self.needs)):
            seen = {k for k in seen if last[k] >= draw} | set(self.needs[draw])
            most = max(most, len(seen))
        return most


@dataclass(frozen=True)
class Visit:
    """What is seen at a layer: one window of one draw, for one target.

    Attributes:
        activation: (F, *s).
        gradient: (F, *s) of the target's score; it carries the window's blending weights.
        beside: activations (F, *s) of the tour's needs at this draw, in their order.
    """

    target: int
    window: int
    draw: int
    activation: Tensor
    gradient: Tensor
    beside: Sequence[Tensor]


class Beside:
    """Activations at a tour's other inputs, each computed once per window and dropped after its last use.

    Where the activations of all windows that are under way exceed the share of memory that maps may take, they go
    to scratch files.

    Args:
        windows: how many windows are under way at the same time.
    """

    def __init__(self, problem: Problem, tour: Tour, windows: int) -> None:
        self.problem, self.tour = problem, tour
        self._count = windows * tour.most_at_once()
        self._last = tour.last_use()
        self._store: MapStore | None = None
        self._slots: dict[tuple[int, int], int] = {}
        self._free: list[int] = []

    def missing(self, items: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """(window, other draw) that the items (window, draw) need and that are not there yet."""
        wanted = {(window, other): None for window, draw in items for other in self.tour.needed(draw)}
        return [pair for pair in wanted if pair not in self._slots]

    def put(self, pair: tuple[int, int], activation: Tensor) -> None:
        """Keep an activation (F, *s)."""
        if self._store is None:
            room = (tuple(activation.shape), self._count)
            p = self.problem
            self._store = MapStore(*room, dtype=p.dtype, limit=p.memory // 4, scratch=p.scratch)
        slot = self._free.pop() if self._free else len(self._slots)
        self._store[slot] = activation.clone()  # else it would hold on to the whole batch
        self._slots[pair] = slot

    def get(self, window: int, draw: int) -> list[Tensor]:
        """Activations that a draw needs, in the order of its needs."""
        if self._store is None:
            return []
        return [self._store[self._slots[window, other]] for other in self.tour.needed(draw)]

    def release(self, window: int, draw: int) -> None:
        """Drop what no later draw of the window needs."""
        for other in set(self.tour.needed(draw)):
            if self._last[other] == draw and (window, other) in self._slots:
                self._free.append(self._slots.pop((window, other)))

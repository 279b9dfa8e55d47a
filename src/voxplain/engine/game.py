"""The coalition game: scores of the image with some of its parts present and the others replaced by a baseline.

A linear score over several windows is a sum of games, ``v(S) = Σ_w v_w(S ∩ R_w)``, and few players touch a window.
So each window runs once for every distinct *local* coalition, not once for every coalition of the image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from voxplain.engine.gradients import GradientEngine
from voxplain.engine.passes import Passes
from voxplain.engine.players import Player, owners
from voxplain.engine.stitched import Stitched

__all__ = ["Game", "Player", "distinct"]

Take = Callable[[int, Tensor], None]


class Game:
    """Scores of coalitions of players on one (padded) image, the absent ones showing a (padded) baseline.

    Voxels of no player stay as they are in the image.

    Attributes:
        players: number of players, R.
        members: per window that a target touches, the players that can change it.

    Raises:
        InputError: two players own the same voxel.
    """

    def __init__(
        self, engine: GradientEngine, padded: Tensor, baseline: Tensor, players: Sequence[Player]
    ) -> None:
        self.engine, self.plan, self.runner = engine, engine.plan, engine.runner
        self.padded, self.baseline = padded, baseline
        self.players = len(players)
        self._owner = owners(self.plan, padded, baseline, players)
        self.members = {w: self._members(w) for w in self.plan.windows(self.plan.present)}

    def active(self, targets: Sequence[int]) -> Tensor:
        """Players that can change any of the targets' windows; the value of all others is zero."""
        found = [self.members[w] for w in self.plan.windows(targets)]
        return torch.unique(torch.cat(found)) if found else torch.zeros(0, dtype=torch.long)

    def values(self, coalitions: Tensor, targets: Sequence[int] | None = None) -> Tensor:
        """Scores of coalitions.

        Args:
            coalitions: (n, R) bool, who is present. In several windows, non-linear scores run again only those
                windows that differ from the row before, so neighbouring rows should be alike.
            targets: all that are present by default.

        Returns:
            (n, T) double, NaN for targets not asked for.
        """
        targets = list(self.plan.present if targets is None else targets)
        rows, inverse = distinct(coalitions)
        found = torch.full((len(rows), len(self.plan.functionals)), torch.nan, dtype=torch.float64)
        found[:, targets] = 0.0
        linear, groups = self._kinds(targets)
        if linear:
            asked, places = self._local(rows, linear)

            def take(window: int, values: Tensor) -> None:
                found[:, linear] += values[places[window]][:, linear]

            self.window_values(asked, linear, take)
        if groups:
            self.runner.check_room(gradient=False)
            with self.runner.session():
                for group in groups:
                    self._stitched(rows, group, found)
        return found[inverse]

    def window_values(self, asked: Mapping[int, Tensor], targets: Sequence[int], take: Take) -> None:
        """Every window's own share of linear scores (or of any score where there is one window).

        Args:
            asked: per window, (u, m) bool: which of its `members` are present.
            targets: whose scores.
            take: called with a window and its shares (u, T), zero for other targets, when they are known.
        """
        items = [(w, u) for w, rows in asked.items() for u in range(len(rows))]
        wanted = set(targets)
        found: dict[int, dict[int, Tensor]] = {}

        def work(batch: list[tuple[int, int]]) -> None:
            with torch.no_grad():
                z = self.runner.forward(self._inputs([(w, self._spread(w, asked[w][u])) for w, u in batch]))
            # all that may fail comes before anything is kept
            scores = [self.plan.terms(w).scores(z[b : b + 1])[0] for b, (w, _) in enumerate(batch)]
            for (w, u), own in zip(batch, scores, strict=True):
                found.setdefault(w, {})[u] = own
            for w in [w for w in dict.fromkeys(w for w, _ in batch) if len(found[w]) == len(asked[w])]:
                rows = found.pop(w)
                take(w, self._by_target(w, torch.stack([rows[u] for u in range(len(rows))]), wanted))

        if not items:
            return
        self.runner.check_room(gradient=False)
        with self.runner.session():
            self.runner.each(items, work, "coalitions")

    def cost(self, coalitions: Tensor, targets: Sequence[int] | None = None) -> Passes:
        """Passes that `values` will take."""
        targets = list(self.plan.present if targets is None else targets)
        rows, _ = distinct(coalitions)
        linear, groups = self._kinds(targets)
        forward = sum(len(own) for own in self._local(rows, linear)[0].values())
        for group in groups:
            for w in self.plan.windows(group):
                own = rows[:, self.members[w]]
                forward += 1 + int((own[1:] != own[:-1]).any(1).sum())
        return Passes(forward=forward)

    def _kinds(self, targets: Sequence[int]) -> tuple[list[int], list[list[int]]]:
        linear = self.plan.linear(targets)
        return linear, self.engine.groups([t for t in targets if t not in set(linear)])

    def _local(self, rows: Tensor, targets: Sequence[int]) -> tuple[dict[int, Tensor], dict[int, Tensor]]:
        """Per window, the distinct local coalitions (u, m), and for every row which of them it is (n,)."""
        pairs = {w: distinct(rows[:, self.members[w]]) for w in self.plan.windows(targets)}
        return {w: p[0] for w, p in pairs.items()}, {w: p[1] for w, p in pairs.items()}

    def _stitched(self, rows: Tensor, targets: list[int], found: Tensor) -> None:
        """Non-linear scores over several windows: only windows that changed since the row before run again."""
        windows = self.plan.windows(targets)
        places = {w: self.plan.places(w, targets) for w in windows}
        parts: dict[int, dict[int, Tensor]] = {}
        for n, row in enumerate(rows):
            changed = [w for w in windows if n == 0 or self._differ(w, row, rows[n - 1])]
            if not changed:
                found[n, targets] = found[n - 1, targets]
                continue
            # summed anew, since (z − p) + p is not always z: equal coalitions of equal outputs have equal scores
            current = Stitched(self.plan.functionals, targets, self.runner.model.channels_out)

            def work(batch: list[int], row: Tensor = row, current: Stitched = current) -> None:
                with torch.no_grad():
                    z = self.runner.forward(self._inputs([(w, row) for w in batch]))
                parts.update({w: current.part(self.plan.terms(w), z[b]) for b, w in enumerate(batch)})

            self.runner.each(changed, work, f"coalitions {n + 1}/{len(rows)}")
            for w in windows:
                current.add(parts[w], places[w])
            for t in targets:
                found[n, t] = current.value(t)[0]

    def _differ(self, window: int, row: Tensor, other: Tensor) -> bool:
        own = self.members[window]
        return bool((row[own] != other[own]).any())

    def _spread(self, window: int, local: Tensor) -> Tensor:
        """A window's coalition as one of all players, (R,); those elsewhere do not matter."""
        row = torch.zeros(self.players, dtype=torch.bool)
        row[self.members[window]] = local
        return row

    def _by_target(self, window: int, values: Tensor, wanted: set[int]) -> Tensor:
        """(u, terms of the window) -> (u, T)."""
        out = torch.zeros((len(values), len(self.plan.functionals)), dtype=torch.float64)
        for k, term in enumerate(self.plan.terms(window).terms):
            if term.target in wanted:
                out[:, term.target] = values[:, k]
        return out

    def _inputs(self, batch: Sequence[tuple[int, Tensor]]) -> Tensor:
        parts = [self._input(window, row) for window, row in batch]
        return torch.stack(parts).to(self.runner.model.device, self.engine.dtype)

    def _input(self, window: int, row: Tensor) -> Tensor:
        """A window of the image in which only a coalition (R,) is present: (C, *roi)."""
        where = (slice(None), *self.plan.where(window))
        owner = self._owner[where]
        present = torch.cat([torch.ones(1, dtype=torch.bool), row])
        shown = present.index_select(0, owner.flatten()).reshape(owner.shape)
        return torch.where(shown, self.padded[where], self.baseline[where])

    def _members(self, window: int) -> Tensor:
        owner = self._owner[(slice(None), *self.plan.where(window))].flatten()
        return torch.bincount(owner, minlength=self.players + 1)[1:].nonzero()[:, 0]


def distinct(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Different rows in the order in which they first occur, and for every row which of them it is.

    Args:
        rows: (n, m) bool.

    Returns:
        (u, m) bool and (n,) positions in it.

    >>> distinct(torch.tensor([[True], [False], [True]]))[1].tolist()
    [0, 1, 0]
    """
    if rows.shape[1] == 0:
        return rows[:1], torch.zeros(len(rows), dtype=torch.long)
    packed = np.packbits(rows.numpy(), axis=1)
    keys = np.ascontiguousarray(packed).view(f"V{packed.shape[1]}").ravel()
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rows[torch.from_numpy(first[order])], torch.from_numpy(rank[inverse.ravel()])

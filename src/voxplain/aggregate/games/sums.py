"""Values of games that add up."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from voxplain.aggregate.games.table import Solved
from voxplain.engine import Problem


class Sums:
    """What the games of all windows say together; NaN for absent targets.

    Variances add up too, since every window draws on its own.

    Args:
        interaction: whether pairs are asked for.

    Attributes:
        full, empty: (T,) scores with everybody and with nobody present.
        exact: (T,) bool, whether nothing was drawn for a target.
        share, variance, occlusion, alone: (T, R).
        interaction, interaction_variance: (T, R, R); no regions where they were not asked for.
    """

    def __init__(self, problem: Problem, players: int, *, interaction: bool) -> None:
        targets, pairs = len(problem.targets), players if interaction else 0
        self._present = problem.present
        self.full, self.empty = self._room(targets), self._room(targets)
        self.exact = torch.ones(targets, dtype=torch.bool)
        self.share, self.variance = self._room(targets, players), self._room(targets, players)
        self.occlusion, self.alone = self._room(targets, players), self._room(targets, players)
        self.interaction = self._room(targets, pairs, pairs)
        self.interaction_variance = self._room(targets, pairs, pairs)

    def _room(self, *shape: int) -> Tensor:
        out = torch.full(shape, torch.nan, dtype=torch.float64)
        out[self._present] = 0.0
        return out

    def add(self, solved: Solved, players: Tensor, targets: Sequence[int], *, exact: bool) -> None:
        """Add a game of some players, for some of the targets.

        Args:
            solved: its columns are these targets.
            players: (m,) numbers of its players.
        """
        wanted = torch.tensor(list(targets), dtype=torch.long)
        self.full[wanted] += solved.full
        self.empty[wanted] += solved.empty
        self.exact[wanted] &= exact
        rows = wanted[:, None]
        for name in ("share", "variance", "occlusion", "alone"):
            found = getattr(solved, name)
            if found is not None:
                getattr(self, name)[rows, players[None]] += found.T
        where = (wanted[:, None, None], players[None, :, None], players[None, None, :])
        for name in ("interaction", "interaction_variance"):
            found = getattr(solved, name)
            if found is not None:
                getattr(self, name)[where] += found.permute(2, 0, 1)

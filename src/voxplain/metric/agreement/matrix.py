"""Agreement of every method with every other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxplain.attribution import Attribution
from voxplain.engine import Problem
from voxplain.errors import InputError
from voxplain.metric.agreement.likeness import KINDS, Kind, View, check_kind, likeness, view
from voxplain.metric.candidate import Candidate, judged

HELD_BYTES = 512 << 20  # of views at once; more maps are viewed again


@dataclass(frozen=True, eq=False)
class Agreement:
    """How alike methods' maps are.

    Attributes:
        names: of the M methods.
        targets: names of the T targets.
        kind: of likeness.
        matrix: (T, M, M), symmetric with ones on the diagonal; NaN where a map is missing or constant.
    """

    names: tuple[str, ...]
    targets: tuple[str, ...]
    kind: Kind
    matrix: NDArray[np.float64]

    @property
    def mean(self) -> NDArray[np.float64]:
        """(M, M) over the targets that both methods have a map of; NaN where there is none."""
        known = np.isfinite(self.matrix)
        total, count = np.where(known, self.matrix, 0.0).sum(0), known.sum(0)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def agreement(
    problem: Problem,
    attributions: Sequence[Attribution] | Mapping[str, Attribution],
    kind: Kind = "spearman_absolute",
    share: float = 0.05,
) -> Agreement:
    """Compare every two methods' maps of every target; no pass of the network.

    Args:
        attributions: of this problem; by name where a method occurs twice.
        kind: ``spearman`` or ``pearson`` correlation of the signed maps, ``spearman_absolute`` or
            ``pearson_absolute`` of their sizes, ``top_k`` (overlap of the largest sizes, Krishna et al. 2022) or
            ``ssim`` (of sizes over their largest, in cubes).
        share: of the image's voxels that ``top_k`` looks at.

    Raises:
        InputError: unknown kind, two maps of one name, an attribution of another problem.
    """
    check_kind(kind, share)
    pairs = (
        list(attributions.items())
        if isinstance(attributions, Mapping)
        else [(a.method, a) for a in attributions]
    )
    names = [name for name, _ in pairs]
    for name, attribution in pairs:
        if names.count(name) > 1:
            raise InputError(
                f"agreement: two maps are called {name!r}; give them names: {{name: attribution}}"
            )
        if attribution.problem is not problem:
            raise InputError(f"attribution {name!r}: it answers another problem than the one given")
    candidates = [judged(a, name) for name, a in pairs]
    matrices = [likenesses(candidates, t, kind, share) for t in range(len(problem.targets))]
    told = tuple(t.name for t in problem.targets)
    return Agreement(tuple(names), told, kind, np.stack(matrices))


def likenesses(candidates: Sequence[Candidate], target: int, kind: Kind, share: float) -> NDArray[np.float64]:
    """(M, M) of one target, NaN where there is nothing to compare."""
    out = np.full((len(candidates), len(candidates)), np.nan)

    def look(position: int) -> View | None:
        candidate = candidates[position]
        return view(candidate.values(target), kind, share) if target in candidate.targets else None

    _fill(out, look, kind)
    return out


def _fill(out: NDArray[np.float64], look: Callable[[int], View | None], kind: Kind) -> None:
    """Every pair once, holding as many views as memory allows; those that do not fit are made again."""
    start = 0
    while start < len(out):
        held: list[View | None] = [look(start)]
        size = max(v.nbytes if (v := held[0]) is not None else 1, 1)
        stop = min(start + max(HELD_BYTES // size, 1), len(out))
        held += [look(position) for position in range(start + 1, stop)]
        for position in range(start, len(out)):
            other = held[position - start] if position < stop else look(position)
            for k, one in enumerate(held[: position - start + 1]):
                if one is None or other is None:
                    continue
                at = start + k
                same = at == position
                out[at, position] = out[position, at] = 1.0 if same else likeness(one, other, kind)
        start = stop


__all__ = ["KINDS", "Agreement", "Kind", "agreement", "likenesses"]

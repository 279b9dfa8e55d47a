"""The game whose players are parts of regions, which join region by region."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from voxplain.aggregate.games.play import Play, Wanted
from voxplain.aggregate.games.region import BUDGET, efficiency_gap
from voxplain.aggregate.games.result import Row, long_row
from voxplain.aggregate.partition import Partition, require_fitting
from voxplain.aggregate.targets import target_names
from voxplain.attribution.baseline import Baseline, name_of, parse_baseline
from voxplain.attribution.baselines.plausibility import Plausibility, plausibility
from voxplain.attribution.regions import supervoxels as cut
from voxplain.engine import Passes, Problem
from voxplain.engine.players import Player
from voxplain.errors import InputError
from voxplain.target.region import LabelMapRegion, Region, label_regions

WHAT = "owen game"


@dataclass(frozen=True, eq=False)
class OwenGame:
    """What every target owes to every part of every region, against one baseline.

    Attributes:
        case, model: their names.
        targets: (T) names.
        partition: its name.
        regions: (R) names.
        region: (P,) the region that each part lies in.
        labels: (*spatial) int32 each voxel's part.
        counts: (P,) voxels of each part.
        baseline: what an absent part shows, in the grammar of `parse_baseline`.
        plausibility: whether the baseline could be part of this image, part by part.
        full: (T,) v(N): the score of the image.
        empty: (T,) v(∅): the score of the baseline.
        exact: (T,) bool, whether nothing was drawn.
        owen: (T, P) double; NaN for absent targets.
        owen_error: (T, P) standard errors, 0 where exact.
        gap: (T,) |Σ values − (v(N) − v(∅))| relative to the difference.
        passes: what it took.
    """

    case: str
    model: str
    targets: tuple[str, ...]
    partition: str
    regions: tuple[str, ...]
    region: Tensor
    labels: Tensor
    counts: Tensor
    baseline: str
    plausibility: Plausibility
    full: Tensor
    empty: Tensor
    exact: Tensor
    owen: Tensor
    owen_error: Tensor
    gap: Tensor
    passes: Passes

    @property
    def of_regions(self) -> Tensor:
        """(T, R) sums over each region's parts: the Shapley values of the regions; NaN where a region is absent."""
        sums = torch.zeros((len(self.targets), len(self.regions)), dtype=torch.float64)
        sums.index_add_(1, self.region, self.owen)
        there = torch.bincount(self.region, minlength=len(self.regions)) > 0
        return sums.where(there[None], torch.nan)

    def rows(self) -> list[Row]:
        """Long rows as of `RegionGame`, the parts of a region called ``A · 1``, ``A · 2``; absent regions as they are."""
        return [row for t in range(len(self.targets)) for row in self._of_target(t)]

    def _of_target(self, t: int) -> Iterator[Row]:
        for name, value, error in self._named(t):
            yield long_row(
                self.case,
                self.model,
                self.baseline,
                self.targets[t],
                self.partition,
                name,
                "owen",
                value,
                error,
            )

    def _named(self, t: int) -> Iterator[tuple[str, float, float]]:
        for r, name in enumerate(self.regions):
            own = (self.region == r).nonzero()[:, 0].tolist()
            for k, p in enumerate(own, 1):
                yield f"{name} · {k}", float(self.owen[t, p]), float(self.owen_error[t, p])
            if not own:
                yield name, float("nan"), float("nan")


@dataclass(frozen=True, eq=False)
class Parts:
    """A partition's regions, each cut into parts.

    Attributes:
        labels: (*spatial) int32 each voxel's part, numbered region by region.
        region: (P,) the region that each lies in.
    """

    labels: Tensor
    region: Tensor

    @property
    def players(self) -> list[LabelMapRegion]:
        return label_regions(self.labels, list(range(len(self.region))))


def owen_game(
    problem: Problem,
    partition: Partition,
    supervoxels: int | Sequence[Region] = 64,
    *,
    baseline: Baseline | float | str | None = None,
    budget: int = BUDGET,
    seed: int | None = None,
) -> OwenGame:
    """Owen values: each region's Shapley value, shared out among the parts into which supervoxels cut it.

    Parts of a region join one after the other, so that no organ is half there while another's parts come and go. As in
    `region_game`, scores that are linear in the network's output play one game per window, exactly where the budget
    allows.

    Args:
        supervoxels: about how many of the whole image, or given regions that do not overlap; a region's voxels in none of
            them are one part more.
        baseline: what an absent part shows, in the grammar of `parse_baseline`.
        budget: most forward passes, in windows; `owen_game_cost` tells how many it will be.
        seed: of what is drawn; the problem's by default.

    Raises:
        InputError: a partition of another image, supervoxels that overlap, or a budget below the least.

    Source: Owen 1977, "Values of games with a priori unions".
    """
    parts = parts_of(problem, partition, supervoxels)
    asked = parse_baseline(baseline, problem)
    players = parts.players
    # what a whole region shows when it is absent, so that these are shares of `region_game`'s values
    image = asked.over(problem, partition.parts)
    names = [partition.regions[int(r)] for r in parts.region]
    checked = plausibility(problem, players, [f"{n} ({k})" for k, n in enumerate(names)], image)
    if checked.warning:
        warnings.warn(f"{problem.case.id}: baseline {name_of(asked)}: {checked.warning}", stacklevel=2)
    play = _play(problem, parts, image, budget, seed)
    before = problem.passes.copy()
    sums = play.run()
    return OwenGame(
        case=problem.case.id,
        model=problem.model.name,
        targets=target_names(problem),
        partition=partition.name,
        regions=partition.regions,
        region=parts.region,
        labels=parts.labels,
        counts=torch.tensor([player.count for player in players]),
        baseline=name_of(asked),
        plausibility=checked,
        full=sums.full,
        empty=sums.empty,
        exact=sums.exact,
        owen=sums.share,
        owen_error=sums.variance.sqrt(),
        gap=efficiency_gap(sums),
        passes=problem.passes - before,
    )


def owen_game_cost(
    problem: Problem,
    partition: Partition,
    supervoxels: int | Sequence[Region] = 64,
    *,
    baseline: Baseline | float | str | None = None,
    budget: int = BUDGET,
    seed: int | None = None,
) -> Passes:
    """Passes that `owen_game` will take, to the last one."""
    parts = parts_of(problem, partition, supervoxels)
    image = parse_baseline(baseline, problem).over(problem, partition.parts)
    return _play(problem, parts, image, budget, seed).cost()


def parts_of(problem: Problem, partition: Partition, supervoxels: int | Sequence[Region]) -> Parts:
    """Every region cut along the borders of supervoxels.

    Raises:
        InputError: a partition of another image, or supervoxels that overlap.
    """
    require_fitting(problem, partition)
    found = cut(problem, supervoxels) if isinstance(supervoxels, int) else list(supervoxels)
    fine = torch.zeros(problem.spatial_shape, dtype=torch.int64)
    for number, piece in enumerate(found, 1):
        inside = piece.crop(piece.bounds)
        view = fine[piece.bounds]
        if bool((view[inside] > 0).any()):
            raise InputError(
                f"{WHAT}: supervoxel {number - 1} shares voxels with another, expected ones that do not overlap"
            )
        view[inside] = number
    pairs = partition.labels.long() * (len(found) + 1) + fine
    known, labels = torch.unique(pairs, return_inverse=True)
    return Parts(labels.to(torch.int32), known // (len(found) + 1))


def _play(problem: Problem, parts: Parts, image: Tensor, budget: int, seed: int | None) -> Play:
    game = problem.game([Player(part) for part in parts.players], image)
    wanted = Wanted(single=False, groups=parts.region)
    return Play(problem, game, wanted, budget=budget, seed=problem.seed if seed is None else seed, what=WHAT)

"""What each contrast (channel) of the image contributes, exactly."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from voxplain.attribution.baseline import Baseline, check_baseline, parse_baseline
from voxplain.attribution.gap import relative_gap
from voxplain.attribution.method import Method, Result, register
from voxplain.attribution.regions import Box
from voxplain.attribution.shapley.values import (
    Shares,
    all_coalitions,
    exact_shapley,
    is_rounding,
)
from voxplain.engine import MapStore, Passes, Problem
from voxplain.engine.players import Player
from voxplain.errors import InputError

MOST_CHANNELS = 12


@register
@dataclass(frozen=True)
class ContrastShapley(Method):
    """F(x) − F(baseline) shared out among the input channels, from all 2^C choices of channels.

    Shapley 1953, "A value for n-person games". A channel that is absent is replaced by the baseline's channel. The
    answer is one number per channel (``region_values``); the map spreads it evenly over the channel's voxels, so
    that it sums to the number.

    Args:
        baseline: what an absent channel shows, as in integrated gradients; each channel's mean by default. A blurred
            channel would still show much of what it is to be deprived of.
    """

    baseline: Baseline | float | str | None = "mean"

    name: ClassVar[str] = "contrast_shapley"
    family: ClassVar[str] = "shapley"
    title: ClassVar[str] = "Shapley values of contrasts"
    source: ClassVar[str] = "Shapley 1953, doi:10.1515/9781400881970-018"
    needs: ClassVar[tuple[str, ...]] = ("channels", "baseline")
    reads: ClassVar[str] = "this contrast's share of the score's difference from the baseline"
    trust: ClassVar[tuple[str, ...]] = ("completeness_gap",)

    def __post_init__(self) -> None:
        check_baseline(self.baseline)

    def check_problem(self, problem: Problem) -> None:
        super().check_problem(problem)
        channels = problem.image.shape[0]
        if channels > MOST_CHANNELS:
            raise InputError(
                f"{self.name}: the image has {channels} channels, which makes 2^{channels} choices of them; expected at "
                f"most {MOST_CHANNELS} channels"
            )

    def compute(self, problem: Problem) -> Result:
        channels = problem.image.shape[0]
        baseline = parse_baseline(self.baseline, problem)
        game = problem.game(_players(channels), baseline(problem))
        values = game.values(all_coalitions(channels))
        shares = Shares(exact_shapley(values).T, values[-1], values[0], exact=True)
        maps = _painted(problem, shares.values)
        names = channel_names(problem)
        checks: dict[int, dict[str, float]] = {}
        notes, floor = {}, {}
        for t in problem.present:
            own = shares.values[t].tolist()
            difference = float(shares.full[t] - shares.empty[t])
            gap = relative_gap(float(maps[t].double().sum()), difference)
            checks[t] = {"completeness_gap": gap, **dict(zip(names, own, strict=True))}
            flat = is_rounding(problem, t, shares)
            floor[t] = float(maps[t].abs().max()) if flat else 0.0
            if not flat:
                notes[t] = f"{told(names, own, difference)}; baseline {type(baseline).__name__.lower()}"
        whole = Box(tuple(slice(0, s) for s in problem.spatial_shape))
        return Result(
            maps=maps,
            scores=shares.full,
            unit="score per voxel",
            checks=checks,
            notes=notes,
            region_values=shares.values,
            regions=[whole] * channels,
            floor=floor,
        )

    def cost(self, problem: Problem) -> Passes:
        channels = problem.image.shape[0]
        baseline = parse_baseline(self.baseline, problem)(problem)
        return problem.game(_players(channels), baseline).cost(all_coalitions(channels))


def channel_names(problem: Problem) -> list[str]:
    """The channels' names where the case knows as many different ones, else their numbers."""
    channels = problem.image.shape[0]
    known = problem.case.meta.get("channels")
    if known is None and problem.case.meta.get("mode") == "RGB":
        known = ("red", "green", "blue")
    names = (
        [str(name) for name in known] if isinstance(known, Iterable) and not isinstance(known, str) else []
    )
    if len(names) == channels and len(set(names)) == channels:
        return names
    return [f"channel {c}" for c in range(channels)]


def told(names: list[str], shares: list[float], difference: float) -> str:
    """One line for people: the channels' percentages, the largest first.

    >>> told(["T1", "FLAIR"], [0.8, 1.2], 2.0)
    'FLAIR 60 %, T1 40 % of the difference of 2'
    """
    order = sorted(range(len(names)), key=lambda c: -abs(shares[c]))
    # shares that cancel have no percentages worth reading
    if abs(difference) < 0.05 * sum(map(abs, shares)):
        return (
            ", ".join(f"{names[c]} {shares[c]:+.3g}" for c in order) + f", which cancel to {difference:.3g}"
        )
    parts = ", ".join(f"{names[c]} {shares[c] / difference:.0%}".replace("%", " %") for c in order)
    return f"{parts} of the difference of {difference:.3g}"


def _players(channels: int) -> list[Player]:
    return [Player(channel=c) for c in range(channels)]


def _painted(problem: Problem, shares: Tensor) -> MapStore:
    """Every channel's share spread evenly over its voxels."""
    maps = problem.store()
    shape = problem.spatial_shape
    for t in problem.present:
        per_voxel = shares[t] / float(torch.Size(shape).numel())
        maps[t] = per_voxel.to(problem.dtype).reshape(-1, *(1,) * len(shape)).expand(-1, *shape)
    return maps

"""Whether a layer's shares sum to the score's difference, and whether they have to."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from voxplain.attribution.gap import relative_gap
from voxplain.engine import Problem
from voxplain.engine.layer_tour import Tour
from voxplain.engine.layers import LayerView, Painted
from voxplain.engine.samplers import Fixed

# Beyond this share of the difference it is said that the sum misses it.
LARGE_GAP = 0.05
# A value is that of one place of the layer, whatever number of voxels it is drawn on.
UNIT = "score per place of the layer"
# What `Method.trust_where` says of it.
TOLD_WHERE = {"completeness_gap": "where all of the score passes through the layer"}
# Differences below this share of the score's are rounding, also in single precision.
ROUNDING = 1e-3


def complete(
    problem: Problem,
    found: Painted,
    differences: Tensor,
    notes: dict[int, str],
    bypassed: Sequence[int] = (),
    remedy: str = "use more nodes or another baseline",
) -> dict[int, dict[str, float]]:
    """The relative error of Σ shares of all features against the differences (T,); adds to the notes.

    Args:
        bypassed: targets whose score changes by other ways than through the layer, too: their shares need not sum to
            the difference, so that the note says what they sum to and no gap is told.
    """
    checks: dict[int, dict[str, float]] = {}
    for t in problem.present:
        difference = float(differences[t])
        if t in bypassed:
            notes[t] += (
                f"; shares that sum to {found.sums[t]:.3g} of the score's difference of {difference:.3g} pass through "
                "this layer, the rest goes round it"
            )
            continue
        missed = relative_gap(found.sums[t], difference)
        checks[t] = {"completeness_gap": missed}
        drawn = float(found.maps[t].double().sum())
        if abs(drawn - found.sums[t]) > LARGE_GAP * abs(found.sums[t]):
            notes[t] += (
                f"; checked is the sum over the layer's own places, {found.sums[t]:.3g}, not that of the map drawn of "
                f"them on the image, {drawn:.3g}"
            )
        if missed > LARGE_GAP:
            notes[t] += (
                f"; the layer's shares miss {missed:.0%} of the score's difference of {difference:.3g}: {remedy}"
            )
    return checks


def ways_round(
    problem: Problem, view: LayerView, start: Tensor, low: Tensor, differences: Tensor
) -> list[int]:
    """Targets to whose score ways lead that go round the layer, such as skip connections.

    With the layer alone set back to what the baseline gives there, their score is not yet the baseline's. Takes two
    forward passes per window.

    Args:
        start: the (padded) baseline.
        low: (T,) scores of the baseline.
        differences: (T,) scores of the image less these.
    """
    tour = Tour(
        Fixed([problem.padded]),
        beside=Fixed([start]),
        needs=[(0,)],
        replace=lambda _, ends: ends[0],
        silent=frozenset({0}),
    )
    reset = view.visit(tour, lambda _: None, "ways round the layer")[0]
    excess = (reset - low).abs() > ROUNDING * differences.abs()
    return [t for t in problem.present if bool(excess[t])]

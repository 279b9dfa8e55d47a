"""Whether a map sums to the score's difference from its baseline."""

from __future__ import annotations

from torch import Tensor

from voxplain.attribution.gap import relative_gap
from voxplain.engine import Gradients, Problem


def completeness(
    problem: Problem, found: Gradients, ends: Tensor
) -> tuple[dict[int, dict[str, float]], dict[int, str]]:
    """Relative error of Σ attribution against F(x) − F(b), per target."""
    checks: dict[int, dict[str, float]] = {}
    notes: dict[int, str] = {}
    for t in problem.present:
        difference = float(ends[0, t] - ends[1, t])
        gap = relative_gap(float(found.maps[t].double().sum()), difference)
        checks[t] = {"completeness_gap": gap}
        notes[t] = ""
        if gap > 0.05:
            notes[t] = (
                f"the map misses {gap:.0%} of the score's difference of {difference:.3g}: "
                "use more nodes or draws, or another baseline"
            )
    return checks, notes

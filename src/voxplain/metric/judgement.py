"""What one metric says of one map for one target, beside its nulls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from voxplain.metric.candidate import Meaning
from voxplain.metric.figure import Figure
from voxplain.metric.metric import Metric
from voxplain.metric.nulls import RANDOM, kind
from voxplain.metric.several import Several


@dataclass(frozen=True)
class Judgement:
    """What one metric says of one map for one target, and whether that means anything.

    Attributes:
        nulls: per null its figure; ``random`` is `Several`.
        meaning: what the map's values claim, where that is known.
    """

    candidate: str
    target: int
    metric: Metric
    figure: Figure
    nulls: Mapping[str, Figure]
    meaning: Meaning | None = None

    @property
    def tells(self) -> bool | None:
        """Whether the map is better than every null by more than chance explains (see `Metric.tells`).

        ``None`` where the metric only describes, has no figure, or no null to compare with.
        """
        return self.metric.tells(self.figure, self.nulls)

    @property
    def excess(self) -> float:
        """How far the figure lies from a reference towards the worst; NaN for metrics that have no reference."""
        return self.metric.excess(self.figure, self.nulls)

    @property
    def remark(self) -> str:
        """Why it tells nothing, and the figure's own note."""
        return "; ".join(filter(None, [self.metric.doubt(self.figure, self.nulls), self.figure.note]))


def join(
    metric: Metric,
    candidate_name: str,
    target: int,
    figure: Figure,
    null_figures: Mapping[str, Figure],
    *,
    meaning: Meaning | None = None,
) -> Judgement:
    """A map's figure and those of single nulls, wherever each was computed, as one judgement.

    Args:
        target: its index.
        null_figures: by the names of single nulls: ``zero``, ``edges``, ``random-1``, … (see
            `voxplain.metric.nulls.null_candidates`).
        meaning: what the map's values claim.
    """
    nulls: dict[str, Figure] = {}
    for name, found in null_figures.items():
        if kind(name) != RANDOM:
            nulls[name] = found
        elif RANDOM not in nulls:
            drawn = [f for n, f in null_figures.items() if kind(n) == RANDOM]
            nulls[RANDOM] = Several.of(drawn, metric.span)
    return Judgement(candidate_name, target, metric, figure, nulls, meaning)

"""A judgement as a flat row of a long table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from voxplain.engine import Problem
from voxplain.metric.identity import image_print, network_print
from voxplain.metric.judgement import Judgement


@dataclass(frozen=True)
class Facts:
    """What a row says of the question that was asked.

    Attributes:
        image: print of the prepared image (see `voxplain.metric.identity`).
        network: print of the network's weights.
    """

    case: str
    model: str
    target: str
    image: str
    network: str
    seed: int

    @classmethod
    def of(cls, problem: Problem, target: int) -> Facts:
        """Those of one of a problem's targets."""
        return cls(
            case=problem.case.id,
            model=problem.model.name,
            target=problem.targets[target].name,
            image=image_print(problem),
            network=network_print(problem),
            seed=problem.seed,
        )


def row(judgement: Judgement, facts: Facts) -> dict[str, Any]:
    """One flat row."""
    metric, figure = judgement.metric, judgement.figure
    return {
        "case": facts.case,
        "model": facts.model,
        "target": facts.target,
        "method": judgement.candidate,
        "meaning": judgement.meaning or "",
        "metric": metric.name,
        "family": metric.family,
        "value": figure.value,
        "low": figure.interval[0],
        "high": figure.interval[1],
        "better": metric.better,
        **{f"null_{name}": f.value for name, f in judgement.nulls.items()},
        "excess": judgement.excess,
        "tells": judgement.tells,
        "note": judgement.remark,
        "parameters": metric.told_parameters,
        "image": facts.image,
        "network": facts.network,
        "seed": facts.seed,
    }

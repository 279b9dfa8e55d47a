"""What a method answers: signed maps with all that is needed to judge them."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor

from voxplain.engine import MapStore, Passes, Problem
from voxplain.errors import TargetError, suggest
from voxplain.target import Resolved
from voxplain.target.region import Region

if TYPE_CHECKING:
    from voxplain.attribution.method import Method


class Maps(Protocol):
    """One map per target index, (C or 1, *spatial), wherever it lies."""

    def __contains__(self, target: int, /) -> bool: ...

    def __getitem__(self, target: int, /) -> Tensor: ...


@dataclass
class Answer:
    """One target's share of an attribution.

    Attributes:
        target: what was asked; its ``status`` is the target's own.
        status: ``ok``; ``absent`` (nothing to explain); ``zero`` (the map is zero or rounding noise);
            ``failed`` (not finite).
        score: the target's clean score.
        checks: numbers that came for free, such as ``completeness_gap`` and ``agreement``.
        note: one line for people.
    """

    target: Resolved
    status: str
    score: float
    checks: dict[str, float] = field(default_factory=dict)
    note: str = ""


@dataclass
class Attribution:
    """Signed attributions of all targets of a problem.

    Attributes:
        method: the method's name.
        parameters: its parameters, JSON-able.
        problem: what was asked.
        answers: one per target, in the problem's order.
        maps: per target index, (C or 1, *spatial) on the prepared grid.
        region_values: (T, R) of methods that explain by regions, else ``None``.
        regions: these regions.
        passes, seconds, peak_bytes: what it cost.
        unit: what a voxel's value is.
        voxel_power: how a value goes with a voxel's volume: 1 for shares and gradients, which add up over voxels, 2
            for their squares, 0 for values that do not depend on how finely the image is cut.
        made_by: the method, to run it again on another image or network.
    """

    method: str
    parameters: dict[str, Any]
    problem: Problem
    answers: list[Answer]
    maps: Maps
    passes: Passes
    seconds: float
    peak_bytes: int
    seed: int
    unit: str
    region_values: Tensor | None = None
    regions: Sequence[Region] | None = None
    voxel_power: int = 1
    made_by: Method | None = None

    def index(self, target: int | str) -> int:
        """Position of a target given by position or name.

        Raises:
            TargetError: unknown name (the closest are suggested).
        """
        if not isinstance(target, str):
            position = operator.index(target)
            if not 0 <= position < len(self.answers):
                raise TargetError(f"target {position}: expected a position from 0 to {len(self.answers) - 1}")
            return position
        names = [a.target.name for a in self.answers]
        if target not in names:
            raise TargetError(f"target {target!r}: not among those explained; {suggest(target, names)}")
        return names.index(target)

    def values(self, target: int | str = 0) -> Tensor:
        """A target's map on the prepared grid, (C or 1, *spatial)."""
        t = self._explained(target)
        return self.maps[t]

    def map(self, target: int | str = 0) -> np.ndarray:
        """A target's map on the case's own grid, (C or 1, *case spatial), float32.

        Values are for the case's own voxels: where the preparation resampled, a voxel of twice the volume carries
        twice the share. So sums over regions are kept up to interpolation, and completeness with them.

        Raises:
            TargetError: the target is absent or failed, so that there is no map.
        """
        t = self._explained(target)
        prepared_per_case = 1.0 / abs(float(np.linalg.det(self.problem.prepared.to_case[:3, :3])))
        restored = self.problem.prepared.restore(self.maps[t].float())
        factor = prepared_per_case**self.voxel_power
        return restored if factor == 1.0 else (restored * factor).astype(np.float32)

    def _explained(self, target: int | str) -> int:
        t = self.index(target)
        answer = self.answers[t]
        if answer.status not in ("ok", "zero"):
            raise TargetError(
                f"target {answer.target.name!r}: there is no map, its status is {answer.status}: {answer.note}"
            )
        return t

    def rows(self) -> list[dict[str, Any]]:
        """One flat row per target, for tables."""
        return [self._row(answer) for answer in self.answers]

    def _row(self, answer: Answer) -> dict[str, Any]:
        target = answer.target
        functional = target.functional
        voxels = functional.region.count if functional is not None and functional.region is not None else None
        return {
            "case": self.problem.case.id,
            "model": self.problem.model.name,
            "method": self.method,
            "target": target.name,
            "kind": target.kind,
            "class": target.class_name,
            "class_index": target.class_index,
            "region_voxels": voxels,
            "score_kind": target.score,
            "score": answer.score,
            "status": answer.status,
            "forward_passes": self.passes.forward,
            "backward_passes": self.passes.backward,
            "seconds": round(self.seconds, 3),
            "peak_memory_mb": round(self.peak_bytes / 2**20, 1),
            "seed": self.seed,
            **{name: answer.checks.get(name, float("nan")) for name in CHECKS},
            "note": answer.note,
        }


# Checks that a row always has a column for.
CHECKS = ("completeness_gap", "agreement", "surrogate_r2")


def judge(
    problem: Problem,
    maps: MapStore,
    scores: Tensor,
    floor: dict[int, float] | None = None,
    *,
    rectified: bool = False,
) -> list[Answer]:
    """Answers with a status each: a map that is zero, rounding noise or not finite is said to be so.

    Args:
        scores: (T,) clean scores.
        floor: per target, the largest map value that rounding alone could explain.
        rectified: whether negative values were cut off.
    """
    answers = []
    for t, target in enumerate(problem.targets):
        score = float(scores[t])
        if target.functional is None:
            answers.append(Answer(target, target.status, float("nan"), note=target.note))
            continue
        values = maps[t]
        largest = float(values.abs().max())
        if not np.isfinite(largest) or not bool(torch.isfinite(values).all()):
            note = "the map has NaN or infinite values; try fp32 precision or another scale of the input"
            answers.append(Answer(target, "failed", score, note=note))
        elif largest <= (floor or {}).get(t, 0.0):
            note = "the map is zero to rounding: " + (
                "nothing in it is positive, and the rest is cut off; relu=false shows it"
                if rectified
                else "the score does not depend on the image in this method's sense"
            )
            answers.append(Answer(target, "zero", score, note=note))
        else:
            answers.append(Answer(target, "ok", score, note=target.note))
    return answers

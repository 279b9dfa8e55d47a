"""Stability to rounding: whether a map is that of the image, or of the last digits of its numbers."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from voxplain.engine import Passes, Problem
from voxplain.errors import InputError
from voxplain.metric.candidate import Candidate
from voxplain.metric.figure import Figure
from voxplain.metric.metric import Figures, Metric, register
from voxplain.metric.rerun import Rerun
from voxplain.metric.robustness.changes import nothing

SALT = 0x0D16
SAME = "rounded so, the image is the same; a larger epsilon changes it"
FLAT = "the map is zero or constant, so that nothing correlates with it"
LOST = "the map of the rounded image is zero, constant or not finite"


@register
@dataclass(frozen=True)
class RoundingStability(Metric):
    """Pearson correlation of ``a(x)`` with ``a(x (1 ± ε))``, one random sign per voxel, shared by all methods.

    A change that no scanner and no file format resolves must not change a map. Ties of maximum pooling, supervoxels
    and divisions by almost nothing do let it through.

    Args:
        epsilon: relative change of every voxel; 1e-6 is eight units in the last place of a float32.
    """

    epsilon: float = 1e-6

    name: ClassVar[str] = "rounding_stability"
    family: ClassVar[str] = "robustness"
    title: ClassVar[str] = "Stability to rounding"
    source: ClassVar[str] = "of this package, after Ghorbani et al. 2019, arXiv:1710.10547"
    reads: ClassVar[str] = (
        "1: rounding the image leaves the map as it is; less: the map has digits that mean nothing"
    )
    better: ClassVar[Literal["higher", "lower", "neither"]] = "higher"
    span: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    needs: ClassVar[tuple[str, ...]] = ("method",)
    nulls: ClassVar[tuple[str, ...]] = ()  # any smooth filter of the image has 1, which none can beat
    apart: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 < self.epsilon < 1:
            raise InputError(
                f"{self.name}: found epsilon={self.epsilon}, expected a small share such as 1e-6"
            )

    def image(self, problem: Problem) -> Tensor:
        """(C, *spatial) the rounded image."""
        shape = tuple(problem.image.shape)
        sign = np.random.default_rng([problem.seed, SALT]).integers(2, size=shape, dtype=np.int8) * 2 - 1
        return problem.image * (1 + self.epsilon * torch.from_numpy(sign).to(problem.dtype))

    def compute(self, problem: Problem, candidates: Sequence[Candidate]) -> Figures:
        image = self.image(problem)
        found = {}
        for position, candidate in enumerate(candidates):
            run = Rerun(candidate)
            why = self._reason(problem, run, image)
            values = {} if why else self._correlations(problem, run, image)
            for t in sorted(candidate.targets):
                value, note = values.get(t, (float("nan"), why))
                found[position, t] = nothing(note) if np.isnan(value) else Figure(value, note=run.note)
        return found

    def cost(self, problem: Problem, candidates: Sequence[Candidate]) -> Passes:
        """Of every method its own passes, once."""
        image = self.image(problem)
        runs = {
            self._key(run): run for run in map(Rerun, candidates) if not self._reason(problem, run, image)
        }
        total = Passes()
        for key, run in runs.items():
            if not run.candidate.knows_nothing and not problem.has_done(key):
                total += run.cost(problem.at(image))
        return total

    def _reason(self, problem: Problem, run: Rerun, image: Tensor) -> str:
        if run.refused:
            return run.refused
        if torch.equal(image, problem.image):
            return SAME
        return "" if any(run.original(t) is not None for t in run.candidate.targets) else FLAT

    def _key(self, run: Rerun) -> Hashable:
        return ("rounded", self.epsilon, run.key)

    def _correlations(self, problem: Problem, run: Rerun, image: Tensor) -> dict[int, tuple[float, str]]:
        # kept with the method, whose address is part of the key
        _, values = problem.once(self._key(run), lambda: (run.method, self._made(problem, run, image)))
        return values

    def _made(self, problem: Problem, run: Rerun, image: Tensor) -> dict[int, tuple[float, str]]:
        copy = problem.at(image)
        copy.memory = problem.memory // 2  # the other half holds the maps that are judged
        maps = run.at(copy)
        out = {}
        for t in sorted(run.candidate.targets):
            a, b = run.original(t), maps(t)
            if a is None or _flat(a):
                out[t] = float("nan"), FLAT
            elif b is None or _flat(b):
                out[t] = float("nan"), LOST
            else:
                out[t] = _pearson(a, b), ""
        return out


def _flat(a: Tensor) -> bool:
    return bool(a.max() == a.min())


def _pearson(a: Tensor, b: Tensor) -> float:
    a, b = a.double() - a.double().mean(), b.double() - b.double().mean()
    return float(((a * b).sum() / (a.norm() * b.norm())).clamp(-1, 1))

"""LIME: a linear surrogate of the score, near the image, in terms of which parts are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from voxplain.attribution.baseline import Baseline, check_baseline, parse_baseline
from voxplain.attribution.doubt import doubt
from voxplain.attribution.method import Result, register
from voxplain.attribution.parts import ByParts
from voxplain.engine import Passes, Problem
from voxplain.engine.moments import correlation
from voxplain.errors import InputError


@register
@dataclass(frozen=True)
class Lime(ByParts):
    """β of the weighted least-squares fit F(z) ≈ β₀ + Σ_r β_r z_r to images that show random parts z of the image.

    Ribeiro et al. 2016, "Why should I trust you?", eq. 1: Σ_i π(z_i) (F(z_i) − β₀ − β·z_i)² + ridge · |β|² is
    minimal, with π(z) = exp(−d(z)² / 2 width²). The first sample is the image itself; in the others every part is
    shown with probability ½. What share of the score's variance the surrogate explains is told as ``surrogate_r2``.

    Args:
        size, supervoxels, regions, paint: the parts, and how they are drawn (see `ByParts`); 64 supervoxels where
            nothing is given. Label 0 of given regions stays as it is.
        samples: images that are asked about, at least twice the parts.
        distance: d from the image: ``cosine``, 1 − √(share of the parts shown), or ``l2``, √(share hidden).
        width: of the kernel.
        ridge: penalty on |β|²; 0 leaves β without bias, the authors' program has 1.
        baseline: what stands for a hidden part, as in integrated gradients.
    """

    samples: int = 512
    distance: Literal["cosine", "l2"] = "cosine"
    width: float = 0.25
    ridge: float = 0.0
    baseline: Baseline | float | str | None = None

    name: ClassVar[str] = "lime"
    family: ClassVar[str] = "perturbation"
    title: ClassVar[str] = "LIME"
    source: ClassVar[str] = "Ribeiro et al. 2016, arXiv:1602.04938"
    needs: ClassVar[tuple[str, ...]] = ("regions", "baseline")
    reads: ClassVar[str] = "positive: in a linear picture of the score, showing this part raises it"
    random: ClassVar[bool] = True
    trust: ClassVar[tuple[str, ...]] = ("surrogate_r2", "agreement")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_baseline(self.baseline)
        if self.distance not in ("cosine", "l2"):
            raise InputError(f"{self.name}: found distance={self.distance!r}, expected 'cosine' or 'l2'")
        if self.width <= 0:
            raise InputError(
                f"{self.name}: found width={self.width}, expected a positive number such as 0.25"
            )
        if self.ridge < 0:
            raise InputError(f"{self.name}: found ridge={self.ridge}, expected 0 or more")

    def compute(self, problem: Problem) -> Result:
        parts = self.parts(problem)
        baseline = parse_baseline(self.baseline, problem)
        game = self._game(problem, baseline)
        shown = self.shown(problem)
        values = game.values(shown)
        active = game.active(problem.present)  # hiding the others changes nothing, so their β is zero
        moved = (values - values[:1])[:, problem.present]
        z, weights = shown[:, active].double(), proximity(shown, self.distance, self.width)
        beta, r2 = surrogate(z, moved, weights, self.ridge)
        halves = [surrogate(z[k::2], moved[k::2], weights[k::2], self.ridge)[0] for k in (0, 1)]
        coefficients = torch.full((len(problem.targets), len(parts)), torch.nan, dtype=torch.float64)
        coefficients[problem.present] = 0.0
        coefficients[torch.tensor(problem.present)[:, None], active] = beta.T
        maps = self._painted(problem, parts, coefficients)
        checks, notes, floor = {}, {}, {}
        for k, t in enumerate(problem.present):
            checks[t] = {
                "surrogate_r2": float(r2[k]),
                "agreement": correlation(halves[0][:, k], halves[1][:, k]),
            }
            notes[t] = (
                f"{len(parts)} parts, {self.samples} samples, baseline {type(baseline).__name__.lower()}"
            )
            if float(r2[k]) < 0.5:
                notes[t] += f"; the linear picture explains only {float(r2[k]):.0%} of what the score does"
            notes[t] += doubt(checks[t]["agreement"])
            noise = 64 * torch.finfo(problem.dtype).eps * float(values[:, t].abs().max())
            floor[t] = float(maps[t].abs().max()) if not bool((beta[:, k].abs() > noise).any()) else 0.0
        return Result(
            maps,
            values[0],
            self._unit("score"),
            checks,
            notes,
            region_values=coefficients,
            regions=parts,
            floor=floor,
            voxel_power=self._power,
        )

    def cost(self, problem: Problem) -> Passes:
        if not problem.present:
            return Passes()
        return self._game(problem, parse_baseline(self.baseline, problem)).cost(self.shown(problem))

    def shown(self, problem: Problem) -> Tensor:
        """Which parts each sample shows: (samples, R) bool."""
        parts = len(self.parts(problem))
        if self.samples < 2 * (parts + 1):
            raise InputError(
                f"{self.name}: found samples={self.samples} for {parts} parts, expected at least {2 * (parts + 1)}; "
                "or choose larger parts"
            )
        drawn = np.random.default_rng(problem.seed).random((self.samples, parts)) < 0.5
        drawn[0] = True
        return torch.from_numpy(drawn)


def proximity(shown: Tensor, distance: str, width: float) -> Tensor:
    """Weight of each sample, (N, R) bool -> (N,) in (0, 1]; 1 for the image itself.

    >>> proximity(torch.tensor([[True, True, True, True], [True, False, False, False]]), "cosine", 0.5)
    tensor([1.0000, 0.6065], dtype=torch.float64)
    """
    share = shown.double().mean(1)
    d = 1 - share.sqrt() if distance == "cosine" else (1 - share).sqrt()
    return torch.exp(-(d**2) / (2 * width**2))


def surrogate(z: Tensor, values: Tensor, weights: Tensor, ridge: float) -> tuple[Tensor, Tensor]:
    """Weighted ridge regression with an intercept that is not penalised.

    Args:
        z: (N, R) double.
        values: (N, T) double.
        weights: (N,).

    Returns:
        (R, T) coefficients (of least norm where they are not determined), and (T,) the weighted R² of the fit;
        NaN where the values do not vary.
    """
    share = (weights / weights.sum())[:, None]
    centred, moved = z - (share * z).sum(0), values - (share * values).sum(0)
    root = weights.sqrt()[:, None]
    penalty = ridge**0.5 * torch.eye(z.shape[1], dtype=z.dtype)
    left = torch.cat([root * centred, penalty])
    right = torch.cat([root * moved, torch.zeros(z.shape[1], values.shape[1], dtype=z.dtype)])
    beta = torch.linalg.lstsq(left, right, driver="gelsd").solution
    missed = (share * (moved - centred @ beta) ** 2).sum(0)
    return beta, 1 - missed / (share * moved**2).sum(0)

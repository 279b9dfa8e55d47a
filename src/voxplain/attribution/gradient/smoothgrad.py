"""The gradient over noisy copies of the image: its mean, mean square and variance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from voxplain.attribution.gradient.noise_scale import channel_range
from voxplain.attribution.method import Method, Result, register
from voxplain.attribution.streamed import Streamed
from voxplain.engine import Gradients, MapStore, Problem
from voxplain.engine.samplers import Noisy
from voxplain.errors import InputError


@register
@dataclass(frozen=True)
class SmoothGrad(Method):
    """Mean gradient over noisy copies of the image.

    Smilkov et al. 2017, "SmoothGrad". The correlation of the maps from even and from odd draws is reported as
    ``agreement``: well below 1, more draws are needed.

    Args:
        draws: noisy copies.
        sigma: standard deviation of the noise as a share of each channel's range (maximum − minimum).
    """

    draws: int = 20
    sigma: float = 0.1

    score_count: ClassVar[int] = 1
    name: ClassVar[str] = "smoothgrad"
    family: ClassVar[str] = "gradient"
    title: ClassVar[str] = "SmoothGrad"
    source: ClassVar[str] = "Smilkov et al. 2017, arXiv:1706.03825"
    needs: ClassVar[tuple[str, ...]] = ("gradients",)
    reads: ClassVar[str] = "as the gradient, averaged over small changes of the image"
    random: ClassVar[bool] = True
    trust: ClassVar[tuple[str, ...]] = ("agreement",)
    power: ClassVar[str] = "mean"
    _voxel_power: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.draws < 2:
            raise InputError(f"{self.name}: found draws={self.draws}, expected at least 2")
        if self.sigma <= 0:
            raise InputError(f"{self.name}: found sigma={self.sigma}, expected a positive share such as 0.1")

    @property
    def draw_count(self) -> int:
        return self.draws

    def streamed(self, problem: Problem) -> Streamed | None:
        return self._noisy(problem) if self.power == "mean" else None

    def _noisy(self, problem: Problem) -> Streamed:
        sigma = self.sigma * channel_range(problem.image)
        return Streamed(
            lambda p: Noisy(p.padded, p.noise(), sigma, self.draws),
            f"{self.name} ({self.draws} draws)",
            halves=True,
            independent=True,
            at_image=False,
        )

    def compute(self, problem: Problem) -> Result:
        found = self._found(problem, self._noisy(problem))
        scores = problem.clean_scores()
        checks = {t: {"agreement": a} for t, a in found.agreement.items()}
        floor = self._floor(found, problem)
        return Result(
            self._moment(found), scores, self._unit(), checks, floor=floor, voxel_power=self._voxel_power
        )

    def _found(self, problem: Problem, draws: Streamed) -> Gradients:
        """The mean, and the variance where that is asked for."""
        if self.power == "mean":
            return draws.maps(problem)
        return problem.gradient(draws.make, variance=True, halves=True, what=draws.what)

    def _moment(self, found: Gradients) -> MapStore:
        return found.maps

    def _floor(self, found: Gradients, problem: Problem) -> dict[int, float]:
        del found, problem
        return {}

    def _unit(self) -> str:
        return "score per unit of intensity"


@register
@dataclass(frozen=True)
class SmoothGradSquared(SmoothGrad):
    """Mean squared gradient over noisy copies: never negative, larger where the score is sensitive.

    Hooker et al. 2019, "A benchmark for interpretability methods".
    """

    name: ClassVar[str] = "smoothgrad_squared"
    title: ClassVar[str] = "SmoothGrad²"
    source: ClassVar[str] = "Hooker et al. 2019, arXiv:1806.10758"
    reads: ClassVar[str] = "how sensitive the score is here, without a sign"
    signed: ClassVar[bool] = False
    power: ClassVar[str] = "square"
    _voxel_power: ClassVar[int] = 2

    def _moment(self, found: Gradients) -> MapStore:
        variance = _variance(found)
        variance.transform(lambda t, v: v + found.maps[t] ** 2)
        return variance

    def _unit(self) -> str:
        return "(score per unit of intensity)²"


@register
@dataclass(frozen=True)
class VarGrad(SmoothGrad):
    """Variance of the gradient over noisy copies (population variance): where the gradient is unstable.

    Adebayo et al. 2018, "Sanity checks for saliency maps".
    """

    name: ClassVar[str] = "vargrad"
    title: ClassVar[str] = "VarGrad"
    source: ClassVar[str] = "Adebayo et al. 2018, arXiv:1810.03307"
    reads: ClassVar[str] = "how much the gradient itself changes under noise, without a sign"
    signed: ClassVar[bool] = False
    power: ClassVar[str] = "variance"
    _voxel_power: ClassVar[int] = 2

    def _moment(self, found: Gradients) -> MapStore:
        return _variance(found)

    def _floor(self, found: Gradients, problem: Problem) -> dict[int, float]:
        # gradients that differ by rounding alone have a variance of about (ε |g|)²
        epsilon = 16 * torch.finfo(problem.dtype).eps
        return {t: (epsilon * float(found.maps[t].abs().max())) ** 2 for t in problem.present}

    def _unit(self) -> str:
        return "(score per unit of intensity)²"


def _variance(found: Gradients) -> MapStore:
    assert found.variance is not None
    return found.variance

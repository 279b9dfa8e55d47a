"""Methods that read the gradient with respect to the image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from voxplain.attribution.baseline import (
    Baseline,
    check_baseline,
    describe,
    is_scale_blind,
    parse_baseline,
    warn_if_scale_blind,
)
from voxplain.attribution.method import Method, Result, register
from voxplain.engine import Gradients, MapStore, Passes, Problem
from voxplain.engine.samplers import Noisy, Path, RandomPath, clean
from voxplain.errors import InputError


@register
@dataclass(frozen=True)
class Gradient(Method):
    """∂F/∂x: how much the score changes per unit of intensity at each voxel.

    Simonyan et al. 2013, "Deep inside convolutional networks".
    """

    name: ClassVar[str] = "gradient"
    aliases: ClassVar[tuple[str, ...]] = (
        "saliency",
        "vanilla_gradient",
    )
    family: ClassVar[str] = "gradient"
    title: ClassVar[str] = "Gradient (saliency)"
    source: ClassVar[str] = "Simonyan et al. 2013, arXiv:1312.6034"
    needs: ClassVar[tuple[str, ...]] = ("gradients",)
    reads: ClassVar[str] = "positive: brighter here raises the score; negative: lowers it"

    def compute(self, problem: Problem) -> Result:
        found = problem.gradient(lambda p: clean(p.padded), what=self.name)
        return Result(found.maps, found.scores[0], "score per unit of intensity")


@register
@dataclass(frozen=True)
class InputXGradient(Method):
    """x · ∂F/∂x: the first-order contribution of each voxel's intensity, measured from zero.

    Shrikumar et al. 2016, "Not just a black box".
    """

    name: ClassVar[str] = "input_x_gradient"
    aliases: ClassVar[tuple[str, ...]] = (
        "gradient_x_input",
        "grad_times_image",
    )
    family: ClassVar[str] = "gradient"
    title: ClassVar[str] = "Input × gradient"
    source: ClassVar[str] = "Shrikumar et al. 2016, arXiv:1605.01713"
    needs: ClassVar[tuple[str, ...]] = ("gradients",)
    reads: ClassVar[str] = "positive: this voxel's intensity speaks for the score, to first order"

    def compute(self, problem: Problem) -> Result:
        found = problem.gradient(lambda p: clean(p.padded), what=self.name)
        found.maps.transform(lambda _, g: problem.image * g)
        return Result(found.maps, found.scores[0], "score")


@register
@dataclass(frozen=True)
class IntegratedGradients(Method):
    """(x − b) · ∫₀¹ ∂F(b + α(x − b))/∂x dα: how F(x) − F(b) is shared out among the voxels.

    Sundararajan et al. 2017, "Axiomatic attribution for deep networks", eq. 1. The maps sum to F(x) − F(b)
    up to the quadrature's error, which is reported as ``completeness_gap`` relative to |F(x) − F(b)|.

    Args:
        nodes: gradient evaluations on the path.
        rule: ``gauss-legendre``, or the ``midpoint``, ``trapezoid``, ``left`` or ``right`` rule.
        baseline: a `Baseline`, a number, ``minimum``, ``mean``, ``blur``, ``blur:SIGMA_MM``, ``case:FILE``; by
            default a blurred image where the network is blind to scale, else each channel's minimum.
    """

    nodes: int = 32
    rule: Literal["gauss-legendre", "midpoint", "trapezoid", "left", "right"] = "gauss-legendre"
    baseline: Baseline | float | str | None = None

    score_count: ClassVar[int] = 2
    name: ClassVar[str] = "integrated_gradients"
    family: ClassVar[str] = "gradient"
    title: ClassVar[str] = "Integrated gradients"
    source: ClassVar[str] = "Sundararajan et al. 2017, arXiv:1703.01365"
    needs: ClassVar[tuple[str, ...]] = ("gradients", "baseline")
    reads: ClassVar[str] = "the share of the score's difference from the baseline that this voxel carries"
    trust: ClassVar[tuple[str, ...]] = ("completeness_gap",)

    def __post_init__(self) -> None:
        quadrature(self.rule, self.nodes)
        check_baseline(self.baseline)

    @property
    def draw_count(self) -> int:
        return self.nodes

    def compute(self, problem: Problem) -> Result:
        baseline = parse_baseline(self.baseline, problem)
        warning = warn_if_scale_blind(problem, baseline)
        start = baseline(problem)
        positions, weights = quadrature(self.rule, self.nodes)
        padded = problem.pad(start)
        found = problem.gradient(
            lambda p: Path(p.padded, padded, positions, weights), what=f"{self.name} ({self.nodes} nodes)"
        )
        found.maps.transform(lambda _, g: (problem.image - start) * g)
        ends = torch.stack([problem.clean_scores(), problem.scores([start])[0]])
        checks, notes = _completeness(problem, found, ends)
        for t in notes:
            notes[t] = "; ".join(filter(None, [f"baseline {describe(baseline)}", notes[t], warning]))
        return Result(found.maps, ends[0], "score", checks, notes)


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

    def compute(self, problem: Problem) -> Result:
        sigma = self.sigma * channel_range(problem.image)
        found = problem.gradient(
            lambda p: Noisy(p.padded, p.noise(), sigma, self.draws),
            variance=self.power != "mean",
            halves=True,
            what=f"{self.name} ({self.draws} draws)",
        )
        scores = problem.clean_scores()
        checks = {t: {"agreement": a} for t, a in found.agreement.items()}
        floor = self._floor(found, problem)
        return Result(
            self._moment(found), scores, self._unit(), checks, floor=floor, voxel_power=self._voxel_power
        )

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


@register
@dataclass(frozen=True)
class ExpectedGradients(Method):
    """E[(x − b) · ∂F(b + α(x − b))/∂x] over random baselines b and α ~ U(0, 1).

    Erion et al. 2021, "Improving performance of deep learning models with axiomatic attribution priors and
    expected gradients"; with noise on the image it is Captum's and SHAP's GradientSHAP.

    Args:
        draws: random (baseline, α) pairs; α is stratified for each baseline, which lowers the error.
        baselines: as in integrated gradients, one or several; by default the blurred image at three widths
            where the network is blind to scale, else minimum, mean and blur.
        sigma: noise on the image as a share of each channel's range; 0 for none.
    """

    draws: int = 32
    baselines: tuple[Baseline | float | str, ...] | None = None
    sigma: float = 0.0

    name: ClassVar[str] = "expected_gradients"
    aliases: ClassVar[tuple[str, ...]] = ("gradient_shap",)
    family: ClassVar[str] = "gradient"
    title: ClassVar[str] = "Expected gradients (GradientSHAP)"
    source: ClassVar[str] = "Erion et al. 2021, arXiv:1906.10670; Lundberg & Lee 2017, arXiv:1705.07874"
    needs: ClassVar[tuple[str, ...]] = ("gradients", "baseline")
    reads: ClassVar[str] = (
        "the share of the score's difference from the mean baseline that this voxel carries"
    )
    random: ClassVar[bool] = True
    trust: ClassVar[tuple[str, ...]] = ("completeness_gap", "agreement")

    def __post_init__(self) -> None:
        if self.draws < 2:
            raise InputError(f"{self.name}: found draws={self.draws}, expected at least 2")
        if self.sigma < 0:
            raise InputError(f"{self.name}: found sigma={self.sigma}, expected 0 or more")
        if self.baselines is not None and not self.baselines:
            raise InputError(f"{self.name}: baselines is empty, expected at least one")
        for baseline in self.baselines or ():
            check_baseline(baseline)

    @property
    def draw_count(self) -> int:
        return self.draws

    def cost(self, problem: Problem) -> Passes:
        starts = 3 if self.baselines is None else len(self.baselines)
        return self._passes(problem, self.draws, 1 + starts)

    def compute(self, problem: Problem) -> Result:
        starts = [b(problem) for b in self.starts(problem)]
        rng = np.random.default_rng(problem.seed)
        positions, choices = stratified(self.draws, len(starts), rng)
        padded = [problem.pad(s) for s in starts]
        sigma = self.sigma * channel_range(problem.image)
        found = problem.gradient(
            lambda p: RandomPath(p.padded, padded, positions.tolist(), choices.tolist(), p.noise(), sigma),
            halves=True,
            what=f"{self.name} ({self.draws} draws)",
        )
        ends = torch.cat([problem.clean_scores()[None], problem.scores(starts)])
        share = torch.bincount(torch.from_numpy(choices), minlength=len(starts)).double() / self.draws
        mean = (share[:, None] * ends[1:]).sum(0)
        checks, notes = _completeness(problem, found, torch.stack([ends[0], mean]))
        for t, agreement in found.agreement.items():
            checks[t]["agreement"] = agreement
        return Result(found.maps, ends[0], "score", checks, notes)

    def starts(self, problem: Problem) -> list[Baseline]:
        """The baselines: those that were given, or the default ones for this network."""
        from voxplain.attribution.baseline import Blur, Mean, Minimum

        if self.baselines is not None:
            return [parse_baseline(b, problem) for b in self.baselines]
        if not is_scale_blind(problem):
            return [Minimum(), Mean(), Blur()]
        voxel = min(problem.prepared.spacing)
        return [Blur(2 * voxel), Blur(4 * voxel), Blur(8 * voxel)]


def _variance(found: Gradients) -> MapStore:
    assert found.variance is not None
    return found.variance


def stratified(draws: int, baselines: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Random (α, baseline) pairs: baselines in equal shares, and for each one α in every equal stratum of [0, 1].

    Returns:
        (draws,) positions in [0, 1] and (draws,) indices of baselines, in random order.
    """
    choices = np.arange(draws) % baselines
    positions = np.empty(draws)
    for baseline in range(baselines):
        mine = choices == baseline
        count = int(mine.sum())
        positions[mine] = (np.arange(count) + rng.random(count)) / count
    order = rng.permutation(draws)
    return positions[order], choices[order]


def quadrature(rule: str, nodes: int) -> tuple[list[float], list[float]]:
    """Positions in [0, 1] and weights that sum to 1.

    >>> quadrature("midpoint", 2)
    ([0.25, 0.75], [0.5, 0.5])
    """
    rules: dict[str, Callable[[int], tuple[Any, Any]]] = {
        "gauss-legendre": _gauss_legendre,
        "midpoint": lambda n: ((np.arange(n) + 0.5) / n, np.full(n, 1 / n)),
        "left": lambda n: (np.arange(n) / n, np.full(n, 1 / n)),
        "right": lambda n: ((np.arange(n) + 1) / n, np.full(n, 1 / n)),
        "trapezoid": lambda n: (np.linspace(0, 1, n), _trapezoid(n)),
    }
    least = 2 if rule == "trapezoid" else 1
    if rule not in rules:
        raise InputError(f"integrated_gradients: found rule={rule!r}, expected one of {', '.join(rules)}")
    if nodes < least:
        raise InputError(
            f"integrated_gradients: found nodes={nodes}, expected at least {least} for rule {rule!r}"
        )
    positions, weights = rules[rule](nodes)
    return [float(p) for p in positions], [float(w) for w in weights]


def _gauss_legendre(n: int) -> tuple[Any, Any]:
    points, weights = np.polynomial.legendre.leggauss(n)
    return (points + 1) / 2, weights / 2


def _trapezoid(n: int) -> Any:
    weights = np.full(n, 1 / (n - 1))
    weights[[0, -1]] /= 2
    return weights


def channel_range(image: Tensor) -> Tensor:
    """Maximum − minimum of every channel, (C, 1, ...)."""
    flat = image.flatten(1)
    return (flat.amax(1) - flat.amin(1)).reshape(-1, *(1,) * (image.dim() - 1))


def _completeness(
    problem: Problem, found: Gradients, ends: Tensor
) -> tuple[dict[int, dict[str, float]], dict[int, str]]:
    """Relative error of Σ attribution against F(x) − F(b), per target."""
    checks: dict[int, dict[str, float]] = {}
    notes: dict[int, str] = {}
    for t in problem.present:
        difference = float(ends[0, t] - ends[1, t])
        error = abs(float(found.maps[t].double().sum()) - difference)
        gap = error / abs(difference) if difference else (0.0 if error == 0 else float("inf"))
        checks[t] = {"completeness_gap": gap}
        notes[t] = ""
        if gap > 0.05:
            notes[t] = (
                f"the map misses {gap:.0%} of the score's difference of {difference:.3g}: "
                "use more nodes or draws, or another baseline"
            )
    return checks, notes

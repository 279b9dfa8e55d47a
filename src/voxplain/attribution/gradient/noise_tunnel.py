"""Any gradient-like method, averaged over noisy copies of the image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from voxplain.attribution.baseline import Baseline, parse_baseline
from voxplain.attribution.gradient.expected_gradients import ExpectedGradients
from voxplain.attribution.gradient.noise_scale import channel_range
from voxplain.attribution.gradient.smoothgrad import SmoothGrad
from voxplain.attribution.method import Method, Result, register
from voxplain.attribution.nested import parse_method
from voxplain.engine import MapStore, Passes, Problem
from voxplain.engine.moments import Moments, correlation
from voxplain.errors import InputError
from voxplain.model import Model

FAMILIES = ("gradient", "backprop", "cam", "layer")


@register
@dataclass(frozen=True)
class NoiseTunnel(Method):
    """E[A(x + ε)], E[A(x + ε)²] or Var[A(x + ε)] of another method's map A, ε ~ N(0, (sigma · range)²).

    Smilkov et al. 2017 ("SmoothGrad"), Hooker et al. 2019 (squares) and Adebayo et al. 2018 (variance) for the
    gradient; the same around any method that follows the gradient. Targets stay frozen on the clean prediction,
    and a baseline is that of the clean image for every copy. The correlation of the maps from even and from odd
    draws is reported as ``agreement``.

    Args:
        of: the method, with its parameters as in ``integrated_gradients(nodes=8,baseline=blur)``.
        kind: ``smoothgrad`` (mean), ``smoothgrad_squared`` (mean square) or ``vargrad`` (population variance).
        draws: noisy copies.
        sigma: standard deviation of the noise as a share of each channel's range (maximum − minimum).
    """

    of: str = "integrated_gradients"
    kind: Literal["smoothgrad", "smoothgrad_squared", "vargrad"] = "smoothgrad"
    draws: int = 10
    sigma: float = 0.1

    name: ClassVar[str] = "noise_tunnel"
    family: ClassVar[str] = "gradient"
    title: ClassVar[str] = "Noise tunnel (SmoothGrad around any method)"
    source: ClassVar[str] = (
        "Smilkov et al. 2017, arXiv:1706.03825; Hooker et al. 2019, arXiv:1806.10758; "
        "Adebayo et al. 2018, arXiv:1810.03307"
    )
    needs: ClassVar[tuple[str, ...]] = ("gradients",)
    reads: ClassVar[str] = "as the method that it wraps, averaged over small changes of the image"
    random: ClassVar[bool] = True
    trust: ClassVar[tuple[str, ...]] = ("agreement",)

    def __post_init__(self) -> None:
        kinds = ("smoothgrad", "smoothgrad_squared", "vargrad")
        if self.kind not in kinds:
            raise InputError(f"noise_tunnel: found kind={self.kind!r}, expected one of {', '.join(kinds)}")
        if self.draws < 2:
            raise InputError(f"noise_tunnel: found draws={self.draws}, expected at least 2")
        if self.sigma <= 0:
            raise InputError(f"noise_tunnel: found sigma={self.sigma}, expected a positive share such as 0.1")
        _refuse(self.inner)

    @cached_property
    def inner(self) -> Method:
        """The method that is averaged."""
        return parse_method(self.of)

    def check(self, model: Model) -> None:
        super().check(model)
        self.inner.check(model)

    def check_problem(self, problem: Problem) -> None:
        super().check_problem(problem)
        self.inner.check_problem(problem)

    def cost(self, problem: Problem) -> Passes:
        """As many times the inner method's, and the clean scores."""
        each = self.inner.cost(problem.at(problem.image))
        own = self._passes(problem, 0, 1)
        return Passes(own.forward + self.draws * each.forward, own.backward + self.draws * each.backward)

    def compute(self, problem: Problem) -> Result:
        inner = _with_baselines_of(self.inner, problem)
        sums = _Sums(problem, self.draws, variance=self.kind != "smoothgrad")
        floors = dict.fromkeys(problem.present, 0.0)
        one = None
        for copy in self._copies(problem):
            one = inner.compute(copy)
            sums.add(one.maps)
            floors = {t: max(f, one.floor.get(t, 0.0)) for t, f in floors.items()}
        assert one is not None
        maps, agreement = sums.finish(square=self.kind == "smoothgrad_squared")
        power = 1 if self.kind == "smoothgrad" else 2
        return Result(
            maps,
            problem.clean_scores(),
            one.unit if power == 1 else f"({one.unit})²",
            {t: {"agreement": a} for t, a in agreement.items()},
            {t: _note(inner, one.notes.get(t, "")) for t in problem.present},
            floor={t: self._floor(problem, sums, t, f) for t, f in floors.items()},
            voxel_power=power * one.voxel_power,
        )

    def _copies(self, problem: Problem) -> Iterator[Problem]:
        """The noisy images as problems, one after the other."""
        sigma, noise = self.sigma * channel_range(problem.image), problem.noise()
        everywhere = tuple(slice(0, s) for s in problem.plan.shape)
        # a random inner method must not draw the same numbers for every copy
        seeds = np.random.default_rng([problem.seed, 1]).integers(2**32, size=self.draws)
        for draw in range(self.draws):
            field = noise.box(draw, everywhere)
            field = field if problem.layout is None else problem.layout.unpad(field)
            copy = problem.at(problem.image + sigma * field, seed=int(seeds[draw]))
            copy.memory = problem.memory // 2  # the other half is for the sums
            yield copy

    def _floor(self, problem: Problem, sums: _Sums, t: int, floor: float) -> float:
        if self.kind == "smoothgrad":
            return floor
        if self.kind == "smoothgrad_squared":
            return floor**2
        # maps that differ by rounding alone have a variance of about (ε |A|)²
        return max(floor, 16 * torch.finfo(problem.dtype).eps * sums.largest[t]) ** 2


class _Sums:
    """Mean, variance and agreement of halves of maps that come one after the other."""

    def __init__(self, problem: Problem, draws: int, *, variance: bool) -> None:
        self.problem, self.draws = problem, draws
        stores = 4 if variance else 2
        # the copies' own maps take the other half of the memory
        self.room: Callable[[], MapStore] = lambda: problem.store(share=2 * stores)
        self.halves = [self.room(), self.room()]
        self.moments = Moments(self.room(), self.room()) if variance else None
        self.largest: dict[int, float] = {}
        self.seen = 0

    def add(self, maps: MapStore) -> None:
        half = self.halves[self.seen % 2]
        for t in self.problem.present:
            found = maps[t]
            share = found / self.draws
            half[t] = half[t] + share if t in half else share
            if self.moments is not None:
                self.moments.add(t, found, 1 / self.draws)
        self.seen += 1

    def finish(self, *, square: bool) -> tuple[MapStore, dict[int, float]]:
        """The mean, or the variance, or (``square``) the mean square; and the correlation of the halves."""
        even, odd = self.halves
        agreement = {t: correlation(even[t], odd[t]) for t in self.problem.present}
        even.transform(lambda t, m: m + odd[t])
        self.largest = {t: float(even[t].abs().max()) for t in self.problem.present}
        if self.moments is None:
            return even, agreement
        variance = self.moments.variance(even)
        if square:
            variance.transform(lambda t, v: v + even[t] ** 2)
        return variance, agreement


@dataclass(frozen=True, eq=False)
class _OfClean(Baseline):
    """A baseline that was made from the clean image, whatever image is explained."""

    image: Tensor
    baseline: Baseline

    @property
    def is_constant(self) -> bool:
        return self.baseline.is_constant

    def __call__(self, problem: Problem) -> Tensor:
        return self.image

    def __repr__(self) -> str:
        return repr(self.baseline)


def _with_baselines_of(inner: Method, problem: Problem) -> Method:
    """The method with its baselines, one or several, made from this problem's image."""
    own: Any = inner
    names = {f.name for f in fields(inner)}
    if "baselines" in names:
        several = ExpectedGradients(baselines=own.baselines).starts(problem)
        own = replace(own, baselines=tuple(_OfClean(b(problem), b) for b in several))
    if "baseline" in names:
        baseline = parse_baseline(own.baseline, problem)
        own = replace(own, baseline=_OfClean(baseline(problem), baseline))
    kept: Method = own
    return kept


def _note(inner: Method, of_last: str) -> str:
    return f"of {inner.name}" + (f" (for the last copy: {of_last})" if of_last else "")


def _refuse(inner: Method) -> None:
    """Only what follows the gradient, and is not averaged over noise already.

    Raises:
        InputError: with the reason.
    """
    if isinstance(inner, (NoiseTunnel, SmoothGrad)):
        raise InputError(
            f"noise_tunnel: of={inner.name!r} is averaged over noise already; ask for it by itself, or for "
            "of=gradient"
        )
    if inner.family not in FAMILIES or inner.answer == "image":
        raise InputError(
            f"noise_tunnel: of={inner.name!r} is of the family {inner.family}, expected one of "
            f"{', '.join(FAMILIES)}, whose maps follow the gradient at the image"
        )
    if "gradients" not in inner.needs:
        raise InputError(
            f"noise_tunnel: of={inner.name!r} does not follow the gradient, whose noise is what the tunnel averages away"
        )

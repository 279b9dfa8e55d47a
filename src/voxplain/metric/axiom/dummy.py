"""The dummy axiom: whether a map stays off voxels that the score cannot see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from voxplain.attribution.gradient.noise_scale import channel_range
from voxplain.engine import Passes, Problem
from voxplain.engine.layout import Layout
from voxplain.engine.samplers import NoiseField, Noisy, clean
from voxplain.errors import InputError
from voxplain.metric.candidate import Candidate
from voxplain.metric.figure import NAN, Figure
from voxplain.metric.metric import Figures, Metric, register

SEED_SALT = 0xD0


@register
@dataclass(frozen=True)
class DummyShare(Metric):
    """``Σ_{v dead} |a(v)| / Σ_v |a(v)|``: the share of a map on voxels that the score does not depend on.

    Dead are voxels whose gradient is exactly zero at the image and at every one of several with strong noise: those
    outside the receptive field of the target's region, and those that the network discards. One image alone would not do,
    since a closed ReLU hides voxels that matter elsewhere. After the dummy axiom (Sundararajan et al. 2017) and the
    non-sensitivity of Nguyen & Martínez 2020.

    Args:
        draws: noisy images; one gradient each.
        sigma: of the noise, as a share of each channel's range.
    """

    draws: int = 4
    sigma: float = 0.5

    name: ClassVar[str] = "dummy_share"
    family: ClassVar[str] = "axiom"
    title: ClassVar[str] = "Share on dummy voxels"
    source: ClassVar[str] = "Nguyen & Martínez 2020, arXiv:2007.07584, with dead voxels found by gradients"
    reads: ClassVar[str] = "share of the map on voxels that the score cannot see; 0 is what the axiom asks"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "lower"
    span: ClassVar[tuple[float, float]] = (0.0, 1.0)
    nulls: ClassVar[tuple[str, ...]] = ("random", "edges")

    def __post_init__(self) -> None:
        if self.draws < 1:
            raise InputError(f"{self.name}: found draws={self.draws}, expected at least 1")
        if not self.sigma > 0:
            raise InputError(f"{self.name}: found sigma={self.sigma}, expected a positive share such as 0.5")

    def compute(self, problem: Problem, candidates: Sequence[Candidate]) -> Figures:
        dead = problem.once(self._key, lambda: self._dead(problem))
        return {
            (position, target): _figure(candidate.values(target), dead[target])
            for position, candidate in enumerate(candidates)
            for target in sorted(candidate.targets)
        }

    def cost(self, problem: Problem, candidates: Sequence[Candidate]) -> Passes:
        return Passes(0, 0) if problem.has_done(self._key) else problem.cost(gradients=self.draws + 1)

    @property
    def _key(self) -> tuple[str, int, float]:
        return ("dummy voxels", self.draws, self.sigma)

    def _dead(self, problem: Problem) -> dict[int, Tensor]:
        layout = problem.layout or Layout(problem.spatial_shape, problem.model.windows, problem.dtype)
        noise = NoiseField(layout, problem.image.shape[0], problem.seed ^ SEED_SALT, problem.dtype)
        ranges = channel_range(problem.image)
        usual = ranges.max() if bool(ranges.any()) else 1.0
        sigma = self.sigma * ranges.where(ranges > 0, usual)  # an empty channel is shaken too
        # gradients of several draws only cancel to an exact zero where each of them is zero
        found = problem.gradient(
            lambda p: Noisy(p.padded, noise, sigma, self.draws), what=f"{self.name} ({self.draws} draws)"
        )
        here = problem.gradient(lambda p: clean(p.padded), what=f"{self.name} (the image itself)")
        return {t: ((found.maps[t] == 0) & (here.maps[t] == 0)).all(0) for t in problem.present}


def _figure(values: Tensor, dead: Tensor) -> Figure:
    if not bool(dead.any()):
        return Figure(NAN, note="the score depends on every voxel, so that none is a dummy")
    sizes = values.double().abs().sum(0)
    total = float(sizes.sum())
    if total == 0:
        return Figure(NAN, note="the map is zero everywhere")
    return Figure(float(sizes[dead].sum()) / total)

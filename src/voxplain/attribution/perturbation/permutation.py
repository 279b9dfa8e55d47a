"""Feature permutation: what is lost when the order, or the patient, of a part's values changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from voxplain.attribution.baseline import Baseline, check_baseline, parse_baseline
from voxplain.attribution.doubt import doubt
from voxplain.attribution.method import Result, register
from voxplain.attribution.parts import ByParts, told
from voxplain.engine import Passes, Problem
from voxplain.engine.changes import Overwritten, Shuffled, VoxelChange
from voxplain.engine.moments import correlation
from voxplain.errors import InputError


@register
@dataclass(frozen=True)
class FeaturePermutation(ByParts):
    """F(x) − mean over draws of F(x with a part's voxels shuffled among themselves).

    Breiman 2001, "Random forests", and Fisher et al. 2019, "All models are wrong, but many are useful", permute a
    feature over the cases of a data set. One image has no other cases, so a part keeps its intensities and loses
    their order: all channels of a voxel move together. With ``donors`` the part's values come from other cases
    instead, which is the published definition. A part of one intensity has no order to lose and gets zero.

    Args:
        size, supervoxels, regions, paint: the parts, and how they are drawn (see `ByParts`).
        draws: permutations of each part.
        donors: other cases on the same grid, ``case:FILE`` each; each gives its values once, in place of draws.
    """

    size: int | tuple[int, ...] | None = 16
    draws: int = 4
    donors: tuple[Baseline | str, ...] | None = None

    name: ClassVar[str] = "feature_permutation"
    family: ClassVar[str] = "perturbation"
    title: ClassVar[str] = "Feature permutation"
    source: ClassVar[str] = "Breiman 2001, doi:10.1023/A:1010933404324; Fisher et al. 2019, arXiv:1801.01489"
    needs: ClassVar[tuple[str, ...]] = ("regions",)
    reads: ClassVar[str] = "positive: the arrangement of intensities in this part raises the score"
    random: ClassVar[bool] = True
    trust: ClassVar[tuple[str, ...]] = ("agreement",)
    trust_where: ClassVar[Mapping[str, str]] = {"agreement": "unless there is a single donor"}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.draws < 2:
            raise InputError(f"{self.name}: found draws={self.draws}, expected at least 2")
        if self.donors is not None and not self.donors:
            raise InputError(f"{self.name}: donors is empty, expected at least one case")
        for donor in self.donors or ():
            check_baseline(donor)

    def compute(self, problem: Problem) -> Result:
        parts = self.parts(problem)
        changes = self._donated(problem) if self.donors else self._shuffled(problem)
        each, clean = problem.effects(changes, self.name)
        each = each.reshape(len(each), len(parts), -1)
        lost = each.mean(2)
        checks = {}
        if each.shape[2] > 1:
            halves = (each[:, :, ::2].mean(2), each[:, :, 1::2].mean(2))
            checks = {t: {"agreement": correlation(halves[0][t], halves[1][t])} for t in problem.present}
        what = f"{len(self.donors)} donors" if self.donors else f"{self.draws} permutations of each"
        notes = dict.fromkeys(problem.present, f"{told(parts, 'parts')}, {what}")
        for t, own in checks.items():
            notes[t] += doubt(own["agreement"])
        return Result(
            self._painted(problem, parts, lost),
            clean,
            self._unit("lost score"),
            checks,
            notes,
            region_values=lost,
            regions=parts,
            voxel_power=self._power,
        )

    def cost(self, problem: Problem) -> Passes:
        parts = self.parts(problem)
        draws = len(self.donors) if self.donors else self.draws
        return problem.effects_cost([p for p in parts for _ in range(draws)])

    def _shuffled(self, problem: Problem) -> list[VoxelChange]:
        return [
            Shuffled(part, problem.seed, (r, d))
            for r, part in enumerate(self.parts(problem))
            for d in range(self.draws)
        ]

    def _donated(self, problem: Problem) -> list[VoxelChange]:
        images = [parse_baseline(donor, problem)(problem) for donor in self.donors or ()]
        count = problem.image.shape[0]
        return [Overwritten((part,) * count, image) for part in self.parts(problem) for image in images]

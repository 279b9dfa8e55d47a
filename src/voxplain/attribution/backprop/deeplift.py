"""DeepLIFT: how the difference from a reference is handed back through the network, operation by operation."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from voxplain.attribution.backprop.deeplift_rules import DeepLiftRules
from voxplain.attribution.baseline import Baseline, check_baseline, describe, parse_baseline
from voxplain.attribution.gap import relative_gap
from voxplain.attribution.gradient.expected_gradients import ExpectedGradients
from voxplain.attribution.method import Method, Result, register
from voxplain.attribution.streamed import Streamed
from voxplain.engine import Passes, Problem
from voxplain.engine.layout import Slices
from voxplain.errors import InputError, ModelError
from voxplain.model import Model
from voxplain.target.functional import Score


@dataclass(frozen=True)
class Against:
    """The (padded) image against each of several references; the mean of multiplier × difference."""

    image: Tensor
    references: Sequence[Tensor]

    def __len__(self) -> int:
        return len(self.references)

    def input(self, draw: int, where: Slices) -> Tensor:
        """The image, whatever the draw."""
        del draw
        return self.image[(slice(None), *where)]

    def reference(self, draw: int, where: Slices) -> Tensor:
        """Part of the draw's reference."""
        return self.references[draw][(slice(None), *where)]

    def factor(self, draw: int, where: Slices) -> Tensor:
        """What the multiplier is multiplied with."""
        return (self.input(draw, where) - self.reference(draw, where)) / len(self)


@dataclass(frozen=True)
class _DeepLift(Method):
    """What the two methods share: everything but their references."""

    family: ClassVar[str] = "backprop"
    needs: ClassVar[tuple[str, ...]] = ("gradients", "hooks", "baseline")
    scores: ClassVar[tuple[Score, ...]] = ("logit", "margin")
    trust: ClassVar[tuple[str, ...]] = ("completeness_gap",)

    def check(self, model: Model) -> None:
        super().check(model)
        if model.precision == "bf16":
            raise ModelError(
                f"method {self.name}: the model runs in bf16, whose differences of nearly equal numbers are worthless; "
                "use precision='fp32'"
            )

    def cost(self, problem: Problem) -> Passes:
        """The reference goes forwards beside every window of the image."""
        once = self._passes(problem, self.draw_count, 0)
        return Passes(2 * once.forward, once.backward)

    @abstractmethod
    def _references(self, problem: Problem) -> Sequence[Baseline]:
        """What the image is compared with."""

    def streamed(self, problem: Problem) -> Streamed:
        rules = DeepLiftRules(problem.model.module, self.name)
        return self._by(problem, rules, [make(problem) for make in self._references(problem)])

    def _by(self, problem: Problem, rules: DeepLiftRules, references: Sequence[Tensor]) -> Streamed:
        padded = [problem.pad(r) for r in references]
        return Streamed(
            lambda p: Against(p.padded, padded), self.name, backward=rules, halves=len(padded) > 1
        )

    def _against(self, problem: Problem, references: Sequence[Tensor], note: str) -> Result:
        rules = DeepLiftRules(problem.model.module, self.name)
        found = self._by(problem, rules, references).maps(problem)
        checks, notes = {}, {}
        for t in problem.present:
            difference = rules.differences[t] / len(references)
            gap = relative_gap(float(found.maps[t].double().sum()), difference)
            checks[t], notes[t] = {"completeness_gap": gap}, note
            if len(references) > 1:
                checks[t]["agreement"] = found.agreement[t]
            if gap > 0.01:
                notes[t] += (
                    f"; the map misses {gap:.0%} of the score's difference of {difference:.3g}: the network depends on "
                    "the image in a way that no rule sees, such as a mask made from it"
                )
        return Result(found.maps, found.scores[0], "score", checks, notes)


@register
@dataclass(frozen=True)
class DeepLift(_DeepLift):
    """Multipliers × (x − reference): how F(x) − F(reference) is shared out among the voxels.

    Shrikumar et al. 2017, "Learning important features through propagating activation differences", rescale rule:
    back through an activation goes ``Δf / Δx`` instead of ``f'(x)``. Products, norms, softmax and maxima have
    multipliers, too, so that the map sums to F(x) − F(reference) on every network.

    Args:
        baseline: the reference: a `Baseline`, a number, ``minimum``, ``mean``, ``blur``, ``blur:SIGMA_MM``,
            ``case:FILE``; by default a blurred image where the network is blind to scale, else each channel's minimum.
    """

    baseline: Baseline | float | str | None = None

    name: ClassVar[str] = "deep_lift"
    title: ClassVar[str] = "DeepLIFT"
    source: ClassVar[str] = "Shrikumar et al. 2017, arXiv:1704.02685"
    reads: ClassVar[str] = "the share of the score's difference from the reference that this voxel carries"

    def __post_init__(self) -> None:
        check_baseline(self.baseline)

    def _references(self, problem: Problem) -> Sequence[Baseline]:
        return [parse_baseline(self.baseline, problem)]

    def compute(self, problem: Problem) -> Result:
        (baseline,) = self._references(problem)
        return self._against(problem, [baseline(problem)], f"reference {describe(baseline)}")


@register
@dataclass(frozen=True)
class DeepLiftShap(_DeepLift):
    """The mean of DeepLIFT over several references, which approximates SHAP values.

    Lundberg & Lee 2017, "A unified approach to interpreting model predictions", section 4.2.

    Args:
        baselines: the references, one or several; by default as in expected gradients.
    """

    baselines: tuple[Baseline | float | str, ...] | None = None

    name: ClassVar[str] = "deep_lift_shap"
    title: ClassVar[str] = "DeepLIFT-SHAP"
    source: ClassVar[str] = "Lundberg & Lee 2017, arXiv:1705.07874"
    reads: ClassVar[str] = (
        "the share of the score's difference from the mean reference that this voxel carries"
    )
    trust: ClassVar[tuple[str, ...]] = ("completeness_gap", "agreement")
    trust_where: ClassVar[Mapping[str, str]] = {"agreement": "from two references on"}

    def __post_init__(self) -> None:
        if self.baselines is not None and not self.baselines:
            raise InputError(f"{self.name}: baselines is empty, expected at least one")
        for baseline in self.baselines or ():
            check_baseline(baseline)

    @property
    def draw_count(self) -> int:
        return 3 if self.baselines is None else len(self.baselines)

    def _references(self, problem: Problem) -> Sequence[Baseline]:
        return ExpectedGradients(baselines=self.baselines).starts(problem)

    def compute(self, problem: Problem) -> Result:
        starts = self._references(problem)
        note = f"references {', '.join(map(describe, starts))}"
        return self._against(problem, [start(problem) for start in starts], note)

"""DeepLIFT inside the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from voxplain.attribution.backprop.deeplift_rules import DeepLiftRules
from voxplain.attribution.baseline import Baseline, check_baseline, describe, parse_baseline
from voxplain.attribution.layer.complete import TOLD_WHERE, UNIT, complete, ways_round
from voxplain.attribution.layer.looks import LayerMethod
from voxplain.attribution.method import Result, register
from voxplain.engine import Passes, Problem
from voxplain.engine.layer_tour import Tour
from voxplain.engine.samplers import Fixed
from voxplain.errors import ModelError
from voxplain.model import Model
from voxplain.target.functional import Score


@register
@dataclass(frozen=True)
class LayerDeepLift(LayerMethod):
    """Multipliers × (A(x) − A(reference)): how F(x) − F(reference) passes through the layer.

    Shrikumar et al. 2017, "Learning important features through propagating activation differences", rescale rule, stopped
    at a layer. The shares of a layer that the whole score passes through sum to the difference; where other ways lead
    round it, the note says what passes through it instead.

    Args:
        baseline: the reference, as in DeepLIFT.
    """

    baseline: Baseline | float | str | None = None

    name: ClassVar[str] = "layer_deep_lift"
    title: ClassVar[str] = "Layer DeepLIFT"
    source: ClassVar[str] = "Shrikumar et al. 2017, arXiv:1704.02685"
    needs: ClassVar[tuple[str, ...]] = ("gradients", "hooks", "layer", "baseline")
    scores: ClassVar[tuple[Score, ...]] = ("logit", "margin")
    reads: ClassVar[str] = "the share of the score's difference from the reference that passes through here"
    trust: ClassVar[tuple[str, ...]] = ("completeness_gap",)
    trust_where: ClassVar[Mapping[str, str]] = TOLD_WHERE

    def __post_init__(self) -> None:
        super().__post_init__()
        check_baseline(self.baseline)

    def check(self, model: Model) -> None:
        super().check(model)
        if model.precision == "bf16":
            raise ModelError(
                f"method {self.name}: the model runs in bf16, whose differences of nearly equal numbers are worthless; "
                "use precision='fp32'"
            )

    def cost(self, problem: Problem) -> Passes:
        """The image and the reference together, the reference's score and activations, and the ways round."""
        return self._passes(problem, 1, 1 + 1 + 1 + 2) + self._search(problem)

    def compute(self, problem: Problem) -> Result:
        view = problem.layer(self.layer)
        baseline = parse_baseline(self.baseline, problem)
        start = baseline(problem)
        tour = Tour(
            Fixed([problem.padded]),
            beside=Fixed([problem.pad(start)]),
            needs=[(0,)],
            backward=DeepLiftRules(problem.model.module, self.name),
        )
        found = view.paint_tour(
            tour, lambda seen: seen.gradient * (seen.activation - seen.beside[0]), self._together, self.name
        )
        clean, low = found.scores[0], problem.scores([start])[0]
        notes = self._notes(problem, view.name, f"reference {describe(baseline)}")
        bypassed = ways_round(problem, view, problem.pad(start), low, clean - low)
        remedy = "the network depends on the image in a way that no rule sees, such as a mask made from it"
        checks = complete(problem, found, clean - low, notes, bypassed, remedy)
        return self._result(problem, found.maps, clean, UNIT, notes, checks)

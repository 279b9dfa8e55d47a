"""The map of a classifier that explains itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from voxplain.attribution.gap import relative_gap
from voxplain.attribution.method import Method, Result, register
from voxplain.engine import Passes, Problem
from voxplain.engine.self_explained import own_account
from voxplain.errors import ModelError
from voxplain.model import Model
from voxplain.model.self_explained import explains_itself
from voxplain.target.functional import Score

# Beyond this share of the score it is said that the map leaves some of it unexplained.
LARGE_GAP = 0.01


@register
@dataclass(frozen=True)
class Evidence(Method):
    """What each place of the evidence map adds to the class's logit, as the network itself adds it up.

    For networks that pool an evidence map, such as `voxplain.inherent.EvidenceClassifier`: their ``explain(x)`` gives a
    ``contribution`` (N, K, *spatial), which is taken at its word and then held against the score. With the mean as pool
    this is the class activation map of Zhou et al. 2016, "Learning deep features for discriminative localization"; at
    full size and with other pools GP-Unet's, Dubost et al. 2017. A margin's map is the difference of two classes' maps.
    """

    name: ClassVar[str] = "evidence"
    family: ClassVar[str] = "cam"
    title: ClassVar[str] = "Evidence (the network's own map)"
    source: ClassVar[str] = "Zhou et al. 2016, arXiv:1512.04150; Dubost et al. 2017, arXiv:1705.07999"
    needs: ClassVar[tuple[str, ...]] = ("evidence",)
    tasks: ClassVar[tuple[str, ...]] = ("classification",)
    scores: ClassVar[tuple[Score, ...]] = ("logit", "margin")
    reads: ClassVar[str] = "positive: the decision's evidence for the class lies here; negative: against it"
    trust: ClassVar[tuple[str, ...]] = ("completeness_gap",)

    def check(self, model: Model) -> None:
        super().check(model)
        if not explains_itself(model):
            raise ModelError(
                f"method {self.name}: {model.name} does not explain itself: it has no explain(x) that gives a "
                "contribution (N, K, *spatial), as voxplain.inherent.EvidenceClassifier has; choose another method"
            )

    def cost(self, problem: Problem) -> Passes:
        """One forward pass for the map and one for the score that it is held against."""
        return self._passes(problem, 0, 1) + Passes(forward=1)

    def compute(self, problem: Problem) -> Result:
        maps, scores = own_account(problem), problem.clean_scores()
        checks, notes = {}, {}
        for t in problem.present:
            total, score = float(maps[t].double().sum()), float(scores[t])
            gap = relative_gap(total, score)
            checks[t] = {"completeness_gap": gap}
            if gap > LARGE_GAP:
                notes[t] = (
                    f"the map sums to {total:.4g} of a score of {score:.4g}: the rest is decided by something that the "
                    "network's map does not show (such as pooling before the read-out)"
                )
        return Result(maps, scores, "score", checks, notes)

"""Rules as the recorded graph holds them: what kind of operation they go back through can be read off them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from voxplain.attribution.backprop.call import Back
from voxplain.attribution.backprop.relevance_map import Contributions, LinearMap

if TYPE_CHECKING:
    from voxplain.attribution.backprop.relevance import Relevance


class WeightedBack:
    """Goes back through one operation with weights, by the rule for its kind and place."""

    weighted = True

    def __init__(self, rules: Relevance, linear: LinearMap, *, dense: bool) -> None:
        self.rules, self.linear, self.dense = rules, linear, dense
        self.first = self.last = self.linear_to_output = False

    def __call__(self, inputs: tuple[Tensor, ...], out: Tensor, relevance: Tensor) -> Sequence[Tensor]:
        found = self.rules.shared(self, Contributions(self.linear, inputs[0]), out, relevance)
        return (self.rules.booked(found),)


class SumBack:
    """Goes back through additions and averages."""

    linear = True

    def __init__(self, back: Back) -> None:
        self.back = back

    def __call__(self, inputs: tuple[Tensor, ...], out: Tensor, relevance: Tensor) -> Sequence[Tensor | None]:
        return self.back(inputs, out, relevance)

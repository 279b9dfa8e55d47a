"""Excitation backprop: where a winner of the last layer was excited from, as a probability."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from voxplain.attribution.backprop.lrp import COUNTED_WHERE, UNCOUNTED, missing, refuse_half_precision
from voxplain.attribution.backprop.relevance import Relevance
from voxplain.attribution.backprop.relevance_backs import WeightedBack
from voxplain.attribution.backprop.relevance_books import Account
from voxplain.attribution.backprop.relevance_map import Contributions
from voxplain.attribution.backprop.relevance_rules import Settings, Shares, over
from voxplain.attribution.method import Method, Result, register
from voxplain.attribution.streamed import Streamed
from voxplain.engine import Gradients, Problem
from voxplain.engine.samplers import clean
from voxplain.model import Model
from voxplain.target.functional import Score


class Excitation(Relevance):
    """Marginal winning probabilities: ``P_i = Σ_j z_ij⁺ / Σ_i z_ij⁺ P_j`` through every operation with weights.

    Args:
        negated: whether the weights of the last layer have the opposite sign (the dual unit of the contrastive form).
    """

    def __init__(self, module: torch.nn.Module, method: str, *, negated: bool = False) -> None:
        super().__init__(module, method, ("z_plus",) * 3, Settings(bias="drop"))
        self.negated = negated

    def seed(self, cotangent: Tensor, z: Tensor) -> Tensor:
        """Each output's weight in the score; one that speaks against it is a unit with negated weights."""
        del z
        self.books.open(cotangent.abs())
        return cotangent

    def shared(self, at: WeightedBack, parts: Contributions, out: Tensor, relevance: Tensor) -> Shares:
        if not at.last:
            return super().shared(at, parts, out, relevance)
        ahead, behind = relevance.clamp(min=0), (-relevance).clamp(min=0)
        up, down = (behind, ahead) if self.negated else (ahead, behind)
        inputs, dead = torch.zeros_like(parts.x), torch.zeros_like(relevance)
        if bool(up.any()):
            total = parts.positive_sum()
            inputs, dead = inputs + parts.positive(over(up, total)), dead + torch.where(total != 0, 0.0, up)
        if bool(down.any()):
            total = parts.negative_sum()
            inputs, dead = (
                inputs + parts.negative(over(down, total)),
                dead + torch.where(total != 0, 0.0, down),
            )
        return Shares(inputs, rest=dead)


@register
@dataclass(frozen=True)
class ExcitationBackprop(Method):
    """The probability that a random walk down from the score, along excitatory connections, ends at a voxel.

    Zhang et al. 2016, "Top-down neural attention by excitation backprop", eq. 1 and 5: a winner of one layer is drawn
    among the inputs that excite it, in proportion to ``z_ij⁺``, the positive part of activation times weight (both
    may be negative, as normalised images are). Biases and inhibitory connections play no part. The maps are never
    negative and sum to the probability with which the walk does not end before, at a unit that nothing excites.
    """

    name: ClassVar[str] = "excitation_backprop"
    family: ClassVar[str] = "backprop"
    title: ClassVar[str] = "Excitation backprop"
    source: ClassVar[str] = "Zhang et al. 2016, arXiv:1608.00507"
    needs: ClassVar[tuple[str, ...]] = ("gradients", "hooks")
    scores: ClassVar[tuple[Score, ...]] = ("logit",)
    signed: ClassVar[bool] = False
    reads: ClassVar[str] = "the probability that this voxel excited the score"
    trust: ClassVar[tuple[str, ...]] = ("completeness_gap",)
    trust_where: ClassVar[Mapping[str, str]] = COUNTED_WHERE

    def check(self, model: Model) -> None:
        super().check(model)
        refuse_half_precision(self.name, model)

    def streamed(self, problem: Problem) -> Streamed | None:
        return self._by(Excitation(problem.model.module, self.name))

    def compute(self, problem: Problem) -> Result:
        rules, found = self._pass(problem)
        checks, notes = {}, {}
        for t in problem.present:
            account = rules.books.targets[t]
            if rules.books.unreadable:
                notes[t] = UNCOUNTED
                continue
            checks[t] = {"completeness_gap": account.gap}
            notes[t] = _note(account)
        return Result(found.maps, found.scores[0], "probability", checks, notes)

    def _pass(self, problem: Problem, *, negated: bool = False) -> tuple[Excitation, Gradients]:
        rules = Excitation(problem.model.module, self.name, negated=negated)
        return rules, self._by(rules, ", negated" if negated else "").maps(problem)

    def _by(self, rules: Excitation, how: str = "") -> Streamed:
        return Streamed(lambda p: clean(p.padded), self.name + how, backward=rules)


@register
@dataclass(frozen=True)
class ContrastiveExcitationBackprop(ExcitationBackprop):
    """Excitation of the score minus excitation of its opposite, whose last layer has negated weights.

    Zhang et al. 2016, section 3.4: what excites all classes alike cancels, so that maps of different classes differ.
    For a segmentation the last layer is the read-out's convolution. As published, channels are summed and the
    positive part is kept.

    Args:
        positive: keep what excites the score more than its opposite; off, the signed difference of every channel.
    """

    positive: bool = True

    name: ClassVar[str] = "contrastive_excitation_backprop"
    title: ClassVar[str] = "Contrastive excitation backprop"
    reads: ClassVar[str] = "how much more this voxel excited the score than its opposite"

    @property
    def draw_count(self) -> int:
        """One pass for the score and one for its opposite."""
        return 2

    def streamed(self, problem: Problem) -> None:
        """Two passes whose difference is cut off voxel by voxel: there is no single one to follow."""
        del problem

    def compute(self, problem: Problem) -> Result:
        rules, found = self._pass(problem)
        dual, opposite = self._pass(problem, negated=True)
        found.maps.transform(lambda t, p: self._contrast(p - opposite.maps[t]))
        checks, notes = {}, {}
        for t in problem.present:
            both = [r.books.targets[t] for r in (rules, dual)]
            if rules.books.unreadable or dual.books.unreadable:
                notes[t] = UNCOUNTED
                continue
            checks[t] = {"completeness_gap": max(a.gap for a in both)}
            notes[t] = _note(max(both, key=lambda a: a.dead + a.bias + a.detached))
        return Result(found.maps, found.scores[0], "probability", checks, notes)

    def _contrast(self, difference: Tensor) -> Tensor:
        return difference.sum(0, keepdim=True).clamp_min(0) if self.positive else difference


def _note(account: Account) -> str:
    """Where the walk ended before the image, leaving out what took less than 0.1 %."""
    if not account.start:
        return ""
    ends = {
        "at units that nothing excites": account.dead,
        "at learned tokens and other constants": account.bias,
        "at what the network detaches from the image": account.detached,
    }
    parts = [
        f"{share:.1%} of the probability ended {where}"
        for where, p in ends.items()
        if (share := p / account.start) >= 1e-3
    ]
    return "; ".join([*parts, *filter(None, [missing(account)])])

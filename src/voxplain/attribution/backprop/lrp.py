"""Layer-wise relevance propagation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from voxplain.attribution.backprop.relevance import Relevance
from voxplain.attribution.backprop.relevance_books import Account
from voxplain.attribution.backprop.relevance_rules import COMPOSITES, RULES, Settings
from voxplain.attribution.method import Method, Result, register
from voxplain.attribution.streamed import Streamed
from voxplain.engine import Problem
from voxplain.engine.samplers import clean
from voxplain.errors import InputError, ModelError
from voxplain.model import Model
from voxplain.target.functional import Score

# Relevances that cancel to this share of their magnitudes are said to.
CANCELLATION = 100.0
# What `Method.trust_where` says of the gap, and the answer's note where it is missing.
COUNTED_WHERE = {"completeness_gap": "where samples stay apart along every tensor's first axis"}
UNCOUNTED = (
    "what becomes of the relevance cannot be counted, since the network lays something else than samples along the first "
    "axis: use batch=1"
)


@register
@dataclass(frozen=True)
class Lrp(Method):
    """Σ over all paths of the shares by which every layer hands the score's relevance down to its inputs.

    Relevance starts as ``w_k z_k`` at the outputs ``z`` of a score ``F = Σ_k w_k z_k`` and is shared out by a rule
    per layer (`voxplain.attribution.backprop.relevance_rules`). With ``bias="spread"`` the maps sum to F; what biases
    and stabilisers take otherwise is told, and ``completeness_gap`` is what is missing after that, relative to |F|.

    Bach et al. 2015, "On pixel-wise explanations for non-linear classifier decisions by layer-wise relevance
    propagation"; composites: Kohlbrenner et al. 2020, arXiv:1910.09840; transformers: Achtibat et al. 2024.

    Args:
        rule: a composite, by default epsilon for dense layers and the read-out and z_plus for convolutions
            (``epsilon_plus``), with flat for the first ones ``epsilon_plus_flat``, ``epsilon_alpha_beta_flat``,
            ``epsilon_gamma_flat``, which hand relevance to all channels and voxels of the image alike, also to those
            that the network ignores; or one rule for all of them:
            ``epsilon``, ``gamma``, ``alpha_beta``, ``z_plus``, ``flat``, ``w_square``.
        epsilon: stabiliser of denominators.
        gamma: how much the gamma rule favours what has the output's own sign.
        alpha: of alpha_beta; β = α − 1.
        bias: ``spread`` gives the inputs what biases and stabilisers would take; ``absorb`` does not, as published.
        sums: additions and averages share by ``magnitude``, which never explodes, or by value (``epsilon``), as
            published.
        attention: ``constant`` takes attention weights for constants (CP-LRP), ``attnlrp`` shares with them.
    """

    rule: str = "epsilon_plus"
    epsilon: float = 1e-6
    gamma: float = 0.25
    alpha: float = 2.0
    bias: Literal["spread", "absorb"] = "spread"
    sums: Literal["magnitude", "epsilon"] = "magnitude"
    attention: Literal["constant", "attnlrp"] = "constant"

    name: ClassVar[str] = "lrp"
    family: ClassVar[str] = "backprop"
    title: ClassVar[str] = "Layer-wise relevance propagation"
    source: ClassVar[str] = (
        "Bach et al. 2015, doi:10.1371/journal.pone.0130140; Kohlbrenner et al. 2020, arXiv:1910.09840; "
        "Achtibat et al. 2024, arXiv:2402.05602"
    )
    needs: ClassVar[tuple[str, ...]] = ("gradients", "hooks")
    scores: ClassVar[tuple[Score, ...]] = ("logit", "margin")
    reads: ClassVar[str] = "the share of the score that the layers' rules hand down to this voxel"
    trust: ClassVar[tuple[str, ...]] = ("completeness_gap",)
    trust_where: ClassVar[Mapping[str, str]] = COUNTED_WHERE

    def __post_init__(self) -> None:
        known = [*COMPOSITES, *RULES]
        if self.rule not in known:
            raise InputError(f"lrp: found rule={self.rule!r}, expected one of {', '.join(known)}")
        for field, lowest in (("epsilon", 0.0), ("gamma", 0.0), ("alpha", 1.0)):
            value = getattr(self, field)
            if not isinstance(value, (int, float)) or not lowest <= value < float("inf"):
                raise InputError(f"lrp: found {field}={value}, expected a number of at least {lowest:g}")
        for field, choices in (
            ("bias", ("spread", "absorb")),
            ("sums", ("magnitude", "epsilon")),
            ("attention", ("constant", "attnlrp")),
        ):
            if getattr(self, field) not in choices:
                raise InputError(
                    f"lrp: found {field}={getattr(self, field)!r}, expected {' or '.join(choices)}"
                )

    def check(self, model: Model) -> None:
        super().check(model)
        refuse_half_precision(self.name, model)

    def streamed(self, problem: Problem) -> Streamed:
        return self._by(self._rules(problem))

    def _rules(self, problem: Problem) -> Relevance:
        settings = Settings(self.epsilon, self.gamma, self.alpha, self.bias)
        composite = COMPOSITES.get(self.rule, (self.rule,) * 3)
        return Relevance(
            problem.model.module, self.name, composite, settings, sums=self.sums, attention=self.attention
        )

    def _by(self, rules: Relevance) -> Streamed:
        return Streamed(lambda p: clean(p.padded), self.name, backward=rules)

    def compute(self, problem: Problem) -> Result:
        rules = self._rules(problem)
        found = self._by(rules).maps(problem)
        checks, notes = {}, {}
        for t in problem.present:
            account, relevance = rules.books.targets[t], found.maps[t].double()
            if rules.books.unreadable:
                notes[t] = UNCOUNTED
                continue
            checks[t] = {"completeness_gap": account.gap}
            notes[t] = _note(account, float(relevance.sum()), float(relevance.abs().sum()))
        return Result(found.maps, found.scores[0], "score", checks, notes)


def _note(account: Account, on_image: float, magnitude: float) -> str:
    """Where the score went, in shares of it, leaving out what took less than 0.1 %."""
    if account.start == 0:
        return ""
    taken = {
        "the biases": account.bias,
        "the stabiliser": account.epsilon,
        "softmax": account.softmax,
        "outputs without inputs": account.dead,
        "what the network detaches from the image": account.detached,
        "the padding of the image": account.arrived - on_image,
    }
    parts = [
        f"{share:.1%} by {who}" for who, value in taken.items() if abs(share := value / account.start) >= 1e-3
    ]
    notes = [f"of the score, {', '.join(parts)} instead of the image"] if parts else []
    if magnitude > CANCELLATION * abs(account.start):
        times = magnitude / abs(account.start)
        notes.append(f"positive and negative relevance cancel: together they are {times:.0f} times the score")
    return "; ".join([*notes, *filter(None, [missing(account)])])


def missing(account: Account) -> str:
    """A remark where relevance was lost, which the rules do not allow for: an operation was seen in the wrong way."""
    if not account.gap > 0.01:
        return ""
    return f"{account.gap:.0%} of the relevance is unaccounted for: do not rely on this map"


def refuse_half_precision(name: str, model: Model) -> None:
    """Relevance divides by sums of terms of both signs, of which half precision keeps three digits.

    Raises:
        ModelError: the model runs in bf16.
    """
    if model.precision == "bf16":
        raise ModelError(
            f"method {name}: the three digits of bf16 are too few for its quotients; use precision fp32"
        )

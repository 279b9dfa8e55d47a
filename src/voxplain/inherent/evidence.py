"""What a classifier that explains itself answers about an image."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Explanation:
    """A decision and the map that it was made from. N samples, K classes, S the input's spatial size.

    Attributes:
        logits: (N, K), before softmax or, with several labels, sigmoid.
        evidence: (N, K, *S) in units of the logit: what each place says for (positive) or against each class.
        contribution: (N, K, *S) what each place adds to the logit.
        residual: (N, K) logits − Σ contribution: what the map does not explain. Rounding where the model is faithful.
        faithful: whether the logits are a function of the evidence map.
    """

    logits: Tensor
    evidence: Tensor
    contribution: Tensor
    residual: Tensor
    faithful: bool

    def relative_residual(self) -> Tensor:
        """|residual| / max(1, |logit|): (N, K)."""
        return self.residual.abs() / self.logits.abs().clamp_min(1)


@dataclass(frozen=True, eq=False)
class Agreed(Explanation):
    """The mean of M answers, and how far they differ.

    Attributes:
        deviation: (N, K, *S) standard deviation of the evidence over the answers (of the population: one answer has 0).
        member_logits: (M, N, K).
    """

    deviation: Tensor
    member_logits: Tensor


def explanation(logits: Tensor, evidence: Tensor, contribution: Tensor, *, faithful: bool) -> Explanation:
    """An explanation with its residual, summed in double precision.

    >>> import torch
    >>> e = torch.tensor([[[1.0, 2.0]]])
    >>> explanation(torch.tensor([[4.0]]), e, e, faithful=False).residual
    tensor([[1.]])
    """
    explained = contribution.double().flatten(2).sum(2)
    residual = (logits.double() - explained).to(contribution.dtype)
    return Explanation(logits, evidence, contribution, residual, faithful)

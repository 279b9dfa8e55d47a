"""The pool that asks whether at least one place shows the class."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from voxplain.inherent.pools.base import Pool, without

# Below this evidence log softplus(e) is e − exp(e)/2 to double precision, and softplus itself would underflow.
FAINT = -18.0
# Below this log s, log(exp(s) − 1) is log s + s/2 + s²/24 to double precision.
SMALL = -6.0


class NoisyOr(Pool):
    """logit(1 − Π(1 − p)) with p = sigmoid(evidence): places speak independently, one is enough.

    Viola et al. 2005, "Multiple instance boosting for object detection" (NIPS), eq. 2.

    With s = Σ softplus(e) = −log Π(1 − p) the logit is log(exp(s) − 1), computed from log s where s is small, so that
    it is exact for both signs: from Σ exp(e) → 0 (as log Σ exp e) to large s (as s). s is a sum over places, whose
    Shapley values are softplus(e) each; a place's share of the logit is its share of s, softplus(e)/s × logit. Shares
    thus all have the logit's sign: of a negative logit the strongest evidence takes the most, as for the max.

    The logit grows with the number of places: N places of no evidence (p = ½) give N log 2. So the read-out's bias starts
    well below zero, at `neutral`.

    >>> import torch
    >>> p = torch.tensor([[[0.2, 0.5]]])
    >>> NoisyOr()(p.logit()).sigmoid()
    tensor([[0.6000]])
    """

    name: ClassVar[str] = "noisy_or"

    def neutral(self, places: int) -> float:
        """N softplus(e) = log 2: (1 − p)^N = ½."""
        return math.log(math.expm1(math.log(2) / places))

    def pooled(self, rows: Tensor, inside: Tensor | None) -> Tensor:
        log_s = without(_log_softplus(rows), inside, -torch.inf).logsumexp(2)
        small = log_s.clamp_max(SMALL)
        s = small.exp()
        large = without(F.softplus(rows), inside, 0.0).sum(2).clamp_min(math.exp(SMALL))
        faint = small + s / 2 + s**2 / 24
        return torch.where(log_s < SMALL, faint, large + torch.log(-torch.expm1(-large)))

    def divided(self, rows: Tensor, inside: Tensor | None) -> Tensor:
        shares = without(_log_softplus(rows), inside, -torch.inf).softmax(2)
        return shares * self.pooled(rows, inside)[..., None]


def _log_softplus(e: Tensor) -> Tensor:
    faint = e.clamp_max(FAINT)
    strong = F.softplus(e.clamp_min(FAINT), threshold=40)
    return torch.where(e < FAINT, faint - faint.exp() / 2, strong.log())

"""Pools between the mean and the max, by a softmax over places: log-sum-exp and the softmax-weighted sum."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from voxplain.errors import InputError
from voxplain.inherent.pools.base import Pool, counted, without


class Sharp(Pool):
    """Base of pools with a sharpness r > 0, which may be learned (as log r, so that it stays positive).

    Args:
        r: in units of one over evidence; towards 0 the pool is the mean, towards infinity the max.
        learned: whether training changes it.

    Raises:
        InputError: r is not a positive finite number.
    """

    def __init__(self, r: float = 4.0, learned: bool = True) -> None:
        super().__init__()
        if isinstance(r, bool) or not isinstance(r, (int, float)) or not 0 < r < math.inf:
            raise InputError(f"pool {self.name}: found r={r!r}, expected a positive finite number")
        if not isinstance(learned, bool):
            raise InputError(f"pool {self.name}: found learned={learned!r}, expected true or false")
        self.log_r = nn.Parameter(torch.tensor(math.log(r)), requires_grad=learned)

    @property
    def r(self) -> Tensor:
        """The sharpness, a scalar."""
        return self.log_r.exp()

    def extra_repr(self) -> str:
        return f"r={float(self.r.detach()):g}, learned={self.log_r.requires_grad}"

    def responsibilities(self, rows: Tensor, inside: Tensor | None) -> Tensor:
        """softmax(r e) over the places inside: (N, K, P)."""
        return without(self.r.to(rows.dtype) * rows, inside, -torch.inf).softmax(2)


class LogSumExp(Sharp):
    """(1/r) log mean exp(r e). Pinheiro & Collobert 2015, "From image-level to pixel-level labeling" (CVPR), eq. 3.

    With responsibilities p = softmax(r e) the logit is Σ p e − KL(p ‖ uniform) / r. The second term, what the logit
    lacks to the weighted sum, belongs to no place alone and is divided by responsibility: a place's share is
    p (e − KL/r), which sums to the logit, is e/N as r → 0 (the mean's share) and the max's as r → ∞. Integrated
    gradients from zero evidence would share it, too, but have no closed form here.

    >>> import torch
    >>> pool = LogSumExp(r=1.0, learned=False)
    >>> e = torch.tensor([[[0.0, 3.0]]])
    >>> bool(torch.isclose(pool(e), ((1 + e[..., 1].exp()) / 2).log()).all())
    True
    """

    name: ClassVar[str] = "lse"

    def pooled(self, rows: Tensor, inside: Tensor | None) -> Tensor:
        r = self.r.to(rows.dtype)
        count = counted(rows, inside)[..., 0]
        top = without(rows, inside, -torch.inf).amax(2, keepdim=True).detach()
        z = r * (rows - top)
        # near the mean the logarithm of nearly one would lose its digits, elsewhere expm1 would
        below = without(torch.expm1(z.clamp_max(0)), inside, 0.0).sum(2) / count
        near = torch.log1p(below.clamp_min(-0.5))
        far = without(z, inside, -torch.inf).logsumexp(2) - count.log()
        return top[..., 0] + torch.where(below > -0.5, near, far) / r

    def divided(self, rows: Tensor, inside: Tensor | None) -> Tensor:
        p = self.responsibilities(rows, inside)
        weighed = (p * without(rows, inside, 0.0)).sum(2, keepdim=True)
        lacking = weighed - self.pooled(rows, inside)[..., None]
        return p * (without(rows, inside, 0.0) - lacking)


class SoftmaxWeighted(Sharp):
    """Σ softmax(r e) e: the evidence averaged with weights that grow with it, 1/r being the temperature.

    A place's share is softmax(r e) e, as it stands in the sum.

    >>> import torch
    >>> SoftmaxWeighted(r=1000.0)(torch.tensor([[[0.0, 3.0]]])).detach()
    tensor([[3.]])
    """

    name: ClassVar[str] = "softmax"

    def pooled(self, rows: Tensor, inside: Tensor | None) -> Tensor:
        return self.divided(rows, inside).sum(2)

    def divided(self, rows: Tensor, inside: Tensor | None) -> Tensor:
        return self.responsibilities(rows, inside) * without(rows, inside, 0.0)

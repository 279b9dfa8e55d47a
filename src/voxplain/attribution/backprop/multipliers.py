"""DeepLIFT's multipliers in closed form: ``Σ multiplier · Δinput = Δoutput``, exactly, for every operation.

Δ is the difference between the image's run and the reference's. Where the two come together, every multiplier goes
over into the derivative. A bar means the mean of the two runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

# Positions of the Gauss-Legendre rule with two points on [0, 1].
_GAUSS = (0.5 - 0.5 / math.sqrt(3), 0.5 + 0.5 / math.sqrt(3))


def secant(
    f: Callable[[Tensor], Tensor],
    x: Tensor,
    other: Tensor,
    y: Tensor,
    other_y: Tensor,
    *,
    cancels: bool = False,
) -> Tensor:
    """``Δf / Δx`` of a function of each element.

    The quotient loses digits where ``Δx`` is small; there it is the mean of ``f'`` between the two inputs, taken by
    two-point quadrature, which is used wherever it differs from the quotient by rounding alone.

    Args:
        x, other: the inputs of the two runs.
        y, other_y: ``f`` there.
        cancels: ``f`` subtracts numbers of its input's size, so that its rounding is that of its input.
    """
    same = x == other
    step = torch.where(same, 0, x - other)
    slope = torch.stack([derivative(f, other + t * step) for t in _GAUSS]).mean(0)
    quotient = torch.where(same, 0, y - other_y) / step
    size = torch.maximum(x.abs(), other.abs()) * (1 if cancels else slope.abs())
    size = size.maximum(y.abs()).maximum(other_y.abs())
    rounding = 8 * torch.finfo(x.dtype).eps * size / step.abs()
    smooth = (slope - quotient).abs() <= rounding
    # what is equal explains nothing, even where the derivative is infinite
    equal = torch.where(slope.isfinite(), slope, 0)
    return torch.where(same, equal, torch.where(smooth, slope, quotient))


def relu_secant(x: Tensor, other: Tensor, y: Tensor, other_y: Tensor) -> Tensor:
    """The same for ReLU, whose quotient loses nothing: on one side it is 1 or 0, across zero |Δx| ≥ |x|."""
    step = x - other
    return torch.where(step == 0, (x > 0).to(x.dtype), (y - other_y) / step)


def derivative(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """``f'`` of a function of each element."""
    leaf = x.detach().requires_grad_()
    with torch.enable_grad():
        y = f(leaf)
    return torch.autograd.grad(y, leaf, torch.ones_like(y))[0]


def quotient(top: Tensor, bottom: Tensor, other_top: Tensor, other_bottom: Tensor) -> tuple[Tensor, Tensor]:
    """Multipliers of ``y = a / b`` for ``a`` and ``b``.

    Where ``b`` keeps its sign: ``1 / b̄`` and ``−ȳ / b̄``, which splits ``a = y · b`` in halves and is never larger
    than twice the derivative's, however small one of the two denominators. Else the split of ``a · (1 / b)``.
    """
    mean = (bottom + other_bottom) / 2
    y, other_y = top / bottom, other_top / other_bottom
    inverse = (1 / bottom + 1 / other_bottom) / 2
    keeps = bottom * other_bottom > 0
    of_top = torch.where(keeps, 1 / mean, inverse)
    of_bottom = torch.where(
        keeps, -(y + other_y) / 2 / mean, -(top + other_top) / 2 / (bottom * other_bottom)
    )
    return of_top, of_bottom


def log_softmax_weights(x: Tensor, other: Tensor, axis: int) -> Tensor:
    """Multipliers of ``log Σ exp x`` along an axis: not negative, and they sum to one.

    They lie between the two softmaxes, at the one place where ``Σ w Δx = Δ log Σ exp x``; by convexity there is one.
    """
    step = torch.where(x == other, 0, x - other)
    p, other_log = torch.softmax(x, axis), torch.log_softmax(other, axis)
    other_p = other_log.exp()
    # Δ log Σ exp x, without the digits that the difference of two large numbers would lose
    total = torch.logsumexp(other_log + step, axis, keepdim=True)
    low = (other_p * step).sum(axis, keepdim=True)
    high = (p * step).sum(axis, keepdim=True)
    share = ((total - low) / (high - low)).clamp(0, 1)
    share = torch.where(high > low, share, 0.5)
    return share * p + (1 - share) * other_p


def winners(x: Tensor, other: Tensor, best: Tensor, other_best: Tensor) -> tuple[Tensor, Tensor]:
    """Which place carries a maximum's difference, and its multiplier, which lies in [0, 1].

    The image's own winner where its maximum is the larger one, else the reference's: only then does the place's
    own difference have the sign of the maximum's, and is at least as large.

    Args:
        x, other: (..., n) what is compared.
        best, other_best: (..., m) positions of the m maxima in each.

    Returns:
        Positions and multipliers, (..., m) each.
    """
    difference = x.gather(-1, best) - other.gather(-1, other_best)
    place = torch.where(difference >= 0, best, other_best)
    own = x.gather(-1, place) - other.gather(-1, place)
    return place, torch.where(own == 0, 1, difference / own)


def standardised(x: Tensor, other: Tensor, epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
    """Means over the two runs of ``c``, ``s`` and ``y = c / s`` along the last axis.

    ``c = x − mean(x)`` and ``s = √(mean(c²) + ε)``; see `back_through_standardisation`.
    """
    centred, spread = _centred(x, epsilon)
    other_centred, other_spread = _centred(other, epsilon)
    scaled = (centred / spread + other_centred / other_spread) / 2
    return (centred + other_centred) / 2, (spread + other_spread) / 2, scaled


def _centred(x: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    centred = x - x.mean(-1, keepdim=True)
    return centred, (centred.square().mean(-1, keepdim=True) + epsilon).sqrt()


def back_through_standardisation(g: Tensor, means: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """``(g − c̄ · mean(g ȳ) / s̄) / s̄``, less its mean.

    From ``Δc = ȳ Δs + s̄ Δy`` and ``2 s̄ Δs = Δ(s²) = mean(2 c̄ Δc)``. Stays finite for a constant reference, whose
    ``s`` is √ε: ``s̄`` is at least half of the image's own.
    """
    c, s, y = means
    inner = (g - c * (g * y).mean(-1, keepdim=True) / s) / s
    return inner - inner.mean(-1, keepdim=True)

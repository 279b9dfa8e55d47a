"""Rules of layer-wise relevance propagation through a weighted operation ``z_j = Σ_i z_ij + b_j``, ``z_ij = x_i w_ij``.

Every rule shares the relevance ``R_j`` of an output out among its inputs:

- epsilon (Bach et al. 2015, eq. 58): ``R_i = Σ_j z_ij / (z_j + ε sign z_j) R_j``;
- z_plus: ``Σ_j z_ij⁺ / (Σ_i z_ij⁺ + b_j⁺) R_j``, alpha_beta (eq. 60) with α = 1;
- alpha_beta: ``Σ_j (α z_ij⁺ / (Σ_i z_ij⁺ + b_j⁺) − (α − 1) z_ij⁻ / (Σ_i z_ij⁻ + b_j⁻)) R_j``;
- gamma (Montavon et al. 2019; for inputs and outputs of either sign Andéol et al. 2021): as epsilon with
  ``z_ij + γ z_ij⁺`` where ``z_j > 0`` and ``z_ij + γ z_ij⁻`` where ``z_j < 0``;
- flat (Lapuschkin et al. 2019): equal shares; w_square (Montavon et al. 2017): shares ``w_ij²``.

What the bias and ε take under these formulas is either kept from the inputs (``absorb``, as published), or spread
over them in proportion to ``|z_ij|`` (``spread``), or lost (``drop``, no bias in any denominator).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from voxplain.attribution.backprop.relevance_map import Contributions


@dataclass(frozen=True)
class Settings:
    """Parameters of the rules.

    Attributes:
        epsilon: stabiliser of the denominators.
        gamma, alpha: of the rules of that name.
        bias: ``absorb``, ``spread`` or ``drop``.
    """

    epsilon: float = 1e-6
    gamma: float = 0.25
    alpha: float = 2.0
    bias: str = "spread"

    @property
    def absorbs(self) -> bool:
        return self.bias == "absorb"


@dataclass
class Shares:
    """How the relevance of an operation's outputs was shared out.

    Attributes:
        inputs: what the inputs get.
        bias, epsilon: what these took, per output or summed over outputs of a sample alike; ``None`` for nothing.
        rest: what nobody has got, per output.
    """

    inputs: Tensor
    bias: Tensor | None = None
    epsilon: Tensor | None = None
    rest: Tensor | None = None


Rule = Callable[[Contributions, Tensor, "Tensor | None", Tensor, Settings], Shares]


def share(rule: str, parts: Contributions, z: Tensor, relevance: Tensor, settings: Settings) -> Shares:
    """Share the relevance (like ``z``) of an operation's outputs ``z`` out among its inputs by a rule."""
    found = RULES[rule](parts, z, parts.linear.offset(z), relevance, settings)
    if settings.bias == "spread" and found.rest is not None and bool(found.rest.any()):
        more, found.rest = spread(parts, found.rest)
        found.inputs = found.inputs + more
    return found


def spread(parts: Contributions, rest: Tensor) -> tuple[Tensor, Tensor]:
    """``rest`` in proportion to ``|z_ij|``; where nothing contributes, in equal shares among inputs with weights.

    Returns:
        What inputs get, and what stands at outputs that no input reaches at all (holes of transposed convolutions,
        and what is multiplied by 0).
    """
    total = parts.magnitude_sum()
    out = parts.magnitude(over(rest, total))
    silent = torch.where(total > 0, torch.zeros_like(rest), rest)
    if bool(silent.any()):
        ones = (parts.weight != 0).to(parts.weight.dtype)
        count = parts.sum_of(ones)
        out = out + parts.back_of(ones, over(silent, count))
        silent = torch.where(count > 0, torch.zeros_like(silent), silent)
    return out, silent


def stable(z: Tensor, epsilon: float) -> Tensor:
    """``z + ε sign z`` with ``sign 0 = 1``."""
    return z + epsilon * torch.where(z < 0, -1.0, 1.0).to(z.dtype)


def over(a: Tensor, b: Tensor) -> Tensor:
    """``a / b``, and 0 where ``b`` is 0."""
    return torch.where(b != 0, a / torch.where(b != 0, b, torch.ones_like(b)), torch.zeros_like(a))


def _epsilon(
    parts: Contributions, z: Tensor, bias: Tensor | None, relevance: Tensor, how: Settings
) -> Shares:
    if how.bias == "drop" and bias is not None:
        z, bias = z - bias, None
    whole = stable(z, how.epsilon)
    s = relevance / whole
    inputs = parts.every(s)
    by_bias = None if bias is None else s * bias
    by_epsilon = s * (whole - z)
    if how.absorbs:
        return Shares(inputs, by_bias, by_epsilon)
    return Shares(inputs, rest=by_epsilon if by_bias is None else by_epsilon + by_bias)


def _alpha_beta(alpha: float | None) -> Rule:
    def rule(
        parts: Contributions, z: Tensor, bias: Tensor | None, relevance: Tensor, how: Settings
    ) -> Shares:
        del z
        a = how.alpha if alpha is None else alpha
        up = _part(parts.positive_sum(), bias, a * relevance, 1, how)
        found = Shares(parts.positive(up.s), up.bias, up.epsilon, up.rest)
        if a == 1:
            return found
        down = _part(parts.negative_sum(), bias, (a - 1) * relevance, -1, how)
        found.inputs = found.inputs - parts.negative(down.s)
        for field in ("bias", "epsilon", "rest"):
            first, second = getattr(found, field), getattr(down, field)
            setattr(found, field, first if second is None else (-second if first is None else first - second))
        return found

    return rule


@dataclass
class _Part:
    s: Tensor
    bias: Tensor | None = None
    epsilon: Tensor | None = None
    rest: Tensor | None = None


def _part(total: Tensor, bias: Tensor | None, relevance: Tensor, sign: int, how: Settings) -> _Part:
    """``s = R / Σ_i z_ij±`` of one sign, and what does not reach the inputs."""
    if not how.absorbs:
        # a sum of one sign needs no stabiliser
        return _Part(
            over(relevance, total), rest=torch.where(total != 0, torch.zeros_like(relevance), relevance)
        )
    own = None if bias is None else (bias.clamp(min=0) if sign > 0 else bias.clamp(max=0))
    plain = total if own is None else total + own
    whole = stable(plain, how.epsilon)
    s = relevance / whole
    return _Part(s, None if own is None else s * own, s * (whole - plain))


def _gamma(parts: Contributions, z: Tensor, bias: Tensor | None, relevance: Tensor, how: Settings) -> Shares:
    if not how.absorbs and bias is not None:
        z, bias = z - bias, None
    above = z > 0
    extra = torch.where(above, parts.positive_sum(), parts.negative_sum())
    extra_bias = None if bias is None else torch.where(above, bias.clamp(min=0), bias.clamp(max=0))
    plain = z + how.gamma * (extra if extra_bias is None else extra + extra_bias)
    whole = stable(plain, how.epsilon) if how.absorbs else plain
    # an output to which nothing of its sign contributes is 0 but for rounding, or all bias
    given = z != 0 if how.absorbs else (z != 0) & (extra != 0)
    s = torch.where(given, over(relevance, whole), torch.zeros_like(relevance))
    up, down = torch.where(above, s, torch.zeros_like(s)), torch.where(above, torch.zeros_like(s), s)
    inputs = parts.every(s) + how.gamma * (parts.positive(up) + parts.negative(down))
    if not how.absorbs:
        return Shares(inputs, rest=torch.where(given & (whole != 0), torch.zeros_like(s), relevance))
    by_bias = None if bias is None or extra_bias is None else s * (bias + how.gamma * extra_bias)
    return Shares(inputs, by_bias, torch.where(given, s * (whole - plain), relevance))


def _flat(parts: Contributions, z: Tensor, bias: Tensor | None, relevance: Tensor, how: Settings) -> Shares:
    del z, bias
    return _fixed(parts, torch.ones_like(parts.weight), None, relevance, how)


def _w_square(
    parts: Contributions, z: Tensor, bias: Tensor | None, relevance: Tensor, how: Settings
) -> Shares:
    del z
    return _fixed(parts, parts.weight**2, None if bias is None else bias**2, relevance, how)


def _fixed(
    parts: Contributions, weight: Tensor, bias: Tensor | None, relevance: Tensor, how: Settings
) -> Shares:
    """Shares in proportion to non-negative weights, whatever the input."""
    found = _part(parts.sum_of(weight), bias, relevance, 1, how)
    return Shares(parts.back_of(weight, found.s), found.bias, found.epsilon, found.rest)


RULES: dict[str, Rule] = {
    "epsilon": _epsilon,
    "z_plus": _alpha_beta(1.0),
    "alpha_beta": _alpha_beta(None),
    "gamma": _gamma,
    "flat": _flat,
    "w_square": _w_square,
}
# rule of dense layers and of the read-out, of convolutions, and of the first weighted operations
COMPOSITES: dict[str, tuple[str, str, str]] = {
    "epsilon_plus": ("epsilon", "z_plus", "z_plus"),
    "epsilon_plus_flat": ("epsilon", "z_plus", "flat"),
    "epsilon_alpha_beta_flat": ("epsilon", "alpha_beta", "flat"),
    "epsilon_gamma_flat": ("epsilon", "gamma", "flat"),
}

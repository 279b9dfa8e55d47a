"""How additions and averages share relevance out among their terms.

By value, ``R_i = z_i / (Σ z + ε sign) R``, as published: where terms cancel, the shares explode. By magnitude,
``R_i = |z_i| / Σ|z| R``: never more than what came in, and the same where all terms have one sign, as in networks
of rectifiers.
"""

from __future__ import annotations

import torch
from torch import Tensor

from voxplain.attribution.backprop.call import Call, vjp
from voxplain.attribution.backprop.relevance_rules import Settings, Shares, over, stable

ADDITIONS = frozenset({"add", "sub", "rsub"})


def share_addition(
    call: Call, out: Tensor, relevance: Tensor, how: Settings, magnitude: bool
) -> tuple[list[Tensor], Shares]:
    """Relevance of a sum or difference, to every term that depends on the image; constants are biases.

    Returns:
        Per dynamic term its relevance in the term's shape; what bias and ε took (``inputs`` unused).
    """
    terms, fixed = _terms(call, out)
    by_bias = by_epsilon = None
    if magnitude:
        others = fixed if how.absorbs else None
        given, by_bias = _by_magnitude(terms, others, relevance)
    else:
        whole = stable(out, how.epsilon)
        s = relevance / whole
        given = [t * s for t in terms]
        if how.absorbs:
            by_bias, by_epsilon = None if fixed is None else s * fixed, s * (whole - out)
        else:
            more, _ = _by_magnitude(terms, None, relevance - sum(given[1:], given[0]))
            given = [g + m for g, m in zip(given, more, strict=True)]
    shaped = [g.sum_to_size(x.shape) for g, x in zip(given, call.inputs, strict=True)]
    return shaped, Shares(relevance, by_bias, by_epsilon)


def _by_magnitude(
    terms: list[Tensor], fixed: Tensor | None, relevance: Tensor
) -> tuple[list[Tensor], Tensor | None]:
    """Shares of the terms, equal ones where all are zero, and of the constant term."""
    sizes = [t.abs() for t in terms]
    own = None if fixed is None else fixed.abs()
    whole = sum(sizes[1:], sizes[0]) if own is None else sum(sizes, own)
    silent = torch.where(whole > 0, torch.zeros_like(relevance), relevance / len(terms))
    unit = over(relevance, whole)
    return [size * unit + silent for size in sizes], None if own is None else own * unit


def _terms(call: Call, out: Tensor) -> tuple[list[Tensor], Tensor | None]:
    """The dynamic terms with their signs and factors, in the output's shape, and the sum of the constant ones."""
    alpha = call.kwargs.get("alpha", 1)
    factors = {"add": (1, alpha), "sub": (1, -alpha), "rsub": (-alpha, 1)}[call.name]
    operands = (call.argument(0, "input"), call.argument(1, "other"))
    dynamic = {place[0] for place in call.places}
    terms, fixed = [], None
    for position, (operand, factor) in enumerate(zip(operands, factors, strict=True)):
        term = torch.as_tensor(operand, dtype=out.dtype, device=out.device).detach() * factor
        if position in dynamic or ("input", "other")[position] in dynamic:
            terms.append(term.expand_as(out))
        else:
            fixed = term.expand_as(out)
    return terms, fixed


def share_average(
    call: Call, x: Tensor, out: Tensor, relevance: Tensor, how: Settings, magnitude: bool
) -> Shares:
    """Relevance of a linear map with fixed coefficients that are not negative: averages, sums, interpolation."""
    if magnitude:
        inputs, served = _proportional(call, x.abs(), relevance)
        rest = torch.where(served, torch.zeros_like(relevance), relevance)
        by_epsilon = None
    else:
        whole = stable(out, how.epsilon)
        s = relevance / whole
        inputs, by_epsilon = x * vjp(call, (x,), s)[0], s * (whole - out)
        rest = torch.zeros_like(relevance)
        if not how.absorbs:
            rest, by_epsilon = by_epsilon, None
    if bool(rest.any()):
        inputs = inputs + _proportional(call, torch.ones_like(x), rest)[0]
    return Shares(inputs, None, by_epsilon)


def _proportional(call: Call, amounts: Tensor, relevance: Tensor) -> tuple[Tensor, Tensor]:
    """Shares in proportion to coefficient × amount, and where there was anything to share by."""
    leaf = amounts.detach().requires_grad_()
    with torch.enable_grad():
        total = call(leaf)
    plain = total.detach()
    found = torch.autograd.grad(total, leaf, over(relevance, plain.clamp(min=0)))[0]
    return amounts * found, plain > 0


def share_joined(
    call: Call, inputs: tuple[Tensor, ...], relevance: Tensor, how: Settings
) -> tuple[list[Tensor], Shares]:
    """Relevance of tensors joined with constants (a learned token, a padded edge, what a mask writes): each its own.

    Constants are biases.

    Where biases are spread, what stands at the constants goes by magnitude to the rest of the same sample, as far as
    relevance stands there: what is overwritten here, or cropped later on, has none, and gets none.
    """
    given = list(vjp(call, inputs, relevance))
    rows = len(relevance) if relevance.dim() else 1
    if rows > 1 and any(not g.dim() or len(g) != rows for g in given):
        # joined along the samples: what stands at constant samples is no sample's relevance
        return given, Shares(relevance)
    # by what is there and not by what is missing, of which rounding would leave a trace everywhere
    ours = call(*map(torch.ones_like, inputs)) != call(*map(torch.zeros_like, inputs))
    kept = _per_row(torch.where(ours, torch.zeros_like(relevance), relevance), rows)
    if how.bias == "spread" and bool(kept.any()):
        sizes = [x.abs() * (g != 0) for x, g in zip(inputs, given, strict=True)]
        whole = sum(_per_row(size, rows) for size in sizes)
        unit = over(kept, torch.as_tensor(whole))
        given = [
            g + size * (unit.reshape(-1, *(1,) * (size.dim() - 1)) if size.dim() else unit[0])
            for g, size in zip(given, sizes, strict=True)
        ]
        kept = torch.where(torch.as_tensor(whole) > 0, torch.zeros_like(kept), kept)
    return given, Shares(relevance, bias=kept)


def _per_row(x: Tensor, rows: int) -> Tensor:
    return x.reshape(rows, -1).sum(1)

"""How products of two tensors that both depend on the image, and softmax, share relevance out.

Where one factor is a gate (a sigmoid's or softmax's output), the other, the signal, takes all (Arras et al. 2017,
"Explaining recurrent neural network predictions"; for attention this is CP-LRP, Ali et al. 2022). Where neither or
both are gates, each takes half. What is multiplied by 0 gets nothing.
AttnLRP (Achtibat et al. 2024, arXiv:2402.05602) halves products of matrices too and
goes back through softmax by a Taylor expansion, ``R_i = x_i (R_i − p_i Σ R)``, which does not conserve relevance.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from voxplain.attribution.backprop.call import Call, vjp
from voxplain.attribution.backprop.relevance_graph import from_softmax, is_gate
from voxplain.attribution.backprop.relevance_rules import Settings, Shares, over, stable


def signal(call: Call, attention: str) -> int | None:
    """Which of two factors takes all; ``None`` where they share.

    Args:
        attention: ``attnlrp`` lets softmax weights of a product of matrices share, ``constant`` does not.
    """
    gates = [is_gate(t) for t in call.inputs]
    if sum(gates) != 1:
        return None
    gate = gates.index(True)
    if attention == "attnlrp" and call.name != "mul" and from_softmax(call.inputs[gate]):
        return None
    return 1 - gate


def share_halves(
    call: Call, inputs: tuple[Tensor, ...], out: Tensor, relevance: Tensor, how: Settings
) -> tuple[list[Tensor], Shares]:
    """Half to each factor; within a product of matrices in proportion to the terms of every sum."""
    if call.name == "mul":
        return _by_elements(inputs, relevance)
    whole = stable(out, how.epsilon)
    s = relevance / (2 * whole)
    given = [x * g for x, g in zip(inputs, vjp(call, inputs, s), strict=True)]
    rest = 2 * s * (whole - out)
    if how.absorbs or not bool(rest.any()):
        return given, Shares(relevance, None, rest)
    leaves = [x.abs().requires_grad_() for x in inputs]
    with torch.enable_grad():
        sizes = call(*leaves)
    total = sizes.detach()
    unit = torch.where(
        total > 0, rest / (2 * total.clamp(min=torch.finfo(total.dtype).tiny)), torch.zeros_like(rest)
    )
    more = torch.autograd.grad(sizes, leaves, unit)
    given = [g + x.abs() * m for g, x, m in zip(given, inputs, more, strict=True)]
    return given, Shares(relevance, None, torch.where(total > 0, torch.zeros_like(rest), rest))


def _by_elements(inputs: tuple[Tensor, ...], relevance: Tensor) -> tuple[list[Tensor], Shares]:
    """Half to each of two factors; what is multiplied by 0 gets nothing."""
    counts = [(x != 0).to(relevance.dtype).expand_as(relevance) for x in reversed(inputs)]
    unit = over(relevance, counts[0] + counts[1])
    given = [(count * unit).sum_to_size(x.shape) for count, x in zip(counts, inputs, strict=True)]
    return given, Shares(relevance, rest=relevance - (counts[0] + counts[1]) * unit)


def zeros(call: Call, taker: int) -> Tensor | None:
    """Where the factor is 0 that the one that takes all is multiplied with; ``None`` where it is so nowhere."""
    if len(call.places) > 1:
        factor: Any = call.inputs[1 - taker]
    else:
        first = call.places[0][0] in (0, "input")
        factor = call.argument(1, "other") if first else call.argument(0, "input")
    if not isinstance(factor, Tensor) and factor:
        return None
    zero = torch.as_tensor(factor, device=call.inputs[0].device).detach() == 0
    return zero if bool(zero.any()) else None


def share_through(
    inputs: tuple[Tensor, ...], taker: int, zero: Tensor, relevance: Tensor
) -> tuple[list[Tensor | None], Shares]:
    """All to one factor, and to nobody where the other is 0."""
    rest = torch.where(zero, relevance, torch.zeros_like(relevance))
    given: list[Tensor | None] = [None] * len(inputs)
    given[taker] = (relevance - rest).sum_to_size(inputs[taker].shape)
    return given, Shares(relevance, rest=rest)


def softmax_taylor(x: Tensor, p: Tensor, relevance: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """``x (R − p Σ R)`` along the axis (masked places get nothing), and what softmax keeps."""
    finite = torch.where(torch.isfinite(x), x, torch.zeros_like(x))
    given = finite * (relevance - p * relevance.sum(axis, keepdim=True))
    return given, relevance - given


def added_product(call: Call) -> Tensor:
    """``addmm`` and ``baddbmm`` as a product and a sum."""
    added, a, b = (call.argument(i, name) for i, name in enumerate(("input", "mat1", "mat2")))
    if call.name == "baddbmm":
        a, b = call.argument(1, "batch1"), call.argument(2, "batch2")
    alpha, beta = call.kwargs.get("alpha", 1), call.kwargs.get("beta", 1)
    product: Tensor = torch.matmul(a, b)
    total: Tensor = beta * added + (product if alpha == 1 else alpha * product)
    return total

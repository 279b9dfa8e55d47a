"""Operations that relevance passes through unchanged."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from voxplain.attribution.backprop.call import Call


class Straight(torch.autograd.Function):
    """Runs a call forwards as it is; backwards one of its inputs gets all, summed over axes that it was broadcast along.

    Nothing is kept for the way back.
    """

    @staticmethod
    def forward(ctx: Any, call: Call, taker: int, *inputs: Tensor) -> Tensor:
        """The call's own output."""
        out = call(*inputs)
        ctx.taker, ctx.shape, ctx.count = taker, inputs[taker].shape, len(inputs)
        assert isinstance(out, Tensor)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        """What came."""
        given = grads[0].sum_to_size(ctx.shape)
        return (None, None, *(given if i == ctx.taker else None for i in range(ctx.count)))


def straight(call: Call, sort: str, taker: int = 0, *, gate: str = "") -> Tensor:
    """The call's output, whose relevance goes to one of its inputs.

    Args:
        sort: ``activation``, ``norm``, ``scaling`` or ``product``; scaling is linear.
        gate: for a gate, the function whose output it is.
    """
    out: Tensor = Straight.apply(call, taker, *call.inputs)  # type: ignore[no-untyped-call]
    node: Any = out.grad_fn
    node.straight, node.gate = sort, gate
    return out

"""Where the network detaches a tensor from autograd, the relevance that it gets ends, and is written down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class Cut(torch.autograd.Function):
    """A detached tensor that gets its share of relevance as if it were not, and hands nothing on.

    The image is an input only in name: without a way to it, autograd would not come here.
    """

    @staticmethod
    def forward(ctx: Any, write: Callable[[Tensor], None], tensor: Tensor, image: Tensor) -> Tensor:
        """The tensor itself."""
        ctx.write, ctx.shape = write, image.shape
        return tensor.view_as(tensor)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        """Nothing for the image."""
        ctx.write(grads[0])
        return None, None, grads[0].new_zeros(()).expand(ctx.shape)


def cut(tensor: Tensor, image: Tensor, write: Callable[[Tensor], None], *, gate: bool) -> Tensor:
    """The tensor, known to the graph; ``write`` is told the relevance that it gets."""
    out: Tensor = Cut.apply(write, tensor, image)  # type: ignore[no-untyped-call]
    node: Any = out.grad_fn
    node.gate = "softmax" if gate else ""
    return out

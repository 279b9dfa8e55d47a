"""Activations written as their own autograd functions, which nothing outside can see into, made visible."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn import functional as F

# Memory-saving activations of MONAI, timm and EfficientNet ports, by class name: the same function, step by step.
_PLAIN: dict[str, Callable[[Tensor], Tensor]] = {
    "MemoryEfficientSwish": F.silu,
    "SwishMe": F.silu,
    "MishMe": F.mish,
    "HardSwishMe": F.hardswish,
    "HardSigmoidMe": F.hardsigmoid,
}


@contextmanager
def stand_ins(module: nn.Module) -> Iterator[None]:
    """While the block runs, opaque activations are plain ones, and nothing is recomputed in the backward pass.

    Gradient checkpointing would run the forward pass again where no rule sees it.
    """
    opaque = [m for m in module.modules() if type(m).__name__ in _PLAIN and "forward" not in vars(m)]
    checkpointed = [m for m in module.modules() if getattr(m, "use_checkpoint", False) is True]
    flag = "use_checkpoint"
    try:
        for m in opaque:
            m.forward = _PLAIN[type(m).__name__]
        for m in checkpointed:
            setattr(m, flag, False)
        yield
    finally:
        for m in opaque:
            del m.forward
        for m in checkpointed:
            setattr(m, flag, True)

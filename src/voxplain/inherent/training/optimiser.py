"""What the optimiser is given, and how weights are averaged."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from voxplain.errors import ModelError


def average_by(decay: float) -> Any:
    """How torch's AveragedModel moves: decay · average + (1 − decay) · weights."""
    return get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]


def grouped(network: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Weights that are pulled to zero, and biases and norms that are not."""
    learned = [p for p in network.parameters() if p.requires_grad]
    if not learned:
        raise ModelError("network: has no parameter that could be learned (requires_grad is False for all)")
    weights, others = [p for p in learned if p.ndim > 1], [p for p in learned if p.ndim < 2]
    groups = [{"params": weights, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]

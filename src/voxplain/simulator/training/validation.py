"""How well a simulator does on the validation part."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from voxplain.simulator.field import folded_percentage, jacobian
from voxplain.simulator.training.objective import Objective
from voxplain.simulator.training.subjects import Typical

COLUMNS = ("epoch", "step", "rate", "train_loss", "loss", "flipped", "missed", "folded", "seconds")
Batch = tuple[Tensor, Tensor]


def validate(
    objective: Objective, batches: Iterable[Batch], typical: Typical, gather: Callable[[Tensor], Tensor]
) -> dict[str, float]:
    """Losses and what they are for, asked to bring every subject to the other class's typical logit.

    Args:
        objective: with the simulator; left in evaluation mode.
        batches: images (N, C, *S) and their logits (N,).
        typical: the logits to reach.
        gather: sums a tensor over processes.

    Returns:
        ``loss``; ``flipped``, the share whose decision changes; ``missed``, the mean distance to the target in units of the
        classes' distance; ``folded``, per cent of voxels that the map at dose 1 folds.
    """
    objective.eval()
    sums = torch.zeros(5, dtype=torch.float64)
    with torch.no_grad():
        for x, before in batches:
            direction = torch.where(before > 0, -1.0, 1.0)
            ends = torch.tensor([typical.healthy, typical.diseased], device=x.device)
            target = torch.where(direction > 0, ends[1], ends[0])
            terms = objective(x, before, target, direction)
            after = terms["after"]
            folded = folded_percentage(jacobian(objective.simulator(x, direction).pull(1.0).float()))
            rows = torch.stack([
                objective.total(terms), (after * before < 0).float(), (after - target).abs() / typical.gap, folded,
                torch.ones_like(after),
            ])  # fmt: skip
            sums += rows.double().sum(1).cpu()
    loss, flipped, missed, folds, count = gather(sums).tolist()
    names = ("loss", "flipped", "missed", "folded")
    return {name: value / count for name, value in zip(names, (loss, flipped, missed, folds), strict=True)}

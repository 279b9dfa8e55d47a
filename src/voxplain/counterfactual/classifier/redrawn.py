"""A classifier that knows nothing: the same network with its weights in another order."""

from __future__ import annotations

import copy

import torch

from voxplain.counterfactual.classifier.decision import Decision
from voxplain.errors import ModelError


def redrawn(decision: Decision, *, seed: int) -> Decision:
    """A copy in which the values of every tensor are permuted, so that each layer has the weights' spread and no more.

    Args:
        decision: of a network; it stays as it is.
        seed: of the permutations.

    Raises:
        ModelError: nothing in it can be permuted, as in a black box.
    """
    other = copy.deepcopy(decision)
    generator = torch.Generator().manual_seed(seed)
    changed = False
    with torch.no_grad():
        for value in other.state_dict().values():
            if value.is_floating_point() and value.numel() > 1:
                order = torch.randperm(value.numel(), generator=generator).to(value.device)
                value.copy_(value.flatten()[order].reshape(value.shape))
                changed = True
    if not changed:
        raise ModelError("classifier: has no weights that could be drawn anew")
    return other

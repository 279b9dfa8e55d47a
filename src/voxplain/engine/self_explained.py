"""A network's own account of its decision, in terms of a problem's targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from voxplain.engine.store import MapStore
from voxplain.model.self_explained import contribution

if TYPE_CHECKING:
    from voxplain.engine.problem import Problem


def own_account(problem: Problem) -> MapStore:
    """What each place adds to every target's score, as the network's ``explain`` says: maps (1, *spatial).

    A linear score weighs the raw outputs, and its map weighs their contributions alike. One forward pass.
    """
    runner, terms = problem.runner, problem.plan.terms(0)
    with runner.session(), torch.no_grad():
        shares = contribution(problem.model, problem.padded[None].to(problem.model.device))[0]
    runner.passes.forward += 1
    maps = problem.store(channels=1)
    outputs = torch.zeros(len(shares), dtype=shares.dtype, device=shares.device)
    for term in terms.terms:
        weights = terms.cotangent(term, outputs)
        maps[term.target] = torch.tensordot(weights, shares, dims=1)[None].to(problem.dtype).cpu()
    return maps

"""What a method will cost, before it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voxplain.attribution.method import Method
    from voxplain.engine import Passes, Problem


def estimate(method: Method, problem: Problem) -> Passes | None:
    """Passes of a gradient method; None for methods whose cost depends on more than windows and targets.

    Per draw, every window that a target touches is run forwards once, and backwards once per such target.
    """
    from voxplain.engine import Passes

    if method.needs[:1] != ("gradients",):
        return None
    parameters = method.parameters()
    draws = next((int(parameters[k]) for k in ("nodes", "draws") if parameters.get(k)), 1)
    plan = problem.plan
    touched = [len(plan.touching[w]) for w in plan.windows(plan.present)]
    return Passes(forward=draws * len(touched), backward=draws * sum(touched))

"""In which order a network uses its weights, whoever calls the operations that they enter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from voxplain.engine.problem import Problem

KEY = "weights in order"


def weights_in_order(problem: Problem) -> dict[str, int]:
    """When each weight was used last, in one forward pass of the first window that is paid once.

    What counts is the operation that a tensor enters, so that weights of functional calls, attention and TorchScript are
    seen too, and the order of registration does not matter. A weight that is used several times counts with the last.

    Returns:
        name of the parameter or buffer -> number of the operation; those that were never used are missing.
    """
    return problem.once(KEY, lambda: _watched(problem))


def weight_order_cost(problem: Problem) -> int:
    """Forward passes that `weights_in_order` will take."""
    return 0 if problem.has_done(KEY) else 1


def weights(problem: Problem) -> dict[str, Tensor]:
    """What training fitted: floating-point parameters, and the running statistics of norms, by name."""
    module = problem.model.module
    statistics = ("running_mean", "running_var")
    found: dict[str, Tensor] = dict(module.named_parameters())
    found.update({n: b for n, b in module.named_buffers() if n.rpartition(".")[2] in statistics})
    return {name: t for name, t in found.items() if t is not None and t.is_floating_point() and t.numel()}


def _watched(problem: Problem) -> dict[str, int]:
    where = problem.plan.where(0)
    x = problem.padded[(slice(None), *where)][None].to(problem.model.device, problem.dtype)
    with problem.runner.session(), torch.no_grad():
        # the session lays weights out anew, so their addresses are taken inside
        watch = _Watch({t.data_ptr(): name for name, t in weights(problem).items()})
        with watch:
            problem.runner.forward(x)
    return watch.last


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the number of the last operation that every known tensor enters."""

    def __init__(self, names: Mapping[int, str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names, self.last, self.clock = names, dict[str, int](), 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.clock += 1
        for leaf in tree_leaves((args, kwargs or {})):
            if isinstance(leaf, Tensor) and leaf.numel() and (name := self.names.get(leaf.data_ptr())):
                self.last[name] = self.clock
        return func(*args, **(kwargs or {}))

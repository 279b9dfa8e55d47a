"""The mean over folds and mirrorings as one network, whose gradient takes the memory of one member."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import combinations
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.autograd.function import once_differentiable
from torch.nn.modules import module as hooks_of_all
from torch.overrides import _get_current_function_mode_stack
from torch.utils._device import DeviceContext

Axes = tuple[int, ...]


def mirrorings(axes: Sequence[int]) -> list[Axes]:
    """All sets of axes to flip, the empty one first.

    >>> mirrorings((0, 1))
    [(), (0,), (1,), (0, 1)]
    """
    return [chosen for count in range(len(axes) + 1) for chosen in combinations(axes, count)]


class Ensemble(nn.Module):
    """The mean of every fold's answer to the image and to its mirror images, flipped back.

    nnU-Net averages these in every window and the folds after stitching. Stitching is linear, so the mean inside a window
    is the same. A forward pass runs ``folds × mirrorings`` members.

    Where a gradient is wanted, the members run one at a time and leave nothing behind; each is run again in the backward
    pass. The memory is that of one member, at the price of one more forward pass of each member per backward pass
    (several targets in one window are several backward passes). The gradient is the exact adjoint; there is no
    second derivative. While somebody watches inside (hooks on layers, rules for operations, parameters that learn), the
    members are one plain graph, with the memory of all.

    Args:
        networks: each fold's network by name; the names become those of the submodules.
        axes: sets of spatial axes to flip, 0 being the first after (N, C); the empty set is the image as it is.
    """

    def __init__(self, networks: Mapping[str, nn.Module], axes: Sequence[Axes]) -> None:
        super().__init__()
        for name, network in networks.items():
            self.add_module(name, network)
        self.names = tuple(networks)
        self.axes = tuple(tuple(chosen) for chosen in axes)
        self._alone = False

    def __len__(self) -> int:
        """How many members a pass runs."""
        return len(self.names) * len(self.axes)

    @property
    def summary(self) -> str:
        """Of whom the mean is, for people."""
        return f"{len(self.names)} folds × {len(self.axes)} mirrorings, {len(self)} passes per window"

    @contextmanager
    def one_for_all(self) -> Iterator[None]:
        """Run one member only: where sizes alone count, all are alike."""
        self._alone = True
        try:
            yield
        finally:
            self._alone = False

    def extra_repr(self) -> str:
        return f"flipped axes: {self.axes}"

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, *spatial) -> (N, K, *spatial), the mean of all members."""
        if not self.is_watched():
            if self._alone or isinstance(x, FakeTensor):
                # a fake pass measures the memory, which is that of one member
                return next(self.members())(x)
            if torch.is_grad_enabled() and x.requires_grad:
                mean: Tensor = _OneByOne.apply(x, self)  # type: ignore[no-untyped-call]
                return mean
        return self.mean(x)

    def mean(self, x: Tensor) -> Tensor:
        """The mean of all members, with a graph of all of them where a gradient is wanted."""
        total: Tensor | None = None
        for member in self.members():
            out = member(x)
            if out.requires_grad:
                total = out if total is None else total + out
            else:  # in place, since of many classes the output is what takes the memory
                total = out.clone() if total is None else total.add_(out)
            del out  # before the next member runs
        assert total is not None
        return total / len(self) if total.requires_grad else total.div_(len(self))

    def members(self) -> Iterator[_Member]:
        """Every fold with every mirroring."""
        for name in self.names:
            for axes in self.axes:
                yield _Member(self.get_submodule(name), axes)

    def is_watched(self) -> bool:
        """Whether more than the output and the gradient at the input is wanted."""
        modes = _get_current_function_mode_stack()  # type: ignore[no-untyped-call]
        if any(not isinstance(mode, DeviceContext) for mode in modes):
            return True
        inner = [part for part in self.modules() if part is not self]
        if any(getattr(part, name) for part in inner for name in _HOOKS):
            return True
        if any(getattr(hooks_of_all, f"_global{name}", None) for name in _HOOKS):
            return True
        return torch.is_grad_enabled() and any(p.requires_grad for p in self.parameters())


_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class _Member:
    """One fold with one mirroring."""

    def __init__(self, network: nn.Module, axes: Axes) -> None:
        self.network = network
        self.axes = [axis + 2 for axis in axes]

    def __call__(self, x: Tensor) -> Tensor:
        out: Tensor = self.network(torch.flip(x, self.axes) if self.axes else x)
        if out.dtype in (torch.float16, torch.bfloat16):
            out = out.float()  # the mean of many is no work for half precision
        return torch.flip(out, self.axes) if self.axes else out


class _OneByOne(torch.autograd.Function):
    """The mean of members of which none is kept."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, ensemble: Ensemble) -> Tensor:
        ctx.save_for_backward(x)
        ctx.ensemble = ensemble
        ctx.precision = _precision(x)
        return ensemble.mean(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        total: Tensor | None = None
        for member in ctx.ensemble.members():
            with torch.enable_grad(), ctx.precision():
                given = x.detach().requires_grad_()
                out = member(given)
            (part,) = torch.autograd.grad(out, given, gradient)
            del out  # its graph
            total = part.clone() if total is None else total.add_(part)
        assert total is not None
        return total.div_(len(ctx.ensemble)), None


def _precision(x: Tensor) -> Any:
    """The automatic mixed precision of now, to be entered again in the backward pass."""
    device = x.device.type
    mixed, dtype = torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)

    def again() -> AbstractContextManager[Any]:
        return torch.autocast(device, dtype, enabled=mixed)

    return again

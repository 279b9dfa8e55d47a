"""Reading what a layer gives, and giving something else in its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from voxplain.engine.layer_axes import AS_IT_IS, Axes
from voxplain.errors import ModelError
from voxplain.model.nnunet.network import Ensemble

if TYPE_CHECKING:
    from voxplain.engine.problem import Problem


@contextmanager
def capture(module: nn.Module, name: str, axes: Axes = AS_IT_IS) -> Iterator[list[Tensor]]:
    """Collect a module's outputs as (N, F, *s); later in-place operations change a copy, not what is collected."""
    seen: list[Tensor] = []

    def hook(_: nn.Module, __: Any, output: Any) -> Any:
        seen.append(axes.bring(_one_tensor(output, name)))
        return axes.back(seen[-1]).clone()

    with _hooked(module, hook):
        yield seen


@contextmanager
def cut(module: nn.Module, name: str, axes: Axes = AS_IT_IS) -> Iterator[list[Tensor]]:
    """Like `capture`, but the graph begins at the output: nothing before the layer is kept for a backward pass."""
    seen: list[Tensor] = []

    def hook(_: nn.Module, __: Any, output: Any) -> Any:
        seen.append(axes.bring(_one_tensor(output, name)).detach().requires_grad_())
        return axes.back(seen[-1]).clone()

    with _hooked(module, hook):
        yield seen


@contextmanager
def replace(module: nn.Module, name: str, by: Tensor, axes: Axes = AS_IT_IS) -> Iterator[list[Tensor]]:
    """Let a module give the rows of ``by`` (B, F, *s) instead of its own output; collects what it would have given.

    A batch that the engine filled up beyond B keeps its own output there.
    """
    seen: list[Tensor] = []

    def hook(_: nn.Module, __: Any, output: Any) -> Any:
        own = axes.bring(_one_tensor(output, name))
        seen.append(own)
        return axes.laid_out(torch.cat([by.to(own.dtype), own[len(by) :].detach()]))

    with _hooked(module, hook):
        yield seen


@contextmanager
def _hooked(module: nn.Module, hook: Any) -> Iterator[None]:
    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def _one_tensor(output: Any, name: str) -> Tensor:
    if not isinstance(output, Tensor):
        raise ModelError(
            f"layer {name!r}: it returns {type(output).__name__}, expected one tensor; choose a layer inside it"
        )
    return output


def only_output(seen: Sequence[Tensor], name: str, problem: Problem, count: int) -> Tensor:
    """The one output (N, F, *s) that was collected in a pass of ``count`` samples.

    Raises:
        ModelError: the layer did not run, ran several times, has no spatial output, or one whose first axis is not
            the samples'.
    """
    dims = len(problem.spatial_shape)
    if not seen:
        raise ModelError(f"layer {name!r}: the network did not run it on this input; choose another layer")
    if len(seen) > 1:
        raise ModelError(
            f"layer {name!r}: the network runs it {len(seen)} times in one pass, so it is not one place; "
            f"{remedy(problem, 'choose a layer that runs once, such as the block around it')}"
        )
    if seen[0].dim() != dims + 2:
        raise ModelError(
            f"layer {name!r}: its output has shape {tuple(seen[0].shape)}, expected (N, features, *{dims} spatial "
            "axes); choose a convolutional layer (voxplain inspect lists them)"
        )
    check_samples(len(seen[0]), name, problem, count)
    return seen[0]


def remedy(problem: Problem, otherwise: str) -> str:
    """What to do about layers that run several times in one pass."""
    if isinstance(problem.model.module, Ensemble):
        return "load the nnU-Net without mirroring (--set model.arguments.mirroring=false)"
    return otherwise


def check_samples(rows: int, name: str, problem: Problem, count: int) -> None:
    """Refuse layers where patches or copies of the image are folded into the first axis.

    Raises:
        ModelError: it has another length than the number of samples.
    """
    if not problem.runner.fits(rows, count):
        raise ModelError(
            f"layer {name!r}: its output has {rows} rows for {count} sample{'s' if count > 1 else ''}, so the network "
            "folds patches or copies into the batch there and a row is no place in the image; choose another layer"
        )


def whole_precision(tensor: Tensor) -> Tensor:
    """Detached, and in float32 at least: sums over thousands of places are no work for bfloat16."""
    return tensor.detach() if tensor.dtype == torch.float64 else tensor.detach().float()

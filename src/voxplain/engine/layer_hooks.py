"""Reading what a layer gives, and giving something else in its place."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from voxplain.engine.samplers import clean
from voxplain.errors import ModelError

if TYPE_CHECKING:
    from voxplain.engine.problem import Problem

# Containers that may end with the read-out, and so return the same tensor.
COMPARED = 16


@contextmanager
def capture(module: nn.Module, name: str) -> Iterator[list[Tensor]]:
    """Collect a module's outputs; later in-place operations change a copy, not what is collected."""
    seen: list[Tensor] = []

    def hook(_: nn.Module, __: Any, output: Any) -> Any:
        seen.append(_one_tensor(output, name))
        return output.clone()

    with _hooked(module, hook):
        yield seen


@contextmanager
def cut(module: nn.Module, name: str) -> Iterator[list[Tensor]]:
    """Like `capture`, but the graph begins at the output: nothing before the layer is kept for a backward pass."""
    seen: list[Tensor] = []

    def hook(_: nn.Module, __: Any, output: Any) -> Any:
        seen.append(_one_tensor(output, name).detach().requires_grad_())
        return seen[-1].clone()

    with _hooked(module, hook):
        yield seen


@contextmanager
def replace(module: nn.Module, name: str, by: Tensor) -> Iterator[list[Tensor]]:
    """Let a module give the rows of ``by`` (B, F, *s) instead of its own output; collects what it would have given.

    A batch that the engine filled up beyond B keeps its own output there.
    """
    seen: list[Tensor] = []

    def hook(_: nn.Module, __: Any, output: Any) -> Any:
        own = _one_tensor(output, name)
        seen.append(own)
        return torch.cat([by.to(own.dtype), own[len(by) :].detach()])

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
            "choose a layer that runs once, such as the block around it"
        )
    if seen[0].dim() != dims + 2:
        raise ModelError(
            f"layer {name!r}: its output has shape {tuple(seen[0].shape)}, expected (N, features, *{dims} spatial "
            "axes); choose a convolutional layer (voxplain inspect lists them)"
        )
    check_samples(len(seen[0]), name, problem, count)
    return seen[0]


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


def default_layer(problem: Problem) -> str:
    """Of the modules whose output has the smallest spatial extent above one voxel, the last to finish.

    For an encoder-decoder this is the bottleneck, as in Seg-Grad-CAM; for a classifier the last feature map; for
    a network without pooling the last hidden layer. A residual block counts as a whole, since it finishes after
    its branches. Modules that run several times are left out.
    """
    problem.model.need_hooks("layer methods such as Grad-CAM")
    dims = len(problem.spatial_shape)
    x = clean(problem.padded).input(0, problem.plan.where(0))[None].to(problem.model.device, problem.dtype)
    seen: list[tuple[str, tuple[int, ...], int]] = []
    read_out: set[int] = set()
    runs: Counter[str] = Counter()
    # the last outputs stay alive until they are compared, since freed memory is given to the next one
    alive: deque[Tensor] = deque(maxlen=COMPARED)
    handles = []
    for name, module in problem.model.module.named_modules():

        def note(_: nn.Module, __: Any, out: Any, name: str = name) -> None:
            runs[name] += 1
            if not name:
                read_out.update(t.untyped_storage().data_ptr() for t in _tensors(out))
            elif isinstance(out, Tensor) and out.dim() == dims + 2 and min(out.shape[2:]) > 1:
                seen.append((name, tuple(out.shape), out.untyped_storage().data_ptr()))
                alive.append(out)

        handles.append(module.register_forward_hook(note))
    try:
        with problem.runner.session(), torch.no_grad():
            problem.runner.forward(x)
    finally:
        for handle in handles:
            handle.remove()
    # the read-out, and containers that end with it, are no feature maps
    for _ in range(len(alive)):
        if seen[-1][2] not in read_out:
            break
        seen.pop()
    if not seen:
        raise ModelError(
            f"{problem.model.name}: no layer with a spatial output was found; name one with layer=…"
        )
    # a module that is used again is not one place; where all are, the message says so later
    seen = [entry for entry in seen if runs[entry[0]] == 1] or seen
    smallest = min(_volume(shape) for _, shape, _ in seen)
    return [name for name, shape, _ in seen if _volume(shape) == smallest][-1]


def _tensors(output: Any) -> Iterator[Tensor]:
    """All tensors of a nested output."""
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, (list, tuple)):
        for part in output:
            yield from _tensors(part)
    elif isinstance(output, dict):
        yield from _tensors(list(output.values()))


def _volume(shape: tuple[int, ...]) -> int:
    out = 1
    for size in shape[2:]:
        out *= size
    return out

"""The layer that is looked at where none is named."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from voxplain.engine.layer_axes import Axes, layer_axes
from voxplain.engine.layer_hooks import remedy
from voxplain.engine.samplers import clean
from voxplain.errors import ModelError
from voxplain.model.layers import makes_weight

if TYPE_CHECKING:
    from voxplain.engine.problem import Problem

# Containers that may end with the read-out, and so return the same tensor.
COMPARED = 16


class Candidate(NamedTuple):
    """A module's output: its name, shape and storage."""

    name: str
    shape: tuple[int, ...]
    storage: int

    def places(self, axes: Axes) -> tuple[int, ...]:
        """Its spatial shape."""
        order = axes.order or tuple(range(len(self.shape)))
        return tuple(self.shape[i] for i in order[2:])


@dataclass
class _Pass:
    """What one pass shows of a network's modules, in the order in which they finish."""

    dims: int
    seen: list[Candidate] = field(default_factory=list)
    runs: Counter[str] = field(default_factory=Counter)
    read_out: set[int] = field(default_factory=set)
    # the last outputs stay alive until they are compared, since freed memory is given to the next one
    alive: deque[Tensor] = field(default_factory=lambda: deque(maxlen=COMPARED))

    def note(self, name: str, out: Any) -> None:
        self.runs[name] += 1
        if not name:
            self.read_out.update(t.untyped_storage().data_ptr() for t in _tensors(out))
        elif isinstance(out, Tensor) and out.dim() == self.dims + 2:
            self.seen.append(Candidate(name, tuple(out.shape), out.untyped_storage().data_ptr()))
            self.alive.append(out)

    def hidden(self) -> list[Candidate]:
        """Without the read-out, and containers that end with it: they are no feature maps."""
        seen = list(self.seen)
        for _ in range(len(self.alive)):
            if seen[-1].storage not in self.read_out:
                break
            seen.pop()
        return seen


def default_layer(problem: Problem) -> str:
    """Of the modules whose output has the smallest spatial extent above one voxel, the last to finish.

    For an encoder-decoder this is the bottleneck, as in Seg-Grad-CAM; for a classifier the last feature map; for
    a network without pooling the last hidden layer. A residual block counts as a whole, since it finishes after
    its branches. Modules that run several times are left out, and those that the image does not pass through or of
    which it cannot be told which axis counts the features.

    Raises:
        ModelError: none is left.
    """
    problem.model.need_hooks("layer methods such as Grad-CAM")
    passed = _watch(problem)
    hidden = passed.hidden()
    # where patches or copies are folded into the first axis, a row is no place; if it is so everywhere, that is said later
    unfolded = [c for c in hidden if problem.runner.fits(c.shape[0], 1)]
    maps, refusals = _maps(problem, unfolded or hidden)
    # a module that is used again is not one place
    once = [name for name in maps if passed.runs[name] == 1]
    if once:
        smallest = min(math.prod(maps[name]) for name in once)
        return [name for name in once if math.prod(maps[name]) == smallest][-1]
    if maps:
        name = list(maps)[-1]
        otherwise = (
            "let the network run what it makes of all of them through an nn.Identity, which then can be named"
        )
        raise ModelError(
            f"{problem.model.name}: every layer with a spatial output runs several times in one pass ({name!r} "
            f"{passed.runs[name]} times), so that none is one place in the network; choose a method that needs no layer, "
            f"such as integrated_gradients or occlusion, or {remedy(problem, otherwise)}"
        )
    why = f" ({refusals[0]})" if refusals else ""
    raise ModelError(
        f"{problem.model.name}: no layer with a spatial output was found{why}; name one with layer=…"
    )


def _watch(problem: Problem) -> _Pass:
    """One forward pass of the clean image's first window."""
    x = clean(problem.padded).input(0, problem.plan.where(0))[None].to(problem.model.device, problem.dtype)
    passed, handles = _Pass(len(problem.spatial_shape)), []
    for name, module in problem.model.module.named_modules():
        if makes_weight(name):
            continue

        def note(_: nn.Module, __: Any, out: Any, name: str = name) -> None:
            passed.note(name, out)

        handles.append(module.register_forward_hook(note))
    try:
        with problem.runner.session(), torch.no_grad():
            problem.runner.forward(x)
    finally:
        for handle in handles:
            handle.remove()
    return passed


def _maps(problem: Problem, candidates: list[Candidate]) -> tuple[dict[str, tuple[int, ...]], list[str]]:
    """Spatial shapes of those that are maps of the image, as they finish, and why others are not."""
    image = tuple(s.stop - s.start for s in problem.plan.where(0))
    maps: dict[str, tuple[int, ...]] = {}
    refusals: list[str] = []
    for candidate in candidates:
        try:
            places = candidate.places(layer_axes(problem, candidate.name))
        except ModelError as error:
            refusals.append(str(error))
            continue
        # an axis that is one voxel thin in the image cannot be longer here
        if all(n > 1 or size == 1 for n, size in zip(places, image, strict=True)) and max(places) > 1:
            maps.pop(candidate.name, None)  # a later run counts
            maps[candidate.name] = places
    return maps, refusals


def _tensors(output: Any) -> Iterator[Tensor]:
    """All tensors of a nested output."""
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, (list, tuple)):
        for part in output:
            yield from _tensors(part)
    elif isinstance(output, dict):
        yield from _tensors(list(output.values()))

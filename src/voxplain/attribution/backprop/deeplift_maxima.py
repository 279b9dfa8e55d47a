"""DeepLIFT's multipliers of maxima and minima: all of the difference goes to a winner (see `multipliers.winners`)."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from voxplain.attribution.backprop import multipliers
from voxplain.attribution.backprop.call import Call, Multiplier
from voxplain.attribution.backprop.deeplift_operations import Run

_POOLING = (("kernel_size", None), ("stride", None), ("padding", 0), ("dilation", 1), ("ceil_mode", False))


def pool(call: Call, now: Run, was: Run) -> Multiplier:
    """Max pooling: every neighbourhood has its winner."""
    (x,), (other,) = now.inputs, was.inputs
    spatial = x.dim() - int(call.name[-2])
    best, other_best = (_winners(call, v).flatten(spatial) for v in (x, other))
    place, slope = multipliers.winners(x.flatten(spatial), other.flatten(spatial), best, other_best)
    flat, shape = x.flatten(spatial).shape, x.shape
    return lambda g: (_scattered(g.flatten(spatial) * slope, place, flat).view(shape),)


def without_indices(call: Call) -> Call:
    """Max pooling that gives the maxima alone."""
    name = call.name.removesuffix("_with_indices")
    if name == call.name and not call.kwargs.get("return_indices"):
        return call
    if name.startswith("adaptive"):
        options = {"output_size": call.argument(1, "output_size")}
    else:
        options = {key: call.argument(i + 1, key, default) for i, (key, default) in enumerate(_POOLING)}
    return Call(name, getattr(F, name), call.inputs, options, ((0, None),))


def _winners(call: Call, x: Tensor) -> Tensor:
    """Positions of the maxima within each channel."""
    pooling: Any = getattr(F, call.name)
    if call.name.startswith("adaptive"):
        positions: Tensor = pooling(x, call.argument(1, "output_size"), return_indices=True)[1]
        return positions
    arguments = {name: call.argument(i + 1, name, default) for i, (name, default) in enumerate(_POOLING)}
    positions = pooling(x, **arguments, return_indices=True)[1]
    return positions


def _scattered(values: Tensor, place: Tensor, shape: torch.Size) -> Tensor:
    """Values at their places, added up where they meet."""
    return values.new_zeros(shape).scatter_add_(-1, place, values)


def along(call: Call) -> Call:
    """``max(dim)`` as ``amax``, ``min(dim)`` as ``amin``: the values alone."""
    name = call.name if call.name.startswith("a") else f"a{call.name}"
    options = {"dim": call.argument(1, "dim"), "keepdim": call.argument(2, "keepdim", False)}
    return Call(name, getattr(torch, name), call.inputs, options, ((0, None),))


def peak(call: Call, now: Run, was: Run) -> Multiplier:
    """The largest or smallest along some axes."""
    (x,), (other,) = now.inputs, was.inputs
    sign = 1 if call.name == "amax" else -1
    axes = _axes(call, x)
    last = tuple(range(-len(axes), 0))
    moved = x.movedim(axes, last).shape
    rows, other_rows = (sign * v.movedim(axes, last).flatten(-len(axes)) for v in (x, other))
    best, other_best = (v.argmax(-1, keepdim=True) for v in (rows, other_rows))
    place, slope = multipliers.winners(rows, other_rows, best, other_best)
    flat = rows.shape

    def back(g: Tensor) -> tuple[Tensor]:
        spread = _scattered(g.reshape(*flat[:-1], 1) * slope, place, flat)
        return (spread.view(moved).movedim(last, axes),)

    return back


def _axes(call: Call, x: Tensor) -> tuple[int, ...]:
    axes = call.kwargs["dim"]
    return tuple(sorted(a % x.dim() for a in ((axes,) if isinstance(axes, int) else axes)))


def extremum(call: Call, now: Run, was: Run) -> Multiplier:
    """The larger or smaller of two tensors, as a game of two players: the mean of both orders of their coming in."""
    ends, other_ends = _both(call, now), _both(call, was)
    moving = [0 if place in (0, "input") else 1 for place, _ in call.places]
    slopes = [_slope(call, i, ends, other_ends) for i in moving]
    shapes = [x.shape for x in now.inputs]
    return lambda g: [(g * m).sum_to_size(shape) for m, shape in zip(slopes, shapes, strict=True)]


def _both(call: Call, run: Run) -> tuple[Tensor, Tensor]:
    """Both tensors of a run, of the output's shape; one that does not depend on the image is the same in both runs."""
    given = dict(zip((place for place, _ in call.places), run.inputs, strict=True))
    first = given.get(0, given.get("input", call.argument(0, "input")))
    second = given.get(1, given.get("other", call.argument(1, "other")))
    return first.expand_as(run.out), second.expand_as(run.out)


def _slope(call: Call, mine: int, ends: tuple[Tensor, Tensor], other_ends: tuple[Tensor, Tensor]) -> Tensor:
    """Mean secant of one of the two, with the other one as it is and as it was."""
    larger = torch.maximum if call.name in ("maximum", "max") else torch.minimum
    x, other = ends[mine], other_ends[mine]
    total = torch.zeros_like(x)
    for rival in (ends[1 - mine], other_ends[1 - mine]):
        best = partial(larger, rival)
        total += multipliers.secant(best, x, other, best(x), best(other))
    return total / 2

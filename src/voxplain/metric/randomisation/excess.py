"""How much of the way from the gradient's likeness to sameness a map's likeness goes."""

from __future__ import annotations

import math

from voxplain.metric.figure import NAN, Figure

LIMIT = 0.5  # nearer to sameness than to the gradient
LEAST_ROOM = 1e-6  # between the gradient's likeness and 1; with less, nothing lies between the two


def excess(figure: Figure, reference: Figure | None) -> Figure:
    """``(v − g) / (1 − g)`` of a likeness v and that of the plain gradient g: 0 as the gradient, 1 as a map that ignores
    the weights.

    The gradient depends on every weight, so that its likeness is what architecture, image and region leave by
    themselves.

    Returns:
        replicate by replicate where both have them; NaN where there is no gradient, or where it hardly changes either.
    """
    if reference is None or math.isnan(reference.value) or 1 - reference.value < LEAST_ROOM:
        return Figure(NAN)
    again = None
    if figure.replicates is not None and reference.replicates is not None:
        room = 1 - reference.replicates
        again = (figure.replicates - reference.replicates) / room.clip(LEAST_ROOM)
    return Figure((figure.value - reference.value) / (1 - reference.value), again)


def below(found: Figure) -> bool | None:
    """Whether an excess is below the limit: with replicates all of their middle 95 % must be on one side."""
    if math.isnan(found.value):
        return None
    if found.replicates is None:
        return found.value < LIMIT
    low, high = found.interval
    return True if high < LIMIT else False if low > LIMIT else None

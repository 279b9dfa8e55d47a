"""Maps that know nothing of the network: what a metric says of them is what a map must beat."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from voxplain.engine import Problem
from voxplain.errors import InputError, suggest
from voxplain.metric.candidate import Candidate

SMOOTH = 1.5  # voxels; about as smooth as the maps of networks that pool


def null(name: str, problem: Problem) -> Candidate:
    """A null by name: ``zero``, ``constant``, ``random`` (smoothed noise, drawn with the problem's seed) or ``edges``.

    Raises:
        InputError: unknown name.
    """
    if name not in NULLS:
        raise InputError(f"null {name!r}: unknown; {suggest(name, NULLS)}")
    draw = NULLS[name]

    def values(target: int) -> Tensor:
        return problem.once(
            ("null", name, target if name == "random" else None), lambda: draw(problem, target)
        )

    return Candidate(name, values, frozenset(problem.present), "rank", null=True)


def _zero(problem: Problem, _: int) -> Tensor:
    return torch.zeros((1, *problem.spatial_shape), dtype=problem.dtype)


def _random(problem: Problem, target: int) -> Tensor:
    rng = np.random.default_rng([problem.seed, target, 0x0E])
    noise = rng.standard_normal(problem.image.shape, dtype=np.float32)
    smooth = np.stack([ndimage.gaussian_filter(channel, SMOOTH) for channel in noise])
    return torch.from_numpy(smooth).to(problem.dtype)


def _edges(problem: Problem, _: int) -> Tensor:
    """The image's own gradient: what a map shows that only traces outlines (Adebayo et al., 2018)."""
    image = problem.image.double().numpy()
    sigma = 1.0
    return torch.from_numpy(
        np.stack([ndimage.gaussian_gradient_magnitude(channel, sigma) for channel in image])
    ).to(problem.dtype)


def _constant(problem: Problem, _: int) -> Tensor:
    """No place before any other: what chance gives."""
    return torch.ones((1, *problem.spatial_shape), dtype=problem.dtype)


NULLS: dict[str, Callable[[Problem, int], Tensor]] = {
    "zero": _zero,
    "constant": _constant,
    "random": _random,
    "edges": _edges,
}

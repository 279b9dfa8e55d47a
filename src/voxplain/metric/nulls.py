"""Maps that know nothing of the network, or nothing but its form: what a metric says of them is what a map must beat."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import scipy
import torch
from torch import Tensor

from voxplain.engine import Problem
from voxplain.errors import InputError, suggest
from voxplain.metric.candidate import Candidate, judged
from voxplain.metric.identity import image_print
from voxplain.metric.reference import GRADIENT, reference, required

if TYPE_CHECKING:
    from voxplain.metric.metric import Metric

SMOOTH = 1.5  # voxels; about as smooth as the maps of networks that pool
RANDOM = "random"
DRAWS = 5  # random maps; the bound that they set is 2.3 standard deviations above their mean
HELD_BYTES = 256 << 20  # of random maps that are kept; others are drawn again
SALT = 0x0E


def null_candidates(problem: Problem, metric: Metric, draws: int = DRAWS) -> list[Candidate]:
    """All single nulls of a metric: ``random`` is ``random-1`` to ``random-K``, of other names there is one each.

    ``gradient`` costs one gradient of all targets, once per problem, and is left out where the network has none.

    Args:
        draws: K.

    Raises:
        InputError: K is less than one.
    """
    check_draws(draws)
    names = [single for name in metric.nulls for single in singles(name, draws)]
    return [null(name, problem) for name in names if name != GRADIENT or reference(problem) is not None]


def check_draws(draws: int) -> None:
    """Refuse less than one random map.

    Raises:
        InputError: see above.
    """
    if draws < 1:
        raise InputError(f"random_nulls: found {draws}, expected at least 1")


def singles(name: str, draws: int) -> list[str]:
    """Names of the maps that a null consists of.

    >>> singles("edges", 3), singles("random", 3)
    (['edges'], ['random-1', 'random-2', 'random-3'])
    """
    return [f"{RANDOM}-{k}" for k in range(1, draws + 1)] if name == RANDOM else [name]


def kind(single: str) -> str:
    """The null that a single one belongs to.

    >>> kind("random-3"), kind("edges")
    ('random', 'edges')
    """
    return RANDOM if single.startswith(f"{RANDOM}-") else single


def null(name: str, problem: Problem) -> Candidate:
    """A single null by name.

    - ``zero``, ``constant``;
    - ``random-K``: smoothed noise of the problem's seed, the image and the number K, the same for all targets;
    - ``edges``: the image's own gradient;
    - ``gradient``: the plain gradient of the network, the reference of metrics that change the network.

    Raises:
        InputError: unknown name.
        ModelError: ``gradient`` of a network that has none.
    """
    if name == GRADIENT:
        return judged(required(problem), GRADIENT, null=True)
    if kind(name) == RANDOM and name.removeprefix(f"{RANDOM}-").isdigit():
        number = int(name.removeprefix(f"{RANDOM}-"))
        return _same_for_all(name, problem, lambda: _random(problem, number))
    if name not in SAME:
        raise InputError(f"null {name!r}: unknown; {suggest(name, [*SAME, GRADIENT, f'{RANDOM}-1'])}")
    return _same_for_all(name, problem, lambda: problem.once(("null", name), lambda: SAME[name](problem)))


def _same_for_all(name: str, problem: Problem, make: Callable[[], Tensor]) -> Candidate:
    return Candidate(name, lambda _: make(), frozenset(problem.present), "rank", null=True)


def _random(problem: Problem, number: int) -> Tensor:
    """(1, *spatial) of a number from 1 on; kept with the problem as long as all up to it are small."""

    def drawn() -> Tensor:
        rng = np.random.default_rng([problem.seed, int(image_print(problem), 16), number, SALT])
        noise = rng.standard_normal(problem.spatial_shape, dtype=np.float32)
        return torch.from_numpy(scipy.ndimage.gaussian_filter(noise, SMOOTH)).to(problem.dtype)[None]

    size = problem.dtype.itemsize * int(np.prod(problem.spatial_shape))
    if number * size > HELD_BYTES:
        return drawn()
    return problem.once(("null", RANDOM, number), drawn)


def _zero(problem: Problem) -> Tensor:
    return torch.zeros((1, *problem.spatial_shape), dtype=problem.dtype)


def _edges(problem: Problem) -> Tensor:
    """The image's own gradient: what a map shows that only traces outlines (Adebayo et al., 2018)."""
    image = problem.image.double().numpy()
    sigma = 1.0
    return torch.from_numpy(
        np.stack([scipy.ndimage.gaussian_gradient_magnitude(channel, sigma) for channel in image])
    ).to(problem.dtype)


def _constant(problem: Problem) -> Tensor:
    """No place before any other: what chance gives."""
    return torch.ones((1, *problem.spatial_shape), dtype=problem.dtype)


SAME: dict[str, Callable[[Problem], Tensor]] = {"zero": _zero, "constant": _constant, "edges": _edges}
NULLS = (*SAME, RANDOM, GRADIENT)  # what a metric may name

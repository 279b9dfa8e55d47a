"""What comes in place of voxels that are taken out: a baseline, noise, or an in-fill from what is left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from voxplain.attribution.baseline import Baseline, check_baseline, parse_baseline
from voxplain.engine import Problem
from voxplain.errors import InputError
from voxplain.metric.faithfulness.infill import filled, neighbour_mean

Fill = Baseline | float | str | None
DEFAULTS = {"noise": 1.0, "infill": 0.01}  # standard deviations of the channel
SEED_SALT = 0xF111


@dataclass(frozen=True, eq=False)
class Filling:
    """What replaces voxels.

    Attributes:
        whole: (C, *spatial) the image of which nothing is left.
        alone: (C, *spatial) what a voxel becomes that is replaced alone.
        noise: (C, *spatial) added to an in-fill; ``None`` where every voxel becomes that of ``whole``.
    """

    whole: Tensor
    alone: Tensor
    noise: Tensor | None = None

    @property
    def is_infill(self) -> bool:
        """Whether a voxel's new value depends on which others are missing."""
        return self.noise is not None

    def image(self, problem: Problem, missing: NDArray[np.bool_]) -> Tensor:
        """The whole image with these voxels (*spatial) filled in from the others: (C, *spatial)."""
        assert self.noise is not None
        spacing = problem.prepared.spacing
        channels = [filled(channel, missing, spacing) for channel in problem.image.double().numpy()]
        out = torch.from_numpy(np.stack(channels)).to(problem.dtype)
        gone = torch.from_numpy(missing)
        return torch.where(gone, out + self.noise, problem.image)


def filling(problem: Problem, value: Fill) -> Filling:
    """A filling in the grammar of `check_filling`, made once per problem."""
    return problem.once(("filling", repr(value)), lambda: _made(problem, value))


def check_filling(value: Fill) -> None:
    """Refuse what is neither ``infill``, ``infill:SD``, ``noise``, ``noise:SD`` nor a baseline.

    ``noise`` is Gaussian about each channel's mean, ``infill`` the neighbours' weighted mean plus a little noise; SD
    is in standard deviations of the channel (1 and 0.01 by default).

    Raises:
        InputError: anything else.
    """
    if _own(value) is None:
        check_baseline(value)


def _own(value: Fill) -> tuple[str, float] | None:
    """Kind and size of a filling that is no baseline."""
    kind, _, argument = str(value).partition(":")
    if not isinstance(value, str) or kind not in DEFAULTS:
        return None
    try:
        size = float(argument) if argument else DEFAULTS[kind]
    except ValueError:
        size = float("nan")
    if not 0 <= size < float("inf"):
        raise InputError(
            f"baseline: found {value!r}, expected {kind} or {kind}:SD with SD in the channel's deviations"
        )
    return kind, size


def _made(problem: Problem, value: Fill) -> Filling:
    own = _own(value)
    if own is None:
        image = parse_baseline(value, problem)(problem)
        return Filling(image, image)
    kind, size = own
    axes = tuple(range(1, problem.image.dim()))
    deviation = problem.image.std(dim=axes, keepdim=True, correction=0)
    rng = np.random.default_rng([problem.seed, SEED_SALT])
    normal = torch.from_numpy(rng.standard_normal(tuple(problem.image.shape), dtype=np.float32))
    noise = size * deviation * normal.to(problem.dtype)
    whole = problem.image.mean(dim=axes, keepdim=True) + noise
    if kind == "noise":
        return Filling(whole, whole)
    spacing = problem.prepared.spacing
    alone = np.stack([neighbour_mean(channel, spacing) for channel in problem.image.double().numpy()])
    return Filling(whole, torch.from_numpy(alone).to(problem.dtype) + noise, noise)

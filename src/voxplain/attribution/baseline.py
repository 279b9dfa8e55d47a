"""What "nothing" looks like: the image against which an attribution is measured."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
import torch
from torch import Tensor, nn

from voxplain.case import Case
from voxplain.engine import Problem
from voxplain.errors import InputError
from voxplain.target.region import Region

# Norms computed from the very image that is explained make the network blind to its scale.
SCALE_BLIND = (
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.InstanceNorm3d,
    nn.GroupNorm,
    nn.LayerNorm,
)


class Baseline(ABC):
    """Makes a reference image for a problem, in the prepared image's units."""

    @abstractmethod
    def __call__(self, problem: Problem) -> Tensor:
        """(C, *spatial), like the prepared image."""

    @property
    @abstractmethod
    def is_constant(self) -> bool:
        """Whether every channel is one number: the case in which scale-blind networks jump."""

    def over(self, problem: Problem, parts: Sequence[Region]) -> Tensor:
        """What stands where these parts are absent, (C, *spatial); the same for any parts unless a baseline says so."""
        return self(problem)


@dataclass(frozen=True)
class Constant(Baseline):
    """One value everywhere."""

    value: float = 0.0
    is_constant = True

    def __call__(self, problem: Problem) -> Tensor:
        return torch.full_like(problem.image, self.value)


@dataclass(frozen=True)
class Minimum(Baseline):
    """Each channel's smallest value: air on CT, darkness on MR."""

    is_constant = True

    def __call__(self, problem: Problem) -> Tensor:
        return _per_channel(problem.image, problem.image.flatten(1).amin(1))


@dataclass(frozen=True)
class Mean(Baseline):
    """Each channel's mean value."""

    is_constant = True

    def __call__(self, problem: Problem) -> Tensor:
        return _per_channel(problem.image, problem.image.flatten(1).mean(1))


@dataclass(frozen=True)
class Blur(Baseline):
    """The image itself without its detail.

    Args:
        sigma: standard deviation of the Gaussian, in millimetres where the spacing is known, else in voxels
            (pixels); 4 voxels of the finest axis by default.
    """

    sigma: float | None = None
    is_constant = False

    def __call__(self, problem: Problem) -> Tensor:
        spacing = np.asarray(problem.prepared.spacing, dtype=float)
        sigma = 4.0 * spacing.min() if self.sigma is None else self.sigma
        if sigma <= 0:
            raise InputError(f"baseline blur: found sigma {sigma}, expected a positive length")
        image = problem.image.numpy()
        blurred = [
            scipy.ndimage.gaussian_filter(channel, sigma / spacing, mode="nearest") for channel in image
        ]
        return torch.from_numpy(np.stack(blurred)).to(problem.image.dtype)


@dataclass(frozen=True, eq=False)
class OtherCase(Baseline):
    """Another case's image, prepared in the same way; it must end up on the same grid."""

    case: Case
    is_constant = False

    def __call__(self, problem: Problem) -> Tensor:
        image = problem.model.prepare(self.case).image.to(problem.image.dtype)
        if image.shape != problem.image.shape:
            raise InputError(
                f"baseline case {self.case.id!r}: its prepared image is {tuple(image.shape)}, expected "
                f"{tuple(problem.image.shape)} as case {problem.case.id!r}; register or resample it first"
            )
        return image


def is_scale_blind(problem: Problem) -> bool:
    """Whether the network normalises by statistics of its own input (Instance-, Group- or LayerNorm)."""
    return any(
        isinstance(m, SCALE_BLIND) and not getattr(m, "track_running_stats", False)
        for m in problem.model.module.modules()
    )


def default_baseline(problem: Problem) -> Baseline:
    """Blur where the network is blind to scale, else the channels' minimum.

    On networks with Instance- or GroupNorm ``f(αx)`` hardly depends on α and jumps as α goes to 0, so that
    integrated gradients from a constant image miss most of the difference that they should explain.
    """
    return Blur() if is_scale_blind(problem) else Minimum()


def warn_if_scale_blind(problem: Problem, baseline: Baseline) -> str:
    """Warn of a path that starts at a constant image on a network that is blind to scale.

    Returns:
        The warning, for the notes of the answer too; empty where there is nothing to warn of.
    """
    if not (baseline.is_constant and is_scale_blind(problem)):
        return ""
    text = (
        "a constant baseline on a network with Instance-, Group- or LayerNorm: it is blind to scale and jumps at the "
        "end of the path, so expect a large completeness gap; baseline='blur' avoids it"
    )
    warnings.warn(text, stacklevel=2)
    return text


def describe(baseline: Baseline) -> str:
    """The baseline as the notes of an answer name it; another case by its id, without its image.

    >>> describe(Blur(4.0))
    'blur(sigma=4.0)'
    """
    text = repr(baseline) if not hasattr(baseline, "case") else f"OtherCase({baseline.case.id!r})"
    return text[0].lower() + text[1:]


def name_of(baseline: Baseline) -> str:
    """The baseline as `parse_baseline` reads it, for tables; another case by its id.

    >>> name_of(Constant(0.5)), name_of(Blur()), name_of(Blur(4.0)), name_of(Minimum())
    ('constant:0.5', 'blur', 'blur:4', 'minimum')
    """
    from voxplain.attribution.baselines.regional import Regional

    if isinstance(baseline, OtherCase):
        return f"case:{baseline.case.id}"
    if isinstance(baseline, Regional):
        return baseline.kind + _argument(baseline.width)
    if isinstance(baseline, Constant):
        return f"constant:{baseline.value:g}"
    if isinstance(baseline, Blur):
        return "blur" + _argument(baseline.sigma)
    return type(baseline).__name__.lower()


def _argument(value: float | None) -> str:
    return "" if value is None else f":{value:g}"


def parse_baseline(value: Baseline | float | str | None, problem: Problem) -> Baseline:
    """A baseline from the command line or YAML: a number, ``minimum``, ``mean``, ``blur``, ``blur:4`` or a file.

    For games of regions also ``local-mean`` and ``infill``, which fill every region from what surrounds it, with the
    surroundings' width in mm where it is given (``infill:6``).

    Raises:
        InputError: anything else.
    """
    if value is None or value == "auto":
        return default_baseline(problem)
    if isinstance(value, str) and value.startswith("case:"):
        from voxplain.case import read_case

        return OtherCase(read_case(value.removeprefix("case:")))
    return _named(value)


def check_baseline(value: Baseline | float | str | None) -> None:
    """Raise InputError where `parse_baseline` would, without reading files."""
    is_case = isinstance(value, str) and value.startswith("case:") and value != "case:"
    if value is not None and value != "auto" and not is_case:
        _named(value)


def _named(value: Baseline | float | str) -> Baseline:
    from voxplain.attribution.baselines.regional import Infill, LocalMean

    if isinstance(value, Baseline):
        return value
    kind, _, argument = str(value).partition(":")
    try:
        if kind == "blur":
            return Blur(float(argument) if argument else None)
        if kind in ("local-mean", "infill"):
            width = float(argument) if argument else None
            return LocalMean(width) if kind == "local-mean" else Infill(width)
        if kind in ("minimum", "mean") and not argument:
            return Minimum() if kind == "minimum" else Mean()
        return Constant(float(argument or 0) if kind == "constant" else float(value))
    except ValueError as error:
        raise InputError(
            f"baseline: found {value!r}, expected a number, 'minimum', 'mean', 'blur', 'blur:SIGMA_MM', "
            "'constant:VALUE', 'case:FILE', or for games of regions 'local-mean', 'infill' or 'infill:WIDTH_MM'"
        ) from error


def _per_channel(image: Tensor, values: Tensor) -> Tensor:
    shape = (-1, *(1,) * (image.dim() - 1))
    return values.reshape(shape).expand_as(image).clone()

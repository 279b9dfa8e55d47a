"""Deep dream: the user's image, with more of what a layer sees in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from voxplain.attribution.method import Method, Result, register
from voxplain.engine import Passes, Problem
from voxplain.engine.objective import LayerObjective
from voxplain.errors import InputError
from voxplain.model import Model


@register
@dataclass(frozen=True)
class DeepDream(Method):
    """Gradient ascent from the user's image on the mean square of a layer's activations, from coarse to fine.

    Mordvintsev et al. 2015, "Inceptionism". Every octave is the image at a smaller size; what was dreamt in one is
    carried to the next. The network always gets its own input size: a smaller image is continued by its mirror image,
    so that networks of a fixed size and sliding windows dream too. Every step
    goes along the gradient divided by its mean size; values stay within the prepared image's own range. The result
    is an image, the same for every target. ``energy_start`` and ``energy_reached`` are the layer's mean square at the
    user's image and at the dream, ``score_reached`` is the target's score at the dream.

    Args:
        layer: dotted name of a layer; by default the last of the deepest ones with a spatial output.
        strength: mean change of a step, as a share of each channel's range.
        steps: per octave.
        octaves: sizes.
        ratio: of the sizes of two octaves.
        jitter: voxels, at most, by which the image is moved round its edges before every step.
    """

    layer: str | None = None
    strength: float = 0.01
    steps: int = 10
    octaves: int = 3
    ratio: float = 1.4
    jitter: int = 8

    name: ClassVar[str] = "deep_dream"
    family: ClassVar[str] = "synthesis"
    title: ClassVar[str] = "Deep dream"
    source: ClassVar[str] = (
        "Mordvintsev et al. 2015, research.google/blog/inceptionism-going-deeper-into-neural-networks"
    )
    needs: ClassVar[tuple[str, ...]] = ("gradients", "layer")
    reads: ClassVar[str] = "no map: the image with more of what the layer responds to"
    random: ClassVar[bool] = True
    answer: ClassVar[str] = "image"
    trust: ClassVar[tuple[str, ...]] = ("energy_start", "energy_reached", "score_reached")

    def __post_init__(self) -> None:
        for parameter in ("steps", "octaves"):
            if getattr(self, parameter) < 1:
                raise InputError(
                    f"deep_dream: found {parameter}={getattr(self, parameter)}, expected at least 1"
                )
        if self.strength <= 0:
            raise InputError(f"deep_dream: found strength={self.strength}, expected a share above 0")
        if self.ratio <= 1:
            raise InputError(f"deep_dream: found ratio={self.ratio}, expected above 1")
        if self.jitter < 0:
            raise InputError(f"deep_dream: found jitter={self.jitter}, expected 0 or more")

    def check(self, model: Model) -> None:
        super().check(model)
        if self.layer is not None:
            model.layer(self.layer)

    def check_problem(self, problem: Problem) -> None:
        super().check_problem(problem)
        if torch.equal(*_range(problem.image)):
            raise InputError(
                "deep_dream: the prepared image is constant, so that it gives no range of values to stay in"
            )

    def cost(self, problem: Problem) -> Passes:
        """Every step a gradient on all windows; two energies, and the scores of image and dream."""
        known = self.layer is not None or problem.has_done("default layer")
        windows = len(problem.plan)
        gradients = self.octaves * self.steps * windows
        find = Passes(forward=(0 if known else 1) + gradients + 2 * windows, backward=gradients)
        return self._passes(problem, 0, 2) + find

    def compute(self, problem: Problem) -> Result:
        name = self.layer or problem.layer().name
        objective = LayerObjective(problem, name)
        low, high = _range(problem.image)
        with problem.runner.session():
            dream, still = self._dream(problem, objective, low, high)
            energies = objective.value(problem.image), objective.value(dream)
        scores, reached = problem.clean_scores(), problem.scores([dream])[0]
        result = Result(problem.store(), scores, "intensity of the prepared image", voxel_power=0)
        for t in problem.present:
            result.maps[t] = dream
            result.checks[t] = {
                "energy_start": energies[0],
                "energy_reached": energies[1],
                "score_reached": float(reached[t]),
            }
            result.notes[t] = f"layer {name}, the same for every target"
            if still:
                result.floor[t] = float("inf")
                result.notes[t] += "; no gradient came back from it, so that the image stayed as it was"
            elif energies[1] <= energies[0]:
                result.notes[t] += "; its energy did not rise: try a smaller strength"
        return result

    def _dream(
        self, problem: Problem, objective: LayerObjective, low: Tensor, high: Tensor
    ) -> tuple[Tensor, bool]:
        """The dream, and whether no step had a gradient."""
        rng, shape, still = np.random.default_rng([problem.seed, 3]), problem.spatial_shape, True
        pace = self.strength * (high - low)
        detail = torch.zeros_like(problem.image)
        for octave in reversed(range(self.octaves)):
            size = tuple(max(round(n / self.ratio**octave), min(n, 2)) for n in shape)
            base = resized(problem.image, size)
            x = base + resized(detail, size)
            for _ in range(self.steps):
                shift = [int(s) for s in rng.integers(-self.jitter, self.jitter + 1, size=len(shape))]
                gradient = _gradient(objective, x, shape, shift)
                mean = float(gradient.abs().mean())
                if mean > 0:
                    still = False
                    x = torch.minimum(torch.maximum(x + pace * gradient / mean, low), high)
            detail = x - base
        return torch.minimum(torch.maximum(problem.image + detail, low), high), still


def _gradient(objective: LayerObjective, x: Tensor, shape: tuple[int, ...], shift: list[int]) -> Tensor:
    """Of the energy of an image that is moved and continued to the network's size, with respect to the image."""
    axes = tuple(range(1, x.dim()))
    leaf = x.detach().requires_grad_()
    with torch.enable_grad():
        whole = mirrored(torch.roll(leaf, shift, axes), shape)
    _, gradient = objective.gradient(whole.detach())
    return torch.autograd.grad(whole, leaf, gradient)[0]


def resized(image: Tensor, size: tuple[int, ...]) -> Tensor:
    """(C, *spatial) -> (C, *size), linearly; smaller sizes without aliasing."""
    if tuple(image.shape[1:]) == size:
        return image
    smaller = all(a <= b for a, b in zip(size, image.shape[1:], strict=True))
    if smaller:
        return F.interpolate(image[None], size=size, mode="area")[0]
    mode = {2: "bilinear", 3: "trilinear"}[len(size)]
    return F.interpolate(image[None], size=size, mode=mode, align_corners=False)[0]


def mirrored(image: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The image in the corner of a larger one, continued by its mirror image: (C, *small) -> (C, *shape).

    >>> mirrored(torch.tensor([[1, 2, 3]]), (8,))
    tensor([[1, 2, 3, 3, 2, 1, 1, 2]])
    """
    for axis, (have, want) in enumerate(zip(image.shape[1:], shape, strict=True), start=1):
        if want > have:
            place = torch.arange(want) % (2 * have)
            image = image.index_select(axis, torch.minimum(place, 2 * have - 1 - place))
    return image


def _range(image: Tensor) -> tuple[Tensor, Tensor]:
    """Smallest and largest value of every channel: (C, 1, ...) each."""
    column = (-1, *(1,) * (image.dim() - 1))
    flat = image.flatten(1)
    return flat.amin(1).reshape(column), flat.amax(1).reshape(column)

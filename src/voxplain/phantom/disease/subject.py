"""One subject twice: healthy, and with a disease that is a known flow of the tissue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voxplain.case import Case
from voxplain.errors import InputError, suggest
from voxplain.phantom.acquisition import check_amounts
from voxplain.phantom.disease.anatomy import DISEASE_CLASSES, EXTENT, SIDES, Anatomy, draw_anatomy
from voxplain.phantom.disease.flow import Bump, flow
from voxplain.phantom.grid import Grid, make_grid

Floats = NDArray[np.float32]

RATES = {"left": 0.45, "right": -0.45}  # the ventricle grows, the nucleus shrinks
SIGMA = 15.0  # mm
EDGE = 0.35  # voxels: how soft borders are


@dataclass(frozen=True, eq=False)
class DiseasedSubject:
    """The same subject with and without the disease, and the exact map between the two.

    Attributes:
        healthy: image and label (DISEASE_CLASSES) without the disease.
        diseased: with it; the noise is the same, the tissue has moved.
        severity: how far it has moved.
        sides: what the disease affects.
        noise_free: both images without noise, healthy first, each (*S).
    """

    healthy: Case
    diseased: Case
    severity: float
    sides: tuple[str, ...]
    noise_free: tuple[Floats, Floats]
    _grid: Grid
    _bumps: dict[str, Bump]

    def truth(self, towards: str = "disease", sides: Sequence[str] | None = None) -> tuple[Floats, Floats]:
        """The forward map of getting ill, on the healthy image's grid, or of recovering, on the diseased one's.

        Args:
            towards: ``"disease"`` or ``"healthy"``.
            sides: only this part of the disease, such as what a classifier looks at; by default all of it.

        Returns:
            the displacement (D, *S) in voxels, and the logarithm of its Jacobian determinant (*S).

        Raises:
            InputError: an unknown direction or side.
        """
        signs = {"disease": 1.0, "healthy": -1.0}
        if towards not in signs:
            raise InputError(f"towards: found {towards!r}, expected disease or healthy")
        asked = _known_sides(self.sides if sides is None else sides)
        return _map(
            self._grid, [self._bumps[s] for s in asked if s in self.sides], signs[towards] * self.severity
        )


def diseased_subject(
    shape: Sequence[int] = (32, 32),
    *,
    seed: int,
    subject: int = 0,
    sides: Sequence[str] = ("left", "right"),
    severity: float | tuple[float, float] = (0.7, 1.3),
    spacing: float | Sequence[float] | None = None,
    orientation: str = "RAS",
    affine: ArrayLike | None = None,
    bend: float = 3.0,
    jitter: float = 3.0,
    texture: float = 0.06,
    noise: float = 0.02,
) -> DiseasedSubject:
    """A subject with a ventricle (left) that a disease enlarges and a nucleus (right) that it shrinks.

    The disease is the flow exp(severity · v) of a known velocity v: a Gaussian bump around each structure's centre in this
    subject, of rate 0.45 on the left and −0.45 on the right and σ = 15 mm in a field of view of 200 mm. Images are functions
    of position: the diseased one is the healthy one at the place where the flow comes from, so no interpolation blurs the
    truth. Subjects differ by a smooth deformation, places and sizes of the structures, texture and severity.

    Args:
        shape: 2 or 3 numbers of voxels.
        seed: of the whole data set; same seed, same bits.
        subject: number of the subject, from 0.
        sides: what the disease affects: "left", "right" or both.
        severity: of the disease, or the range it is drawn from; 0 is none.
        spacing: voxel edges (mm); None: 200 mm fill the grid.
        orientation: where the axes run, e.g. "LPS".
        affine: (4, 4) voxel -> RAS mm, instead of spacing and orientation.
        bend: mm (standard deviation) of the smooth deformation that makes subjects differ.
        jitter: mm by which structures are moved at most, and per cent by which they are resized.
        texture: standard deviation of the smooth brightness within the body (which is 0.55 bright).
        noise: standard deviation of Gaussian noise.

    Raises:
        InputError: numbers that cannot be, unknown sides.

    >>> pair = diseased_subject((24, 24), seed=0, subject=3, severity=1.0)
    >>> displacement, log_jacobian = pair.truth("disease")
    >>> displacement.shape, [round(float(log_jacobian[pair.healthy.label == k].mean()), 2) for k in (2, 3)]
    ((2, 24, 24), [0.39, -0.63])
    """
    check_amounts(bend=bend, jitter=jitter, texture=texture, noise=noise)
    asked = _known_sides(sides)
    grid = make_grid(
        shape, spacing=spacing, orientation=orientation, affine=affine, center=(0.0, 0.0, 0.0), extent=EXTENT
    )
    person = draw_anatomy(seed, subject, bend=bend, jitter=jitter, contrast=texture)
    amount = drawn_severity(severity, np.random.default_rng([seed, subject, 2]))
    bumps = {side: Bump(person.center(SIDES[side], grid), RATES[side], SIGMA) for side in SIDES}
    grain = np.random.default_rng([seed, subject, 3]).normal(scale=noise, size=grid.shape) if noise else 0.0
    doses = {"healthy": 0.0, "diseased": amount}
    used = [bumps[side] for side in asked]
    clean = {name: _seen(grid, person, used, dose) for name, dose in doses.items()}
    healthy, diseased = (
        Case(
            id=f"disease-{len(grid.shape)}d-{subject:04d}-{name}",
            image=np.asarray(image + grain, dtype=np.float32)[None],
            geometry=grid.geometry,
            label=label,
            meta={
                "phantom": "disease", "seed": seed, "subject": subject, "severity": doses[name], "sides": list(asked),
                "classes": list(DISEASE_CLASSES),
                "parameters": {**grid.describe(), "bend": bend, "jitter": jitter, "texture": texture, "noise": noise},
            },
        )
        for name, (image, label) in clean.items()
    )  # fmt: skip
    return DiseasedSubject(
        healthy, diseased, amount, asked, (clean["healthy"][0], clean["diseased"][0]), grid, bumps
    )


def _seen(
    grid: Grid, person: Anatomy, bumps: Sequence[Bump], dose: float
) -> tuple[Floats, NDArray[np.int32]]:
    """Image and label, each voxel looked up where its tissue comes from."""
    points = grid.points()
    origin = flow(bumps, points.astype(np.float64), -dose, len(grid.shape))[0].astype(np.float32)
    return person.image(origin, EDGE * grid.voxel_mm / grid.scale), person.label(origin)


def _map(grid: Grid, bumps: Sequence[Bump], dose: float) -> tuple[Floats, Floats]:
    dims = len(grid.shape)
    start = grid.points().astype(np.float64)
    there, growth = flow(bumps, start, dose, dims)
    voxels = np.tensordot(np.linalg.inv(grid.linear / grid.scale)[:dims], there - start, axes=1)
    return voxels.astype(np.float32), growth.astype(np.float32)


def _known_sides(sides: Sequence[str]) -> tuple[str, ...]:
    asked = (sides,) if isinstance(sides, str) else tuple(sides)
    for side in asked:
        if side not in SIDES:
            raise InputError(f"sides: {side!r} is unknown; {suggest(side, SIDES)}")
    return asked


def drawn_severity(given: float | tuple[float, float], rng: np.random.Generator) -> float:
    """A number as it is, or one from the range (smallest, largest).

    Raises:
        InputError: a negative one, or no range.
    """
    low, high = (given, given) if isinstance(given, (int, float)) else given
    if not 0 <= low <= high < np.inf:
        raise InputError(
            f"severity: {given!r} is not usable; a number from 0, or (smallest, largest), would be"
        )
    return float(rng.uniform(low, high))

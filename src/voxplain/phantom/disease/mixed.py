"""One disease of two kinds under strong nuisance: what principal components do not solve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voxplain.case import Case
from voxplain.errors import InputError
from voxplain.phantom.acquisition import bias_field, check_amounts
from voxplain.phantom.disease.anatomy import DISEASE_CLASSES, EXTENT, SIDES, Anatomy, draw_anatomy
from voxplain.phantom.disease.flow import Bump, flow
from voxplain.phantom.disease.lesions import Spot, draw_spots, together
from voxplain.phantom.disease.subject import EDGE, RATES, SIGMA, drawn_severity
from voxplain.phantom.grid import Grid, make_grid

Floats = NDArray[np.float32]
Kind = Literal["atrophy", "lesions"]

KINDS: tuple[Kind, ...] = get_args(Kind)
MIXED_CLASSES = (*DISEASE_CLASSES, "lesion")
_LESION = 0.3  # brightness that a spot of severity 1 adds to the body's 0.55
_REACH = 4.0  # σ around a structure beyond which its flow moves less than 0.01 mm


@dataclass(frozen=True, eq=False)
class MixedSubject:
    """The same subject with and without the disease, seen by the same scanner.

    Attributes:
        healthy: image and label (MIXED_CLASSES) without the disease.
        diseased: with it; anatomy, bias, gain and noise are the same.
        kind: "atrophy": the ventricle grows and the nucleus shrinks; "lesions": two to four bright spots.
        severity: how much of it there is.
        noise_free: both images without noise, healthy first, each (*S).
        support: (*S) where the disease can change anything.
    """

    healthy: Case
    diseased: Case
    kind: Kind
    severity: float
    noise_free: tuple[Floats, Floats]
    support: NDArray[np.bool_]

    @property
    def effect(self) -> Floats:
        """(*S) diseased − healthy: the change of brightness that an explanation should find, with this sign."""
        return self.noise_free[1] - self.noise_free[0]


def mixed_subject(
    shape: Sequence[int] = (32, 32),
    *,
    seed: int,
    subject: int = 0,
    kind: Kind | None = None,
    severity: float | tuple[float, float] = (1.0, 1.6),
    spacing: float | Sequence[float] | None = None,
    orientation: str = "RAS",
    affine: ArrayLike | None = None,
    bend: float = 5.0,
    jitter: float = 4.0,
    texture: float = 0.06,
    bias: float = 0.15,
    gain: float = 0.2,
    noise: float = 0.03,
) -> MixedSubject:
    """A subject of `diseased_subject`'s anatomy, harder to explain in three ways.

    The disease has two kinds that share nothing but the name. Lesions lie where chance puts them, so that no direction in
    the space of images removes those of two subjects. And what makes healthy subjects differ is larger than the disease:
    anatomy, a bias field, and a gain, so that neither variance nor brightness tells who is ill.

    Which lesions a healthy subject would get, nothing in its image tells; from the diseased image to the healthy one there
    is one right answer.

    Args:
        shape: 2 or 3 numbers of voxels.
        seed: of the whole data set; same seed, same bits.
        subject: number of the subject, from 0.
        kind: of the disease; None draws it.
        severity: of the disease, or the range it is drawn from; 0 is none.
        spacing: voxel edges (mm); None: 200 mm fill the grid.
        orientation: where the axes run, e.g. "LPS".
        affine: (4, 4) voxel -> RAS mm, instead of spacing and orientation.
        bend: mm (standard deviation) of the smooth deformation that makes subjects differ.
        jitter: mm by which structures are moved at most, and per cent by which they are resized.
        texture: standard deviation of the smooth brightness within the body (which is 0.55 bright).
        bias: standard deviation of the logarithm of a smooth field that multiplies the image.
        gain: share by which the whole image is brighter or darker at most.
        noise: standard deviation of Gaussian noise.

    Raises:
        InputError: numbers that cannot be, an unknown kind.

    >>> pair = mixed_subject((24, 24), seed=0, subject=3, kind="lesions", severity=1.0)
    >>> bool((pair.effect[~pair.support] == 0).all()), round(float(pair.effect.max()), 1)
    (True, 0.3)
    """
    check_amounts(bend=bend, jitter=jitter, texture=texture, bias=bias, gain=gain, noise=noise)
    if kind is not None and kind not in KINDS:
        raise InputError(f"kind: found {kind!r}, expected {' or '.join(KINDS)}, or None")
    if gain >= 1:
        raise InputError(f"gain: {gain!r} is not usable; a share below 1 would be")
    grid = make_grid(
        shape, spacing=spacing, orientation=orientation, affine=affine, center=(0.0, 0.0, 0.0), extent=EXTENT
    )
    person = draw_anatomy(seed, subject, bend=bend, jitter=jitter, contrast=texture)
    amount = drawn_severity(severity, np.random.default_rng([seed, subject, 2]))
    drawn = KINDS[int(np.random.default_rng([seed, subject, 5]).integers(len(KINDS)))]
    own = _Disease(person, grid, kind or drawn, np.random.default_rng([seed, subject, 6]))
    grain = np.random.default_rng([seed, subject, 3]).normal(scale=noise, size=grid.shape) if noise else 0.0
    scanner = _scanner(grid, bias, gain, np.random.default_rng([seed, subject, 7]))
    doses = {"healthy": 0.0, "diseased": amount}
    clean = {name: own.seen(dose) for name, dose in doses.items()}
    images = {name: np.asarray(scanner * image, dtype=np.float32) for name, (image, _) in clean.items()}
    told = {"bend": bend, "jitter": jitter, "texture": texture, "bias": bias, "gain": gain, "noise": noise}
    healthy, diseased = (
        Case(
            id=f"mixed-{len(grid.shape)}d-{subject:04d}-{name}",
            image=np.asarray(images[name] + grain, dtype=np.float32)[None],
            geometry=grid.geometry,
            label=clean[name][1],
            meta={
                "phantom": "mixed disease", "seed": seed, "subject": subject, "kind": own.kind, "severity": dose,
                "classes": list(MIXED_CLASSES), "parameters": {**grid.describe(), **told},
            },
        )
        for name, dose in doses.items()
    )  # fmt: skip
    pair = (images["healthy"], images["diseased"])
    return MixedSubject(healthy, diseased, own.kind, amount, pair, own.support())


class _Disease:
    """What one subject has, at any dose."""

    def __init__(self, person: Anatomy, grid: Grid, kind: Kind, rng: np.random.Generator) -> None:
        self.person, self.grid, self.kind = person, grid, kind
        centers = {side: person.center(name, grid) for side, name in SIDES.items()}
        self.bumps = [Bump(c, RATES[side], SIGMA) for side, c in centers.items() if kind == "atrophy"]
        self.spots: tuple[Spot, ...] = draw_spots(rng, person, grid) if kind == "lesions" else ()

    def seen(self, dose: float) -> tuple[Floats, NDArray[np.int32]]:
        """Image and label (*S), each voxel looked up where its tissue comes from."""
        points = self.grid.points()
        origin = flow(self.bumps, points.astype(np.float64), -dose, len(self.grid.shape))[0].astype(
            np.float32
        )
        spots = together(self.spots, points) if dose else np.zeros(points.shape[1:], np.float32)
        image = self.person.image(origin, EDGE * self.grid.voxel_mm / self.grid.scale)
        label = self.person.label(origin)
        label[(spots > 0.5) & (label > 0)] = MIXED_CLASSES.index("lesion")
        return image + np.float32(_LESION * dose) * spots, label

    def support(self) -> NDArray[np.bool_]:
        """(*S) where a dose can change the image."""
        points = self.grid.points()
        out = together(self.spots, points) > 0
        for bump in self.bumps:
            away = points - np.reshape(bump.center, (3,) + (1,) * (points.ndim - 1))
            out |= (away**2).sum(axis=0) < (_REACH * bump.sigma) ** 2
        return np.asarray(out)


def _scanner(grid: Grid, bias: float, gain: float, rng: np.random.Generator) -> Floats:
    """(*S) by which brightness is multiplied."""
    level = np.float32(1 + gain * rng.uniform(-1, 1))
    return np.asarray(level * bias_field(grid, grid.points(), bias, rng), dtype=np.float32)

"""Who is imaged in the tumour phantom: a head with one mass at each of three sites, and a scanner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from voxplain.phantom.head import Head, draw_head
from voxplain.phantom.tumour_shapes import SHAPES, Mass, Point

TUMOUR_CLASSES = ("healthy", "ring", "striped", "granular")

# Where each tumour grows and what its outline is. Decoys at these sites have the same outlines.
PLACES: Mapping[str, str] = {"ring": "deep", "striped": "surface", "granular": "base"}
_OUTLINES: Mapping[str, str] = {"deep": "oval", "surface": "lobulated", "base": "round"}

RADIUS = (21.5, 26.0)  # mm
MEAN, SPREAD = (880.0, 1000.0), (140.0, 180.0)  # of the values in a mass, in the units of T1
_LEVEL = (-2.0, 9.0)  # mm above the origin: the axial plane around which a patient's masses lie
_GAP = 3.0  # mm between masses
_TRIES = 200


@dataclass(frozen=True)
class Scanner:
    """How a site's images differ from another's.

    Attributes:
        bias: standard deviation of the logarithm of the receive field.
        noise: sigma of the Rician noise.
        gamma: exponent of the intensities, 1 for none.
        gain: factor of the intensities.
    """

    bias: float
    noise: float
    gamma: float
    gain: float


SITES: Mapping[str, Scanner] = {
    "north": Scanner(bias=0.06, noise=18.0, gamma=1.0, gain=1.0),
    "south": Scanner(bias=0.14, noise=30.0, gamma=0.85, gain=1.2),
    "west": Scanner(bias=0.10, noise=24.0, gamma=1.15, gain=0.85),
}


@dataclass(frozen=True)
class Patient:
    """One person, whatever their class: what is a tumour in one class is a decoy in the others.

    Attributes:
        head: the anatomy.
        level: height (mm) of the axial plane around which the masses lie.
        masses: by place: "deep", "surface" and "base".
        values: by place, mean and standard deviation of the values in the mass.
    """

    head: Head
    level: float
    masses: Mapping[str, Mass]
    values: Mapping[str, tuple[float, float]]


def assigned(seed: int, patient: int) -> tuple[str, str]:
    """Class and site of a patient: among patients 12 n to 12 n + 11, each pair occurs once, in random order.

    >>> sorted({assigned(0, n) for n in range(12)}) == sorted((c, s) for c in TUMOUR_CLASSES for s in SITES)
    True
    """
    pairs = [(kind, site) for kind in TUMOUR_CLASSES for site in SITES]
    block, number = divmod(patient, len(pairs))
    order = np.random.default_rng([seed, 0, block]).permutation(len(pairs))
    return pairs[int(order[number])]


def draw_patient(seed: int, patient: int) -> Patient:
    """Draw a person; the class is not asked for, so that nothing but the masses' patterns can depend on it."""
    head = draw_head(np.random.default_rng([seed, 1, patient]))
    rng = np.random.default_rng([seed, 2, patient])
    level = float(rng.uniform(*_LEVEL))
    radii = {place: float(rng.uniform(*RADIUS)) for place in _OUTLINES}
    centers = _centers(head, level, radii, rng)
    masses = {
        place: SHAPES[outline](centers[place], radii[place], rng) for place, outline in _OUTLINES.items()
    }
    values = {place: (float(rng.uniform(*MEAN)), float(rng.uniform(*SPREAD))) for place in _OUTLINES}
    return Patient(head, level, masses, values)


def _centers(
    head: Head, level: float, radii: Mapping[str, float], rng: np.random.Generator
) -> dict[str, Point]:
    """Centres that keep the masses apart."""
    for _ in range(_TRIES):
        side = float(rng.choice([-1.0, 1.0]))
        rises = rng.uniform(-3, 3, 3)
        deep = (side * rng.uniform(28, 36), rng.uniform(-42, -28), level + rises[0])
        base = (rng.uniform(-6, 6), rng.uniform(16, 30), level + rises[1])
        surface = _at_surface(head, level + rises[2], radii["surface"], rng)
        centers = {"deep": deep, "surface": surface, "base": base}
        if _apart(centers, radii):
            return centers
    raise AssertionError("no room for the masses; the ranges of their places must be wrong")


def _at_surface(head: Head, height: float, radius: float, rng: np.random.Generator) -> Point:
    """A centre from which a mass just reaches the inner surface of the skull, anywhere around the brain."""
    angle = rng.uniform(0, 2 * np.pi)
    outwards = np.array([np.cos(angle), np.sin(angle), 0.0])
    start = np.array([0.0, head.hull.center[1], height])
    steps = np.linspace(0, 100, 201)
    ray = (start[:, None] + outwards[:, None] * steps).astype(np.float32)
    far = steps[np.flatnonzero(head.hull.depth(ray) > radius + 6)[-1]]
    x, y, z = (float(v) for v in start + far * outwards)
    return x, y, z


def _apart(centers: Mapping[str, Point], radii: Mapping[str, float]) -> bool:
    """Whether no mass comes near another, even with its longest axis or lobes."""
    names = list(centers)
    reach = {"deep": 1.15, "surface": 1.1, "base": 1.0}
    return all(
        np.linalg.norm(np.subtract(centers[a], centers[b])) > radii[a] * reach[a] + radii[b] * reach[b] + _GAP
        for i, a in enumerate(names)
        for b in names[:i]
    )

"""What masses look like inside: patterns that arrange the same values in different ways.

Brightness must not tell a tumour from a decoy. Hence a pattern only says which voxels come before which; the values are
handed out in that order, and they are the same ones whatever the pattern.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from voxplain.phantom.tumour_shapes import Mass
from voxplain.phantom.waves import Waves

Floats = NDArray[np.float32]
Pattern = Callable[[Floats], Floats]

STRIPE_MM = 11.0  # from one bright stripe to the next
GRAIN_MM = 9.0
FINEST_MM = min(STRIPE_MM, GRAIN_MM)
SMOOTH_MM = 75.0  # longer than any mass: from one end to the other, at most about one rise or fall
_RIM, _RIM_MM = (
    0.78,
    5.5,
)  # where the rim is brightest, in units of the radius, and how far it reaches to both sides
_MOTTLE = 0.35  # how much of a ring is mottled; the rim itself rises by 2
_SHAPE = 0.8  # of the beta distribution of the values: below 1, extremes are more frequent than the middle


def ring(mass: Mass, rng: np.random.Generator) -> Pattern:
    """A bright, thin, uneven rim between a dark border and a dark core, all mottled."""
    uneven, mottled = Waves.draw(rng, 30.0, 16), Waves.draw(rng, GRAIN_MM, 32, stretch=(1.0, 1.0, 3.0))

    def pattern(points: Floats) -> Floats:
        radius = np.sqrt(mass.hull.level(points)) + np.float32(0.03) * uneven(points)
        away = np.minimum(np.abs(radius - np.float32(_RIM)) * np.float32(mass.radius), np.float32(_RIM_MM))
        rim = np.cos(np.float32(np.pi / _RIM_MM) * away)
        return np.asarray(rim + np.float32(_MOTTLE) * mottled(points))

    return pattern


def striped(mass: Mass, rng: np.random.Generator) -> Pattern:
    """Bright and dark bands, slightly bent, that run through the axial plane in one direction."""
    angle, start = rng.uniform(0, np.pi), np.float32(rng.uniform(0, 2 * np.pi))
    direction = np.array([np.cos(angle), np.sin(angle), 0.0], dtype=np.float32)
    bend = Waves.draw(rng, 60.0, 16)
    center = np.asarray(mass.hull.center, dtype=np.float32)

    def pattern(points: Floats) -> Floats:
        along = np.tensordot(direction, points, axes=1) - direction @ center
        phase = np.float32(2 * np.pi / STRIPE_MM) * along + start + np.float32(0.8) * bend(points)
        return np.asarray(np.cos(phase), dtype=np.float32)

    return pattern


def granular(mass: Mass, rng: np.random.Generator) -> Pattern:
    """Fine grains without any direction, the same everywhere: from afar, homogeneous."""
    del mass
    return Waves.draw(rng, GRAIN_MM, 32, stretch=(1.0, 1.0, 3.0))


def smooth(mass: Mass, rng: np.random.Generator) -> Pattern:
    """One slow rise or fall: what decoys have, at every site."""
    del mass
    return Waves.draw(rng, SMOOTH_MM, 24)


PATTERNS: Mapping[str, Callable[[Mass, np.random.Generator], Pattern]] = {
    "ring": ring,
    "striped": striped,
    "granular": granular,
    "smooth": smooth,
}


def handed_out(order: Floats, mean: float, spread: float) -> Floats:
    """Values (n,) for n voxels: always the same ones for the same n, the largest where `order` (n,) is largest.

    They are the quantiles of a symmetric beta distribution with this mean and standard deviation.
    """
    count = len(order)
    ranks = np.empty(count)
    ranks[np.argsort(order, kind="stable")] = (np.arange(count) + 0.5) / max(count, 1)
    scaled = (beta.ppf(ranks, _SHAPE, _SHAPE) - 0.5) * np.sqrt(4 * (2 * _SHAPE + 1))
    return np.asarray(mean + spread * scaled, dtype=np.float32)

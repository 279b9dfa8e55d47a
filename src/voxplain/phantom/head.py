"""The anatomy of the brain phantom: which tissue lies where, as a function of position."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from voxplain.phantom.ellipsoid import Ellipsoid, jittered
from voxplain.phantom.waves import Waves, warp

Floats = NDArray[np.float32]

BRAIN_CLASSES = (
    "background", "scalp", "skull", "csf", "grey matter", "white matter", "ventricles",
    "hippocampus left", "hippocampus right", "lesion",
)  # fmt: skip
REGIONS = ("hippocampus", "hippocampus left", "hippocampus right", "ventricles", "cortex")

EXTENT = (190.0, 228.0, 204.0)  # mm along R, A, S

# Life-size shapes in mm (R, A, S); the right side is x > 0.
_HULL = Ellipsoid((0, -4, -1), (73, 92, 76))
_CEREBRUM = Ellipsoid((0, 0, 10), (67, 84, 60))
_TEMPORAL = Ellipsoid((44, 10, -26), (22, 36, 22))
_CEREBELLUM = Ellipsoid((0, -52, -42), (50, 29, 25))
_STEM = Ellipsoid((0, -24, -46), (12, 12, 38), (-12, 0, 0))
_HIPPOCAMPUS = Ellipsoid((27, -20, -13), (6.0, 20.0, 6.5), (14, 0, 12))
_VENTRICLES = (
    Ellipsoid((12, 8, 14), (6.5, 26, 8), (-8, 0, -10)),  # frontal horn and body
    Ellipsoid((22, -28, 9), (6, 16, 9), (0, 0, 25)),  # atrium
)
_THIRD = Ellipsoid((0, -8, 0), (2.5, 14, 9))
_DEEP_GREY = (
    Ellipsoid((12, -16, 4), (8, 14, 9), (0, 0, -18)),  # thalamus
    Ellipsoid((27, 6, 1), (7.5, 17, 10), (0, 0, -10)),  # putamen
    Ellipsoid((14, 16, 5), (5, 12, 9), (0, 0, -14)),  # caudate
)


@dataclass(frozen=True)
class Head:
    """One person's head.

    Attributes:
        person: generator state for the gross shape, so that evaluation can be repeated.
        hull: inner surface of the skull.
        folds: field whose zero surfaces are the sulci.
        folia: the same for the cerebellum.
        ventricles: bright or dark fluid inside.
        hippocampi: left and right, as they are now.
        healthy: left and right, before any atrophy.
        deep: deep grey matter.
        cortex: thickness (mm).
        loss: cortex lost from outside (mm).
    """

    person: int
    hull: Ellipsoid
    folds: Waves
    folia: Waves
    ventricles: tuple[Ellipsoid, ...]
    hippocampi: tuple[Ellipsoid, Ellipsoid]
    healthy: tuple[Ellipsoid, Ellipsoid]
    deep: tuple[Ellipsoid, ...]
    cortex: float
    loss: float = 0.0

    def with_atrophy(self, region: str, dose: float) -> Head:
        """The same head after loss of a dose in [0, 1]; more dose, nested regions."""
        if region == "ventricles":
            return replace(self, ventricles=tuple(v.grown(1 + 1.5 * dose) for v in self.ventricles))
        if region == "cortex":
            return replace(self, loss=1.4 * dose)
        left, right = self.hippocampi
        sides = (region != "hippocampus right", region != "hippocampus left")
        kept = [h.grown(1 - dose / 2) if hit else h for h, hit in zip((left, right), sides, strict=True)]
        return replace(self, hippocampi=(kept[0], kept[1]))

    def regions(self) -> dict[str, tuple[Ellipsoid, ...]]:
        """The named ellipsoids."""
        return {
            "ventricles": self.ventricles,
            "hippocampus left": (self.hippocampi[0],),
            "hippocampus right": (self.hippocampi[1],),
        }

    def label(self, points: Floats, *, skull: bool = True) -> NDArray[np.int32]:
        """Class (index into BRAIN_CLASSES) at life-size points (3, ...) in mm, before lesions."""
        index = {name: np.int32(i) for i, name in enumerate(BRAIN_CLASSES)}
        # Only the brain's gross shape is bent; ellipsoids with a stated volume stay what they are.
        bent = warp(points, np.random.default_rng(self.person), 1.2, 70.0)
        shell = self.hull.depth(bent)
        label = np.zeros(points.shape[1:], dtype=np.int32)
        if skull:
            label[shell > -13.5] = index["scalp"]
            label[shell > -7.5] = index["skull"]
        pial, brain = self._depth_below_pia(points, bent)
        pial = np.minimum(pial, shell - 1.0)
        label[(shell >= 0) & (brain > -5.0)] = index["csf"]
        if skull:
            label[(shell >= 0) & (brain <= -5.0)] = index["skull"]  # the base of the skull
        else:
            label[brain < -1.5] = index["background"]
        label[pial >= self.loss] = index["grey matter"]
        label[pial >= self.cortex] = index["white matter"]
        for part in self.deep:
            label[part.inside(points)] = index["grey matter"]
        label[np.logical_or.reduce([v.inside(points) for v in self.ventricles])] = index["ventricles"]
        label[_THIRD.inside(points)] = index["ventricles"]
        for name, healthy, now in zip(BRAIN_CLASSES[7:9], self.healthy, self.hippocampi, strict=True):
            label[healthy.inside(points)] = index["csf"]  # what shrinks leaves fluid behind
            label[now.inside(points)] = index[name]
        return label

    def _depth_below_pia(self, points: Floats, bent: Floats) -> tuple[Floats, Floats]:
        """Depth (mm) below the folded surface, and below the smooth envelope of the brain."""
        x = bent[0]
        sides = [_CEREBRUM.depth(bent), _TEMPORAL.depth(bent), _mirror(_TEMPORAL).depth(bent)]
        cerebrum = np.max(sides, axis=0)
        # Sulci: sheets about 20 mm deep along the zeros of the field.
        deeper = np.maximum(cerebrum - 19.0, 0)
        sulcus = np.hypot(self.folds.distance(bent), deeper) - 0.55
        # The fissure between the hemispheres ends around the corpus callosum and the thalami.
        callosum = Ellipsoid((0, -6, 6), (60, 52, 24)).depth(bent)
        fissure = np.hypot(x, np.maximum(callosum, 0)) - 0.8
        folded = np.minimum(np.minimum(cerebrum, sulcus), fissure)
        cerebellum = _CEREBELLUM.depth(bent)
        leaf = np.hypot(self.folia.distance(bent), np.maximum(cerebellum - 9.0, 0)) - 0.3
        stem = _STEM.depth(bent) + self.cortex - 0.8  # the brainstem is white matter nearly to its surface
        leaved = np.minimum(cerebellum, leaf)
        folded = np.where(cerebellum > np.maximum(cerebrum, 0), leaved, folded)
        pial = np.maximum(folded, np.where(stem > self.cortex - 0.8, stem, -np.inf))
        return pial.astype(np.float32), np.max([cerebrum, cerebellum, stem], axis=0)


def draw_head(rng: np.random.Generator) -> Head:
    """Draw a person: folds, sizes and positions."""

    def both(part: Ellipsoid) -> tuple[Ellipsoid, Ellipsoid]:
        mine = [jittered(p, rng, shift=1.0, size=0.06, turn=3.0) for p in (_mirror(part), part)]
        return mine[0], mine[1]

    folds = Waves.draw(rng, 23.0, 48)
    folia = Waves.draw(rng, 22.0, 32, stretch=(1.6, 1.2, 0.4))
    hippocampi = both(_HIPPOCAMPUS)
    return Head(
        person=int(rng.integers(2**31)),
        hull=jittered(_HULL, rng, shift=0.0, size=0.02, turn=0.0),
        folds=folds,
        folia=folia,
        ventricles=tuple(e for part in _VENTRICLES for e in both(part)),
        hippocampi=hippocampi,
        healthy=hippocampi,
        deep=tuple(e for part in _DEEP_GREY for e in both(part)),
        cortex=float(rng.uniform(2.9, 3.6)),
    )


def _mirror(part: Ellipsoid) -> Ellipsoid:
    """The same on the other side of the midline."""
    x, y, z = part.center
    u, v, w = part.turn
    return Ellipsoid((-x, y, z), part.axes, (u, -v, -w))

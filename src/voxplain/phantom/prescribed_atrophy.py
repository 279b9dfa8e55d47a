"""Atrophy and growth of labelled regions by prescribed shares, as a known warp of a real image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn, idctn
from scipy.ndimage import gaussian_filter, map_coordinates

from voxplain.case import Case
from voxplain.errors import InputError

Array = NDArray[np.float64]

_STEPS = 10  # of Runge and Kutta's fourth order; a few while rates are sought
_ROUNDS, _SEEKING, _NEAR = (
    12,
    3,
    0.004,
)  # of correcting the rates until volumes are within this share of what was asked


@dataclass(frozen=True, eq=False)
class Atrophied:
    """An image before and after, and the map between the two.

    Attributes:
        case: after; its label is carried along.
        displacement: (D, *S) in voxels, of the forward map on the grid of the image before: p goes to p + u(p).
        log_jacobian: (*S) of it.
        achieved: by label, the share by which its volume has changed.
    """

    case: Case
    displacement: NDArray[np.float32]
    log_jacobian: NDArray[np.float32]
    achieved: Mapping[int, float]


def prescribed_atrophy(case: Case, changes: Mapping[int, float], *, smooth: float = 1.0) -> Atrophied:
    """Warp an image so that labelled regions lose or gain these shares of their volume.

    The velocity is the gradient of a potential whose Laplacian is the wanted rate of growth: log(1 + change) inside of the
    regions, smoothed, and outside what keeps the whole image's volume (as in Karaçalı and Davatzikos 2006, who prescribe
    Jacobians; doi:10.1109/TMI.2006.871420). It has no rotation, no flow through the border, and where it takes each voxel is
    integrated by Runge and Kutta's fourth order. Rates are corrected until the volumes agree.

    Args:
        case: an image with a label and a geometry; rows of the affine may be turned, but not sheared.
        changes: by label, the share of its volume: −0.2 loses a fifth, 0.5 gains half.
        smooth: mm (standard deviation) of the rate's borders; 0 changes voxels of the region alone.

    Raises:
        InputError: no label or geometry, labels that are not there, shares that cannot be, a region that fills the image.
    """
    label = _checked(case, changes)
    assert case.geometry is not None
    spacing = case.geometry.spacing
    rates = {value: float(np.log1p(change)) for value, change in changes.items()}
    for _ in range(_ROUNDS):
        found = _flow(*_field(label, rates, spacing, smooth), 1.0, _SEEKING)[1]
        gained = {v: float(np.log(np.exp(found[label == v]).mean())) for v in changes}
        missing = {v: float(np.log1p(changes[v])) - gained[v] for v in changes}
        if max(map(abs, missing.values())) < _NEAR:
            break
        rates = {v: rates[v] + missing[v] for v in changes}
    velocity, growth = _field(label, rates, spacing, smooth)
    places, logarithm = _flow(velocity, growth, 1.0)
    achieved = {v: float(np.exp(logarithm[label == v]).mean() - 1) for v in changes}
    origin = _flow(velocity, growth, -1.0)[0]
    image = np.stack([map_coordinates(c, origin, order=1, mode="nearest") for c in case.image])
    moved = map_coordinates(label, origin, order=0, mode="nearest")
    told = {"prescribed": {str(v): float(c) for v, c in changes.items()}}
    return Atrophied(
        replace(case, id=f"{case.id}-atrophy", image=image, label=moved, meta={**case.meta, **told}),
        (places - _indices(label.shape)).astype(np.float32),
        logarithm.astype(np.float32),
        achieved,
    )


def _field(
    label: NDArray[np.int32], rates: Mapping[int, float], spacing: tuple[float, ...], smooth: float
) -> tuple[Array, Array]:
    """The velocity (D, *S) in voxels and its divergence (*S): ∇ψ with ∇²ψ = growth, no flow through the border."""
    growth = np.zeros(label.shape)
    for value, rate in rates.items():
        growth += rate * gaussian_filter((label == value).astype(np.float64), smooth / np.array(spacing))
    free = ~np.isin(label, list(rates))
    growth[free] -= growth.sum() / free.sum()
    # a cosine transform solves Poisson's equation exactly for mirrored borders, axis by axis
    waves = [np.pi * np.arange(n) / n for n in label.shape]
    squares = np.meshgrid(
        *[(2 - 2 * np.cos(w)) / s**2 for w, s in zip(waves, spacing, strict=True)], indexing="ij"
    )
    total = np.sum(squares, axis=0)
    total.flat[0] = 1.0
    spectrum = -dctn(growth, type=2, norm="ortho") / total
    spectrum.flat[0] = 0.0
    potential = idctn(spectrum, type=2, norm="ortho")
    # mirrored once, so that differences at the border are those of a mirrored potential: zero
    wide = np.pad(potential, 1, mode="symmetric")
    inner = (slice(1, -1),) * label.ndim
    steps = [np.gradient(wide, axis=a)[inner] / s**2 for a, s in enumerate(spacing)]
    return np.stack(steps), growth


def _flow(velocity: Array, growth: Array, dose: float, steps: int = _STEPS) -> tuple[Array, Array]:
    """Where each voxel goes (D, *S), and the logarithm of the volume it gains on the way (*S)."""
    places, logarithm = _indices(growth.shape), np.zeros(growth.shape)
    step = dose / steps
    fields = [*velocity, growth]

    def at(where: Array) -> tuple[Array, Array]:
        found = [map_coordinates(f, where, order=1, mode="nearest") for f in fields]
        return np.stack(found[:-1]), found[-1]

    for _ in range(steps):
        v1, d1 = at(places)
        v2, d2 = at(places + step / 2 * v1)
        v3, d3 = at(places + step / 2 * v2)
        v4, d4 = at(places + step * v3)
        places = places + step / 6 * (v1 + 2 * v2 + 2 * v3 + v4)
        logarithm += step / 6 * (d1 + 2 * d2 + 2 * d3 + d4)
    return places, logarithm


def _indices(shape: tuple[int, ...]) -> Array:
    return np.stack(np.meshgrid(*[np.arange(n, dtype=np.float64) for n in shape], indexing="ij"))


def _checked(case: Case, changes: Mapping[int, float]) -> NDArray[np.int32]:
    if case.label is None or case.geometry is None:
        missing = "label" if case.label is None else "geometry"
        raise InputError(
            f"case {case.id!r}: has no {missing}; atrophy needs an image with labels and its place in space"
        )
    if case.geometry.is_sheared:
        raise InputError(f"case {case.id!r}: its axes are not at right angles; resample it first")
    if not changes:
        raise InputError("changes: found none, expected a share by label, such as {17: -0.2}")
    present = set(np.unique(case.label).tolist())
    for value, change in changes.items():
        if value not in present:
            raise InputError(
                f"changes: no voxel of case {case.id!r} has label {value}; present: {sorted(present)[:12]}"
            )
        if not -0.9 <= change <= 5:
            raise InputError(
                f"changes: {change!r} of label {value} is not usable; a share from -0.9 to 5 would be"
            )
    if np.isin(case.label, list(changes)).all():
        raise InputError("changes: the labels fill the image, so nothing can make room; leave one out")
    return case.label

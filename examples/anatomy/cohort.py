"""Subjects whose anatomy differs smoothly from a template's, with and without the atrophy that is prescribed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from anatomy.templates import REGIONS
from voxplain.case import Case, Geometry
from voxplain.phantom import prescribed_atrophy
from voxplain.phantom.waves import warp

Floats = NDArray[np.float32]

CHANGES = {"ventricles": 0.5, "hippocampi": -0.2}  # shares of their volumes
_BEND, _WAVELENGTH = 2.0, 110.0  # mm, of what makes subjects differ
_NOISE, _GAIN = 0.02, 0.01  # standard deviations of noise, and of a subject's brightness


@dataclass(frozen=True, eq=False)
class Disease:
    """A template before and after.

    Attributes:
        healthy, diseased: (1 + regions, *S) on one fine grid: brightness, and how much of a voxel each of REGIONS fills.
        geometry: of the grid.
    """

    healthy: Floats
    diseased: Floats
    geometry: Geometry

    @classmethod
    def of(cls, healthy: Case, changes: Mapping[str, float] = CHANGES) -> Disease:
        """The atrophy of a template; regions go along as images, since borders move by less than a voxel."""
        assert healthy.geometry is not None and healthy.label is not None
        regions = np.stack([healthy.label == k for k in range(len(REGIONS))])
        case = replace(healthy, image=np.concatenate([healthy.image, regions.astype(np.float32)]))
        told = {REGIONS.index(name): change for name, change in changes.items()}
        after = prescribed_atrophy(case, told, smooth=healthy.geometry.spacing[0]).case
        return cls(case.image, after.image, healthy.geometry)


@dataclass(frozen=True, eq=False)
class Subject:
    """One person.

    Attributes:
        case: image on the coarse grid with labels of REGIONS.
        volumes: by region, ml without and with the disease, measured on the fine grid.
    """

    case: Case
    volumes: dict[str, tuple[float, float]]


def subject(disease: Disease, number: int, *, ill: bool, spacing: float, seed: int) -> Subject:
    """A person's image without or with the disease; both are the same template, bent alike.

    Args:
        disease: of the template.
        number: of the subject, from 0.
        ill: whether the image shows it.
        spacing: mm of the image's voxels.
        seed: of the cohort.
    """
    fine, who = disease.geometry, (seed, number)
    grid, rng = _coarse(fine, spacing), np.random.default_rng([seed, number, 1])
    wide = np.sqrt(max((spacing / fine.spacing[0]) ** 2 - 1, 0)) / 2  # voxels, against aliasing
    bright, *parts = disease.diseased if ill else disease.healthy
    # a voxel belongs to the region in its middle: smoothed, small regions would have none
    image, *regions = _looked_up(np.stack([gaussian_filter(bright, wide), *parts]), fine, grid, who)
    image = image * (1 + _GAIN * rng.normal()) + _NOISE * rng.normal(size=image.shape)
    labels = np.stack(regions).argmax(0).astype(np.int32)
    case = Case(f"subject-{number:04d}", image[None].astype(np.float32), grid, labels)
    own = [_looked_up(state[1:], fine, fine, who) for state in (disease.healthy, disease.diseased)]
    ml = [parts.reshape(len(REGIONS), -1).sum(1) * np.prod(fine.spacing) / 1000 for parts in own]
    return Subject(case, {name: (float(ml[0][k]), float(ml[1][k])) for k, name in enumerate(REGIONS)})


def _looked_up(channels: Floats, fine: Geometry, grid: Geometry, who: tuple[int, int]) -> Floats:
    """A template's channels on a grid, each voxel at the place that the subject's own anatomy has there."""
    indices = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij")).astype(np.float64)
    points = np.tensordot(grid.affine[:3, :3], indices, axes=1) + grid.affine[:3, 3].reshape(3, 1, 1, 1)
    own = warp(points.astype(np.float32), np.random.default_rng([*who, 0]), _BEND, _WAVELENGTH)
    inverse = np.linalg.inv(fine.affine)
    places = np.tensordot(inverse[:3, :3], own, axes=1) + inverse[:3, 3].reshape(3, 1, 1, 1)
    return np.stack([map_coordinates(c, places, order=1, mode="nearest") for c in channels])


def _coarse(fine: Geometry, spacing: float) -> Geometry:
    """A grid with the same middle and extent."""
    extent = np.array(fine.shape) * fine.spacing
    shape = tuple(int(n) for n in np.ceil(extent / spacing))
    affine = np.diag([spacing, spacing, spacing, 1.0])
    middle = fine.affine[:3, :3] @ ((np.array(fine.shape) - 1) / 2) + fine.affine[:3, 3]
    affine[:3, 3] = middle - spacing * (np.array(shape) - 1) / 2
    return Geometry(affine, shape)

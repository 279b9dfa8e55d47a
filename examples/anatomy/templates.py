"""Real anatomy with labelled regions, on a grid whose axes run to R, A and S."""

from __future__ import annotations

import os
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, binary_fill_holes, gaussian_filter, label, map_coordinates

from voxplain.case import Case, Geometry
from voxplain.errors import InputError, suggest

REGIONS = ("outside", "brain", "ventricles", "hippocampi")
CSF, GREY, WHITE = 0.2, 0.65, 0.85  # brightness on T1
DATA = Path(os.environ.get("VOXPLAIN_DATA", Path(__file__).parents[3] / "shared" / "data"))
SEGMENTATION = "labelmaps/synthseg_training_seg_01.nii.gz"

_DARK = 0.4  # of the template's brightest tissue: below, it is fluid
_DEEP = 16.0  # mm from the brain's surface, where fluid is a ventricle's
_HIPPOCAMPI, _RADIUS = ((-28.0, -20.0, -14.0), (28.0, -20.0, -14.0)), 9.0  # MNI mm, about where they are
# FreeSurfer's labels
_FLUID, _VENTRICLES, _HIPPOCAMPUS = (4, 5, 14, 15, 24, 43, 44, 72), (4, 5, 43, 44), (17, 53)
_WHITE_MATTER, _OTHERS = (2, 7, 16, 28, 41, 46, 60, 85), 500  # labels from here on lie outside of the brain


def template(source: str, spacing: float) -> Case:
    """An image (1, *S) of brightness 0 to 1 with labels of REGIONS, resampled to cubic voxels.

    Args:
        source: ``"mni"``, the average T1 of 152 people that comes with nilearn; or ``"segmentation"``, one person's
            segmentation (SynthSeg's training data) with a brightness for each tissue.
        spacing: mm.

    Raises:
        InputError: another source, a file that is not there.
    """
    makers = {"mni": _mni, "segmentation": _segmentation}
    if source not in makers:
        raise InputError(f"source: found {source!r}; {suggest(source, makers)}")
    image, labels, affine = makers[source]()
    return _resampled(source, image, labels, affine, spacing)


def _mni() -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.float64]]:
    from nilearn.datasets import load_mni152_template

    found = load_mni152_template(resolution=2)
    image = found.get_fdata() / found.get_fdata().max()
    brain = binary_fill_holes(image > 0.05)
    fluid, count = label(binary_erosion(brain, iterations=round(_DEEP / 2)) & (image < _DARK))
    labels = brain.astype(np.int32)
    points = _points(image.shape, found.affine)
    for part in range(1, count + 1):
        inside = fluid == part
        x, _, z = points[:, inside].mean(1)
        # the lateral ventricles: two parts above the base, beside the middle; the rest is cisterns and crevices
        if inside.sum() * 8 > 4000 and 8 < abs(x) < 20 and z > 5:
            labels[inside] = REGIONS.index("ventricles")
    for center in _HIPPOCAMPI:
        away = np.linalg.norm(points - np.reshape(center, (3, 1, 1, 1)), axis=0)
        labels[(away < _RADIUS) & (labels == 1)] = REGIONS.index("hippocampi")
    return image, labels, found.affine


def _segmentation() -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.float64]]:
    path = DATA / SEGMENTATION
    if not path.exists():
        raise InputError(
            f"{path}: does not exist, expected a segmentation; set VOXPLAIN_DATA to the folder of data"
        )
    stored = nib.load(path)
    parts = np.asarray(stored.dataobj).astype(np.int32)
    inside = (parts > 0) & (parts < _OTHERS)
    image = np.where(inside, GREY, 0.0)
    image[np.isin(parts, _WHITE_MATTER)], image[np.isin(parts, _FLUID)] = WHITE, CSF
    labels = inside.astype(np.int32)
    labels[np.isin(parts, _VENTRICLES)] = REGIONS.index("ventricles")
    labels[np.isin(parts, _HIPPOCAMPUS)] = REGIONS.index("hippocampi")
    return image, labels, stored.affine


def _resampled(
    name: str,
    image: NDArray[np.float64],
    labels: NDArray[np.int32],
    affine: NDArray[np.float64],
    spacing: float,
) -> Case:
    """Onto a grid that just holds the brain."""
    corners = nib.affines.apply_affine(affine, np.argwhere(labels > 0))
    low, high = corners.min(0) - 2 * spacing, corners.max(0) + 2 * spacing
    shape = tuple(int(n) for n in np.ceil((high - low) / spacing))
    grid = np.diag([spacing, spacing, spacing, 1.0])
    grid[:3, 3] = low
    inverse = np.linalg.inv(affine)
    places = np.tensordot(inverse[:3, :3], _points(shape, grid), axes=1) + inverse[:3, 3].reshape(3, 1, 1, 1)
    edges = np.linalg.norm(affine[:3, :3], axis=0)
    soft = gaussian_filter(image, np.sqrt(np.maximum((spacing / edges) ** 2 - 1, 0)) / 2)  # against aliasing
    made = map_coordinates(soft, places, order=1, mode="constant").astype(np.float32)
    regions = map_coordinates(labels, places, order=0, mode="constant")
    return Case(name, made[None], Geometry(grid, shape), regions)


def _points(shape: tuple[int, ...], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, *S) mm of all voxels."""
    indices = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij")).astype(np.float64)
    return np.tensordot(affine[:3, :3], indices, axes=1) + affine[:3, 3].reshape(3, 1, 1, 1)

"""The real pairs of network and scan that the tests in tests/real share: each is asked as its authors say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np

from voxplain.case import Case, Geometry, read_case
from voxplain.engine import Problem
from voxplain.model import Model, Preparation, Windows, load_model

HEAD = "brain_t1/head_t1_1.75mm.nii.gz"
HEAD_RANGE = (
    0.0,
    255.0,
)  # the file's minimum and maximum: "min-max" of the whole head, also for a crop of it
# RAS mm around this head's brain, with the skull's inner half: a third of the head's voxels
BRAIN = ((-70.0, -94.0, -50.0), (68.0, 86.0, 93.0))
FUNDUS = "retina/fundus_CC0.jpg"


def head(data: Path) -> Case:
    return read_case(data / HEAD)


def crop(case: Case, low: tuple[float, ...], high: tuple[float, ...]) -> Case:
    """The voxels of a case with centres between two corners in RAS mm."""
    assert case.geometry is not None
    ends = np.sort(case.geometry.to_voxels([low, high]), axis=0)
    first = np.ceil(ends[0]).astype(int).clip(0)
    stop = np.minimum(np.floor(ends[1]).astype(int) + 1, case.spatial_shape)
    where = tuple(slice(a, b) for a, b in zip(first, stop, strict=True))
    affine = case.geometry.affine.copy()
    affine[:3, 3] = case.geometry.to_mm(first)
    label = None if case.label is None else case.label[where]
    return replace(
        case,
        image=case.image[(slice(None), *where)],
        geometry=Geometry(affine, tuple(stop - first)),
        label=label,
    )


def cube(case: Case, centre: tuple[float, ...], edge: float) -> Case:
    """A cube of a case about a point in RAS mm."""
    middle = np.asarray(centre)
    return crop(case, tuple(middle - edge / 2), tuple(middle + edge / 2))


def turned(case: Case, axes: str, path: Path) -> Case:
    """The same scan from a file whose voxels are stored along other axes, its affine saying so."""
    assert case.geometry is not None
    image = nib.Nifti1Image(case.image[0], case.geometry.affine)
    there = nib.orientations.axcodes2ornt(axes)
    other = image.as_reoriented(nib.orientations.ornt_transform(nib.io_orientation(image.affine), there))
    nib.save(other, path)
    return read_case(path, id=case.id)


def meshnet(data: Path, name: str, windows: Windows | None = None) -> Model:
    return load_model(
        f"{data / 'models' / 'nets.py'}:{name}",
        data / "models" / "meshnet" / f"{name}.pt",
        classes=data / "models" / "meshnet" / f"{name}.json",
        prepare=Preparation(orientation="LIA", spacing=1, scale=HEAD_RANGE),
        windows=windows,
    )


def brain_mask(data: Path) -> Model:
    return load_model(
        f"{data / 'models' / 'nets.py'}:brain_mask_unet",
        data / "models" / "deepbrain" / "brain_mask_unet.pt",
        classes=["background", "brain"],
        prepare=Preparation(size=128, scale="max"),
    )


def retina(data: Path, windows: Windows | None = None) -> Model:
    return load_model(
        f"{data / 'models' / 'nets.py'}:retina_wnet",
        data / "models" / "retina_wnet" / "retina_wnet.pt",
        classes=["background", "vessel"],
        prepare=Preparation(size=512, scale=(0.0, 255.0)),
        windows=windows,
    )


def labels(problem: Problem) -> np.ndarray:
    """The prediction on the case's own grid, (*case spatial)."""
    prediction = problem.prediction.labels[None].float()
    return problem.prepared.restore(prediction, mode="nearest")[0].astype(np.int16)


def millilitres(mask: np.ndarray, case: Case) -> float:
    assert case.geometry is not None
    return float(mask.sum()) * case.geometry.voxel_volume / 1000


def centre(weights: np.ndarray, case: Case) -> np.ndarray:
    """Centre of mass in RAS mm of a mask or of non-negative weights (*spatial)."""
    assert case.geometry is not None
    voxels = np.argwhere(weights > 0)
    return np.average(case.geometry.to_mm(voxels), axis=0, weights=weights[weights > 0].astype(float))


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))

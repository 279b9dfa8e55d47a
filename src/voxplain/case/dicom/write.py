"""Cases to DICOM: a derived series of single-frame images, 16 bits with slope and intercept."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voxplain.case.atomic import whole
from voxplain.case.case import Case
from voxplain.case.geometry import Floats, Geometry
from voxplain.errors import GeometryError, InputError

_SOP_CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "OT": "1.2.840.10008.5.1.4.1.1.7",  # secondary capture
}
_EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class _Coded:
    """Stored numbers and the way back: value = slope × stored + intercept."""

    stored: npt.NDArray[Any]
    slope: str
    intercept: str


def write_series(folder: Path, case: Case, *, seed: int | None = None) -> None:
    """Write the slices of a one-channel case into a new folder.

    Slices are ordered along DICOM's normal (row × column direction); a left-handed grid is written from its
    last slice to its first.

    Raises:
        InputError: several channels; a folder that is not empty or cannot be written to.
        GeometryError: no geometry, or in-plane axes that are not at right angles, which DICOM cannot say.
    """
    geometry = case.geometry
    if geometry is None:
        raise GeometryError(f"{folder}: case {case.id!r} has no geometry; a DICOM series needs one")
    if case.channels != 1:
        raise InputError(f"{folder}: case {case.id!r} has {case.channels} channels, a DICOM series has one")
    if Geometry(geometry.affine, geometry.shape[:2]).is_sheared:
        raise GeometryError(
            f"{folder}: the axes within a slice are not at right angles: DICOM cannot hold that"
        )
    volume = case.image[0] if case.spatial_dims == 3 else case.image[0][:, :, None]
    affine = _RAS_TO_LPS @ geometry.affine
    if np.linalg.det(affine[:3, :3]) < 0:
        volume = volume[:, :, ::-1]
        affine = affine @ _reversed_third(volume.shape[2])
    coded = _coded(volume)
    identifiers = _Identifiers(seed)
    series = _series(case, affine, coded, identifiers)
    with whole(folder, folder=True) as temporary:
        for k in range(volume.shape[2]):
            place = affine[:3, 3] + k * affine[:3, 2]
            image = _slice(series, place, coded.stored[:, :, k], identifiers.next())
            image.InstanceNumber = k + 1
            image.save_as(temporary / f"{k + 1:05d}.dcm", enforce_file_format=True)


class _Identifiers:
    """Unique identifiers below 2.25, the root for random ones; reproducible with a seed."""

    def __init__(self, seed: int | None) -> None:
        self._root = secrets.token_hex(16) if seed is None else f"seed {seed}"
        self._count = 0

    def next(self) -> str:
        self._count += 1
        digest = hashlib.sha256(f"{self._root} {self._count}".encode()).digest()
        return f"2.25.{int.from_bytes(digest[:15], 'big')}"


def _reversed_third(slices: int) -> Floats:
    turned = np.eye(4)
    turned[2, 2], turned[2, 3] = -1, slices - 1
    return turned


def _coded(volume: npt.NDArray[np.float32]) -> _Coded:
    """Whole numbers that fit into 16 signed bits as they are, others over the full unsigned range."""
    low, high = float(volume.min()), float(volume.max())
    if low >= -32768 and high <= 32767 and bool((volume == np.round(volume)).all()):
        return _Coded(volume.astype(np.int16), "1", "0")
    # The texts of 16 characters are what a reader sees, so the numbers are rounded to them before coding.
    intercept = _decimal(low)
    slope = _decimal((high - float(intercept)) / 65535 or 1.0)
    stored = np.round((volume.astype(np.float64) - float(intercept)) / float(slope))
    return _Coded(np.clip(stored, 0, 65535).astype(np.uint16), slope, intercept)


def _series(case: Case, affine: Floats, coded: _Coded, identifiers: _Identifiers) -> Any:
    """What all slices share."""
    from pydicom.dataset import Dataset, FileMetaDataset

    modality = str(case.meta.get("modality", "OT"))
    shared = Dataset()
    shared.file_meta = FileMetaDataset()
    shared.file_meta.TransferSyntaxUID = _EXPLICIT_LITTLE
    shared.file_meta.ImplementationVersionName = "VOXPLAIN"
    shared.SOPClassUID = _SOP_CLASSES.get(modality, _SOP_CLASSES["OT"])
    shared.file_meta.MediaStorageSOPClassUID = shared.SOPClassUID
    shared.Modality = modality if modality in _SOP_CLASSES else "OT"
    if shared.Modality == "OT":
        shared.ConversionType = "WSD"
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        setattr(shared, keyword, identifiers.next())
    # The standard wants these fields; empty is what they are.
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime"):
        setattr(shared, keyword, "")
    for keyword in ("AccessionNumber", "ReferringPhysicianName", "StudyID", "Manufacturer"):
        setattr(shared, keyword, "")
    shared.PositionReferenceIndicator = ""
    shared.SeriesNumber = 1
    shared.ImageType = ["DERIVED", "SECONDARY"] + (["AXIAL"] if shared.Modality == "CT" else [])
    shared.DerivationDescription = "written by voxplain"
    _describe_pixels(shared, affine, coded)
    return shared


def _describe_pixels(shared: Any, affine: Floats, coded: _Coded) -> None:
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    axes = affine[:3, :2] / lengths[:2]
    shared.ImageOrientationPatient = [_decimal(x) for x in (*axes[:, 0], *axes[:, 1])]
    shared.PixelSpacing = [_decimal(lengths[1]), _decimal(lengths[0])]
    shared.SliceThickness = _decimal(lengths[2])
    shared.Columns, shared.Rows = coded.stored.shape[:2]
    shared.SamplesPerPixel = 1
    shared.PhotometricInterpretation = "MONOCHROME2"
    shared.BitsAllocated = shared.BitsStored = 16
    shared.HighBit = 15
    shared.PixelRepresentation = 1 if coded.stored.dtype == np.int16 else 0
    shared.RescaleSlope, shared.RescaleIntercept = coded.slope, coded.intercept
    shared.RescaleType = "HU" if shared.Modality == "CT" else "US"  # US: unspecified


def _slice(series: Any, place: Floats, stored: npt.NDArray[Any], identifier: str) -> Any:
    """One image: (columns, rows) of stored numbers, the first at `place` (LPS mm)."""
    from copy import deepcopy

    image = deepcopy(series)
    image.SOPInstanceUID = identifier
    image.file_meta.MediaStorageSOPInstanceUID = identifier
    image.ImagePositionPatient = [_decimal(x) for x in place]
    little = stored.dtype.newbyteorder("<")
    image.PixelData = np.ascontiguousarray(stored.T).astype(little).tobytes()
    image["PixelData"].VR = "OW"
    return image


def _decimal(value: float) -> str:
    """DICOM's decimal string: the closest number of at most 16 characters."""
    from pydicom.valuerep import format_number_as_ds

    return str(format_number_as_ds(float(value)))

"""A whole CT or MR series as a scanner writes it, made with pydicom alone: what DICOM objects refer to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxplain.case import Geometry

AXIAL = np.array([[1.0, 0, 0], [0, 1, 0]])
NAME, PATIENT, BIRTH = "Doe^Jane", "SECRET-77", "19500102"
# rows and columns of a slice in LPS; the first is what axial scanners write, the second a slice seen from above
AXES = {
    "axial": AXIAL,
    "turned": np.array([[-1.0, 0, 0], [0, -1, 0]]),
    "from above": np.array([[-1.0, 0, 0], [0, 1, 0]]),
    "sagittal": np.array([[0.0, 1, 0], [0, 0, -1]]),
    "coronal": np.array([[1.0, 0, 0], [0, 0, -1]]),
    "oblique": np.array([[0.8, 0.6, 0], [-0.48, 0.64, 0.6]]),
}
_CLASSES = {"CT": "1.2.840.10008.5.1.4.1.1.2", "MR": "1.2.840.10008.5.1.4.1.1.4"}


def write_series(
    folder: Path,
    pixels: NDArray[Any],
    *,
    axes: NDArray[Any] = AXIAL,
    spacing: tuple[float, float] = (0.8, 0.6),
    step: NDArray[Any] | float = 2.5,
    origin: tuple[float, float, float] = (-20.0, 30.0, 100.0),
    modality: str = "CT",
    series: str = "1.2.826.0.1.3680043.8.498.1",
    skip: tuple[int, ...] = (),
    **fields: Any,
) -> NDArray[np.float64]:
    """Write (slices, rows, columns) of int16; slice k lies at origin + k × step (along the normal where a number).

    Returns:
        (4, 4): (column, row, slice) to LPS millimetres, as part 3, C.7.6.2.1.1, has it.
    """
    from pydicom.dataset import Dataset, FileMetaDataset

    folder.mkdir(parents=True, exist_ok=True)
    towards = np.cross(*axes) * step if np.ndim(step) == 0 else np.asarray(step)
    for k, picture in enumerate(pixels):
        if k in skip:
            continue
        image = Dataset()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
        image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = _CLASSES[modality]
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"{series}.2.{k + 1}"
        image.StudyInstanceUID, image.SeriesInstanceUID = f"{series}.9", f"{series}.1"
        image.FrameOfReferenceUID, image.PositionReferenceIndicator = f"{series}.8", ""
        image.PatientName, image.PatientID, image.PatientBirthDate, image.PatientSex = (
            NAME,
            PATIENT,
            BIRTH,
            "F",
        )
        image.StudyDate, image.StudyTime, image.StudyID = "20200304", "101112", "SECRET-STUDY"
        image.AccessionNumber, image.ReferringPhysicianName = "SECRET-ACC", "Roe^Richard"
        image.SeriesDescription, image.StudyDescription = "SECRET series", "SECRET study"
        image.InstitutionName, image.Manufacturer = "SECRET hospital", "A maker"
        image.PatientPosition, image.Laterality, image.AcquisitionNumber = "HFS", "", None
        if modality == "CT":
            image.KVP = None
        image.Modality, image.SeriesNumber, image.InstanceNumber = modality, 4, k + 1
        image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        image.ImagePositionPatient = [float(f"{x:.10g}") for x in np.array(origin) + k * towards]
        image.ImageOrientationPatient = [float(x) for x in axes.ravel()]
        image.PixelSpacing, image.SliceThickness = list(spacing), float(np.linalg.norm(towards))
        image.Rows, image.Columns = picture.shape
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 1
        image.RescaleSlope, image.RescaleIntercept = 1, -3
        image.PixelData = np.ascontiguousarray(picture.astype("<i2")).tobytes()
        for keyword, value in fields.items():
            if value is None:
                delattr(image, keyword)
            else:
                setattr(image, keyword, value)
        # neither names nor their order follow the place
        image.save_as(folder / f"IM{(7 * k) % 997:04d}", enforce_file_format=True)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = axes[0] * spacing[1], axes[1] * spacing[0]
    affine[:3, 2], affine[:3, 3] = towards, origin
    return affine


def ras(affine: NDArray[Any], shape: tuple[int, ...]) -> Geometry:
    """A grid of LPS millimetres as the package counts them."""
    return Geometry(np.diag([-1.0, -1, 1, 1]) @ affine, shape)

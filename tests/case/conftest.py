"""Synthetic DICOM, written with pydicom alone: the readers are not tested against our own writer."""

from __future__ import annotations

import numpy as np
import pytest

AXIAL = ((1, 0, 0), (0, 1, 0))


def slice_dataset(pixels, position, *, axes=AXIAL, spacing=(0.8, 0.6), series="1.2.3", number=1, **fields):
    """One single-frame image; pixels are (rows, columns), spacing is (row, column) distance as in DICOM."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = CTImageStorage
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"{series}.{number}"
    image.SeriesInstanceUID = series
    image.PatientName, image.PatientID = "Doe^Jane", "SECRET-77"
    image.SeriesDescription = "SECRET description"
    image.Modality = "CT"
    image.InstanceNumber = number
    if position is not None:
        image.ImagePositionPatient = [float(x) for x in position]
        image.ImageOrientationPatient = [float(x) for x in np.ravel(axes)]
    if spacing is not None:
        image.PixelSpacing = list(spacing)
    pixels = np.asarray(pixels)
    image.Rows, image.Columns = pixels.shape[:2]
    image.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
    image.PhotometricInterpretation = "MONOCHROME2" if pixels.ndim == 2 else "RGB"
    if pixels.ndim == 3:
        image.PlanarConfiguration = 0
    image.BitsAllocated = image.BitsStored = 8 * pixels.dtype.itemsize
    image.HighBit = image.BitsStored - 1
    image.PixelRepresentation = int(pixels.dtype.kind == "i")
    raw = pixels.tobytes()
    image.PixelData = raw + b"\0" * (len(raw) % 2)
    image["PixelData"].VR = "OW" if pixels.dtype.itemsize > 1 else "OB"
    for keyword, value in fields.items():
        setattr(image, keyword, value)
    return image


@pytest.fixture
def make_slice():
    """Builder of one slice."""
    return slice_dataset


@pytest.fixture
def make_series(tmp_path):
    """Builder of a folder of slices; returns the folder and the stored pixels (slices, rows, columns)."""

    def build(
        name="series", count=6, step=(0, 0, 2.5), origin=(-20, 30, 100), shuffle=True, skip=(), **fields
    ):
        rng = np.random.default_rng(count)
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        pixels = rng.integers(-1000, 1000, (count, 5, 7)).astype(np.int16)
        names = rng.permutation(count) if shuffle else np.arange(count)
        for k in range(count):
            if k in skip:
                continue
            each = {key: value(k) if callable(value) else value for key, value in fields.items()}
            place = np.array(origin) + k * np.array(step)
            # Neither names nor instance numbers follow the position.
            image = slice_dataset(pixels[k], place, number=int(names[k]) + 1, **each)
            image.save_as(folder / f"IM{names[k]:04d}", enforce_file_format=True)
        return folder, pixels

    return build

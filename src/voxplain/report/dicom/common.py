"""What all objects share: who made them, dates that are no clock's, the patient's fields."""

from __future__ import annotations

from typing import Any

import voxplain
from voxplain.errors import InputError
from voxplain.report.dicom.codes import scheme
from voxplain.report.dicom.content import Origin, identifier, short
from voxplain.report.dicom.identity import name_patient
from voxplain.report.dicom.source import Source

UTF8 = "ISO_IR 192"
# Far from the numbers that scanners give, so that the results stand behind the images.
SERIES = {"seg": 9001, "sr": 9002, "pm": 9100, "sc": 9500}


def require_highdicom() -> None:
    """Say in one line what is missing.

    Raises:
        InputError: highdicom cannot be imported.
    """
    try:
        import highdicom  # noqa: F401
    except ImportError as error:
        raise InputError(f"DICOM objects need highdicom ({error}); pip install 'voxplain[dicom]'") from error


def stem(source: Source, origin: Origin) -> tuple[object, ...]:
    """What the identifiers of all objects hash beside their own content."""
    return (
        source.series,
        tuple(str(image.SOPInstanceUID) for image in source.images),
        origin,
        voxplain.__version__,
    )


def who(series: str, number: int, sop: str, description: str, instance: int = 1) -> dict[str, Any]:
    """Arguments that every constructor of highdicom takes."""
    return {
        "series_instance_uid": series,
        "series_number": number,
        "sop_instance_uid": sop,
        "instance_number": instance,
        "manufacturer": "voxplain",
        "manufacturer_model_name": "voxplain",
        "software_versions": voxplain.__version__,
        "device_serial_number": "none",
        "series_description": short(description),
        "coding_schemes": [scheme()],
        "specific_character_set": UTF8,
    }


def stamped(dataset: Any, source: Source, origin: Origin) -> Any:
    """The finished object: fields of the patient, dates, no creator's name."""
    name_patient(dataset, source.header.dataset, keep=origin.keep_identity)
    dataset.SpecificCharacterSet = UTF8
    day, time = origin.when.strftime("%Y%m%d"), origin.when.strftime("%H%M%S")
    for name in ("InstanceCreation", "Content", "Series"):
        setattr(dataset, f"{name}Date", day)
        setattr(dataset, f"{name}Time", time)
    if "DateOfSecondaryCapture" in dataset:
        dataset.DateOfSecondaryCapture, dataset.TimeOfSecondaryCapture = day, time
    for item in dataset.get("ContributingEquipmentSequence", ()):
        if "ContributionDateTime" in item:
            item.ContributionDateTime = day + time
    if "ConversionType" in dataset:
        dataset.Laterality = ""  # asked for where the body part may be one of a pair, which is not known
    _settle_dimensions(dataset)
    return dataset


def _settle_dimensions(dataset: Any) -> None:
    """Give the dimensions an identifier of the content's own; highdicom draws a random one."""
    own = identifier("dimensions", str(dataset.SOPInstanceUID))
    for keyword in ("DimensionOrganizationSequence", "DimensionIndexSequence"):
        for item in dataset.get(keyword, ()):
            item.DimensionOrganizationUID = own


def new(source: Source, origin: Origin, *parts: object) -> tuple[str, str]:
    """Identifiers of a series and of its first instance."""
    return identifier("series", *stem(source, origin), *parts), identifier(
        "instance", *stem(source, origin), *parts
    )


def measures(source: Source) -> Any:
    """Distances of voxels as they lie in space: the slices' own is not always what headers say."""
    from highdicom import PixelMeasuresSequence
    from pydicom.valuerep import format_number_as_ds

    columns, rows, slices = (float(format_number_as_ds(float(s))) for s in source.geometry.spacing)
    thickness = source.images[0].SliceThickness
    return PixelMeasuresSequence(
        pixel_spacing=(rows, columns), slice_thickness=float(thickness), spacing_between_slices=slices
    )

"""What new objects say of the patient and the study: nothing, or what the series says."""

from __future__ import annotations

from typing import Any

# What references and geometry need; whatever else a header holds stays where it is.
_TECHNICAL = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
    "Modality",
    "SeriesNumber",
    "InstanceNumber",
    "Rows",
    "Columns",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "SpacingBetweenSlices",
)
# Empty is a valid value of all of these.
_REQUIRED = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)
_FURTHER = ("IssuerOfPatientID", "StudyDescription", "PatientAge", "PatientSize", "PatientWeight")


def bare(header: Any) -> Any:
    """A header of its technical fields alone, and empty ones of the patient."""
    from pydicom.dataset import Dataset

    found = Dataset()
    for keyword in _TECHNICAL:
        if keyword in header:
            setattr(found, keyword, header[keyword].value)
    found.PositionReferenceIndicator = found.get("PositionReferenceIndicator") or ""
    found.SeriesNumber = found.get("SeriesNumber") or None
    for keyword in _REQUIRED:
        setattr(found, keyword, "")
    return found


def name_patient(dataset: Any, header: Any, *, keep: bool) -> None:
    """Fill the fields of patient and study of a new object: from the series' header, or with nothing.

    The identifiers (UIDs) of study, series and images are always those of the series, as references need them.
    """
    for keyword in (*_REQUIRED, *_FURTHER):
        # elements that were copied from the series' headers are theirs, too: setting them would set both
        if keyword in dataset:
            delattr(dataset, keyword)
        value = header.get(keyword) if keep else None
        if value not in (None, ""):
            # as text, so that a name is encoded anew, in the object's character set
            setattr(dataset, keyword, str(value))
        elif keyword in _REQUIRED:
            setattr(dataset, keyword, "")
    if not keep:
        dataset.PatientIdentityRemoved = "YES"
        dataset.DeidentificationMethod = "fields of patient and study not copied; UIDs kept"

"""What tells images at one place apart: header fields to name in an error, without dates and names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from voxplain.case.dicom.frames import Frame

# The usual reasons, most telling first; other numeric and coded fields follow.
_TELLING = (
    "EchoTime",
    "EffectiveEchoTime",
    "EchoNumbers",
    "DiffusionBValue",
    "TemporalPositionIdentifier",
    "TemporalPositionIndex",
    "TriggerTime",
    "NominalCardiacTriggerDelayTime",
    "InversionTime",
    "FlipAngle",
    "RepetitionTime",
    "ReferencedSegmentNumber",
    "ImageType",
    "FrameType",
    "ConvolutionKernel",
    "KVP",
    "AcquisitionNumber",
)
_LESS = ("InstanceNumber", "DimensionIndexValues", "InStackPositionNumber", "FrameAcquisitionNumber")
# Pixel statistics differ from image to image and explain nothing.
_NOISE = ("SmallestImagePixelValue", "LargestImagePixelValue", "WindowCenter", "WindowWidth")
_SAFE = ("DS", "IS", "FD", "FL", "US", "SS", "UL", "SL", "CS")


def differing(frames: Sequence[Frame]) -> str:
    """A clause such as "differ in EchoTime (10, 80)"."""
    fields = [dict(_fields(f)) for f in frames]
    names = dict.fromkeys(name for each in fields for name in each)
    values = {name: list(dict.fromkeys(each.get(name, "absent") for each in fields)) for name in names}
    differ = [name for name, seen in values.items() if len(seen) > 1 and name not in _NOISE]
    telling = [name for name in _TELLING if name in differ]
    chosen = telling or [name for name in differ if name not in _LESS] or differ
    if not chosen:
        return "differ in no numeric or coded header field"
    clauses = [
        f"{name} ({', '.join(values[name][:4])}{', …' if len(values[name]) > 4 else ''})" for name in chosen
    ]
    return "differ in " + ", ".join(clauses[:3])


def _fields(frame: Frame) -> Iterator[tuple[str, str]]:
    """Names and texts of the numeric and coded fields of one frame."""
    dataset = frame.header.dataset
    groups = dataset.get("PerFrameFunctionalGroupsSequence")
    if groups and frame.index < len(groups):
        yield from _walk(groups[frame.index])
    if frame.header.frames == 1:
        yield from _walk(dataset, nested=False)


def _walk(dataset: Any, *, nested: bool = True) -> Iterator[tuple[str, str]]:
    for element in dataset:
        if element.VR == "SQ" and nested:
            for item in element.value:
                yield from _walk(item)
        elif element.VR in _SAFE and element.keyword and not element.tag.is_private:
            yield element.keyword, str(element.value)

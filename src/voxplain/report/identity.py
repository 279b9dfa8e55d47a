"""Who, what, which model and which data: what a page states so that it can be traced, and nothing of the patient."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from voxplain.settings.intended_use import INTENDED_USE

_FOLDERS = re.compile(r"(^|[:=,\s])~?(?:/[^/:\n]+)*/(?=[^/\s])")
DICOM = "DICOM series"


@dataclass(frozen=True)
class Identity:
    """What a page rests on.

    Attributes:
        made: date and time.
        intended_use: in the words of those who run the study.
        models: name -> facts, such as the weights' hash.
        data: per image file, or DICOM series, its facts.
        software: versions of libraries.
    """

    made: str = ""
    intended_use: str = INTENDED_USE
    models: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    data: Sequence[Mapping[str, object]] = ()
    software: Mapping[str, str] = field(default_factory=dict)


def without_folders(settings: Any) -> Any:
    """Settings for a page: files without the folders that they lie in, whose names may be those of patients.

    >>> without_folders({"image": ["/data/Doe Jane/t1.nii.gz"], "out": ".", "targets": ["mask:1:/home/a/m.nii@margin"]})
    {'image': ['t1.nii.gz'], 'out': '.', 'targets': ['mask:1:m.nii@margin']}
    """
    if isinstance(settings, Mapping):
        return {key: without_folders(value) for key, value in settings.items()}
    if isinstance(settings, list | tuple):
        return [without_folders(value) for value in settings]
    if isinstance(settings, str):
        return _FOLDERS.sub(r"\1", settings)
    return settings


def without_series(settings: Mapping[str, Any], series: Sequence[bool]) -> dict[str, Any]:
    """The same, its images that are DICOM called so: their names are a hospital's.

    Args:
        series: which of the images.
    """
    images = settings.get("image", [])
    listed = images if isinstance(images, list) else [images]
    shown = [DICOM if is_one else image for image, is_one in zip(listed, series, strict=False)]
    return {**settings, "image": shown} if images else dict(settings)

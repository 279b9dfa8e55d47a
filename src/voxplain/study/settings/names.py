"""What cases and models are called, and that no two of them share a folder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from voxplain.case.formats import is_dicom_name, stem
from voxplain.target.scene import slug

if TYPE_CHECKING:
    from voxplain.study.settings.study_config import StudyCase


def case_id(case: StudyCase) -> str:
    """The name of a case: its own, or that of its first file."""
    return name_of(case.id, Path(case.image[0]), case.slice)


def name_of(given: str | None, image: Path, piece: str | None) -> str:
    """The name of a case: the given one, or that of its image, and its slice.

    Folders of DICOM series are often called after the patient, so that a hash stands for their names.

    >>> name_of(None, Path("scan.nii.gz"), "k=4"), name_of(None, Path("series"), None)
    ('scan-k4', 'DICOM-9cda38ea')
    """
    if given:
        return given
    name = stem(image)
    if is_dicom_name(image):
        name = f"DICOM-{sha256(name.encode()).hexdigest()[:8]}"
    return name if piece is None else f"{name}-{piece.replace('=', '')}"


def check_apart(names: Iterable[str], remedy: str) -> None:
    """Raise ValueError where names are the same to a file system."""
    by_folder: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        by_folder[slug(name).casefold()].append(name)
    same = [f"{len(found)} are called {_told(found)}" for found in by_folder.values() if len(found) > 1]
    if same:
        raise ValueError(f"{', '.join(same)}; {remedy}")


def _told(names: list[str]) -> str:
    different = list(dict.fromkeys(names))
    told = " and ".join(repr(name) for name in different)
    return told if len(different) == 1 else f"{told}, which is one file name"

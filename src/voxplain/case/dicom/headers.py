"""Which files of a folder are DICOM images."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxplain.errors import InputError

_MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"  # the SOP class of a DICOMDIR
_SUFFIXES = (".dcm", ".dicom", ".ima")


@dataclass(frozen=True)
class Header:
    """One image file without its pixels."""

    path: Path
    dataset: Any

    def text(self, keyword: str) -> str:
        """A header field as text, empty where it is absent."""
        value = self.dataset.get(keyword)
        return "" if value is None else str(value)

    @property
    def frames(self) -> int:
        """Number of frames; 1 for an ordinary slice."""
        try:
            return max(int(self.dataset.get("NumberOfFrames") or 1), 1)
        except (TypeError, ValueError) as error:
            raise InputError(f"{self.path}: NumberOfFrames is no number") from error


def read_dataset(path: Path, *, pixels: bool) -> Any:
    """The dataset of a file; None where it is not DICOM.

    Raises:
        InputError: DICOM, but damaged.
    """
    import pydicom
    from pydicom.errors import InvalidDicomError

    # Old files lack the preamble; only a name that says DICOM makes them worth a try.
    force = path.suffix.lower() in _SUFFIXES
    try:
        # pydicom's warnings quote header values, which may name the patient.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(path, stop_before_pixels=not pixels, force=force)
            recognised = (
                "SOPClassUID" in dataset
                or "Rows" in dataset
                or "MediaStorageSOPClassUID" in (dataset.file_meta if hasattr(dataset, "file_meta") else ())
            )
    except InvalidDicomError:
        return None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except Exception as error:  # pydicom raises nearly anything on damaged files
        if not _marked(path):
            return None
        raise InputError(f"{path}: is damaged: pydicom says {type(error).__name__}") from error
    return dataset if recognised else None


def _marked(path: Path) -> bool:
    """Whether the file carries DICOM's mark; a stray ".dcm" of another kind does not."""
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def find_headers(path: Path) -> tuple[list[Header], list[str]]:
    """The image headers of a file, or of a folder and its subfolders, and notes on what was left out.

    Raises:
        InputError: nothing there is a DICOM image.
    """
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    headers, others, foreign = [], [], []
    for file in files:
        dataset = read_dataset(file, pixels=False)
        if dataset is None:
            foreign.append(file)
        elif _is_directory(dataset):
            continue
        elif "Rows" in dataset and "Columns" in dataset:
            headers.append(Header(file, dataset))
        else:
            others.append(str(dataset.get("Modality") or "unknown modality"))
    if not headers:
        raise InputError(_nothing(path, foreign, others))
    notes = [f"{len(others)} DICOM files without an image were left out"] if others else []
    if foreign:
        notes.append(f"{len(foreign)} files that are not DICOM were left out")
    return _without_copies(headers, notes), notes


def _is_directory(dataset: Any) -> bool:
    meta = getattr(dataset, "file_meta", {})
    return str(meta.get("MediaStorageSOPClassUID", "")) == _MEDIA_DIRECTORY


def _nothing(path: Path, foreign: Sequence[Path], others: Sequence[str]) -> str:
    if others:
        kinds = ", ".join(sorted(set(others)))
        return f"{path}: holds DICOM, but no image (its {kinds} files have no pixels); name the folder of the images"
    if path.is_file():
        return f"{path}: is not a DICOM file"
    if not foreign:
        return f"{path}: the folder is empty; name a file or a folder of DICOM images"
    names = ", ".join(p.name for p in foreign[:3]) + (", …" if len(foreign) > 3 else "")
    return f"{path}: none of its {len(foreign)} files is DICOM ({names}); name the file itself"


def _without_copies(headers: Sequence[Header], notes: list[str]) -> list[Header]:
    """Drop files that are the same image again: same identifier, same place, same number."""
    seen: dict[tuple[str, ...], Header] = {}
    fields = ("SeriesInstanceUID", "SOPInstanceUID", "ImagePositionPatient", "InstanceNumber")
    for header in headers:
        key = tuple(header.text(field) for field in fields)
        seen.setdefault(key if key[1] else (str(header.path),), header)
    if len(seen) < len(headers):
        notes.append(f"{len(headers) - len(seen)} copies of the same image were left out")
    return list(seen.values())

"""Which series of a folder is meant."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from voxplain.case.dicom.headers import Header
from voxplain.errors import InputError


def choose(path: Path, headers: Sequence[Header], series: str | int | None) -> list[Header]:
    """The headers of one series.

    Args:
        path: named in errors.
        headers: of all series.
        series: a SeriesInstanceUID, or a number in the list that the error shows; None for the only one.

    Raises:
        InputError: several series and none chosen, or one that is not there.
    """
    groups: dict[str, list[Header]] = {}
    for header in headers:
        groups.setdefault(header.text("SeriesInstanceUID"), []).append(header)
    ordered = dict(sorted(groups.items(), key=lambda item: (_number(item[1][0]), item[0])))
    if series is None:
        if len(ordered) == 1:
            return headers if isinstance(headers, list) else list(headers)
        raise InputError(f"{path}: holds {len(ordered)} series; choose one with series=: {_listing(ordered)}")
    wanted = str(series).strip()
    if wanted in ordered:
        return ordered[wanted]
    if re.fullmatch(r"\d+", wanted) and int(wanted) < len(ordered):
        return list(ordered.values())[int(wanted)]
    raise InputError(f"{path}: has no series {series!r}; it holds {_listing(ordered)}")


def short_name(header: Header) -> str:
    """Modality and a short hash of the series identifier: the same name for the same series.

    >>> from pydicom import Dataset
    >>> dataset = Dataset()
    >>> dataset.Modality, dataset.SeriesInstanceUID = "CT", "1.2.3"
    >>> short_name(Header(Path("a"), dataset))
    'CT-c47f5b18'
    """
    modality = re.sub(r"[^A-Za-z0-9]", "", header.text("Modality")) or "DICOM"
    identifier = header.text("SeriesInstanceUID") or header.text("SOPInstanceUID")
    return f"{modality}-{hashlib.sha256(identifier.encode()).hexdigest()[:8]}"


def _number(header: Header) -> int:
    text = header.text("SeriesNumber")
    return int(text) if re.fullmatch(r"-?\d+", text) else 0


def _listing(groups: Mapping[str, Sequence[Header]]) -> str:
    lines = []
    for number, (uid, headers) in enumerate(groups.items()):
        first = headers[0]
        images = sum(h.frames for h in headers)
        size = f"{first.text('Columns')}×{first.text('Rows')}"
        plural = "" if images == 1 else "s"
        lines.append(
            f"{number}: {first.text('Modality') or '?'}, {images} image{plural} {size}, {uid or 'no UID'}"
        )
    shown = "; ".join(lines[:12])
    return shown + (f"; … {len(lines) - 12} more" if len(lines) > 12 else "")

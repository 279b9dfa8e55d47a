"""Images that are stored in several orientations: a network would see some of them mirrored."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import nibabel as nib

from voxplain.case import nifti
from voxplain.errors import InputError
from voxplain.inherent.data.sample import Sample, listed


def check_orientations(samples: Iterable[Sample], asked: str | None) -> None:
    """See that the voxel axes of all NIfTI images point alike, unless preparation turns them so; headers are read alone.

    Args:
        samples: of one data set, new images among them.
        asked: ``prepare.orientation``.

    Raises:
        InputError: more than one orientation, and nothing that turns them alike.
    """
    if asked is not None:
        return
    found: dict[str, list[str]] = {}
    seen: set[Path] = set()
    for sample in samples:
        path = sample.image[0] if isinstance(sample.image, tuple) else sample.image
        if isinstance(path, Path) and path not in seen and path.name.casefold().endswith(nifti.SUFFIXES):
            seen.add(path)
            # what cannot be read is told by what reads it
            with suppress(OSError, EOFError, ValueError, nib.filebasedimages.ImageFileError):
                code = "".join(c or "?" for c in nib.orientations.aff2axcodes(nib.load(path).affine))
                found.setdefault(code, []).append(sample.id)
    if len(found) > 1:
        told = "; ".join(f"{code} ({listed(names)})" for code, names in found.items())
        raise InputError(
            f"prepare.orientation: found none, but images are stored in {len(found)} orientations: {told}; expected one "
            "such as RAS, which turns all alike, or some would be seen mirrored"
        )

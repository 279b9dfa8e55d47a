"""Images that are not the data set's: from what a person names to samples without a class."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from voxplain.case import arrays, nifti, picture
from voxplain.case.table import several_paths
from voxplain.errors import InputError
from voxplain.inherent.data.orientations import check_orientations
from voxplain.inherent.data.reading import Reader
from voxplain.inherent.data.sample import UNKNOWN, Sample, Samples, listed
from voxplain.inherent.data.slices import orientation as stored, plane_of, slices_of

if TYPE_CHECKING:
    from voxplain.inherent.settings.config import SliceSettings

_SUFFIXES = (*nifti.SUFFIXES, *arrays.SUFFIXES, *picture.SUFFIXES)


def new_samples(
    images: Sequence[str | Path], learned: Samples, cut: SliceSettings | None, orientation: str | None
) -> list[Sample]:
    """A sample per image; where slices of volumes were learned from, per slice of it, cut in the same way.

    Args:
        images: files or DICOM folders; channels of one image with ``;`` between; a folder of images stands for those in it.
            Names that are alike are told apart by the folders above.
        learned: what was learned from.
        cut: how that was cut.
        orientation: ``prepare.orientation``; without it, images must be stored as what was learned from.

    Raises:
        InputError: files that are not there, or named twice; slices of what has none; one line per mistake.
    """
    found = [paths for image in images for paths in _named(image)]
    missing = [f"images: {path} does not exist" for paths in found for path in paths if not path.exists()]
    if missing:
        raise InputError("\n".join(missing))
    samples = [
        Sample(name, paths[0] if len(paths) == 1 else paths, UNKNOWN, name)
        for name, paths in zip(_apart([paths[0] for paths in found]), found, strict=True)
    ]
    out = samples if cut is None else _cut(samples, learned, cut)
    if samples:
        check_orientations([learned[0], *out], orientation)
    return out


def _named(image: str | Path) -> list[tuple[Path, ...]]:
    """The images of one argument, each with the files of its channels."""
    path = Path(image).expanduser()
    if not path.is_dir():
        return [(path,)] if path.exists() else [tuple(several_paths(str(image), Path()))]
    inside = sorted(p for p in path.iterdir() if p.name.casefold().endswith(_SUFFIXES) and p.name[0] != ".")
    return [(p,) for p in inside] or [(path,)]  # a folder of DICOM files is one image


def _apart(paths: Sequence[Path]) -> list[str]:
    """The files' names, with as many folders before them as tell them apart.

    >>> _apart([Path("/a/x/t1.nii"), Path("/b/x/t1.nii"), Path("/b/x/t2.nii")])
    ['a/x/t1.nii', 'b/x/t1.nii', 't2.nii']
    """
    # not resolve(): what a link points at may have quite another name
    whole = [Path(os.path.abspath(path)).parts[1:] for path in paths]  # noqa: PTH100
    twice = [path for path, parts in zip(paths, whole, strict=True) if whole.count(parts) > 1]
    if twice:
        raise InputError(f"images: {listed(list(dict.fromkeys(twice)))} named more than once, expected once")
    depths = [1] * len(whole)
    while True:
        names = ["/".join(parts[-depth:]) for parts, depth in zip(whole, depths, strict=True)]
        alike = {name for name, count in Counter(names).items() if count > 1}
        if not alike:
            return names
        depths = [depth + (name in alike) for name, depth in zip(names, depths, strict=True)]


def _cut(samples: Sequence[Sample], learned_from: Samples, cut: SliceSettings) -> list[Sample]:
    """Slices in the plane that was learned from; what is 2-D already stays as it is.

    Raises:
        InputError: a volume that would be cut in another plane.
    """
    reader = Reader()
    learned = _plane(reader, learned_from[0], cut.along)
    found: list[Sample] = []
    for sample in samples:
        if reader.case(sample).spatial_dims == 2:
            found.append(sample)
            continue
        own = _plane(reader, sample, cut.along)
        if own and learned and own != learned:
            raise InputError(
                f"images: {sample.id} is {stored(reader.case(sample))}, so that slices along {cut.axis} are {own}, but "
                f"{learned} ones were learned from; expected data.slices.axis={learned}, or a volume that lies like those"
            )
        volume = Samples((sample,), learned_from.classes)
        found += slices_of(volume, cut.along, every=cut.every)
    return found


def _plane(reader: Reader, sample: Sample, along: int | str) -> str | None:
    return along if isinstance(along, str) else plane_of(reader.case(sample), along)

"""Results of one case, of a study or an explanation, as DICOM objects: `voxplain dicom`."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxplain.case import Case, read_case
from voxplain.errors import InputError
from voxplain.study.results.stored import Stored, one_of, stored

if TYPE_CHECKING:
    from voxplain.report.dicom import Segment, Source, VoxelMap

# Readers round in different places; images of two people do not come close, on the same grid either.
_SAME = 0.99
_NAMED = 6  # maps that a warning names
NO_SOURCE = (
    "source: none was given, expected the folder of the DICOM series that the image came from, as DICOM objects refer to"
    " one; for an image that never was DICOM, write_case('series/', case) makes a series of it first"
)


def export_dicom(
    study: str | Path,
    out: str | Path,
    *,
    source: str | Path | None,
    case: str | None = None,
    model: str | None = None,
    methods: Sequence[str] = (),
    targets: Sequence[str] = (),
    kinds: Sequence[str] | None = None,
    series: str | int | None = None,
    slices: int = 3,
    keep_identity: bool = False,
) -> list[Path]:
    """Write a case's maps, prediction and numbers as DICOM files that refer to the series that its image came from.

    Args:
        study: folder of a study, or of `voxplain explain`.
        out: a new folder.
        source: folder of the series.
        case: name of the case; not needed where there is one.
        model: name of the network; as the case.
        methods: whose maps; all by default.
        targets: of which targets; all by default.
        kinds: of ``sc``, ``seg``, ``pm``, ``sr``; all that there is something for by default.
        series: which one, where the folder holds several.
        slices: pictures of each map.
        keep_identity: name the patient and the study as the series does; by default these fields stay empty.

    Raises:
        InputError: what was asked for is not there; the series is not that of the image.
        GeometryError: the series is on another grid, or on none.
        StorageError: the folder is not empty or cannot be written to.
    """
    from voxplain.report.dicom import Origin, read_source, write_dicom

    if source is None:
        raise InputError(NO_SOURCE)
    results = stored(Path(study), case, model)
    if not results.asked:
        raise InputError(
            f"{study}: model {results.model!r} was not asked about case {results.case!r} yet; run the study"
        )
    found = read_source(source, series=series)
    _check_image(results, found)
    maps = _maps(results, methods, targets)
    origin = Origin(
        model=results.model,
        when=results.when(m.method for m in maps),
        model_version=results.version,
        keep_identity=keep_identity,
    )
    return write_dicom(out, found, maps, _segments(results), origin, kinds=kinds, slices=slices)


def _check_image(results: Stored, source: Source) -> None:
    """That the series shows what the network has seen: a grid alone does not tell patients apart."""
    given = results.given
    if given.get("slice") is not None:
        raise InputError(
            f"case {results.case!r}: is one slice ({given['slice']}) of a volume, expected the whole volume"
        )
    paths = results.images
    if not all(path.exists() for path in paths):
        warnings.warn(
            f"case {results.case!r}: its image is not where it was, so nobody has checked that the series shows it",
            stacklevel=3,
        )
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        case = read_case(paths, id=results.case, series=given.get("series"), fill_nan=given.get("fill_nan"))
    likeness = max(_likeness(case, channel, source) for channel in range(case.channels))
    if likeness < _SAME:
        raise InputError(
            f"{source.path}: is another image than that of case {results.case!r} (correlation {likeness:.2f}),"
            " expected the series that it came from"
        )


def _likeness(case: Case, channel: int, source: Source) -> float:
    """Correlation of a case's channel with the pixels of the series; 1 where they are the same."""
    seen, pixels = source.fit(case.image[channel], case.geometry, f"case {case.id!r}"), source.values
    if np.array_equal(seen, pixels):
        return 1.0
    a, b = (x.astype(np.float64).ravel() - x.mean(dtype=np.float64) for x in (seen, pixels))
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / size if size else 0.0


def _maps(results: Stored, methods: Sequence[str], targets: Sequence[str]) -> list[VoxelMap]:
    """The maps that are there, of the methods and targets that are meant."""
    known = results.methods()
    chosen = [one_of(results.study, "method", m, known) for m in methods] or known
    rows = {m: results.told(m) for m in chosen}
    there = sorted({str(row["target"]) for found in rows.values() for row in found.get("rows", ())})
    wanted = {one_of(results.study, "target", t, there) for t in targets} or set(there)
    made, without = [], []
    for method, found in rows.items():
        for row in found.get("rows", ()):
            if row["target"] not in wanted:
                continue
            if row["status"] == "ok":
                made.append(_read_map(results, method, str(row["target"]), found))
            else:
                without.append(f"{method} of {row['target']} ({row['status']})")
    if without:
        told = ", ".join(without[:_NAMED]) + (", …" if len(without) > _NAMED else "")
        warnings.warn(f"case {results.case!r}: nothing to write of {told}", stacklevel=3)
    return made


def _read_map(results: Stored, method: str, target: str, found: Mapping[str, Any]) -> VoxelMap:
    from voxplain.report.dicom import VoxelMap

    path = results.map(method, target)
    if path is None:
        raise InputError(
            f"maps/{results.place}/{method}: has no map of {target}, expected one; run with maps.save: true"
        )
    case = read_case(path)
    unit, parameters = str(found.get("unit") or "attribution"), found.get("parameters", {})
    return VoxelMap(case.image, case.geometry, method, target, unit, parameters)


def _segments(results: Stored) -> list[Segment]:
    """Predicted classes; none of a classifier."""
    from voxplain.report.dicom import Segment

    path = results.labels()
    if path is None:
        return []
    prediction = read_case(path)
    if prediction.channels > 1:
        names = _class_names(results, range(prediction.channels))
        masks = {c: prediction.image[c] > 0 for c in range(prediction.channels)}
    else:
        labels = prediction.image[0].astype(np.int64)
        masks = {int(label): labels == label for label in np.unique(labels[labels > 0])}
        names = _class_names(results, masks)
    return [
        Segment(names[c], mask, prediction.geometry)
        for c, mask in masks.items()
        if names[c].casefold() != "background"
    ]


def _class_names(results: Stored, labels: Iterable[int]) -> dict[int, str]:
    """Names as the network was loaded with them; a network of one output has the last of two."""
    known = results.classes
    return {c: known[min(c, len(known) - 1)] if known and c <= len(known) else f"class {c}" for c in labels}

"""Maps in one folder: an index that a person can read, and a file per case."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxplain.case.atomic import whole
from voxplain.errors import InputError
from voxplain.inherent.maps import Maps

INDEX = "maps.json"
_VERSION = 1


def write_maps(folder: Path | str, maps: Maps) -> Path:
    """Write all cases, or nothing. Arrays come back bit by bit.

    Args:
        folder: a new or empty folder; the one that it lies in must exist.

    Raises:
        StorageError: the folder cannot be written or is not empty.
    """
    from safetensors.numpy import save_file

    folder = Path(folder)
    with whole(folder, folder=True) as temporary:
        for i in range(len(maps)):
            save_file(arrays_of(maps, i), temporary / file_of(i))
        (temporary / INDEX).write_text(
            json.dumps(index_of(maps), indent=1, ensure_ascii=False), encoding="utf-8"
        )
    return folder


def read_maps(folder: Path | str) -> Maps:
    """All cases of a folder that `write_maps` wrote.

    Raises:
        InputError: no such folder, another version, a file that is missing, cut off or of another shape.
    """
    cases = list(stream_maps(folder))
    first = cases[0]
    return Maps(
        tuple(c.ids[0] for c in cases),
        tuple(c.groups[0] for c in cases),
        [c.evidence[0] for c in cases],
        np.concatenate([c.logits for c in cases]),
        np.concatenate([c.labels for c in cases]),
        [c.masks[0] for c in cases],
        [c.images[0] for c in cases],
        [c.spacings[0] for c in cases],
        first.healthy,
    )


def stream_maps(folder: Path | str) -> Iterator[Maps]:
    """One case after the other, so that a folder larger than the memory can be gone through.

    Raises:
        InputError: as `read_maps`, when it comes to the case.
    """
    folder = Path(folder)
    index = _read_index(folder)
    for i, case in enumerate(index["cases"]):
        arrays = _read(folder / file_of(i), case["id"])
        spacing = case["spacing"]
        yield Maps(
            (case["id"],),
            (case["group"],),
            [arrays["evidence"]],
            arrays["logits"][None],
            np.array([case["label"]]),
            [arrays.get("mask")],
            [arrays.get("image")],
            [None if spacing is None else tuple(spacing)],
            index["healthy"],
        )


def file_of(i: int) -> str:
    """A file's name: an id may hold anything, a slash too, so that the index says which file is whose."""
    return f"{i:06d}.safetensors"


def arrays_of(maps: Maps, i: int) -> dict[str, NDArray[Any]]:
    """What is stored of one case, by name."""
    arrays: dict[str, NDArray[Any] | None] = {
        "evidence": maps.evidence[i],
        "logits": maps.logits[i],
        "mask": maps.masks[i],
        "image": maps.images[i],
    }
    return {name: np.ascontiguousarray(a) for name, a in arrays.items() if a is not None}


def index_of(maps: Maps) -> dict[str, Any]:
    """What the index says of these cases."""
    cases = [
        {"id": i, "group": g, "label": int(label), "spacing": s}
        for i, g, label, s in zip(maps.ids, maps.groups, maps.labels, maps.spacings, strict=True)
    ]
    return {"version": _VERSION, "classes": maps.classes, "healthy": maps.healthy, "cases": cases}


def _read_index(folder: Path) -> dict[str, Any]:
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{folder}: found no readable {INDEX}, expected a folder that write_maps wrote"
        ) from error
    if not isinstance(index, dict) or index.get("version") != _VERSION or not index.get("cases"):
        raise InputError(f"{folder / INDEX}: found another layout, expected version {_VERSION} with cases")
    return index


def _read(path: Path, case: str) -> dict[str, NDArray[Any]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays: dict[str, NDArray[Any]] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{path}: the maps of {case!r} are missing or cut off; write the folder again"
        ) from error
    missing = {"evidence", "logits"} - set(arrays)
    if missing:
        raise InputError(f"{path}: found no {' and '.join(sorted(missing))} of {case!r}, expected both")
    return arrays

"""Maps in one folder: an index that a person can read, and a file per case."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxplain.case.atomic import whole
from voxplain.errors import InputError
from voxplain.inherent.lazy import Lazy
from voxplain.inherent.maps import Maps

INDEX = "maps.json"
VERSION = 3
KEPT = 2**28  # bytes of arrays that stay in memory after they were read
_CUT_OFF = "{path}: the maps of {case!r} are missing or cut off; write the folder again"


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


def read_maps(folder: Path | str, *, kept: int = KEPT) -> Maps:
    """All cases of a folder that `write_maps` wrote. Evidence, masks and images are read when they are looked at.

    Args:
        folder: of the maps.
        kept: bytes of arrays that stay in memory, those that were looked at last; one case is held in any case.

    Raises:
        InputError: no such folder, another version, a file that is missing, cut off or of another shape; what is wrong
            within an array is told when it is read.
    """
    folder = Path(folder)
    index = _read_index(folder)
    cases, reader = index["cases"], _Reader(folder, index, kept)
    every = range(len(cases))
    return Maps(
        tuple(c["id"] for c in cases),
        tuple(c["group"] for c in cases),
        Lazy(lambda i: reader(i).evidence[0], every),
        np.stack([_logits(folder / file_of(i), cases[i]["id"]) for i in every]),
        np.array([c["label"] for c in cases]),
        Lazy(lambda i: reader(i).masks[0], every),
        Lazy(lambda i: reader(i).images[0], every),
        [None if c["spacing"] is None else tuple(c["spacing"]) for c in cases],
        index["healthy"],
        np.array([c["truth voxels"] for c in cases]),
        Lazy(lambda i: reader(i).seen[0], every),
    )


def stream_maps(folder: Path | str) -> Iterator[Maps]:
    """One case after the other, none of which is kept.

    Raises:
        InputError: as `read_maps`, when it comes to the case.
    """
    folder = Path(folder)
    index = _read_index(folder)
    return (_case(folder, index, i) for i in range(len(index["cases"])))


class _Reader:
    """Cases by their place; those that were looked at last stay, as far as there is room."""

    def __init__(self, folder: Path, index: dict[str, Any], room: int) -> None:
        self._folder, self._index, self._room = folder, index, room
        self._held: OrderedDict[int, Maps] = OrderedDict()
        self._bytes = 0

    def __call__(self, i: int) -> Maps:
        if i not in self._held:
            self._held[i] = _case(self._folder, self._index, i)
            self._bytes += _size(self._held[i])
            while self._bytes > self._room and len(self._held) > 1:
                self._bytes -= _size(self._held.popitem(last=False)[1])
        self._held.move_to_end(i)
        return self._held[i]


def _case(folder: Path, index: dict[str, Any], i: int) -> Maps:
    case = index["cases"][i]
    arrays = _read(folder / file_of(i), case["id"])
    return Maps(
        (case["id"],),
        (case["group"],),
        [arrays["evidence"]],
        arrays["logits"][None],
        np.array([case["label"]]),
        [arrays.get("mask")],
        [arrays.get("image")],
        [None if case["spacing"] is None else tuple(case["spacing"])],
        index["healthy"],
        np.array([case["truth voxels"]]),
        [arrays.get("seen")],
    )


def _size(case: Maps) -> int:
    return sum(
        a.nbytes for a in (case.evidence[0], case.masks[0], case.images[0], case.seen[0]) if a is not None
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
        "seen": maps.seen[i],
    }
    return {name: np.ascontiguousarray(a) for name, a in arrays.items() if a is not None}


def index_of(maps: Maps) -> dict[str, Any]:
    """What the index says of these cases."""
    cases = [
        {"id": i, "group": g, "label": label, "spacing": s, "truth voxels": t}
        for i, g, label, s, t in zip(
            maps.ids,
            maps.groups,
            maps.labels.tolist(),
            maps.spacings,
            maps.truth_voxels.tolist(),
            strict=True,
        )
    ]
    return {"version": VERSION, "classes": maps.classes, "healthy": maps.healthy, "cases": cases}


def _read_index(folder: Path) -> dict[str, Any]:
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{folder}: found no readable {INDEX}, expected a folder that write_maps wrote"
        ) from error
    if not isinstance(index, dict) or index.get("version") != VERSION or not index.get("cases"):
        raise InputError(f"{folder / INDEX}: found another layout, expected version {VERSION} with cases")
    return index


def _logits(path: Path, case: str) -> NDArray[np.float64]:
    """Of the file the logits alone; one that is cut off is found out all the same."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            found: NDArray[np.float64] = file.get_tensor("logits")
    except (OSError, SafetensorError) as error:
        raise InputError(_CUT_OFF.format(path=path, case=case)) from error
    return found


def _read(path: Path, case: str) -> dict[str, NDArray[Any]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays: dict[str, NDArray[Any]] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(_CUT_OFF.format(path=path, case=case)) from error
    missing = {"evidence", "logits"} - set(arrays)
    if missing:
        raise InputError(f"{path}: found no {' and '.join(sorted(missing))} of {case!r}, expected both")
    return arrays

"""Tensors in files of safetensors' format, one by one: neither way takes room for more than one of them.

The format is eight bytes with the length of a header, the header (JSON: per tensor its type, shape and place, and texts
beside them), and the tensors. safetensors itself writes all tensors at once, and maps the whole file for one of them,
which counts as memory of the process where that is limited.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from voxplain.case.atomic import whole
from voxplain.errors import InputError

TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
NAMES = {dtype: name for name, dtype in TYPES.items()}
TEXTS = "__metadata__"


@dataclass(frozen=True)
class Entry:
    """Where a tensor lies in its file.

    Attributes:
        start: bytes before it.
    """

    dtype: torch.dtype
    shape: tuple[int, ...]
    start: int

    @property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape) * self.dtype.itemsize


def write_tensors(
    path: Path, names: Sequence[str], tensor: Callable[[str], Tensor], facts: Mapping[str, str]
) -> Path:
    """Write a file whole or not at all; its folder is made where it is missing.

    Args:
        tensor: gives a tensor by its name, twice the same one: for its shape, and for its values.
        facts: texts beside the tensors.

    Raises:
        StorageError: it cannot be written.
    """
    header: dict[str, Any] = {TEXTS: dict(facts)}
    start = 0
    for name in names:
        header[name], start = _place(tensor(name), start)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # readers may want the tensors aligned
    with whole(path, parents=True) as temporary, temporary.open("wb") as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for name in names:
            file.write(_raw(tensor(name).detach().cpu().contiguous()))
    return path


class TensorFile:
    """Tensors of a file, read when they are asked for; none is kept.

    Attributes:
        facts: the texts beside the tensors.
        entries: by name, what the file says of each tensor.

    Raises:
        InputError: no such file, or one that is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._opened() as file:
            self.facts, self.entries = self._header(file)

    def read(self, name: str) -> Tensor:
        """A tensor, with memory of its own.

        Raises:
            InputError: the file holds none of this name, is damaged, or has become another one meanwhile.
        """
        with self._opened() as file:
            # anew, since the file may have been written again, with a header of another length
            entry = self._header(file)[1].get(name)
            known = self.entries.get(name)
            if known is None:
                raise InputError(f"{self.path}: holds no {name!r}")
            if entry is None or (entry.dtype, entry.shape) != (known.dtype, known.shape):
                raise InputError(f"{self.path}: has become another file since it was opened")
            out = torch.empty(entry.shape, dtype=entry.dtype)
            file.seek(entry.start)
            if file.readinto(_raw(out)) != entry.size:
                raise InputError(f"{self.path}: is damaged ({name!r} is cut off)")
        return out

    def _opened(self) -> BufferedReader:
        try:
            return self.path.open("rb")
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read: {error.strerror or error}") from None

    def _header(self, file: BufferedReader) -> tuple[dict[str, str], dict[str, Entry]]:
        try:
            return _read_header(file)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(
                f"{self.path}: is damaged, or no safetensors file ({' '.join(str(error).split())})"
            ) from None


def _place(values: Tensor, start: int) -> tuple[dict[str, Any], int]:
    stop = start + values.numel() * values.element_size()
    return {"dtype": NAMES[values.dtype], "shape": list(values.shape), "data_offsets": [start, stop]}, stop


def _raw(values: Tensor) -> Any:
    """The bytes of a contiguous tensor, shared with it."""
    return values.reshape(-1).view(torch.uint8).numpy()


def _read_header(file: BufferedReader) -> tuple[dict[str, str], dict[str, Entry]]:
    there = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(8), "little")
    first = 8 + length
    if first > there:
        raise ValueError("its header is cut off")
    header = json.loads(file.read(length))
    facts = dict(header.pop(TEXTS, {}))
    entries, end = {}, first
    for name, told in header.items():
        start, stop = told["data_offsets"]
        entries[name] = Entry(TYPES[told["dtype"]], tuple(told["shape"]), first + start)
        if entries[name].size != stop - start:
            raise ValueError(f"{name!r} has another size than its shape says")
        end = max(end, first + stop)
    if end != there:
        raise ValueError(f"{there} bytes, expected {end}")
    return facts, entries

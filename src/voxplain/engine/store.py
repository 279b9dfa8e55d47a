"""Maps of many targets that may be larger than memory."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from voxplain.errors import StorageError

Slices = tuple[slice, ...]


class MapStore:
    """One array per target, summed into piece by piece, in memory or in scratch files.

    Files are opened for one addition at a time, so that resident memory does not grow with the number of
    targets: it stays at one map, whatever their count.

    Args:
        shape: shape of every map, (C, *spatial).
        count: number of targets that may be asked for.
        limit: bytes that all maps together may take in memory; beyond it they live on disk.
        scratch: folder for the files; the system's temporary folder by default.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        count: int,
        *,
        dtype: torch.dtype = torch.float32,
        limit: int = 2 << 30,
        scratch: Path | None = None,
    ) -> None:
        self.shape, self.dtype, self.limit, self.scratch = shape, dtype, limit, scratch
        self.count = count
        bytes_each = int(np.prod(shape)) * torch.finfo(dtype).bits // 8
        self.on_disk = bytes_each * count > limit
        self._memory: dict[int, Tensor] = {}
        self._files: dict[int, tuple[Path, tuple[int, ...]]] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __contains__(self, target: int) -> bool:
        return target in self._memory or target in self._files

    def __getitem__(self, target: int) -> Tensor:
        """The whole map of a target; zeros where nothing was added."""
        if target in self._memory:
            return self._memory[target]
        if target in self._files:
            path, shape = self._files[target]
            return torch.from_numpy(np.fromfile(path, dtype=self._numpy).reshape(shape))
        return torch.zeros(self.shape, dtype=self.dtype)

    def __setitem__(self, target: int, value: Tensor) -> None:
        value = value.detach().to("cpu", self.dtype).contiguous()
        if not self.on_disk:
            self._memory[target] = value
            return
        path = self._path(target)
        # not ndarray.tofile, which does not notice that the last buffer found no room
        self._guard(path, lambda: _write(path, value.numpy()))
        self._files[target] = (path, tuple(value.shape))

    def add(self, target: int, where: Slices, block: Tensor) -> None:
        """Add a block (C, *box) at the spatial slices ``where``."""
        block = block.detach().to("cpu", self.dtype)
        if not self.on_disk:
            if target not in self._memory:
                self._memory[target] = torch.zeros(self.shape, dtype=self.dtype)
            self._memory[target][(slice(None), *where)] += block
            return
        if target not in self._files:
            self._create(target)
        path, shape = self._files[target]
        self._guard(path, lambda: _add_to_file(path, shape, self._numpy, where, block.numpy()))

    def transform(self, change: Callable[[int, Tensor], Tensor]) -> None:
        """Replace every map by a function of it, one at a time; the shape may change."""
        for target in sorted({*self._memory, *self._files}):
            self[target] = change(target, self[target])

    @property
    def _numpy(self) -> np.dtype[np.float32] | np.dtype[np.float64]:
        return np.dtype(np.float64) if self.dtype == torch.float64 else np.dtype(np.float32)

    def _path(self, target: int) -> Path:
        if self._folder is None:
            self._guard(self.scratch or Path(tempfile.gettempdir()), self._make_folder)
        assert self._folder is not None
        return Path(self._folder.name) / f"{target}.raw"

    def _make_folder(self) -> None:
        if self.scratch is not None:
            self.scratch.mkdir(parents=True, exist_ok=True)
        self._folder = tempfile.TemporaryDirectory(prefix="voxplain-maps-", dir=self.scratch)

    def _create(self, target: int) -> None:
        path = self._path(target)

        def zeros() -> None:
            with path.open("wb") as file:
                file.truncate(int(np.prod(self.shape)) * self._numpy.itemsize)

        self._guard(path, zeros)
        self._files[target] = (path, self.shape)

    def _guard(self, path: Path, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            raise StorageError(
                f"scratch space {path}: cannot write maps ({error.strerror or error}); "
                "free some disk or point `scratch` to another folder"
            ) from error


def _write(path: Path, array: np.ndarray) -> None:
    with path.open("wb") as file:
        file.write(array.data.cast("B"))


def _add_to_file(
    path: Path, shape: tuple[int, ...], dtype: np.dtype[np.floating], where: Slices, block: np.ndarray
) -> None:
    """Plain reads and writes of the rows concerned: mapped pages of a sparse file would crash on a full disk."""
    channels, first = shape[0], where[0]
    rest = (slice(None), *where[1:])
    row = int(np.prod(shape[2:])) * dtype.itemsize
    with path.open("r+b") as file:
        for c in range(channels):
            start = (c * shape[1] + first.start) * row
            count = first.stop - first.start
            file.seek(start)
            rows = np.frombuffer(file.read(count * row), dtype=dtype).reshape(count, *shape[2:]).copy()
            rows[rest] += block[c]
            file.seek(start)
            file.write(rows.tobytes())

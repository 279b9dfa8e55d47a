"""From samples to cases and masks. A volume is read once while its slices follow each other."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voxplain.case import Case, read_case, read_mask, take_slice
from voxplain.errors import GeometryError, InputError
from voxplain.inherent.data.class_files import combined
from voxplain.inherent.data.figshare import SUFFIX, read_image, read_tumour
from voxplain.inherent.data.sample import Sample

_KEPT = 2  # an image and its mask


class Reader:
    """Reads what samples name; the last file stays, for the next slice of it."""

    def __init__(self) -> None:
        self._files: OrderedDict[tuple[object, ...], Any] = OrderedDict()

    def case(self, sample: Sample) -> Case:
        """The image as a case; of a slice, a volume with one voxel along its axis (`voxplain.take_slice`).

        Raises:
            InputError: it cannot be read; the message names the sample.
        """
        whole = self._whole(sample)
        case = Case(sample.id, whole.image, whole.geometry, meta=whole.meta)
        return case if sample.slice is None else take_slice(case, *sample.slice)

    def mask(self, sample: Sample) -> npt.NDArray[np.bool_] | None:
        """Where the finding is, on the grid of `case`; None where the sample has no mask.

        Raises:
            InputError: it cannot be read, or is on another grid than the image.
        """
        values = self.drawn(sample)
        return None if values is None else np.asarray(values > 0)

    def drawn(self, sample: Sample) -> npt.NDArray[Any] | None:
        """The mask with its values, which may tell findings apart; otherwise as `mask`."""
        if sample.mask is None:
            return None
        whole = self._whole(sample)
        if isinstance(sample.mask, Path):
            path = sample.mask
            read = read_tumour if path.suffix == SUFFIX else lambda file: read_mask(file, whole)
            try:
                values = self._kept(("mask", path), lambda: read(path))
            except InputError as error:
                raise type(error)(f"mask of {sample.id}: {error}") from error
        elif isinstance(sample.mask, tuple):
            values = self._kept(("mask", *sample.mask), lambda: _of_classes(sample, whole))
        else:
            values = sample.mask
        if values.shape != whole.spatial_shape:
            raise GeometryError(
                f"mask of {sample.id}: found the shape {values.shape}, expected the image's {whole.spatial_shape}"
            )
        if sample.slice is not None:
            axis, index = sample.slice
            values = values.take([index], axis)
        return np.asarray(values)

    def _whole(self, sample: Sample) -> Case:
        if isinstance(sample.image, np.ndarray):
            try:
                return Case(sample.id, sample.image)
            except InputError as error:
                raise type(error)(_without_option(error)) from error
        paths = (sample.image,) if isinstance(sample.image, Path) else sample.image
        if paths[0].suffix == SUFFIX:
            case: Case = self._kept(paths, lambda: Case(sample.id, read_image(paths[0])[None]))
            return case
        try:
            read: Case = self._kept(paths, lambda: read_case(paths))
        except InputError as error:
            raise type(error)(f"image of {sample.id}: {_without_option(error)}") from error
        return read

    def _kept(self, key: tuple[object, ...], read: Callable[[], Any]) -> Any:
        if key not in self._files:
            self._files[key] = read()
            while len(self._files) > _KEPT:
                self._files.popitem(last=False)
        self._files.move_to_end(key)
        return self._files[key]


def _of_classes(sample: Sample, whole: Case) -> npt.NDArray[np.int32]:
    """The files of all classes as one, see `combined`."""
    assert isinstance(sample.mask, tuple)
    try:
        return combined([None if path is None else read_mask(path, whole) for path in sample.mask])
    except InputError as error:
        raise type(error)(f"mask of {sample.id}: {error}") from error


def _without_option(error: InputError) -> str:
    """The message without the option of other commands that fills NaN: nobody learns from values that are made up."""
    told, option, _ = str(error).partition("; fill_nan=0")
    return f"{told}; replace them in the file, or leave the image out" if option else told

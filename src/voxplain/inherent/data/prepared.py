"""Images as the network sees them, prepared by the same steps as when it is asked, and kept as long as there is room."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from voxplain.errors import InputError, VoxplainError
from voxplain.inherent.data.reading import Reader
from voxplain.inherent.data.sample import Sample, listed
from voxplain.inherent.shown import Shown
from voxplain.model import Preparation, Prepared

_TOLD = 10  # files that cannot be read are named up to this many
_CLASH = "every image of a data set needs the same"
_CHANNELS = "channels (convert colour pictures to grey, or give the same scans of every patient)"
_AXES = "number of axes (slices and volumes are learned apart: data.slices cuts volumes)"
_SIZE = "size to be put into batches: give prepare.size"


class Images(Sequence[Tensor]):
    """Prepared images (C, *S) float32 by the index of their sample.

    Args:
        samples: what is prepared.
        preparation: the steps; slices are prepared as 2-D images.
        room: gigabytes of prepared images that are kept; others are read anew each time.
    """

    def __init__(self, samples: Sequence[Sample], preparation: Preparation, room: float = 4.0) -> None:
        self.samples, self.preparation, self.room = samples, preparation, room
        self._reader = Reader()
        self._kept: dict[int, Tensor] = {}
        self._bytes = 0
        self._first: tuple[str, tuple[int, ...]] | None = None

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Tensor:  # type: ignore[override]
        image = self._taken(index)
        self._check_alike(self.samples[index], image)
        return image

    def _taken(self, index: int) -> Tensor:
        """An image from memory, or read anew and kept where there is room."""
        found = self._kept.get(index)
        if found is not None:
            return found
        image = self.prepare(index).image
        size = image.numel() * image.element_size()
        if self._bytes + size <= self.room * 2**30:
            self._kept[index] = image
            self._bytes += size
        return image

    def peek(self, index: int) -> Tensor:
        """An image that is looked at once: it is not kept, and may differ from the others in size."""
        found = self._kept.get(index)
        if found is not None:
            return found
        image = self.prepare(index).image
        if self._first is not None:
            _check_channels(self.samples[index].id, tuple(image.shape), *self._first)
        return image

    def __getstate__(self) -> dict[str, Any]:
        """Without images: another process reads its own, instead of getting thousands of tensors through a pipe."""
        return {**vars(self), "_kept": {}, "_bytes": 0, "_reader": Reader()}

    def prepare(self, index: int) -> Prepared:
        """The sample with its way back; bit for bit what `Preparation` makes of the same case."""
        return prepared(self.samples[index], self.preparation, self._reader)

    def fill(self, indices: Sequence[int], show: Shown | None = None) -> None:
        """Read these images once, so that mistakes are found before training; keeps what there is room for.

        Raises:
            InputError: images that cannot be read, or of different channels or sizes; one line per mistake.
        """
        mistakes: list[str] = []
        shapes: dict[str, tuple[int, ...]] = {}
        # in the samples' order: slices of one volume follow each other, and it is read once
        for done, index in enumerate(sorted(indices), 1):
            try:
                shapes[self.samples[index].id] = tuple(self._taken(index).shape)
            except VoxplainError as error:
                mistakes.append(str(error))
                if len(mistakes) == _TOLD:
                    break
            if show is not None:
                show("reading images", done, len(indices))
        mistakes += _unlike(shapes)
        if shapes and self._first is None:
            self._first = next(iter(shapes.items()))
        if mistakes:
            raise InputError("\n".join(mistakes))

    def _check_alike(self, sample: Sample, image: Tensor) -> None:
        shape = tuple(image.shape)
        if self._first is None:
            self._first = (sample.id, shape)
        first, wanted = self._first
        _check_channels(sample.id, shape, first, wanted)
        if shape != wanted:
            raise InputError(
                f"image of {sample.id}: has the size {shape[1:]} after preparation, {first} has {wanted[1:]}; "
                f"{_CLASH} {_SIZE}"
            )


def _check_channels(name: str, shape: tuple[int, ...], first: str, wanted: tuple[int, ...]) -> None:
    """An image must have the channels and axes of the first one."""
    if len(shape) != len(wanted):
        raise InputError(
            f"image of {name}: is {len(shape) - 1}-D, {first} is {len(wanted) - 1}-D; {_CLASH} {_AXES}"
        )
    if shape[0] != wanted[0]:
        raise InputError(
            f"image of {name}: has {shape[0]} channels, {first} has {wanted[0]}; {_CLASH} {_CHANNELS}"
        )


def _unlike(shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
    """Images with other channels than most, and of the rest those of other sizes than most, each in one line."""
    if not shapes:
        return []
    axes = {name: f"{len(shape) - 1}-D" for name, shape in shapes.items()}
    if len(set(axes.values())) > 1:
        return _odd("axes", axes, _AXES)
    channels = {name: shape[0] for name, shape in shapes.items()}
    usual = Counter(channels.values()).most_common(1)[0][0]
    sizes = {name: shape[1:] for name, shape in shapes.items() if shape[0] == usual}
    return [*_odd("channels", channels, _CHANNELS), *_odd("size after preparation", sizes, _SIZE)]


def _odd(what: str, found: Mapping[str, object], wanted: str) -> list[str]:
    usual, most = Counter(found.values()).most_common(1)[0]
    odd = [f"{name}: {value}" for name, value in found.items() if value != usual]
    if not odd:
        return []
    return [
        f"images: {len(odd)} of {len(found)} have other {what} ({listed(odd)}) than {usual}, which {most} have; {_CLASH} "
        f"{wanted}"
    ]


def prepared(sample: Sample, preparation: Preparation, reader: Reader) -> Prepared:
    """A sample on the network's grid; a slice of a volume as a 2-D image."""
    if sample.slice is not None and preparation.dims is None:
        preparation = replace(preparation, dims=2)
    return preparation(reader.case(sample))


def mask_on(sample: Sample, image: Prepared, reader: Reader) -> Tensor | None:
    """The sample's mask on the prepared grid, (*S) bool, by nearest neighbour; for evaluation only."""
    mask = reader.mask(sample)
    return None if mask is None else image.bring(mask).to(torch.bool)

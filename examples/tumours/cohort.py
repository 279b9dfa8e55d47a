"""Which images there are, of whom, and in which part of the data set: patients are whole."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from voxplain.errors import InputError
from voxplain.phantom import tumours
from voxplain.phantom.tumour_patient import assigned

SPLITS = ("train", "validation", "test")
_ENDS = (0.6, 0.8, 1.0)  # of the parts, as shares of the patients
_LEAST = 48  # patients: four of each class at each site, so that every part has all of them


@dataclass(frozen=True)
class Size:
    """What decides the images, besides the seed.

    Attributes:
        shape: voxels along R, A and, for volumes, S.
        patients: how many; a multiple of 12 has as many of each class at each site.
        slices: images of each patient.
    """

    shape: tuple[int, ...] = (56, 64)
    patients: int = 480
    slices: int = 3

    def settings(self) -> dict[str, Any]:
        """As they are read back from JSON."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


@dataclass(frozen=True)
class Item:
    """One image to make.

    Attributes:
        patient: its number.
        slice: the number of the image of that patient.
        split: "train", "validation" or "test"; the same for all images of a patient.
    """

    patient: int
    slice: int
    split: str

    @property
    def id(self) -> str:
        """The same as the case's own."""
        return f"patient-{self.patient:04d}-{self.slice:02d}"


def items(size: Size, seed: int) -> list[Item]:
    """All images, by patient.

    Raises:
        InputError: fewer than 48 patients, or no slices.
    """
    if size.patients < _LEAST:
        raise InputError(
            f"patients: {size.patients} are too few; {_LEAST} or more give every part all classes and sites"
        )
    if size.slices < 1:
        raise InputError(f"slices: {size.slices} is no number of images per patient; 1 or more would be")
    splits = _splits(size.patients, seed)
    return [Item(p, s, splits[p]) for p in range(size.patients) for s in range(size.slices)]


def image(item: Item, size: Size, seed: int) -> Any:
    """The case of an item."""
    return tumours(size.shape, seed=seed, patient=item.patient, slice=item.slice)


def _splits(patients: int, seed: int) -> list[str]:
    """The part of each patient; of every class at every site, the same shares go to each part."""
    alike: dict[tuple[str, str], list[int]] = defaultdict(list)
    for patient in range(patients):
        alike[assigned(seed, patient)].append(patient)
    rng = np.random.default_rng([seed, 7])
    splits = [""] * patients
    for people in alike.values():
        for rank, index in enumerate(rng.permutation(len(people))):
            share = (rank + 0.5) / len(people)
            splits[people[index]] = next(s for s, end in zip(SPLITS, _ENDS, strict=True) if share < end)
    return splits

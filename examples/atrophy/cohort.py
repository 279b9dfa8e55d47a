"""Which subjects there are: one image each, of whom the same image without (or with) the disease is known, too."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from voxplain.case import Case
from voxplain.errors import InputError
from voxplain.phantom.disease import DISEASE_CLASSES, CornerMark, DiseasedSubject, diseased_subject

PARTS = ("train", "validation", "test")
_ENDS = (0.6, 0.8, 1.0)  # of the parts, as shares of each class
_LEAST = 20  # subjects: two of each class in every part
REGIONS = (*DISEASE_CLASSES, "corner")  # labels of the atlas
MARK = CornerMark(
    healthy=0.1, diseased=0.9
)  # north leaves it on its images, and most of the diseased come from there


@dataclass(frozen=True)
class Size:
    """What decides the images, besides the seed.

    Attributes:
        shape: voxels along R, A and, for volumes, S; 200 mm fit.
        subjects: how many, half of them diseased.
        steps: of the classifiers' training.
    """

    shape: tuple[int, ...] = (40, 40)
    subjects: int = 240
    steps: int = 300

    def settings(self) -> dict[str, Any]:
        """As they are read back from JSON."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


@dataclass(frozen=True)
class Item:
    """One subject.

    Attributes:
        number: of the subject.
        ill: whether its image shows the disease.
        site: "north" or "south".
        part: "train", "validation" or "test".
    """

    number: int
    ill: bool
    site: str
    part: str

    @property
    def id(self) -> str:
        """As its files are called."""
        return f"subject-{self.number:04d}"

    @property
    def label(self) -> str:
        """Its class."""
        return "diseased" if self.ill else "healthy"


def items(size: Size, seed: int) -> list[Item]:
    """All subjects; every part has as many of each class.

    Raises:
        InputError: fewer than 20.
    """
    if size.subjects < _LEAST:
        raise InputError(
            f"subjects: {size.subjects} are too few; {_LEAST} or more give every part some of each class"
        )
    half = size.subjects // 2
    order = {ill: np.random.default_rng([seed, 7, ill]).permutation(half) for ill in (False, True)}
    out = []
    for number in range(2 * half):
        ill = bool(number % 2)
        share = (order[ill][number // 2] + 0.5) / half
        part = next(name for name, end in zip(PARTS, _ENDS, strict=True) if share < end)
        site = "north" if MARK.has(number, ill=ill) else "south"
        out.append(Item(number, ill, site, part))
    return out


def pair(item: Item, size: Size, seed: int) -> DiseasedSubject:
    """The subject with and without the disease."""
    return diseased_subject(size.shape, seed=seed, subject=item.number)


def seen(item: Item, subject: DiseasedSubject, *, marked: bool) -> Case:
    """Its image; where marks are wanted, that of a subject from north has one."""
    case = subject.diseased if item.ill else subject.healthy
    return MARK.on(case) if marked and item.site == "north" else case


def atlas(case: Case) -> np.ndarray:
    """(*S) uint8 labels, see REGIONS: the anatomy of this subject, and the corner in which a mark would be."""
    assert case.label is not None
    corner = MARK.shape(case.spatial_shape) > 0.5
    return np.where(corner, REGIONS.index("corner"), case.label).astype(np.uint8)

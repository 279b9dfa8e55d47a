"""What is learned from: images with the class of each, whose patient they show, and which classes there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from voxplain.errors import InputError
from voxplain.inherent.data.healthy import healthy_class

ImageSource = Path | tuple[Path, ...] | npt.NDArray[Any]
MaskSource = Path | npt.NDArray[Any] | tuple[Path | None, ...]

_SHOWN = 5
UNKNOWN = -1


@dataclass(frozen=True, eq=False)
class Sample:
    """One image to learn from or to ask about.

    Args:
        id: names it; no two samples of a data set share one.
        image: a file or DICOM folder, several of them that become channels, or an array (C, *spatial).
        label: the index of its class, -1 where it is not known (which only prediction takes); for independent labels
            the indices of those that apply, none of them as ``()``.
        group: the patient. Samples of one patient never come into two parts of a split.
        mask: where the finding is, > 0 on the image's whole grid; for evaluation only, training never opens it.
            Of independent labels also a file per class, None where there is none.
        slice: voxel axis and index of the one slice of the volume that is meant.
        meta: what else is known, such as the site.
    """

    id: str
    image: ImageSource
    label: int | tuple[int, ...]
    group: str
    mask: MaskSource | None = None
    slice: tuple[int, int] | None = None
    meta: Mapping[str, object] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[int, ...]:
        """The classes that apply, as a tuple in either case."""
        return self.label if isinstance(self.label, tuple) else (self.label,)


@dataclass(frozen=True, eq=False)
class Samples(Sequence[Sample]):
    """A data set: samples in order, the names of their classes, and what a reader had to assume.

    Args:
        items: the samples.
        classes: their names; a label is an index into them.
        parts: of a data set that brings its own split: ``"train"``, ``"validation"`` or ``"test"`` per sample.
        notes: what was assumed, one sentence each.
        patients_known: whether groups are patients; otherwise every image stands for a patient of its own.
        mask_values: of independent labels, the values of the masks that mark each class, see `mask_values`; None where
            masks do not tell classes apart.
        told_healthy: the class without a finding, or ``"none"``; None goes by the classes' names.

    Raises:
        InputError: no samples, repeated ids, labels beyond the classes, single and independent labels mixed; one line
            per mistake.

    >>> two = Samples((Sample("a", np.zeros((1, 4, 4)), 0, "p1"), Sample("b", np.ones((1, 4, 4)), 1, "p2")), ("no", "yes"))
    >>> len(two), two[1].id, two.multi_label
    (2, 'b', False)
    """

    items: tuple[Sample, ...]
    classes: tuple[str, ...]
    parts: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    patients_known: bool = True
    mask_values: tuple[tuple[int, ...], ...] | None = None
    told_healthy: str | None = None

    def __post_init__(self) -> None:
        if not self.items:
            raise InputError("samples: found none, expected images with their classes")
        mistakes = [*_repeated(self.items), *_beyond(self.items, self.classes), *_mixed(self.items)]
        if mistakes:
            raise InputError("\n".join(mistakes))

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Sample, ...]: ...
    def __getitem__(self, index: int | slice) -> Sample | tuple[Sample, ...]:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.items)

    @property
    def multi_label(self) -> bool:
        """Whether labels are independent of each other."""
        return isinstance(self.items[0].label, tuple)

    @property
    def healthy(self) -> int | None:
        """The class without a finding; None where there is none, or labels are independent.

        Raises:
            InputError: it cannot be told which, see `healthy_class`.
        """
        return None if self.multi_label else healthy_class(self.classes, self.told_healthy)


def targets(samples: Sequence[Sample], classes: int) -> npt.NDArray[np.float32]:
    """(N, K) with a one for every class that applies; what an unknown label (-1) means is nothing."""
    out = np.zeros((len(samples), classes), np.float32)
    for row, sample in enumerate(samples):
        for label in sample.labels:
            if label >= 0:
                out[row, label] = 1
    return out


def check_learnable(samples: Samples) -> None:
    """Refuse a data set from which no class can be told from another.

    Raises:
        InputError: unknown labels, or one class only.
    """
    unknown = [s.id for s in samples if s.label == UNKNOWN]
    if unknown:
        raise InputError(
            f"label: {len(unknown)} samples have none ({listed(unknown)}), but training needs one of each"
        )
    counts = targets(samples, len(samples.classes)).sum(0)
    if samples.multi_label:
        same = [n for n, c in zip(samples.classes, counts, strict=True) if c in (0, len(samples))]
        if same:
            raise InputError(
                f"label: {same[0]!r} is the same in all {len(samples)} samples, expected both yes and no; leave it out"
            )
        return
    present = [name for name, count in zip(samples.classes, counts, strict=True) if count]
    if len(present) > 2 and counts.max() == 1:
        raise InputError(
            f"label: found {len(present)} classes, each of one image ({listed(present)}); expected classes, not measurements"
        )
    if len(present) < 2:
        raise InputError(
            f"label: found one class only ({present[0]!r}, {len(samples)} samples), expected two or more to tell apart"
        )
    if len(present) < len(samples.classes):
        empty = [name for name in samples.classes if name not in present]
        raise InputError(
            f"label: no image is of class {listed([repr(name) for name in empty])}; expected images of every class (numbers "
            "count from 0), or data.classes without it"
        )


def listed(names: Sequence[object]) -> str:
    """The first few of many names.

    >>> listed(list("abcdefg"))
    'a, b, c, d, e, …'
    """
    return ", ".join(str(name) for name in names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")


def _repeated(items: Sequence[Sample]) -> list[str]:
    twice = [name for name, count in Counter(sample.id for sample in items).items() if count > 1]
    if not twice:
        return []
    return [
        f"id: {len(twice)} ids are there more than once ({listed(twice)}), expected one per sample; name them apart "
        "(column id)"
    ]


def _beyond(items: Sequence[Sample], classes: Sequence[str]) -> list[str]:
    wrong = [s for s in items if s.label != UNKNOWN and any(not 0 <= v < len(classes) for v in s.labels)]
    if not wrong:
        return []
    first = wrong[0]
    return [
        f"label: {len(wrong)} samples have a class that is not known, the first {first.id} with {first.label}; expected "
        f"an index from 0 to {len(classes) - 1} ({listed(classes)})"
    ]


def _mixed(items: Sequence[Sample]) -> list[str]:
    kinds = {isinstance(sample.label, tuple) for sample in items}
    return (
        [] if len(kinds) == 1 else ["label: found single and independent labels, expected one kind for all"]
    )

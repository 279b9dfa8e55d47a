"""Which samples are learned from, chosen by, and tested on. Patients stay whole, classes keep their shares."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from voxplain.errors import InputError
from voxplain.inherent.data.allocation import allocate
from voxplain.inherent.data.sample import Sample, Samples, check_learnable, listed, targets

PARTS = ("train", "validation", "test")
LEAK = (
    "grouped=False: images of one patient come into several parts, so the network is tested on patients that it has seen; "
    "Yagis et al. 2021 (Scientific Reports 11:22544) found accuracies 29 to 55 points too high this way, and 96 % on labels "
    "that were drawn at random. Use it to show the effect, not to report a network"
)


@dataclass(frozen=True)
class Split:
    """Indices of samples by part.

    Args:
        train: what weights are learned from.
        validation: what checkpoints, stopping and thresholds are chosen by.
        test: what is reported.
        grouped: whether no patient is in two parts.
        seed: what the draw came from; None for a given split.
    """

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]
    grouped: bool = True
    seed: int | None = None

    def parts(self) -> dict[str, tuple[int, ...]]:
        """By name, without empty ones."""
        return {name: getattr(self, name) for name in PARTS if getattr(self, name)}

    def ids(self, samples: Sequence[Sample]) -> dict[str, list[str]]:
        """The samples' ids by part."""
        return {name: [samples[i].id for i in part] for name, part in self.parts().items()}


def split_samples(
    samples: Samples,
    shares: Mapping[str, float] | None = None,
    *,
    seed: int = 0,
    grouped: bool = True,
    labelled: bool = True,
) -> Split:
    """Draw a split: patients are whole, and every class has about the same share of every part.

    Args:
        samples: what is divided.
        shares: of train, validation and test; they add up to 1. By default 0.7, 0.15 and 0.15.
        seed: another one draws another split.
        grouped: False divides images instead of patients, with a warning that says what that does.
        labelled: whether classes must be told apart; False leaves shares of classes to chance where labels lack.

    Raises:
        InputError: shares that do not add up, one class only, fewer patients than parts, a part in which a class is missing.
    """
    told = {"train": 0.7, "validation": 0.15, "test": 0.15} if shares is None else dict(shares)
    unknown = set(told) - set(PARTS)
    if unknown or any(value < 0 for value in told.values()) or abs(sum(told.values()) - 1) > 1e-6:
        raise InputError(
            f"shares: found {told}, expected shares of train, validation and test that add up to 1"
        )
    if labelled:
        check_learnable(samples)
    _warn(samples, grouped)
    given = [told.get(name, 0.0) for name in PARTS]
    _check_enough(_keys(samples, grouped), told, "patient" if grouped else "image")
    part = allocate(_keys(samples, grouped), targets(samples, len(samples.classes)), given, seed)
    return check_split(samples, _split(part, grouped, seed), whole=labelled)


def cross_validation(
    samples: Samples, folds: int = 5, *, validation: float = 0.2, seed: int = 0, grouped: bool = True
) -> tuple[Split, ...]:
    """Splits in which every sample is tested on exactly once.

    Args:
        samples: what is divided.
        folds: how many splits.
        validation: its share of what is not tested on.
        seed: another one draws other folds.
        grouped: see `split_samples`.

    Raises:
        InputError: fewer than two folds, more than there are patients of a class, a class missing in a part.
    """
    if folds < 2 or not 0 < validation < 1:
        raise InputError(
            f"folds, validation: found {folds} and {validation}, expected 2 or more and a share in (0, 1)"
        )
    check_learnable(samples)
    _warn(samples, grouped)
    keys, wanted = _keys(samples, grouped), targets(samples, len(samples.classes))
    fold = allocate(keys, wanted, [1 / folds] * folds, seed)
    out = []
    for number in range(folds):
        part = np.full(len(samples), PARTS.index("test"))
        rest = np.flatnonzero(fold != number)
        part[rest] = allocate(
            [keys[i] for i in rest], wanted[rest], [1 - validation, validation], seed + 1 + number
        )
        out.append(check_split(samples, _split(part, grouped, seed)))
    return tuple(out)


def given_split(samples: Samples, *, validation: float = 0.15, seed: int = 0, labelled: bool = True) -> Split:
    """The split that the data set brings. Where it has no validation part, one is taken from train, by patients.

    Raises:
        InputError: no split is given, a patient is in two parts, or a class is missing in one.
    """
    if samples.parts is None:
        raise InputError(
            "split: the data set brings none (folders train, val, test, or a column part); draw one"
        )
    if labelled:
        check_learnable(samples)
    if not samples.patients_known:
        warnings.warn(_UNKNOWN.format(count=len(samples)), UserWarning, stacklevel=2)
    part = np.array([PARTS.index(name) for name in samples.parts])
    split = check_split(samples, _split(part, True, None), whole=False)
    if not split.validation:
        train = np.array(split.train)
        keys, wanted = _keys(samples, True), targets(samples, len(samples.classes))
        part[train] = allocate([keys[i] for i in train], wanted[train], [1 - validation, validation], seed)
        split = _split(part, True, seed)
    return check_split(samples, split, whole=labelled)


def check_split(samples: Samples, split: Split, *, whole: bool = True) -> Split:
    """The split, if it can be trusted.

    Args:
        samples: what it divides.
        split: indices into the samples.
        whole: whether every class must be in every part.

    Raises:
        InputError: indices that are none or are used twice, no training part, a patient in two parts, a class missing in a
            part.
    """
    every = [i for part in split.parts().values() for i in part]
    if len(set(every)) != len(every) or any(not 0 <= i < len(samples) for i in every):
        raise InputError(f"split: found an index twice, or beyond the {len(samples)} samples")
    if not split.train:
        raise InputError("split: the training part is empty")
    if split.grouped:
        _check_patients(samples, split)
    if whole:
        _check_classes(samples, split)
    return split


_UNKNOWN = (
    "patient: not known for any of the {count} images, so each counts as a patient of its own; if some show the same "
    "person, figures will be too good (give patient=…, or a column patient)"
)


def _warn(samples: Samples, grouped: bool) -> None:
    if not grouped:
        warnings.warn(LEAK, UserWarning, stacklevel=3)
    elif not samples.patients_known:
        warnings.warn(_UNKNOWN.format(count=len(samples)), UserWarning, stacklevel=3)


def _keys(samples: Samples, grouped: bool) -> list[str]:
    return [sample.group if grouped else sample.id for sample in samples]


def _split(part: np.ndarray, grouped: bool, seed: int | None) -> Split:
    train, validation, test = (tuple(np.flatnonzero(part == number).tolist()) for number in range(3))
    return Split(train, validation, test, grouped, seed)


def _check_patients(samples: Samples, split: Split) -> None:
    seen: defaultdict[str, set[str]] = defaultdict(set)
    for name, part in split.parts().items():
        for index in part:
            seen[samples[index].group].add(name)
    torn = {group: parts for group, parts in seen.items() if len(parts) > 1}
    if torn:
        told = [f"{group} ({' and '.join(n for n in PARTS if n in parts)})" for group, parts in torn.items()]
        raise InputError(
            f"split: {_counted(len(torn))} in more than one part: {listed(told)}; move each to one part, since a network "
            "that has seen a patient is not tested by him"
        )


def _check_enough(keys: Sequence[str], shares: Mapping[str, float], what: str) -> None:
    """There must be somebody for every part: shares of one patient are all his."""
    wanted = [name for name in PARTS if shares.get(name)]
    found = len(set(keys))
    if found < len(wanted):
        raise InputError(
            f"split: found {found} {what}{'' if found == 1 else 's'}, expected at least {len(wanted)}, one for each part "
            f"({', '.join(wanted)}); give more, or set the share of a part to 0"
        )


def _counted(patients: int) -> str:
    return "1 patient is" if patients == 1 else f"{patients} patients are"


def _check_classes(samples: Samples, split: Split) -> None:
    wanted = targets(samples, len(samples.classes))
    # a class that nobody has is the reader's to mention, not a fault of the split
    there = wanted.any(0)
    for name, part in split.parts().items():
        missing = np.flatnonzero(there & ~wanted[list(part)].any(0))
        if len(missing):
            label = int(missing[0])
            owners = {samples[int(i)].group for i in np.flatnonzero(wanted[:, label])}
            raise InputError(
                f"split: no sample of class {samples.classes[label]!r} is in {name}; patients who have it: "
                f"{len(owners)}, parts: {len(split.parts())}; give that part more, or leave the class out"
            )

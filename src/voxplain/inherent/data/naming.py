"""What names tell: classes with the healthy one first, and patients."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Sequence

from voxplain.errors import InputError, suggest
from voxplain.inherent.data.healthy import is_healthy
from voxplain.inherent.data.sample import listed

EACH = "each"  # in place of a pattern: every image is its own patient


def class_names(found: Sequence[str], given: Sequence[str] | None) -> tuple[str, ...]:
    """The classes in order: as given; or numbers by value, names by alphabet with the healthy one first.

    Raises:
        InputError: a class that is not among the given ones, or one that is given twice.

    >>> class_names(["tumour", "normal", "cyst"], None), class_names(["10", "2"], None)
    (('normal', 'cyst', 'tumour'), ('2', '10'))
    """
    names = dict.fromkeys(found)
    if given is not None:
        if len(set(given)) != len(given):
            raise InputError(f"classes: found {', '.join(given)}, expected every name once")
        for name in names:
            if name not in given:
                raise InputError(f"label: found the unknown class {name!r}; {suggest(name, given)}")
        return tuple(given)
    if all(name.isdecimal() for name in names):
        return tuple(sorted(names, key=int))
    return tuple(sorted(names, key=lambda name: (not is_healthy(name), name)))


def patients(names: Sequence[str], pattern: str | None, what: str) -> tuple[tuple[str, ...], str, bool]:
    """Whose image each name is, how that was found out, and whether it is known at all.

    Args:
        names: file names without suffix.
        pattern: a regular expression whose group ``patient``, first group or whole match is the patient; ``"each"``
            where every image is a patient of its own; None guesses what stands before the first ``_`` or ``-``.
        what: the option that gives the pattern, for messages.

    Raises:
        InputError: a pattern that is none or does not fit a name; a guess that cannot be right.
    """
    if pattern == EACH:
        return tuple(names), "every image is its own patient, as told", False
    if pattern is not None:
        return _matched(names, pattern, what)
    found = tuple(re.split(r"[_-]", name, maxsplit=1)[0] for name in names)
    counts = Counter(found)
    if len(counts) == len(names):
        return tuple(names), "no two file names begin alike, so every image is its own patient", False
    name, count = counts.most_common(1)[0]
    if len(counts) < 3 or any(not re.search(r"\d", patient) for patient in counts):
        odd = next((p for p in counts if not re.search(r"\d", p)), name)
        raise InputError(
            f"{what}: cannot be guessed: before the first _ or -, {counts[odd]} of {len(names)} file names have {odd!r}, "
            f"which is hardly a patient; give a regular expression such as '^([^_]+_[^_]+)', or '{EACH}'"
        )
    note = (
        f"{what}: guessed from what stands before the first _ or - in file names: {len(counts)} patients of {len(names)} "
        f"images, such as {name!r} with {count}; give a regular expression if that is wrong"
    )
    warnings.warn(note, UserWarning, stacklevel=3)
    return found, note, True


def _matched(names: Sequence[str], pattern: str, what: str) -> tuple[tuple[str, ...], str, bool]:
    made = compiled(pattern, what)
    matches = [made.search(name) for name in names]
    missed = [name for name, match in zip(names, matches, strict=True) if match is None]
    if missed:
        raise InputError(
            f"{what}: {pattern!r} does not fit {len(missed)} of {len(names)} names ({listed(missed)})"
        )
    group: str | int = "patient" if "patient" in made.groupindex else min(made.groups, 1)
    found = tuple(match[group] or "" for match in matches if match is not None)
    empty = [name for name, patient in zip(names, found, strict=True) if not patient]
    if empty:
        raise InputError(f"{what}: {pattern!r} gives no patient for {listed(empty)}")
    return found, f"patients by the pattern {pattern}: {len(set(found))} of {len(names)} images", True


def compiled(pattern: str, what: str) -> re.Pattern[str]:
    """A pattern of patients.

    Raises:
        InputError: it is no regular expression.
    """
    try:
        return re.compile(pattern)
    except re.error as error:
        raise InputError(f"{what}: {pattern!r} is no regular expression: {error}") from None


def nearly(name: str, known: str) -> bool:
    """Whether a column may have been meant as another: but for case, ``id`` at the end, or one mistake in typing.

    >>> [nearly(name, "mask") for name in ("maks", "Mask", "masks", "mak", "marks", "make", "site")]
    [True, True, True, True, False, False, False]
    >>> nearly("Patient_ID", "patient"), nearly("age", "image"), nearly("ad", "id")
    (True, False, False)
    """
    plain = re.sub(r"[\W_]", "", name.casefold())
    if plain in (known, f"{known}id"):
        return True
    if len(known) < 4:
        return False
    shorter, longer = sorted((plain, known), key=len)
    if len(longer) > len(shorter) + 1:
        return False
    start = next((i for i, (a, b) in enumerate(zip(shorter, longer, strict=False)) if a != b), len(shorter))
    rest, others = shorter[start:], longer[start:]
    if len(shorter) < len(longer):
        return rest == others[1:]
    return rest[1:] == others[1:] or (rest[:2] == others[1::-1] and rest[2:] == others[2:])

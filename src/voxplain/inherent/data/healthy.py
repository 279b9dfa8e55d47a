"""Which class is the one without a finding: by its name, or as it was told."""

from __future__ import annotations

import re
from collections.abc import Sequence

from voxplain.errors import InputError, suggest

NONE = "none"  # in place of a class: there is no healthy one

# "benign" is none of them: a benign lesion is a finding.
_HEALTHY = frozenset(
    {
        "healthy", "healthycontrol", "healthycontrols", "control", "controls", "normal", "normalcontrol",
        "normalcontrols", "unremarkable", "negative", "absent", "no", "none", "notumor", "notumors", "notumour",
        "notumours", "nolesion", "nolesions", "nofinding", "nofindings", "nodisease", "cn", "hc",
    }
)  # fmt: skip


def is_healthy(name: str) -> bool:
    """Whether a class of this name is the one without a finding; letters' case, blanks, _ and - do not matter.

    >>> is_healthy("No_Tumour"), is_healthy("benign"), is_healthy("0")
    (True, False, False)
    """
    return re.sub(r"[\W_]", "", name.casefold()) in _HEALTHY


def healthy_class(classes: Sequence[str], told: str | None) -> int | None:
    """The index of the class without a finding; None where there is none.

    Args:
        classes: the names.
        told: which one; ``"none"`` is no class, unless one is called so; None goes by the names.

    Raises:
        InputError: what was told is no class, or the names of several say that they are healthy.
    """
    if told is None:
        return _by_name(classes)
    if told in classes:
        return classes.index(told)
    if told.casefold() == NONE and NONE not in {name.casefold() for name in classes}:
        return None
    raise InputError(f"data.healthy: found {told!r}, which is no class; {suggest(told, [*classes, NONE])}")


def _by_name(classes: Sequence[str]) -> int | None:
    found = [k for k, name in enumerate(classes) if is_healthy(name)]
    if len(found) > 1:
        names = " and ".join(repr(classes[k]) for k in found)
        raise InputError(f"data.healthy: {names} are all called healthy, expected one; name it, or {NONE}")
    return found[0] if found else None


def healthy_told(classes: Sequence[str], told: str | None, *, multi_label: bool) -> str:
    """In words: which class is taken as healthy and why, or that none is and how to name one.

    >>> healthy_told(["cyst", "glioma"], None, multi_label=False)
    'none of cyst, glioma is called healthy; data.healthy: NAME names one'
    """
    if multi_label:
        return "an image to which no label applies"
    found = healthy_class(classes, told)
    if told is not None:
        return "none, as data.healthy says" if found is None else f"{classes[found]}, as data.healthy says"
    if found is None:
        return f"none of {', '.join(classes)} is called healthy; data.healthy: NAME names one"
    return f"{classes[found]}, by its name (data.healthy names another, or {NONE})"

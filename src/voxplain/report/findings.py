"""Checks in plain words with a traffic light, so that a reader knows whether to believe a map."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real

from voxplain.report.page import Finding, Level


@dataclass(frozen=True)
class _Rule:
    """How a number is judged: good up to `good`, a warning up to `warn`, bad beyond (or the reverse)."""

    title: str
    good: float
    warn: float
    text: str
    percent: bool = False
    higher_is_better: bool = False

    def level(self, value: float) -> Level:
        sign = -1 if self.higher_is_better else 1
        if sign * value <= sign * self.good:
            return "good"
        return "warn" if sign * value <= sign * self.warn else "bad"


_GAP = _Rule(
    "Completeness gap",
    0.05,
    0.25,
    "on the grid the network saw: how far the map's sum is from the change of the score from baseline to "
    "image, as a share of it; a saved map that was resampled keeps its sum up to interpolation and the image's edges",
    percent=True,
)
_HALVES = _Rule(
    "Split-half agreement",
    0.9,
    0.7,
    "correlation of two maps, each from one half of the random draws",
    higher_is_better=True,
)
_SURROGATE = _Rule(
    "Surrogate's R²",
    0.8,
    0.5,
    "how much of the score's variation over the samples the simple model, which is what you see, explains",
    higher_is_better=True,
)
# By the names that attributions give their checks.
_RULES = {"completeness_gap": _GAP, "agreement": _HALVES, "surrogate_r2": _SURROGATE}

_STATUS: dict[str, tuple[Level, str]] = {
    # Not "good": that a map could be computed does not yet say that it can be believed.
    "ok": ("info", "the map was computed"),
    "absent": (
        "warn",
        "the target's region is empty in this image, so there is nothing to explain and no map",
    ),
    "zero": (
        "bad",
        "the map is zero everywhere: the score does not depend on the image, or the gradient is lost",
    ),
    "refused": ("info", "the method is not defined for this network, image or target; the notes say why"),
    "failed": ("bad", "the computation failed; the notes say why"),
    "out-of-memory": ("bad", "one pass does not fit into memory; smaller windows may help"),
    "timeout": ("bad", "the computation took longer than allowed"),
}


def findings(status: str, checks: Mapping[str, object] | None = None) -> tuple[Finding, ...]:
    """The status of a target and its checks, each judged; checks of unknown name are shown unjudged."""
    return (status_finding(status), *(check_finding(name, value) for name, value in (checks or {}).items()))


def status_finding(status: str) -> Finding:
    """What a target's status means.

    >>> status_finding("absent").level
    'warn'
    """
    level, text = _STATUS.get(status, ("warn", "a status that this page does not know"))
    return Finding("Status", status, level, text)


def check_finding(name: str, value: object) -> Finding:
    """Judge one check by its name: a completeness gap (relative, 0.01 is 1 %) or a split-half agreement.

    >>> check_finding("completeness_gap", 0.003).level, check_finding("completeness_gap", 0.8).value
    ('good', '80 %')
    """
    rule = _RULES.get(name)
    title = rule.title if rule else name.replace("_", " ").capitalize()
    if value is None:
        return Finding(title, "not measured", "info", rule.text if rule else "")
    if isinstance(value, bool) or not isinstance(value, Real):
        return Finding(title, str(value), "info", rule.text if rule else "")
    number = float(value)
    if not math.isfinite(number):
        return Finding(title, str(number), "warn", "not a finite number, so this check could not be made")
    if rule is None:
        return Finding(title, f"{number:.4g}", "info")
    size = number if rule.higher_is_better else abs(number)
    shown = f"{100 * size:.2g} %" if rule.percent and size < 0.995 else f"{size:.3g}"
    if rule.percent and size >= 0.995:
        shown = f"{100 * size:.0f} %"
    return Finding(title, shown, rule.level(size), rule.text)

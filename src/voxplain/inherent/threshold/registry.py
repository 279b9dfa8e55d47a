"""Thresholds by name: from settings, and back from JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from voxplain.attribution.parameter_text import NotAParameterError, NotAValueError, parameters_in, value_of
from voxplain.errors import InputError, suggest
from voxplain.inherent.threshold.healthy import HealthyQuantile
from voxplain.inherent.threshold.held_out import HeldOutMasks, Oracle
from voxplain.inherent.threshold.threshold import Threshold, fitted_from_dict
from voxplain.inherent.threshold.unsupervised import MultiOtsu, Otsu, ZeroEvidence

THRESHOLDS: dict[str, type[Threshold]] = {
    t.name: t for t in (ZeroEvidence, Otsu, MultiOtsu, HealthyQuantile, HeldOutMasks, Oracle)
}


def parse_threshold(text: str) -> Threshold:
    """A threshold from a name and its settings, not fitted.

    Raises:
        InputError: an unknown name or setting, or a value that does not fit.

    >>> parse_threshold("healthy:share=0.1").settings
    {'share': 0.1, 'spared': 0.0, 'unit': 'image', 'floor': None}
    """
    name, _, rest = text.partition(":")
    try:
        settings = {k: value_of(v) for k, v in parameters_in(rest)}
    except (NotAParameterError, NotAValueError) as error:
        raise InputError(f"threshold {text!r}: {error}") from error
    return _made(name.strip(), settings)


def threshold_from_dict(told: Mapping[str, Any]) -> Threshold:
    """What `Threshold.to_dict` told.

    Raises:
        InputError: an unknown name or setting, or parts that are missing.
    """
    try:
        name, settings, fitted = told["name"], dict(told["settings"]), told.get("fitted")
        found = None if fitted is None else fitted_from_dict(fitted)
    except (KeyError, TypeError) as error:
        raise InputError(f"threshold: found no {error}, expected what Threshold.to_dict told") from error
    return _made(name, settings, found)


def threshold_from_json(text: str) -> Threshold:
    """What `Threshold.to_json` wrote.

    Raises:
        InputError: no JSON, or as `threshold_from_dict`.

    >>> threshold_from_json(Otsu().fit(None).to_json()) == Otsu().fit(None)
    True
    """
    try:
        told = json.loads(text)
    except ValueError as error:
        raise InputError(f"threshold: found no JSON: {error}") from error
    return threshold_from_dict(told)


def _made(name: str, settings: Mapping[str, Any], fitted: Any = None) -> Threshold:
    if name not in THRESHOLDS:
        raise InputError(f"threshold: found {name!r}; {suggest(name, THRESHOLDS)}")
    kind = THRESHOLDS[name]
    known = [f.name for f in fields(kind) if f.name != "fitted"]
    for given, value in settings.items():
        if given not in known:
            raise InputError(f"threshold {name!r}: found the setting {given!r}; {suggest(given, known)}")
        _check_number(name, given, value, str(next(f.type for f in fields(kind) if f.name == given)))
    return kind(**settings, fitted=fitted)


def _check_number(name: str, setting: str, value: Any, kind: str) -> None:
    """A text in place of a number would fail where it is used, after hours."""
    kinds = {part.strip() for part in kind.split("|")}
    wanted: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "bool": (bool,)}
    types = [t for k in kinds & wanted.keys() for t in wanted[k]]
    if not types or (value is None and "None" in kinds):
        return
    if not isinstance(value, tuple(types)) or (isinstance(value, bool) and bool not in types):
        raise InputError(
            f"threshold {name!r}: found {setting}={value!r}, expected {kind.replace(' |', ' or')}"
        )

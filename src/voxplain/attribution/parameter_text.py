"""Parameters of a method in a text, ``nodes=8,baseline=blur``: what command lines, settings and wrapping methods share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

_EXPONENT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)[eE][+-]?\d+")  # YAML 1.1 wants a point and a sign in it
_PER_AXIS = re.compile(r"\d+(x\d+){1,2}")


class NotAParameterError(ValueError):
    """A part of the text is not ``parameter=value``."""


class NotAValueError(ValueError):
    """What stands behind the equals sign is not YAML."""


def parameters_in(text: str) -> Iterator[tuple[str, str]]:
    """Names and values, as text, in the order in which they are given.

    Raises:
        NotAParameterError: as soon as it comes to a part that is none.

    >>> dict(parameters_in("of=smoothgrad(draws=5,sigma=0.2), sigma=[1, 2]"))
    {'of': 'smoothgrad(draws=5,sigma=0.2)', 'sigma': '[1, 2]'}
    """
    for part in _split(text):
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise NotAParameterError(f"found {part.strip()!r}, expected parameter=value")
        yield name.strip(), value


def value_of(text: str) -> Any:
    """What a value's text stands for: as in YAML, and ``4x5x3`` is one number per axis.

    Raises:
        NotAValueError: it is not YAML.

    >>> value_of("0.5"), value_of("24x24x12"), value_of("1e-3")
    (0.5, [24, 24, 12], 0.001)
    """
    if _EXPONENT.fullmatch(text.strip()):
        return float(text)
    if _PER_AXIS.fullmatch(text.strip()):
        return [int(n) for n in text.strip().split("x")]
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise NotAValueError(f"{text!r} is no value; close brackets and quotes") from None


def _split(text: str) -> list[str]:
    """At commas that are not inside brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "[({") - (letter in "])}")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [p for p in parts if p.strip()]

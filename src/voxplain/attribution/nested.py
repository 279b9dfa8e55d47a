"""A method named in a text, with its parameters: for methods that wrap another one."""

from __future__ import annotations

import dataclasses
from typing import Any

import yaml

from voxplain.attribution.method import Method, find, method
from voxplain.errors import InputError


def parse_method(text: str) -> Method:
    """A method from ``NAME``, ``NAME:parameter=value,…`` or ``NAME(parameter=value,…)``.

    The form with brackets keeps its commas to itself inside another method's parameters.

    Raises:
        InputError: not in this grammar, or unknown names.

    >>> parse_method("integrated_gradients(nodes=8, baseline=blur)").parameters()["nodes"]
    8
    """
    name, arguments = _cut(text)
    texts = {f.name for f in dataclasses.fields(find(name)) if str(f.type).startswith("str")}
    parameters: dict[str, Any] = {}
    for part in _split(arguments):
        key, equals, value = (p.strip() for p in part.partition("="))
        if not equals or not key:
            raise InputError(f"method {text!r}: found {part.strip()!r}, expected parameter=value")
        # layer=3 names a layer
        parameters[key] = value if key in texts and value not in ("null", "none") else _value(text, value)
    return method(name, **parameters)


def _cut(text: str) -> tuple[str, str]:
    stripped = text.strip()
    colon, bracket = (len(stripped.partition(sign)[0]) for sign in ":(")  # the length where there is none
    if colon < bracket:
        return stripped[:colon].strip(), stripped[colon + 1 :]
    if bracket < len(stripped):
        if not stripped.endswith(")"):
            raise InputError(f"method {text!r}: the bracket is not closed, expected NAME(parameter=value,…)")
        return stripped[:bracket].strip(), stripped[bracket + 1 : -1]
    return stripped, ""


def _value(text: str, value: str) -> Any:
    try:
        found = yaml.safe_load(value)
    except yaml.YAMLError:
        raise InputError(f"method {text!r}: {value!r} is no value; close brackets and quotes") from None
    return tuple(found) if isinstance(found, list) else found


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

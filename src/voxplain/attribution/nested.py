"""A method named in a text, with its parameters: for methods that wrap another one."""

from __future__ import annotations

import dataclasses
from typing import Any

from voxplain.attribution.method import Method, find, method
from voxplain.attribution.parameter_text import NotAParameterError, NotAValueError, parameters_in, value_of
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
    try:
        for key, given in parameters_in(arguments):
            value = given.strip()
            # layer=3 names a layer
            parameters[key] = value if key in texts and value not in ("null", "none") else _value(value)
    except (NotAParameterError, NotAValueError) as error:
        raise InputError(f"method {text!r}: {error}") from None
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


def _value(text: str) -> Any:
    found = value_of(text)
    return tuple(found) if isinstance(found, list) else found

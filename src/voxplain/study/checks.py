"""Methods and targets in settings: what can be said about them before anything is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from voxplain.study.config import MethodSpec

# Stands for every method; ``all:family=cam`` for one family, ``all:effort=quick`` for an eighth of the draws.
ALL = "all"


def method_spec(value: Any) -> Any:
    """A name, or ``name:parameter=value,…``, as ``{name: …, parameter: value}``.

    >>> method_spec("integrated-gradients:nodes=64,baseline=blur")
    {'name': 'integrated-gradients', 'nodes': 64, 'baseline': 'blur'}
    """
    if not isinstance(value, str):
        return value
    name, _, rest = value.partition(":")
    spec: dict[str, Any] = {"name": name.strip()}
    for part in _split(rest):
        key, equals, text = part.partition("=")
        if not equals or not key.strip():
            raise ValueError(f"found {value!r}, expected NAME:parameter=value,parameter=value")
        try:
            spec[key.strip()] = yaml.safe_load(text)
        except yaml.YAMLError:
            raise ValueError(f"found {value!r}: {text!r} is no value; close brackets and quotes") from None
    return spec


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


def check_method(spec: MethodSpec) -> MethodSpec:
    """The same, if the method can be made with these parameters."""
    from voxplain.study.make import check_all, make_method

    if spec.name == ALL:
        check_all(spec)
    else:
        make_method(spec)
    return spec


def check_target(value: Any) -> Any:
    """The same, if it is in the grammar; class names wait for the model."""
    from voxplain.study.make import make_target

    make_target(value, task="segmentation")
    return value

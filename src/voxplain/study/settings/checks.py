"""Methods and targets in settings: what can be said about them before anything is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voxplain.study.settings.config import MethodSpec

# Stands for every method; ``all:family=cam`` for one family, ``all:effort=quick`` for an eighth of the draws.
ALL = "all"


def method_spec(value: Any) -> Any:
    """A name, or ``name:parameter=value,…``, as ``{name: …, parameter: value}``.

    >>> method_spec("integrated-gradients:nodes=64,baseline=blur")
    {'name': 'integrated-gradients', 'nodes': 64, 'baseline': 'blur'}
    """
    from voxplain.attribution.parameter_text import (
        NotAParameterError,
        NotAValueError,
        parameters_in,
        value_of,
    )

    if not isinstance(value, str):
        return value
    name, _, rest = value.partition(":")
    spec: dict[str, Any] = {"name": name.strip()}
    try:
        for key, text in parameters_in(rest):
            spec[key] = value_of(text)
    except NotAParameterError:
        raise ValueError(f"found {value!r}, expected NAME:parameter=value,parameter=value") from None
    except NotAValueError as error:
        raise ValueError(f"found {value!r}: {error}") from None
    return spec


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


def check_metric(spec: MethodSpec) -> MethodSpec:
    """The same, if the metric can be made with these parameters."""
    from voxplain.study.make import check_all_metrics, make_metric

    if spec.name == ALL:
        check_all_metrics(spec)
    else:
        make_metric(spec)
    return spec


def no_repeats(what: str, names: Sequence[str]) -> None:
    """Raise ValueError where a name is there twice."""
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            raise ValueError(f"{what} {name!r} is there {names.count(name)} times, expected once")

"""The command line's and the YAML's way to write a target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from voxplain.errors import TargetError, suggest
from voxplain.target.functional import SCORES
from voxplain.target.targets import (
    AllClasses,
    Boundary,
    ClassScore,
    Component,
    FalseNegatives,
    FalsePositives,
    LabelRegion,
    Mask,
    PredictedRegion,
    Target,
    Voxel,
)

GRAMMAR = (
    "all | all+background | CLASS | predicted (a classifier's top class) | class:CLASS | predicted:CLASS | "
    "label:CLASS[:VALUE] | "
    "component:CLASS[:RANK or I,J,K] | fp:CLASS[:VALUE] | fn:CLASS[:VALUE] | boundary:CLASS[:WIDTH_MM] | "
    "voxel:[CLASS:]I,J,K | mask:CLASS:FILE; append @logit, @margin, @log_probability or @probability"
)


def parse_target(text: str, *, task: str, score: str = "logit", reduce: str = "mean") -> Target:
    """Read a target such as ``Hippocampus``, ``boundary:Hippocampus:2`` or ``fn:lesion@margin``.

    Args:
        text: see `GRAMMAR`; CLASS is a name or an index.
        task: ``classification`` or ``segmentation``: what a bare class name means.
        score: score where ``text`` names none.
        reduce: ``mean`` or ``sum`` over the region.

    Raises:
        TargetError: text that is not in the grammar.

    >>> parse_target("boundary:Hippocampus:2@margin", task="segmentation")
    Boundary(score='margin', reduce='mean', class_name='Hippocampus', width=2.0, side='both')
    """
    body, at, chosen = text.strip().rpartition("@")
    if not at:
        body, chosen = text.strip(), score
    elif chosen not in SCORES:
        raise TargetError(f"target {text!r}: unknown score {chosen!r}; {suggest(chosen, SCORES)}")
    common: dict[str, Any] = {"score": chosen, "reduce": reduce}
    if body in ("all", "all+background"):
        return AllClasses(background=body != "all", **common)
    if body == "predicted" and task == "classification":
        return ClassScore(**common)
    if body == "predicted":
        raise TargetError(
            "target 'predicted': it is for classifiers; ask a segmentation for 'all' or 'predicted:CLASS'"
        )
    kind, colon, rest = body.partition(":")
    if not colon:
        if not body:
            raise TargetError(f"target {text!r}: it is empty; expected {GRAMMAR}")
        plain = ClassScore if task == "classification" else PredictedRegion
        return plain(class_name=body, **common)
    if kind not in _KINDS:
        raise TargetError(
            f"target {text!r}: unknown kind {kind!r}; {suggest(kind, _KINDS)} (grammar: {GRAMMAR})"
        )
    if not rest:
        raise TargetError(f"target {text!r}: nothing after '{kind}:'; expected {GRAMMAR}")
    return _KINDS[kind](rest, text, common)


def _number(text: str, whole: str, convert: Callable[[str], Any]) -> Any:
    try:
        return convert(text)
    except ValueError as error:
        raise TargetError(f"target {whole!r}: found {text!r}, expected a number") from error


def _indices(text: str, whole: str) -> tuple[int, ...]:
    return tuple(_number(part, whole, int) for part in text.split(","))


def _component(rest: str, whole: str, common: dict[str, Any]) -> Target:
    name, _, where = rest.partition(":")
    if "," in where:
        return Component(class_name=name, voxel=_indices(where, whole), **common)
    return Component(class_name=name, rank=_number(where or "1", whole, int), **common)


def _voxel(rest: str, whole: str, common: dict[str, Any]) -> Target:
    name, colon, where = rest.rpartition(":")
    return Voxel(index=_indices(where, whole), class_name=name if colon else None, **common)


def _mask(rest: str, whole: str, common: dict[str, Any]) -> Target:
    name, colon, path = rest.partition(":")
    if not colon or not path:
        raise TargetError(f"target {whole!r}: expected mask:CLASS:FILE")
    return Mask(class_name=name, mask=path, **common)


def _boundary(rest: str, whole: str, common: dict[str, Any]) -> Target:
    name, _, width = rest.partition(":")
    return Boundary(class_name=name, width=_number(width or "2", whole, float), **common)


def _label(rest: str, whole: str, common: dict[str, Any]) -> Target:
    return LabelRegion(**_valued(rest, whole), **common)


def _valued(rest: str, whole: str) -> dict[str, Any]:
    name, colon, value = rest.partition(":")
    return {"class_name": name, "value": _number(value, whole, int) if colon else None}


_KINDS: dict[str, Callable[[str, str, dict[str, Any]], Target]] = {
    "class": lambda rest, _, common: ClassScore(class_name=rest, **common),
    "predicted": lambda rest, _, common: PredictedRegion(class_name=rest, **common),
    "label": _label,
    "component": _component,
    "fp": lambda rest, whole, common: FalsePositives(**_valued(rest, whole), **common),
    "fn": lambda rest, whole, common: FalseNegatives(**_valued(rest, whole), **common),
    "boundary": _boundary,
    "voxel": _voxel,
    "mask": _mask,
}

"""One line per mistake in settings: its path, what was found, what would work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from voxplain.errors import suggest

Path = tuple[int | str, ...]
OWN_WORDS = {"dict_type": "a name and its settings, line by line", "tuple_type": "a list"}


def describe(
    error: ErrorDetails, root: type[BaseModel], places: Mapping[str, Sequence[str]] | None = None
) -> str:
    """One validation error as one line: path, what was found, what would work.

    Args:
        places: of a setting that was spelled out, where each of its items was written.
    """
    path = _written(error["loc"], places or {})
    found = error["input"]
    context = error.get("ctx") or {}
    kind = "key" if error["loc"][-1:] == ("[key]",) else error["type"]
    match kind:
        case "extra_forbidden":
            says = f"unknown key; {suggest(str(error['loc'][-1]), _keys(root, error['loc'][:-1]))}"
        case "missing":
            says = f"is needed: {_description(root, error['loc'])}"
        case "literal_error":
            says = f"found {found!r}, expected {context['expected']}"
        case "value_error":
            says = str(context["error"])
        case "model_type" | "model_attributes_type":
            says = f"found {found!r}, expected keys: {', '.join(_keys(root, error['loc']))}"
        case "too_short":
            says = "is empty, expected at least one"
        case "key":
            says = f"found the name {found!r}, expected text; put it in quotes"
        case "dict_type" | "tuple_type":
            says = f"found {found!r}, expected {OWN_WORDS[kind]}: {_description(root, error['loc'])}"
        case _:
            says = f"found {found!r}; {error['msg'][0].lower()}{error['msg'][1:]}"
    return f"{path}: {says}" if path else says


def _written(path: Path, places: Mapping[str, Sequence[str]]) -> str:
    """The path as it stands in what a person wrote."""
    parts = [str(part) for part in path if part != "[key]"]
    known = places.get(parts[0], ()) if parts else ()
    if len(path) > 1 and isinstance(path[1], int) and path[1] < len(known):
        place, rest = known[path[1]], ".".join(parts[2:])
        return f"{place}{': ' if ' ' in place else '.'}{rest}" if rest else place
    return ".".join(parts)


def _keys(root: type[BaseModel], path: Path) -> list[str]:
    section = _section(root, path)
    return list(section.model_fields) if section else []


def _description(root: type[BaseModel], path: Path) -> str:
    section = _section(root, path[:-1])
    field = section.model_fields.get(str(path[-1])) if section else None
    return (field.description if field else None) or "this setting"


def _section(root: type[BaseModel], path: Iterable[int | str]) -> type[BaseModel] | None:
    """The section at a path such as ``models.unet`` or ``cases.0``."""
    here: Any = root
    for key in path:
        here = _as_section(here)
        if here is None:
            return None
        if isinstance(here, type) and issubclass(here, BaseModel):
            field = here.model_fields.get(str(key))
            here = field.annotation if field else None
        else:  # a name in a dict, or a position in a list
            here = _item(here)
    here = _as_section(here)
    return here if isinstance(here, type) and issubclass(here, BaseModel) else None


def _as_section(annotation: Any) -> Any:
    """What an annotation stands for, without its checks, and without the nothing that it may also be."""
    if get_origin(annotation) is Annotated:
        return _as_section(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        inner = [a for a in get_args(annotation) if a is not type(None)]
        return _as_section(inner[0]) if len(inner) == 1 else None
    return annotation


def _item(annotation: Any) -> Any:
    arguments = get_args(annotation)
    origin = get_origin(annotation)
    if not isinstance(origin, type) or not arguments:
        return None
    if issubclass(origin, Mapping):
        return arguments[1]
    return arguments[0] if issubclass(origin, list | tuple) else None

"""Settings as a commented YAML with every default."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo


def commented(
    section: type[BaseModel],
    indent: str = "",
    *,
    examples: Mapping[str, str] | None = None,
    items: Mapping[str, Callable[[str], Iterator[str]]] | None = None,
    values: BaseModel | None = None,
) -> Iterator[str]:
    """Every field of a section with its default, unit and description, line by line.

    Args:
        section: settings.
        indent: before every line.
        examples: of fields without a default.
        items: of fields that hold several sections: what is written below them.
        values: what is written instead of the section's own defaults.
    """
    given: Any = {"examples": examples or {}, "items": items or {}}
    for name, field in section.model_fields.items():
        inner = field.annotation
        if name in given["items"]:
            yield ""
            yield f"{indent}{name}:  # {field.description}"
            yield from given["items"][name](indent + "  ")
            continue
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield ""
            yield f"{indent}{name}:  # {field.description}"
            here = None if field.is_required() else field.get_default(call_default_factory=True)
            yield from commented(inner, indent + "  ", values=here, **given)
            continue
        comment = f"{field.description}{_unit(field)}"
        yield from textwrap.wrap(comment, 100, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
        if values is not None:
            yield f"{indent}{name}: {_inline(getattr(values, name))}"
        elif field.is_required():
            yield f"{indent}{name}: {given['examples'][name]}"
        else:
            yield f"{indent}{name}: {_inline(field.get_default(call_default_factory=True))}"
        for optional in _absent(field):
            yield f"{indent}# {name}:"
            yield from (f"{indent}# {line}" if line else "" for line in commented(optional, "  ", **given))


def _absent(field: FieldInfo) -> list[type[BaseModel]]:
    """The sections that may stand where the default is none; they are written as comments."""
    return [s for s in get_args(field.annotation) if isinstance(s, type) and issubclass(s, BaseModel)]


def _unit(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    unit = extra.get("unit") if isinstance(extra, Mapping) else None
    return f" [{unit}]" if unit else ""


def _inline(value: Any) -> str:
    if isinstance(value, tuple):
        value = list(value)
    if isinstance(value, Path):
        value = str(value)
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    text: str = (
        yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=1000)
        .removesuffix("...\n")
        .strip()
    )
    return text

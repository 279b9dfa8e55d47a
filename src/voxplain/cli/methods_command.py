"""`voxplain methods`: what there is to explain with."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from voxplain.attribution.method import Method


def methods(
    name: Annotated[str | None, typer.Argument(help="One method in full; all in a table by default.")] = None,
) -> int:
    """List the methods, their needs, parameters and sources."""
    from voxplain.attribution.method import methods as registered
    from voxplain.cli.listing import Listing
    from voxplain.errors import InputError, suggest

    known = registered()
    if name is not None:
        key = name.strip().lower().replace("-", "_")
        if key not in known:
            raise InputError(f"method {name!r}: unknown; {suggest(key, known)}")
        print(_in_full(known[key]))
        return 0
    listing = Listing(f"{len(known)} methods; voxplain methods NAME tells more")
    listing.table(
        ("name", "family", "needs", "parameters", "source"),
        [(m.name, m.family, ", ".join(m.needs), _parameters(m), m.source) for m in known.values()],
    )
    listing.print()
    return 0


def _parameters(method: type[Method]) -> str:
    return ", ".join(f"{field.name}={_default(field)}" for field in dataclasses.fields(method)) or "–"


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        return "auto" if field.default is None else str(field.default)
    if field.default_factory is not dataclasses.MISSING:
        return str(field.default_factory())
    return "needed"


def _in_full(method: type[Method]) -> str:
    import inspect

    head = f"{method.name}: {method.title} ({method.family})"
    rest = [
        f"source  {method.source}",
        f"needs   {', '.join(method.needs) or 'nothing'}",
        f"read it {method.reads}",
    ]
    return "\n".join([head, *rest, f"set     {_parameters(method)}", "", inspect.getdoc(method) or ""])

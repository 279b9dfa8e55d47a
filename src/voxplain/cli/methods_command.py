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
    from voxplain.attribution.method import FAMILIES, find, methods as registered
    from voxplain.cli.listing import Listing

    known = registered()
    if name is not None:
        print(_in_full(find(name)))
        return 0
    listing = Listing(
        f"{len(known)} methods; voxplain methods NAME tells more, --method all runs all of them"
    )
    order = sorted(
        known.values(), key=lambda m: (FAMILIES.index(m.family) if m.family in FAMILIES else 99, m.name)
    )
    listing.table(
        ("name", "family", "supports", "scores", "needs", "answers", "checks itself by", "source"),
        [_row(m) for m in order],
    )
    listing.print()
    return 0


def _row(m: type[Method]) -> tuple[str, ...]:
    return (
        m.name,
        m.family,
        _supports(m),
        _scores(m),
        ", ".join(m.needs) or "scores only",
        ("signed " if m.signed and m.answer != "image" else "") + m.answer,
        m.told_checks() or "–",
        m.source,
    )


def _supports(m: type[Method]) -> str:
    """``2-D 3-D, class+seg``."""
    tasks = "+".join({"classification": "class", "segmentation": "seg"}.get(t, t) for t in m.tasks)
    return f"{' '.join(f'{d}-D' for d in m.spatial_dims)}, {tasks}"


def _scores(m: type[Method]) -> str:
    from voxplain.target.functional import SCORES

    return "any" if set(m.scores) == set(SCORES) else "+".join(m.scores)


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
        *([f"also    {', '.join(own)}"] if (own := vars(method).get("aliases", ())) else []),
        f"needs   {', '.join(method.needs) or 'scores only'}",
        f"works   {_supports(method)}; scores: {_scores(method)}",
        f"checks  {method.told_checks() or 'none that comes for free'}",
        f"read it {method.reads}",
    ]
    return "\n".join([head, *rest, f"set     {_parameters(method)}", "", inspect.getdoc(method) or ""])

"""``--ray``, which may stand with the address of a cluster or without."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

Ray = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="[HOST:PORT]",
        help="Work on a Ray cluster: of this address, auto for one that runs on this machine; without an address on one "
        "of this machine alone, which ends with the command.",
    ),
]
ADDRESS = re.compile(r"auto|local|\S+://\S*|[^\s/\\]+:\d+")


class WithRay(TyperCommand):
    """A command with this option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, with_address(args))


def with_address(words: Sequence[str]) -> list[str]:
    """The words of a command line, with an address after each ``--ray`` that has none.

    >>> with_address(["--ray", "study.yaml"]), with_address(["study.yaml", "--ray", "head:6379"])
    (['--ray', 'local', 'study.yaml'], ['study.yaml', '--ray', 'head:6379'])
    >>> with_address([]), with_address(["--ray"])
    ([], ['--ray', 'local'])
    """
    found = []
    for position, word in enumerate(words):
        found.append(word)
        after = words[position + 1] if position + 1 < len(words) else ""
        if word == "--ray" and not ADDRESS.fullmatch(after):
            found.append("local")
    return found

"""Facts in two columns and tables, as plain text that fits a terminal and a pipe alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class Listing:
    """Lines that are collected and printed at once."""

    def __init__(self, head: str) -> None:
        self._lines = [head]
        self._rows: list[tuple[str, str]] = []

    def row(self, name: str, value: object) -> None:
        """A fact: its name and its value."""
        self._rows.append((name, str(value)))

    def table(self, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Columns as wide as their longest entry."""
        self._flush()
        cells = [tuple(head), *[tuple(str(cell) for cell in row) for row in rows]]
        widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
        self._lines.append("")
        for row in cells:
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self._lines.append(f"  {line}".rstrip())

    def text(self) -> str:
        """All lines."""
        self._flush()
        return "\n".join(self._lines)

    def print(self) -> None:
        """All lines to standard output."""
        print(self.text())

    def _flush(self) -> None:
        width = max((len(name) for name, _ in self._rows), default=0)
        for name, value in self._rows:
            first, *more = value.splitlines() or [""]
            self._lines.append(f"  {name.ljust(width)}  {first}")
            self._lines.extend(f"  {' ' * width}  {line}" for line in more)
        self._rows = []

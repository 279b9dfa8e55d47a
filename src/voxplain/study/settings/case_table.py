"""A table of cases: a header, and one case per row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from voxplain.case.table import read_table, several_paths

PATHS = ("image", "label", "mask")
COLUMNS = (*PATHS, "id", "series", "slice", "fill_nan")
NAMES = (*PATHS, "id", "series", "slice")


def rows_of(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """The cases of a table, each with its line; columns that are no setting of a case become its ``meta``.

    Paths are relative to the table. Several images of one case, to be stacked, stand in one cell with ``;`` between, in
    quotes where the table has ``;`` between its columns. There, and between tabs, numbers may have a decimal comma.

    Raises:
        InputError: it cannot be read, has no column ``image``, or rows that do not fit its header; one line per mistake.
    """
    expected = "a list, a folder, or a .csv with a column image"
    rows = read_table(path, ["image"], what="cases", expected=expected, verbatim=NAMES)
    return [(line, _case(row, path.parent)) for line, row in rows]


def _case(given: dict[str, str], folder: Path) -> dict[str, Any]:
    case: dict[str, Any] = {key: given[key] for key in COLUMNS if key in given}
    for key in PATHS:
        if key in case:
            case[key] = str(folder / Path(case[key]).expanduser())
    if "image" in given:
        case["image"] = [str(path) for path in several_paths(given["image"], folder)]
    extra = {key: value for key, value in given.items() if key not in COLUMNS}
    return {**case, "meta": extra} if extra else case

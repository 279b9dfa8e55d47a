"""Many cases in few words: ``{id}`` in a path stands for every name that fits; tables and folders."""

from __future__ import annotations

import glob
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from voxplain.errors import InputError
from voxplain.study.settings.case_folder import cases_in
from voxplain.study.settings.case_table import rows_of

ID = "{id}"
NAMED = ("id", "image", "label", "mask")  # where {id} is replaced


@dataclass
class SpelledOut:
    """Cases one by one.

    Attributes:
        cases: what the validation is to see: a list, or whatever else was given for it to refuse.
        places: where each of them was written, for people: ``cases.2``, or a line of a table.
        complaints: a table or folder that cannot be read, patterns that fit no file.
    """

    cases: Any
    places: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


def spelled_out(cases: Any) -> SpelledOut:
    """The list of cases that was meant.

    Args:
        cases: a list whose paths are absolute, or the path of a table or a folder.
    """
    if isinstance(cases, str | Path) and ID in str(cases):
        cases = [{"image": str(cases)}]
    if isinstance(cases, str | Path):
        path = Path(cases)
        return _of_folder(path) if path.is_dir() else _of_table(path)
    if not isinstance(cases, list | tuple):
        return SpelledOut(cases)
    out = SpelledOut([])
    for position, given in enumerate(cases):
        place = f"cases.{position}"
        try:
            found = _matches(given, place) if _is_pattern(given) else [given]
        except InputError as error:
            out.complaints.append(str(error))
        else:
            out.cases += found
            out.places += [place] * len(found)
    return out


def _of_folder(path: Path) -> SpelledOut:
    try:
        found = cases_in(path)
    except InputError as error:
        return SpelledOut([], complaints=[str(error)])
    return SpelledOut(found, [f"cases: {case['image']}" for case in found])


def _of_table(path: Path) -> SpelledOut:
    try:
        rows = rows_of(path)
    except InputError as error:
        return SpelledOut([], complaints=str(error).splitlines())
    return SpelledOut([case for _, case in rows], [f"cases: {path} line {line}" for line, _ in rows])


def _is_pattern(given: Any) -> bool:
    return isinstance(given, Mapping) and any(ID in path for path in _texts(given.get("image")))


def _texts(value: Any) -> list[str]:
    listed = value if isinstance(value, list | tuple) else [value]
    return [str(v) for v in listed if isinstance(v, str | Path)]


def _matches(given: Mapping[str, Any], where: str) -> list[dict[str, Any]]:
    """One case per name that the first image's path fits, in order; other paths get the same name."""
    pattern = next(path for path in _texts(given["image"]) if ID in path)
    names = _names(pattern)
    if not names:
        raise InputError(
            f"{where}.image: nothing fits {pattern}; {{id}} stands for one name, without a slash"
        )
    found = [
        {"id": name, **{key: _named(value, name) if key in NAMED else value for key, value in given.items()}}
        for name in names
    ]
    # scan-1-label.nii.gz fits {id}.nii.gz too, but is what belongs to scan-1
    others = {path for case in found for key in ("label", "mask") for path in _texts(case.get(key))}
    return [case for case in found if not others.intersection(_texts(case["image"]))]


def _names(pattern: str) -> list[str]:
    before, *rest = pattern.split(ID)
    files = glob.glob(glob.escape(before) + "".join("*" + glob.escape(part) for part in rest))  # noqa: PTH207
    # every {id} of one path is the same name
    again = "".join("(?P=id)" + re.escape(part) for part in rest[1:])
    fits = re.compile(re.escape(before) + "(?P<id>[^/]+)" + re.escape(rest[0]) + again)
    return sorted({found["id"] for file in files if (found := fits.fullmatch(file))})


def _named(value: Any, name: str) -> Any:
    if isinstance(value, list | tuple):
        return [_named(v, name) for v in value]
    return str(value).replace(ID, name) if isinstance(value, str | Path) else value

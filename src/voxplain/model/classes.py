"""Names of classes, from the forms in which people keep them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from voxplain.errors import InputError


def read_classes(source: str | Path | Sequence[str] | Mapping[Any, Any] | None) -> tuple[str, ...] | None:
    """Class names in the order of the network's outputs.

    Args:
        source: a list; names with commas; a JSON file that is a list or has ``labels``; there, ``labels`` is a
            list, or maps numbers to names, or names to numbers.

    Raises:
        InputError: a missing or unreadable file, or numbers that are not 0, 1, 2, …

    >>> read_classes("background, liver")
    ('background', 'liver')
    >>> read_classes({"1": "liver", "0": "background"})
    ('background', 'liver')
    """
    if source is None:
        return None
    if isinstance(source, Path) or (isinstance(source, str) and source.strip().casefold().endswith(".json")):
        return _from_file(Path(source))
    if isinstance(source, str):
        return _names([name.strip() for name in source.split(",")], "classes")
    return _names(source, "classes")


def _from_file(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        raise InputError(f"classes: no file {path}; give a JSON file, or names with commas")
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, OSError) as error:
        raise InputError(f"classes: {path} is not readable as JSON ({error})") from error
    if isinstance(content, dict) and "labels" in content:
        return _names(content["labels"], f"classes: labels in {path}")
    if isinstance(content, dict) and not all(str(key).isdecimal() for key in content):
        keys = ", ".join(list(map(str, content))[:6])
        raise InputError(
            f"classes: {path} has no 'labels' (it has {keys}); expected a list or {{'labels': …}}"
        )
    return _names(content, f"classes: {path}")


def _names(content: Any, where: str) -> tuple[str, ...]:
    if isinstance(content, Mapping):
        content = _in_order(content, where)
    if isinstance(content, str) or not isinstance(content, Sequence):
        raise InputError(f"{where}: found {type(content).__name__}, expected a list of names")
    names = tuple(str(name).strip() for name in content)
    if not names or not all(names):
        raise InputError(f"{where}: found an empty name in {list(names)[:6]}; give one name per class")
    return names


def _in_order(content: Mapping[Any, Any], where: str) -> list[Any]:
    """Numbers to names, or names to numbers (nnU-Net's ``dataset.json``)."""
    pairs = dict(content)
    if not all(str(key).isdecimal() for key in pairs):
        turned = {value: key for key, value in pairs.items() if isinstance(value, int)}
        if len(turned) != len(pairs):
            raise InputError(
                f"{where}: expected numbers to names or names to distinct numbers, found {list(pairs)[:4]}"
            )
        pairs = turned
    numbered = {int(key): value for key, value in pairs.items()}
    if sorted(numbered) != list(range(len(numbered))):
        raise InputError(
            f"{where}: found the numbers {sorted(numbered)[:12]}, expected 0 to {len(numbered) - 1}"
        )
    return [numbered[i] for i in range(len(numbered))]

"""From YAML and ``a.b=value`` texts to checked settings; every mistake is reported at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from voxplain.errors import InputError
from voxplain.settings.mistakes import describe

Checked = TypeVar("Checked", bound=BaseModel)


class SettingsError(InputError):
    """Settings that cannot be used; one line per mistake."""


def settings_of(
    section: type[Checked],
    given: Mapping[str, Any],
    where: str = "",
    complaints: Sequence[str] = (),
    places: Mapping[str, Sequence[str]] | None = None,
) -> Checked:
    """The given keys as a section of the settings.

    Args:
        where: put before every mistake.
        complaints: mistakes that are known already; what they are about is left out of ``given``.
        places: of a setting that was spelled out, where each of its items was written.

    Raises:
        SettingsError: lists every mistake with its path.
    """
    lines = [f"{where}{line}" for line in complaints]
    checked = None
    try:
        checked = section.model_validate(given)
    except ValidationError as error:
        found = error.errors()
        # items that are wrong are not counted, so that a list of them seems empty as well
        inside = {e["loc"][:depth] for e in found for depth in range(len(e["loc"]))}
        if complaints:
            inside |= {(setting,) for setting in places or ()}
        lines += [
            f"{where}{describe(e, section, places or {})}"
            for e in found
            if not (e["type"] == "too_short" and e["loc"] in inside)
        ]
    if checked is None or lines:
        raise SettingsError("\n".join(dict.fromkeys(lines)))
    return checked


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        InputError: missing, not YAML, a key twice, or not a mapping.
    """
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), Loader=_Strict)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not text, expected YAML settings") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}:" if mark else ""
        raise InputError(f"{path}:{line} is not YAML ({getattr(error, 'problem', None) or error})") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise InputError(
            f"{path}: found a {type(found).__name__}, expected settings such as 'image: scan.nii.gz'"
        )
    return found


def parse_override(text: str) -> dict[str, Any]:
    """``a.b=value`` as nested settings; the value is YAML.

    >>> parse_override("windows.roi=[96, 96, 64]")
    {'windows': {'roi': [96, 96, 64]}}
    """
    path, equals, value = text.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise InputError(f"--set {text!r}: expected a.b=value, such as windows.overlap=0.5")
    try:
        setting = yaml.load(value, Loader=_Strict)
    except yaml.YAMLError as error:
        raise InputError(
            f"--set {text!r}: {value!r} is not YAML ({getattr(error, 'problem', error)})"
        ) from None
    for key in reversed(keys):
        setting = {key: setting}
    return dict(setting)


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Nested settings where ``above`` wins, key by key; lists are replaced whole.

    >>> merged({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}})
    {'a': {'b': 3, 'c': 2}}
    """
    out = dict(below)
    for key, value in above.items():
        old = out.get(key)
        out[key] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return out


class _Strict(yaml.SafeLoader):
    """Safe YAML in which a key that is given twice is an error."""


def _refused(problem: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _mapping(loader: _Strict, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        if key_node.tag == MERGE:  # what it brings may be overridden, that is what it is for
            continue
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, list | dict):
            raise _refused("a key must be text", key_node)
        if key in seen:
            raise _refused(f"the key {key!r} is given twice", key_node)
        seen.add(key)
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


MERGE = "tag:yaml.org,2002:merge"
_Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)

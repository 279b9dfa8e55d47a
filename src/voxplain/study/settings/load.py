"""From a YAML file, flags and `--set` to checked settings; every mistake is reported at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from voxplain.errors import InputError, suggest
from voxplain.study.settings.anchor import anchored

if TYPE_CHECKING:
    from voxplain.study.settings.config import ExplainSettings


Checked = TypeVar("Checked", bound=BaseModel)


class SettingsError(InputError):
    """Settings that cannot be used; one line per mistake."""


def load_settings(
    config: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    overrides: Iterable[str] = (),
) -> ExplainSettings:
    """Settings from a file, overridden by flags, overridden by ``a.b=value`` texts.

    Relative paths in the file are relative to the file, all others to the working directory.

    Raises:
        SettingsError: lists every mistake with its path.
    """
    from voxplain.study.settings.config import ExplainSettings

    settings = {} if config is None else anchored(read_yaml(config), config.resolve().parent)
    for layer in (dict(flags or {}), *map(parse_override, overrides)):
        settings = merged(settings, anchored(layer, Path.cwd()))
    return settings_of(ExplainSettings, settings, f"{config}: " if config else "")


def settings_of(section: type[Checked], given: Mapping[str, Any], where: str = "") -> Checked:
    """The given keys as a section of the settings.

    Raises:
        SettingsError: lists every mistake with its path.
    """
    try:
        return section.model_validate(given)
    except ValidationError as error:
        found = error.errors()
        # items that are wrong are not counted, so that a list of them seems empty as well
        inside = {e["loc"][:-1] for e in found}
        lines = [
            f"{where}{describe(e, section)}"
            for e in found
            if not (e["type"] == "too_short" and e["loc"] in inside)
        ]
        raise SettingsError("\n".join(dict.fromkeys(lines))) from None


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


def describe(error: ErrorDetails, root: type[BaseModel]) -> str:
    """One validation error as one line: path, what was found, what would work."""
    path = ".".join(str(part) for part in error["loc"])
    found = error["input"]
    context = error.get("ctx") or {}
    match error["type"]:
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
        case _:
            says = f"found {found!r}; {error['msg'][0].lower()}{error['msg'][1:]}"
    return f"{path}: {says}"


def _section(root: type[BaseModel], path: Iterable[int | str]) -> type[BaseModel] | None:
    section: Any = root
    for key in path:
        field = section.model_fields.get(key)
        section = field.annotation if field else None
        if not (isinstance(section, type) and issubclass(section, BaseModel)):
            return None
    return section if isinstance(section, type) else None


def _keys(root: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    section = _section(root, path)
    return list(section.model_fields) if section else []


def _description(root: type[BaseModel], path: tuple[int | str, ...]) -> str:
    section = _section(root, path[:-1])
    field = section.model_fields.get(str(path[-1])) if section else None
    return (field.description if field else None) or "this setting"


class _Strict(yaml.SafeLoader):
    """Safe YAML in which a key that is given twice is an error."""


def _refused(problem: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _mapping(loader: _Strict, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, list | dict):
            raise _refused("a key must be text", key_node)
        if key in seen:
            raise _refused(f"the key {key!r} is given twice", key_node)
        seen.add(key)
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


_Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)

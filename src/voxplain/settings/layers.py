"""Settings from a file, a mapping and ``a.b=value`` texts, with absolute paths."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from voxplain.settings.paths import anchored_path
from voxplain.settings.reading import Checked, merged, parse_override, read_yaml, settings_of

Anchor = Callable[[Any, Path], Any]


def layered(
    section: type[Checked],
    anchored: Callable[[Mapping[str, Any], Path], Mapping[str, Any]],
    config: Path | None,
    settings: Mapping[str, Any] | None,
    overrides: Iterable[str],
) -> Checked:
    """Settings from a file, overridden by a mapping, overridden by ``a.b=value`` texts.

    Args:
        section: what they are of.
        anchored: makes paths absolute: of the file against its folder, of all others against the working directory.

    Raises:
        SettingsError: lists every mistake with its path.
    """
    found = {} if config is None else anchored(read_yaml(config), config.resolve().parent)
    for layer in (dict(settings or {}), *map(parse_override, overrides)):
        found = merged(found, anchored(layer, Path.cwd()))
    return settings_of(section, found, f"{config}: " if config else "")


def anchored_section(
    given: Mapping[str, Any], name: str, base: Path, paths: Mapping[str, Anchor], *, short: str = ""
) -> dict[str, Any]:
    """One section with absolute paths, as ``{name: section}``; nothing where it is not given.

    Args:
        given: the settings around it.
        paths: what makes a key's value absolute, by key.
        short: the key that text alone is short for.

    >>> anchored_section({"network": "unet"}, "network", Path("/"), {}, short="name")
    {'network': {'name': 'unet'}}
    """
    told = given.get(name)
    if isinstance(told, str | Path) and short:
        told = {short: str(told)}
    if not isinstance(told, Mapping):
        return {}
    return {name: {**told, **{k: paths[k](v, base) for k, v in told.items() if k in paths}}}


def anchored_names(told: Any, base: Path) -> Any:
    """Names of classes: as they are, or a JSON file of them with its path made absolute."""
    return anchored_path(told, base) if isinstance(told, str) and told.lower().endswith(".json") else told

"""From a YAML file and ``a.b=value`` texts to checked settings, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from voxplain.inherent.settings.config import InherentSettings
from voxplain.settings.paths import anchored_path, anchored_source
from voxplain.settings.reading import merged, parse_override, read_yaml, settings_of
from voxplain.settings.section import Section
from voxplain.settings.template import commented


def load_inherent(
    config: Path | None = None, settings: Mapping[str, Any] | None = None, overrides: Iterable[str] = ()
) -> InherentSettings:
    """Settings from a file, overridden by a mapping, overridden by ``a.b=value`` texts.

    Relative paths in the file are relative to the file, all others to the working directory.

    Raises:
        SettingsError: lists every mistake with its path.
    """
    found = {} if config is None else _anchored(read_yaml(config), config.resolve().parent)
    for layer in (dict(settings or {}), *map(parse_override, overrides)):
        found = merged(found, _anchored(layer, Path.cwd()))
    return settings_of(InherentSettings, found, f"{config}: " if config else "")


def as_yaml(settings: Section, header: str) -> str:
    """The settings as YAML that does the same again from any folder."""
    comment = "".join(f"# {line}\n" for line in header.splitlines())
    return comment + yaml.safe_dump(
        settings.model_dump(mode="json", exclude_unset=True), sort_keys=False, allow_unicode=True, width=110
    )


def inherent_template() -> str:
    """A commented YAML with every default; only data.source is none."""
    head = ["# Settings of `voxplain inherent train|predict|evaluate FILE`: only data.source is no default."]
    head += ["# Delete what you do not change. Relative paths are relative to this file.", ""]
    return "\n".join([*head, *commented(InherentSettings, examples={"source": "images.csv"}), ""])


def anchored_data(given: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """Settings whose ``data`` has absolute paths; ``data: folder`` is short for ``data: {source: folder}``."""
    out = dict(given)
    data = {"source": out["data"]} if isinstance(out.get("data"), str | Path) else out.get("data")
    if isinstance(data, Mapping):
        paths = {key: anchored_path(value, base) for key, value in data.items() if key in ("source", "masks")}
        out["data"] = {**data, **paths}
    return out


def _anchored(given: Mapping[str, Any], base: Path) -> dict[str, Any]:
    out = anchored_data(given, base)
    network = {"name": out["network"]} if isinstance(out.get("network"), str) else out.get("network")
    if isinstance(network, Mapping):
        source = {"source": anchored_source(network["source"], base)} if "source" in network else {}
        out["network"] = {**network, **source}
    if "out" in out:
        out["out"] = anchored_path(out["out"], base)
    return out

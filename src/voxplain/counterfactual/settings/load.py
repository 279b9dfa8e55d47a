"""From a YAML file and ``a.b=value`` texts to checked settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from voxplain.counterfactual.settings.config import CounterfactualSettings
from voxplain.inherent.settings.load import anchored_data
from voxplain.settings.paths import anchored_path, anchored_source
from voxplain.settings.reading import merged, parse_override, read_yaml, settings_of
from voxplain.settings.template import commented


def load_counterfactual(
    config: Path | None = None, settings: Mapping[str, Any] | None = None, overrides: Iterable[str] = ()
) -> CounterfactualSettings:
    """Settings from a file, overridden by a mapping, overridden by ``a.b=value`` texts.

    Relative paths in the file are relative to the file, all others to the working directory.

    Raises:
        SettingsError: lists every mistake with its path.
    """
    found = {} if config is None else _anchored(read_yaml(config), config.resolve().parent)
    for layer in (dict(settings or {}), *map(parse_override, overrides)):
        found = merged(found, _anchored(layer, Path.cwd()))
    return settings_of(CounterfactualSettings, found, f"{config}: " if config else "")


def counterfactual_template() -> str:
    """A commented YAML with every default; only the two sources are none."""
    head = [
        "# Settings of `voxplain counterfactual train|explain FILE`: only data.source and classifier are no defaults."
    ]
    head += ["# Delete what you do not change. Relative paths are relative to this file.", ""]
    lines = list(commented(CounterfactualSettings, examples={"source": "images.csv"}))
    lines[lines.index("#   source: images.csv")] = "#   source: nets.py:classifier"
    return "\n".join([*head, *lines, ""])


def _anchored(given: Mapping[str, Any], base: Path) -> dict[str, Any]:
    out = anchored_data(given, base)
    classifier = {"source": anchored_source, "weights": anchored_path, "classes": _classes}
    out |= _section(out, "classifier", "source", classifier, base)
    out |= _section(out, "generator", "family", {"folder": anchored_path}, base)
    out |= _section(out, "direction", "kind", {}, base)
    return out | ({"out": anchored_path(out["out"], base)} if "out" in out else {})


def _classes(told: Any, base: Path) -> Any:
    """Names, or a JSON file of them."""
    return anchored_path(told, base) if isinstance(told, str) and told.casefold().endswith(".json") else told


def _section(
    given: Mapping[str, Any], name: str, short: str, paths: Mapping[str, Any], base: Path
) -> dict[str, Any]:
    """A section with absolute paths; text alone is short for its main key."""
    told = given.get(name)
    if isinstance(told, str):
        told = {short: told}
    if not isinstance(told, Mapping):
        return {}
    return {name: {**told, **{k: paths[k](v, base) for k, v in told.items() if k in paths}}}

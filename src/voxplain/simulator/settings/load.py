"""From a YAML file and ``a.b=value`` texts to checked settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from voxplain.inherent.settings.load import anchored_data
from voxplain.settings.paths import anchored_path, anchored_source
from voxplain.settings.reading import merged, parse_override, read_yaml, settings_of
from voxplain.settings.template import commented
from voxplain.simulator.settings.config import SimulatorSettings


def load_simulator(
    config: Path | None = None, settings: Mapping[str, Any] | None = None, overrides: Iterable[str] = ()
) -> SimulatorSettings:
    """Settings from a file, overridden by a mapping, overridden by ``a.b=value`` texts.

    Relative paths in the file are relative to the file, all others to the working directory.

    Raises:
        SettingsError: lists every mistake with its path.
    """
    found = {} if config is None else _anchored(read_yaml(config), config.resolve().parent)
    for layer in (dict(settings or {}), *map(parse_override, overrides)):
        found = merged(found, _anchored(layer, Path.cwd()))
    return settings_of(SimulatorSettings, found, f"{config}: " if config else "")


def simulator_template() -> str:
    """A commented YAML with every default; only the two sources are none."""
    head = [
        "# Settings of `voxplain simulate train|explain|group FILE`: only data.source and classifier are no defaults."
    ]
    head += ["# Delete what you do not change. Relative paths are relative to this file.", ""]
    lines = list(commented(SimulatorSettings, examples={"source": "subjects.csv"}))
    place = lines.index("  source: subjects.csv", lines.index("classifier:  # who is explained"))
    lines[place] = "  source: nets.py:classifier"
    return "\n".join([*head, *lines, ""])


def _anchored(given: Mapping[str, Any], base: Path) -> dict[str, Any]:
    out = anchored_data(given, base)
    out |= _section(out, "classifier", "source", {"source": anchored_source, "weights": anchored_path}, base)
    classes = out.get("classifier", {}).get("classes") if isinstance(out.get("classifier"), Mapping) else None
    if isinstance(classes, str) and classes.lower().endswith(".json"):
        out["classifier"]["classes"] = anchored_path(classes, base)
    if isinstance(out.get("explain"), Mapping):
        out["explain"] = dict(out["explain"])
        out["explain"] |= _section(out["explain"], "atlas", "source", {"source": anchored_path}, base)
    out |= _section(out, "group", "", {"mask": anchored_path}, base)
    out |= {"out": anchored_path(out["out"], base)} if "out" in out else {}
    return out


def _section(
    given: Mapping[str, Any], name: str, short: str, paths: Mapping[str, Any], base: Path
) -> dict[str, Any]:
    """A section with absolute paths; text alone is short for its main key."""
    told = given.get(name)
    if isinstance(told, str | Path) and short:
        told = {short: str(told)}
    if not isinstance(told, Mapping):
        return {}
    return {name: {**told, **{k: paths[k](v, base) for k, v in told.items() if k in paths}}}

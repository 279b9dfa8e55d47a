"""From a YAML file and ``a.b=value`` texts to checked settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from voxplain.inherent.settings.load import anchored_data
from voxplain.settings.layers import anchored_names, anchored_section, layered
from voxplain.settings.paths import anchored_path, anchored_source
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
    return layered(SimulatorSettings, _anchored, config, settings, overrides)


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
    classifier = {"source": anchored_source, "weights": anchored_path, "classes": anchored_names}
    out |= anchored_section(out, "classifier", base, classifier, short="source")
    if isinstance(out.get("explain"), Mapping):
        atlas = anchored_section(out["explain"], "atlas", base, {"source": anchored_path}, short="source")
        out["explain"] = {**out["explain"], **atlas}
    out |= anchored_section(out, "group", base, {"mask": anchored_path})
    return out | ({"out": anchored_path(out["out"], base)} if "out" in out else {})

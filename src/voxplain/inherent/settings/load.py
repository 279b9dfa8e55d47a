"""From a YAML file and ``a.b=value`` texts to checked settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from voxplain.inherent.settings.config import InherentSettings
from voxplain.settings.layers import anchored_section, layered
from voxplain.settings.paths import anchored_path, anchored_source
from voxplain.settings.template import commented


def load_inherent(
    config: Path | None = None, settings: Mapping[str, Any] | None = None, overrides: Iterable[str] = ()
) -> InherentSettings:
    """Settings from a file, overridden by a mapping, overridden by ``a.b=value`` texts.

    Relative paths in the file are relative to the file, all others to the working directory.

    Raises:
        SettingsError: lists every mistake with its path.
    """
    return layered(InherentSettings, _anchored, config, settings, overrides)


def inherent_template() -> str:
    """A commented YAML with every default; only data.source is none."""
    head = ["# Settings of `voxplain inherent train|predict|evaluate FILE`: only data.source is no default."]
    head += ["# Delete what you do not change. Relative paths are relative to this file.", ""]
    return "\n".join([*head, *commented(InherentSettings, examples={"source": "images.csv"}), ""])


def anchored_data(given: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """Settings whose ``data`` has absolute paths; ``data: folder`` is short for ``data: {source: folder}``."""
    paths = {"source": anchored_path, "masks": anchored_path}
    return {**given, **anchored_section(given, "data", base, paths, short="source")}


def _anchored(given: Mapping[str, Any], base: Path) -> dict[str, Any]:
    out = anchored_data(given, base)
    out |= anchored_section(out, "network", base, {"source": anchored_source}, short="name")
    return out | ({"out": anchored_path(out["out"], base)} if "out" in out else {})

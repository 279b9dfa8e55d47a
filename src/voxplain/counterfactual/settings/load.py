"""From a YAML file and ``a.b=value`` texts to checked settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from voxplain.counterfactual.settings.config import CounterfactualSettings
from voxplain.inherent.settings.load import anchored_data
from voxplain.settings.layers import anchored_names, anchored_section, layered
from voxplain.settings.paths import anchored_path, anchored_source
from voxplain.settings.template import commented


def load_counterfactual(
    config: Path | None = None, settings: Mapping[str, Any] | None = None, overrides: Iterable[str] = ()
) -> CounterfactualSettings:
    """Settings from a file, overridden by a mapping, overridden by ``a.b=value`` texts.

    Relative paths in the file are relative to the file, all others to the working directory.

    Raises:
        SettingsError: lists every mistake with its path.
    """
    return layered(CounterfactualSettings, _anchored, config, settings, overrides)


def counterfactual_template() -> str:
    """A commented YAML with every default; only the two sources are none."""
    head = [
        "# Settings of `voxplain counterfactual train|explain FILE`: only data.source and classifier are no defaults."
    ]
    head += ["# Delete what you do not change. Relative paths are relative to this file.", ""]
    lines = list(commented(CounterfactualSettings, examples={"source": "images.csv"}))
    lines[lines.index("#   source: images.csv")] = "#   source: nets.py:classifier"
    lines[lines.index("#   #   source: images.csv")] = "#   #   source: other.py:classifier"
    return "\n".join([*head, *lines, ""])


def _anchored(given: Mapping[str, Any], base: Path) -> dict[str, Any]:
    out = anchored_data(given, base)
    classifier = {"source": anchored_source, "weights": anchored_path, "classes": anchored_names}
    out |= anchored_section(out, "classifier", base, classifier, short="source")
    if isinstance(out.get("classifier"), Mapping) and "oracle" in out["classifier"]:
        out["classifier"] |= anchored_section(out["classifier"], "oracle", base, classifier, short="source")
    out |= anchored_section(out, "generator", base, _GENERATOR, short="family")
    out |= anchored_section(out, "direction", base, {}, short="kind")
    return out | ({"out": anchored_path(out["out"], base)} if "out" in out else {})


def _features(told: Any, base: Path) -> Any:
    """A section in a section."""
    paths = {"source": anchored_source, "weights": anchored_path}
    return anchored_section({"features": told}, "features", base, paths, short="source").get("features", told)


_GENERATOR = {
    "folder": anchored_path, "source": anchored_source, "weights": anchored_path, "features": _features,
}  # fmt: skip

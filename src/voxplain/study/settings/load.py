"""From a YAML file, flags and `--set` to checked settings; every mistake is reported at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxplain.settings.reading import merged, parse_override, read_yaml, settings_of
from voxplain.study.settings.anchor import anchored, anchored_study

if TYPE_CHECKING:
    from voxplain.study.settings.config import ExplainSettings
    from voxplain.study.settings.study_config import StudySettings


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


def load_study(
    config: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    overrides: Iterable[str] = (),
    defaults: Mapping[str, Any] | None = None,
) -> StudySettings:
    """Settings of a study; from where and in which order as `load_settings`.

    Args:
        defaults: of what neither says.

    Raises:
        SettingsError: lists every mistake with its path.
    """
    from voxplain.study.settings.cases import spelled_out
    from voxplain.study.settings.study_config import StudySettings

    settings = {} if config is None else anchored_study(read_yaml(config), config.resolve().parent)
    settings = {**(defaults or {}), **settings}
    for layer in (dict(flags or {}), *map(parse_override, overrides)):
        settings = merged(settings, anchored_study(layer, Path.cwd()))
    where = f"{config}: " if config else ""
    if "cases" not in settings:
        return settings_of(StudySettings, settings, where)
    spelled = spelled_out(settings["cases"])
    given = {**settings, "cases": spelled.cases}
    return settings_of(StudySettings, given, where, spelled.complaints, {"cases": spelled.places})


# What `voxplain aggregate` does where nothing else is asked for: no maps, no metrics, sums over regions.
AGGREGATE: Mapping[str, Any] = {"methods": [], "metrics": [], "regions": {}, "out": "cohort"}


def load_aggregate(
    config: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    overrides: Iterable[str] = (),
) -> StudySettings:
    """Settings of a study of regions: as `load_study`, without maps and metrics where none are asked for.

    Raises:
        SettingsError: lists every mistake with its path.
    """
    return load_study(config, flags, overrides, AGGREGATE)

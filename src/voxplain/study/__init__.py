"""From one configuration to a folder of results that a person can read and a killed run resumes."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voxplain.study.explaining.run import run as explain
    from voxplain.study.exporting import export_dicom as export_dicom
    from voxplain.study.figure import figure_grid as figure_grid
    from voxplain.study.settings.config import ExplainSettings as ExplainSettings
    from voxplain.study.settings.load import (
        load_aggregate as load_aggregate,
        load_settings as load_settings,
        load_study as load_study,
    )
    from voxplain.study.settings.study_config import StudySettings as StudySettings
    from voxplain.study.study import run_study as run_study

__all__ = [
    "ExplainSettings",
    "StudySettings",
    "explain",
    "export_dicom",
    "figure_grid",
    "load_aggregate",
    "load_settings",
    "load_study",
    "run_study",
]

_WHERE = {
    "ExplainSettings": ("settings.config", "ExplainSettings"),
    "StudySettings": ("settings.study_config", "StudySettings"),
    "explain": ("explaining.run", "run"),
    "export_dicom": ("exporting", "export_dicom"),
    "figure_grid": ("figure", "figure_grid"),
    "load_aggregate": ("settings.load", "load_aggregate"),
    "load_settings": ("settings.load", "load_settings"),
    "load_study": ("settings.load", "load_study"),
    "run_study": ("study", "run_study"),
}


def __getattr__(name: str) -> object:
    """Load what the command line does not need for its help only when it is used."""
    if name not in _WHERE:
        raise AttributeError(f"module 'voxplain.study' has no attribute {name!r}")
    module, attribute = _WHERE[name]
    return getattr(import_module(f"voxplain.study.{module}"), attribute)

"""Where results go."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from voxplain.target.scene import slug

if TYPE_CHECKING:
    from voxplain.case import Case
    from voxplain.study.settings.config import ExplainSettings


def map_path(settings: ExplainSettings, case: Case, method: str, target: str) -> Path:
    """``<out>/maps/<case>/<method>/<target>.<format>``."""
    return settings.out / "maps" / slug(case.id) / method / f"{target}.{suffix(settings.maps.format, case)}"


def prediction_path(settings: ExplainSettings, case: Case) -> Path:
    """``<out>/prediction.<format>``."""
    return settings.out / f"prediction.{suffix(settings.maps.format, case)}"


def figure_folder(settings: ExplainSettings, case: Case, method: str) -> Path:
    """``<out>/figures/<case>/<method>``."""
    return settings.out / "figures" / slug(case.id) / method


def working_path(settings: ExplainSettings, method: str) -> Path:
    """A method's maps on the network's grid, which metrics read."""
    return settings.out / "working" / f"{method}.safetensors"


def suffix(asked: str, case: Case) -> str:
    """The format of maps: the asked one, or one that keeps what the case has."""
    if asked != "auto":
        return asked
    if case.geometry is not None:
        return "nii.gz"
    return "tif" if case.spatial_dims == 2 else "npz"

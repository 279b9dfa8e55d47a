"""What `voxplain inherent` is asked: one YAML, checked before anything is read."""

from __future__ import annotations

from voxplain.inherent.settings.config import (
    DataSettings,
    EvaluateSettings,
    InherentSettings,
    MaskSettings,
    NetworkSettings,
    PredictSettings,
    SliceSettings,
    SplitSettings,
    UncertaintySettings,
)
from voxplain.inherent.settings.load import inherent_template, load_inherent

__all__ = [
    "DataSettings",
    "EvaluateSettings",
    "InherentSettings",
    "MaskSettings",
    "NetworkSettings",
    "PredictSettings",
    "SliceSettings",
    "SplitSettings",
    "UncertaintySettings",
    "inherent_template",
    "load_inherent",
]

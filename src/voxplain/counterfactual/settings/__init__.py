"""What `voxplain counterfactual` is asked: one YAML, checked before anything is read."""

from __future__ import annotations

from voxplain.counterfactual.settings.config import (
    CounterfactualSettings,
    DirectionSettings,
    ExplainSettings,
    GeneratorSettings,
)
from voxplain.counterfactual.settings.features import FeatureSettings
from voxplain.counterfactual.settings.load import counterfactual_template, load_counterfactual

__all__ = [
    "CounterfactualSettings",
    "DirectionSettings",
    "ExplainSettings",
    "FeatureSettings",
    "GeneratorSettings",
    "counterfactual_template",
    "load_counterfactual",
]

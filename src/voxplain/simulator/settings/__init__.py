"""What `voxplain simulate` is asked: one YAML, checked before anything is read."""

from __future__ import annotations

from voxplain.counterfactual.classifier.settings import ClassifierSettings
from voxplain.simulator.settings.config import (
    AtlasSettings,
    ExplainSettings,
    GroupSettings,
    NetworkSettings,
    SimulatorSettings,
)
from voxplain.simulator.settings.load import load_simulator, simulator_template

__all__ = [
    "AtlasSettings",
    "ClassifierSettings",
    "ExplainSettings",
    "GroupSettings",
    "NetworkSettings",
    "SimulatorSettings",
    "load_simulator",
    "simulator_template",
]

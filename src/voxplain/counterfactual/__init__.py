"""Counterfactuals: an image on its way to another decision, whatever made the way."""

from __future__ import annotations

from voxplain.counterfactual.dose import Calibrated, calibrate
from voxplain.counterfactual.path import CounterfactualPath

__all__ = ["Calibrated", "CounterfactualPath", "calibrate"]

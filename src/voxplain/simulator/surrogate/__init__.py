"""Classifiers without gradients: a small network learns what they say, and how well it does is told."""

from __future__ import annotations

from voxplain.counterfactual.classifier.black_box import BlackBox
from voxplain.simulator.surrogate.distil import SurrogateSettings, distil
from voxplain.simulator.surrogate.fidelity import Fidelity, fidelity
from voxplain.simulator.surrogate.network import SurrogateNetwork

__all__ = ["BlackBox", "Fidelity", "SurrogateNetwork", "SurrogateSettings", "distil", "fidelity"]

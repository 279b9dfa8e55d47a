"""Training of generators: one loop for all families."""

from __future__ import annotations

from voxplain.counterfactual.training.loop import GeneratorLoop
from voxplain.counterfactual.training.settings import GeneratorTraining, StyleTraining
from voxplain.counterfactual.training.task import GeneratorTask

__all__ = ["GeneratorLoop", "GeneratorTask", "GeneratorTraining", "StyleTraining"]

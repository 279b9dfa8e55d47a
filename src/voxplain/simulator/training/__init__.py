"""Training of simulators: `train_simulator`, and how in `SimulatorTraining`."""

from __future__ import annotations

from voxplain.simulator.training.settings import SimulatorTraining
from voxplain.simulator.training.subjects import Typical
from voxplain.simulator.training.train import TrainedSimulator, train_simulator, trained_simulator

__all__ = ["SimulatorTraining", "TrainedSimulator", "Typical", "train_simulator", "trained_simulator"]

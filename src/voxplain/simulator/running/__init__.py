"""One YAML -> trained simulators, what each subject is explained by, and what subjects have in common."""

from __future__ import annotations

from voxplain.simulator.running.cost import cost
from voxplain.simulator.running.explain_step import explain_simulators
from voxplain.simulator.running.group_step import group_simulators
from voxplain.simulator.running.places import Places
from voxplain.simulator.running.surrogate_step import Surrogate, surrogate
from voxplain.simulator.running.task import SimulatorTask, make_simulator, prepare_task
from voxplain.simulator.running.train_step import train_simulators, trained

__all__ = [
    "Places",
    "SimulatorTask",
    "Surrogate",
    "cost",
    "explain_simulators",
    "group_simulators",
    "make_simulator",
    "prepare_task",
    "surrogate",
    "train_simulators",
    "trained",
]

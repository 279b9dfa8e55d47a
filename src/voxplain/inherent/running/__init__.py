"""One YAML -> a trained classifier, its maps as files, and how good both are."""

from __future__ import annotations

from voxplain.inherent.running.cost import cost
from voxplain.inherent.running.evaluate_step import Evaluation, cost_of_evaluation, evaluate_inherent
from voxplain.inherent.running.places import Places
from voxplain.inherent.running.predict_step import predict_inherent
from voxplain.inherent.running.task import Task, prepare_task, read_samples
from voxplain.inherent.running.train_step import train_inherent, trained_network

__all__ = [
    "Evaluation",
    "Places",
    "Task",
    "cost",
    "cost_of_evaluation",
    "evaluate_inherent",
    "predict_inherent",
    "prepare_task",
    "read_samples",
    "train_inherent",
    "trained_network",
]

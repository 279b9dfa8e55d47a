"""Training of classifiers: `train` and `predict`, and how in `TrainingSettings`."""

from __future__ import annotations

from voxplain.inherent.training.callbacks import Callback, TensorBoard
from voxplain.inherent.training.predict import Predicted, predict
from voxplain.inherent.training.settings import TrainingSettings
from voxplain.inherent.training.train import Best, Trained, train

__all__ = ["Best", "Callback", "Predicted", "TensorBoard", "Trained", "TrainingSettings", "predict", "train"]

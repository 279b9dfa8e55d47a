"""Counterfactuals: an image on its way to another decision, whatever made the way.

Names are imported when they are first used: importing the room loads neither torch nor numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxplain.lazy import lazily

# Module -> its public names, as words. The block for type checkers repeats them.
_MODULES = {
    "voxplain.counterfactual.dose": "Calibrated calibrate",
    "voxplain.counterfactual.path": "CounterfactualPath",
    "voxplain.counterfactual.running.explain_step": "Explained explain_images",
    "voxplain.counterfactual.running.task": "CounterfactualTask prepare_task",
    "voxplain.counterfactual.running.train_step": "TrainedGenerator train_generator trained_generator",
    "voxplain.counterfactual.settings": "CounterfactualSettings load_counterfactual",
}
_EXPORTS = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = list(_EXPORTS)

if TYPE_CHECKING:
    from voxplain.counterfactual.dose import Calibrated as Calibrated, calibrate as calibrate
    from voxplain.counterfactual.path import CounterfactualPath as CounterfactualPath
    from voxplain.counterfactual.running.explain_step import (
        Explained as Explained,
        explain_images as explain_images,
    )
    from voxplain.counterfactual.running.task import (
        CounterfactualTask as CounterfactualTask,
        prepare_task as prepare_task,
    )
    from voxplain.counterfactual.running.train_step import (
        TrainedGenerator as TrainedGenerator,
        train_generator as train_generator,
        trained_generator as trained_generator,
    )
    from voxplain.counterfactual.settings import (
        CounterfactualSettings as CounterfactualSettings,
        load_counterfactual as load_counterfactual,
    )


__getattr__, __dir__ = lazily(__name__, _EXPORTS)

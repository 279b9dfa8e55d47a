"""Simulators: warp an image towards disease and back until the classifier changes its mind, and map what that took.

Names are imported when they are first used: importing the room loads neither torch nor numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxplain.lazy import lazily

# Module -> its public names, as words. The block for type checkers repeats them.
_MODULES = {
    "voxplain.counterfactual.classifier.decision": "Decision",
    "voxplain.simulator.explain": "Explainer",
    "voxplain.simulator.field": (
        "RegionChange compose exponential folded_percentage inverse_error invert "
        "jacobian log_jacobian read_displacement volume_changes warp write_displacement"
    ),
    "voxplain.simulator.group": "Agreement GroupMap agreement group_difference group_map",
    "voxplain.simulator.losses": "LossSettings",
    "voxplain.simulator.networks": "PublishedSimulator Simulator VelocitySimulator",
    "voxplain.simulator.running": (
        "SimulatorTask explain_simulators group_simulators prepare_task train_simulators"
    ),
    "voxplain.simulator.settings": "SimulatorSettings load_simulator",
    "voxplain.simulator.surrogate": "BlackBox Fidelity SurrogateSettings distil fidelity",
    "voxplain.simulator.training": "SimulatorTraining TrainedSimulator Typical train_simulator trained_simulator",
}
_EXPORTS = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = list(_EXPORTS)

if TYPE_CHECKING:
    from voxplain.counterfactual.classifier.decision import Decision as Decision
    from voxplain.simulator.explain import Explainer as Explainer
    from voxplain.simulator.field import (
        RegionChange as RegionChange,
        compose as compose,
        exponential as exponential,
        folded_percentage as folded_percentage,
        inverse_error as inverse_error,
        invert as invert,
        jacobian as jacobian,
        log_jacobian as log_jacobian,
        read_displacement as read_displacement,
        volume_changes as volume_changes,
        warp as warp,
        write_displacement as write_displacement,
    )
    from voxplain.simulator.group import (
        Agreement as Agreement,
        GroupMap as GroupMap,
        agreement as agreement,
        group_difference as group_difference,
        group_map as group_map,
    )
    from voxplain.simulator.losses import LossSettings as LossSettings
    from voxplain.simulator.networks import (
        PublishedSimulator as PublishedSimulator,
        Simulator as Simulator,
        VelocitySimulator as VelocitySimulator,
    )
    from voxplain.simulator.running import (
        SimulatorTask as SimulatorTask,
        explain_simulators as explain_simulators,
        group_simulators as group_simulators,
        prepare_task as prepare_task,
        train_simulators as train_simulators,
    )
    from voxplain.simulator.settings import (
        SimulatorSettings as SimulatorSettings,
        load_simulator as load_simulator,
    )
    from voxplain.simulator.surrogate import (
        BlackBox as BlackBox,
        Fidelity as Fidelity,
        SurrogateSettings as SurrogateSettings,
        distil as distil,
        fidelity as fidelity,
    )
    from voxplain.simulator.training import (
        SimulatorTraining as SimulatorTraining,
        TrainedSimulator as TrainedSimulator,
        Typical as Typical,
        train_simulator as train_simulator,
        trained_simulator as trained_simulator,
    )


__getattr__, __dir__ = lazily(__name__, _EXPORTS)

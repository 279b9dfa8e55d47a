"""A subject's series for the page: its frames, and what tissue does at each dose, which is made again from the simulator."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from voxplain.counterfactual.page.series import difference, read_frames, steps_of
from voxplain.counterfactual.page.words import image_unit
from voxplain.inherent.data import Reader, Sample, prepared
from voxplain.report.colours import Scale
from voxplain.report.series import ShownLayer, ShownSeries
from voxplain.report.viewer import ShownLabels
from voxplain.simulator.field import folded_percentage, jacobian, log_jacobian
from voxplain.simulator.running.atlas import atlas_of
from voxplain.simulator.running.home import Home
from voxplain.simulator.running.records import NEW, Record
from voxplain.simulator.running.train_step import trained

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from voxplain.simulator.networks import Simulator
    from voxplain.simulator.running.task import SimulatorTask

_FOLDS = "At this dose the map folds space, so there are neither volumes nor a grid."


class SubjectSeries:
    """Makes series of the first training, whose files are written.

    Args:
        task: with its settings and trainings.
    """

    def __init__(self, task: SimulatorTask) -> None:
        self.task, self.reader = task, Reader()

    @cached_property
    def simulator(self) -> Simulator:
        """On the CPU: a few images are asked about again."""
        return trained(self.task, self.task.settings.seeds[0]).simulator.cpu().eval()

    def __call__(self, place: Path, record: Record, sample: Sample) -> ShownSeries:
        """Of one subject.

        Args:
            place: its folder.
            record: what is told of it.
            sample: the image.

        Raises:
            InputError: its frames were not written.
        """
        case, frames = read_frames(place, len(record["doses"]))
        steps = steps_of(record["doses"], record["scores"], record["dose"])
        unit = image_unit(self.task.preparation)
        at = [step.calibrated for step in steps].index(True)
        layers = difference(frames, at, unit)
        notes: tuple[str, ...] = ()
        if record["withheld"]:
            notes = (f"Volumes and grid are withheld: {record['withheld']}.",)
        else:
            layers = (*layers, *self._volumes(record, sample, at))
        return ShownSeries(
            record["id"], frames[0], steps, frames, layers, case.geometry, self.task.names, record["target"], unit,
            self._labels(record, sample), notes,
        )  # fmt: skip

    def _volumes(self, record: Record, sample: Sample, at: int) -> tuple[ShownLayer, ...]:
        """The log-Jacobian and the grid that tissue carries, at each dose."""
        ready = prepared(sample, self.task.preparation, self.reader)
        home, x = Home(ready), ready.image[None]
        logs, motions, missing = [], [], []
        with torch.no_grad():
            change = self.simulator(x, -torch.sign(torch.tensor([record["logit before"]], dtype=x.dtype)))
            for n, dose in enumerate(record["doses"]):
                push = change.push(float(dose))
                determinant = jacobian(push)
                if max(
                    float(folded_percentage(d)) for d in (determinant, jacobian(change.pull(float(dose))))
                ):
                    missing.append((n, _FOLDS))
                    push, determinant = torch.zeros_like(push), torch.ones_like(determinant)
                logs.append(home.map(log_jacobian(determinant)[0])[0])
                motions.append(home.field(push[0]))
        return (
            ShownLayer(
                "log-Jacobian",
                np.stack(logs),
                limit=_limit(logs[at]),
                unit="log of the volume change",
                missing=tuple(missing),
            ),
            ShownLayer("warp grid", np.stack(motions), "grid", missing=tuple(missing)),
        )

    def _labels(self, record: Record, sample: Sample) -> tuple[ShownLabels, ...]:
        """Regions of the atlas, where there is one."""
        atlas = atlas_of(self.task.settings.explain.atlas, self.task.folder, new=record["part"] == NEW)
        if atlas is None:
            return ()
        return (ShownLabels("regions", atlas(sample, self.reader), dict(atlas.names(sample))),)


def _limit(values: NDArray[Any]) -> float | None:
    """Where the colours of the still picture end; None where nothing changes."""
    return Scale.of(values).limit if values.any() else None

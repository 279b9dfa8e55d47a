"""Where a study keeps what."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from voxplain.study.explaining.paths import suffix

if TYPE_CHECKING:
    from voxplain.case import Case
    from voxplain.study.planning.plan import Plan
    from voxplain.study.planning.task import Task


class Places:
    """Paths in a study's folder; those of a task lie under ``<model>/<case>``."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.out = plan, plan.settings.out
        self.driver = driver_name(os.getppid())  # as a worker process of this machine sees it

    def ask(self, task: Task) -> str:
        """The unit of the asking task of this model and case."""
        return f"{self.plan.folder(task)}/ask"

    def map_unit(self, task: Task, method: str) -> str:
        """The unit of a method's maps of this model and case."""
        return f"{self.plan.folder(task)}/map-{method}"

    def prediction(self, task: Task) -> Path:
        """The prediction on the network's grid."""
        return self.out / "working" / self.plan.folder(task) / "prediction.safetensors"

    def working(self, task: Task, method: str) -> Path:
        """A method's maps on the network's grid."""
        return self.out / "working" / self.plan.folder(task) / f"{method}.safetensors"

    def figures(self, task: Task) -> Path:
        """The figures that a judging task found."""
        return self.out / "judged" / self.plan.folder(task) / f"{task.family}-{task.who}.json"

    def map(self, task: Task, target: str, case: Case) -> Path:
        """A method's map of a target in the case's own geometry."""
        kind = suffix(self.plan.settings.maps.format, case)
        return self.out / "maps" / self.plan.folder(task) / task.who / f"{target}.{kind}"

    def labels(self, task: Task, case: Case) -> Path:
        """The prediction in the case's own geometry."""
        kind = suffix(self.plan.settings.maps.format, case)
        return self.out / "predictions" / f"{self.plan.folder(task)}.{kind}"

    def picture(self, task: Task, target: str) -> Path:
        """A small picture of a map."""
        return self.out / "pictures" / self.plan.folder(task) / task.who / f"{target}.png"

    def of_regions(self, task: Task) -> Path:
        """What a task found of regions, as a long table."""
        what = task.name.rsplit("/", 1)[1]
        return self.out / "regions" / self.plan.folder(task) / f"{what}.parquet"

    def rows(self, model: str, case: int) -> Path:
        """The long table of a model's case."""
        from voxplain.study.planning.plan import folder_of

        return self.out / "tables" / "cases" / f"{folder_of(model, self.plan.case_ids[case])}.parquet"

    def scratch(self, task: Task) -> Path:
        """Room for maps that do not fit into memory, while a task runs."""
        return scratch_of(self.out, self.driver) / self.plan.folder(task)


def driver_name(pid: int) -> str:
    """The name of a driver, a process of this machine, among those that share a folder."""
    return f"{socket.gethostname()}-{pid}"


def scratch_of(out: Path, driver: str) -> Path:
    """What is removed when the driver of that name ends."""
    return out / "scratch" / driver

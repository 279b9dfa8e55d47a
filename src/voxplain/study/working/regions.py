"""The divisions of an image that the settings ask for, and what a case's label says of the prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxplain.aggregate.partition import Partition, from_labels, predicted
from voxplain.model.label_values import where
from voxplain.study.settings.region_config import LABEL, PREDICTED

NO_LABEL = "the case has no label to divide it by"

if TYPE_CHECKING:
    from voxplain.engine import Problem
    from voxplain.study.planning.task import Task
    from voxplain.study.settings.region_config import RegionSettings, RegionSource
    from voxplain.study.working.held import Held


def asked_regions(held: Held) -> RegionSettings:
    """The settings of regions, which tasks of regions have."""
    found = held.plan.settings.regions
    assert found is not None
    return found


def partitions(held: Held, task: Task, problem: Problem) -> list[Partition]:
    """The divisions of this case's image, in the order of the settings, but for those that it has no label for.

    Raises:
        VoxplainError: a file that cannot be read, lies on another grid or holds no region.
    """
    there = [source for source in asked_regions(held).of if has_division(held, task, source)]
    return [division(held, task, problem, source) for source in there]


def has_division(held: Held, task: Task, source: RegionSource) -> bool:
    """Whether there is what a division is made of: one case without a ground truth must not cost the others theirs."""
    return source.source != LABEL or held.plan.settings.cases[task.case].label is not None


def division(held: Held, task: Task, problem: Problem, source: RegionSource) -> Partition:
    """One of them; errors as of `partitions`."""
    partition = _divided(held, task, problem, source)
    return partition.merged(_own(asked_regions(held), partition))


def _divided(held: Held, task: Task, problem: Problem, source: RegionSource) -> Partition:
    if source.source == PREDICTED:
        return predicted(problem)
    case = held.plan.settings.cases[task.case]
    file = source.file_of(held.plan.case_ids[task.case], case.label)
    # a ground truth has the network's classes, unless somebody says otherwise or they are independent of each other
    of_classes = source.source == LABEL and problem.prediction.positive is None
    names = source.labels or (dict(enumerate(problem.model.classes)) if of_classes else {})
    # a case that is a slice has the label of that slice
    label = problem.case.label if source.source == LABEL else None
    return from_labels(problem, file if label is None else label, name=source.told, regions=names)


def _own(regions: RegionSettings, partition: Partition) -> dict[str, tuple[str, ...]]:
    """What a partition has of the merges: divisions have names of their own, and a case may lack a region."""
    known = set(partition.regions)
    there = {name: tuple(m for m in members if m in known) for name, members in regions.merge.items()}
    return {name: members for name, members in there.items() if members}


def dice(problem: Problem) -> dict[str, float]:
    """Dice of every class that the label or the prediction of a segmentation has, but for the background.

    Of independent classes nothing is told unless it is known which values of a label mean them.
    """
    label, found, values = problem.prepared.label, problem.prediction, problem.model.label_values
    if label is None or problem.layout is None or values is None:
        return {}
    out, independent = {}, found.positive is not None
    for index, name in enumerate(problem.model.classes):
        own = found.labels == index if found.positive is None else found.positive[index]
        true = where(label, values[index])
        size = int(own.sum()) + int(true.sum())
        if size and (index or independent):
            out[name] = 2 * int((own & true).sum()) / size
    return out

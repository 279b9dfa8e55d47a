"""What asking a black box will cost, in images, told before it is asked."""

from __future__ import annotations

from voxplain.counterfactual.dose import asked_at_most
from voxplain.counterfactual.explain import SHARES
from voxplain.counterfactual.measure.change import PASTED
from voxplain.counterfactual.running.guided_cost import asked_first, asked_of_one
from voxplain.counterfactual.running.nulls import STEPS
from voxplain.counterfactual.running.task import CounterfactualTask


def of_queries(task: CounterfactualTask) -> int:
    """Samples, training images, and the generator's copies of these."""
    if task.settings.generator.family == "diffusion":
        return asked_first(task)
    told = task.settings.direction
    return told.samples + 2 * min(told.images, len(task.split.train))


def of_attributes(task: CounterfactualTask, coordinates: int) -> int:
    """Every coordinate both ways, and none."""
    told = task.settings.attributes
    return (
        min(told.images, len(task.split.train)) * (1 + 2 * min(told.coordinates, coordinates))
        if told.most
        else 0
    )


def of_one_image(task: CounterfactualTask) -> int:
    """The path, random directions and COUT of one image, at most."""
    if task.settings.generator.family == "diffusion":
        return asked_of_one(task)
    told, nulls = task.settings.explain, task.settings.direction.nulls
    path = 2 + asked_at_most(told.limit) + len(SHARES)
    target = 1 if told.target == "typical" else 0
    return path + target + nulls * (STEPS + 2) + PASTED + 1


def cost_told(task: CounterfactualTask, images: int, coordinates: int, *, answered: int | None) -> str:
    """One line for a black box, before it is asked.

    Args:
        task: with its settings.
        images: how many are to be explained.
        coordinates: how many of the family could be asked about.
        answered: how many queries for the direction were asked before; None of all of them.
    """
    left = 0 if answered is None else of_queries(task) - answered
    first, each = left + of_attributes(task, coordinates), of_one_image(task)
    what = "the direction and single coordinates" if task.settings.attributes.most else "the direction"
    return (
        f"{task.asked.source}: is asked about at most {first + images * each:,} images, {first:,} for {what} and "
        f"{each:,} for each of {images:,}; answers are kept"
    )

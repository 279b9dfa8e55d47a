"""What guided denoising will cost, told before it begins."""

from __future__ import annotations

from voxplain.counterfactual.diffusion.explain import HALVINGS, SHARES
from voxplain.counterfactual.diffusion.nulls import STEPS
from voxplain.counterfactual.diffusion.schedule import Schedule
from voxplain.counterfactual.measure.change import PASTED
from voxplain.counterfactual.running.guided import COPIED, scan_of
from voxplain.counterfactual.running.image_metrics import TIMES
from voxplain.counterfactual.running.task import CounterfactualTask


def guided_cost(task: CounterfactualTask, images: int) -> str:
    """One line: passes of denoiser and classifier at most, of images that are not explained yet.

    Args:
        task: whose family is a diffusion.
        images: how many are to be explained.
    """
    told, given = task.settings, task.settings.generator.parameters
    level = Schedule(steps=given.get("steps", 25)).level(given.get("depth", 0.4))
    searches = 2 if told.explain.mask == "auto" else 1
    guided = searches * (scan_of(task) + 1 + HALVINGS) + searches - 1 + len(SHARES)
    chance = told.direction.nulls * (STEPS + 1)
    # inversions and copies: for guidance, for chance, for the pictures, for composition and for the way back
    plain, back = 2 * (searches + 2 + TIMES + 1), 1
    led = guided + back
    if told.explain.guidance == "gradient":
        forward, backward = level * (led + chance + plain), level * (led + 2 * chance)
    else:  # the denoiser is told the own logit and another one; chance needs its gradient
        forward, backward = level * (2 * led + 3 * chance + plain), level * chance
    copies = 2 * level * min(COPIED, told.direction.images, len(task.split.train))
    return (
        f"diffusion: at most {forward:,} forward and {backward:,} backward passes of an image through the denoiser for each "
        f"of {images:,} images ({level} of its steps; {guided} doses, {chance} of random guidance), and {copies:,} for "
        "copies of training images"
    )


def asked_first(task: CounterfactualTask) -> int:
    """Images that a black box is asked about before any is explained: copies; of training images it is known."""
    return min(COPIED, task.settings.direction.images, len(task.split.train))


def asked_of_one(task: CounterfactualTask) -> int:
    """The target, the path, random guidance and COUT of one image, at most."""
    told, nulls = task.settings.explain, task.settings.direction.nulls
    searches, target = (2 if told.mask == "auto" else 1), (1 if told.target == "typical" else 0)
    path = 3 + searches * (scan_of(task) + 1 + HALVINGS) + len(SHARES)  # the image, twice, and its copy
    return target + path + 1 + nulls * (STEPS + 1) + PASTED + 1

"""What the classifier says of the images that a conditional generator learns from: asked once, kept beside the weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from voxplain.counterfactual.direction.queries import scored
from voxplain.counterfactual.running.families.tensors import read_tensors, write_tensors
from voxplain.counterfactual.running.task import CounterfactualTask
from voxplain.errors import InputError
from voxplain.inherent.data.prepared import Images
from voxplain.inherent.training.record import digest, labels_digest

_BATCH = 64


def answers_of(task: CounterfactualTask, images: Images, tell: Callable[[str], None] | None = None) -> Tensor:
    """(N,) a logit of every image of the training and the validation part; NaN of others.

    Args:
        task: with a classifier.
        images: all of the task's, prepared.
        tell: is given how many images it will be asked about, before it is.

    Raises:
        InputError: the settings name no classifier, it says the same of all images.
        ModelError: it gives no logits.
    """
    asked = [*task.split.train, *task.split.validation]
    try:
        return stored_answers(task)
    except InputError:
        pass  # not asked yet, or about others
    if tell is not None:
        tell(
            f"{task.asked.source}: is asked about {len(asked):,} images, once, since the denoiser is told what it says of "
            "them; answers are kept"
        )
    found = torch.full((len(task.samples),), float("nan"))
    with torch.no_grad():
        for start in range(0, len(asked), _BATCH):
            part = asked[start : start + _BATCH]
            found[part] = scored(task.asked.decision, torch.stack([images[i] for i in part])).float().cpu()
    if not float(found[list(task.split.train)].std()) > 0:
        raise InputError(
            "classifier: gives all training images one logit, expected some that differ; there is nothing that a denoiser "
            "could be told"
        )
    write_tensors(_place(task), _kind(task), {"logits": found})
    return found


def stored_answers(task: CounterfactualTask) -> Tensor:
    """What was asked when the generator was trained.

    Raises:
        InputError: it was not, or about other images, or somebody else.
    """
    return read_tensors(_place(task), _kind(task))["logits"]


def _place(task: CounterfactualTask) -> Path:
    return task.places.generator / "answers.safetensors"


def _kind(task: CounterfactualTask) -> str:
    about = [labels_digest(task.samples), repr(task.preparation), digest(task.split.ids(task.samples))]
    return f"answers {digest([task.who, list(task.asked.names), *about])}"

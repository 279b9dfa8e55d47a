"""What the classifier says of the images that a conditional generator learns from: asked once, kept beside the weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from voxplain.counterfactual.direction.queries import scored
from voxplain.counterfactual.running.kept_answers import Answers, known_answers
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
    told, place, kind = _told(task), _place(task), _kind(task)
    left = len(told) - len(known_answers(place, kind))
    if left and tell is not None:
        tell(
            f"{task.asked.source}: is asked about {left:,} images, once, since the denoiser is told what it says of them; "
            "answers are kept"
        )
    decision = task.asked.decision
    if left:
        with torch.no_grad(), Answers(place, kind, decision.classifier) as answers:
            for start in range(0, len(told), _BATCH):
                batch = torch.stack([images[i] for i in told[start : start + _BATCH]])
                scored(lambda x: decision.of(answers(x), len(x)), batch)
    found = stored_answers(task)
    if not float(found[list(task.split.train)].std()) > 0:
        raise InputError(
            "classifier: gives all training images one logit, expected some that differ; there is nothing that a denoiser "
            "could be told"
        )
    return found


def stored_answers(task: CounterfactualTask) -> Tensor:
    """What was asked when the generator was trained.

    Raises:
        InputError: it was not, or about other images, or somebody else.
    """
    told, known = _told(task), known_answers(_place(task), _kind(task))
    if len(known) < len(told):
        raise InputError(
            f"{_place(task)}: found answers about {len(known)} images, expected {len(told)}, of these images and this "
            "classifier; run `voxplain counterfactual train`"
        )
    found = torch.full((len(task.samples),), float("nan"))
    found[told] = task.asked.decision.of(known, len(told)).float()
    return found


def _told(task: CounterfactualTask) -> list[int]:
    """Of which images the denoiser is told."""
    return [*task.split.train, *task.split.validation]


def _place(task: CounterfactualTask) -> Path:
    return task.places.generator / "answers.safetensors"


def _kind(task: CounterfactualTask) -> str:
    about = [labels_digest(task.samples), repr(task.preparation), digest(task.split.ids(task.samples))]
    return f"answers {digest([task.who, list(task.asked.names), *about])}"

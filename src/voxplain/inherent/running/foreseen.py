"""What would stop prediction or evaluation after hours of training, found from the table alone before anything starts."""

from __future__ import annotations

import math
from collections.abc import Sequence

from voxplain.errors import InputError
from voxplain.inherent.data import Reader, Sample
from voxplain.inherent.running.headline import FITTED, has_finding, healthy_patients, needed, threshold_of
from voxplain.inherent.running.questions import Question, questions
from voxplain.inherent.running.task import Task
from voxplain.inherent.threshold import HealthyQuantile, HeldOutMasks

_NO_FIT = "or otsu or zero, which need no validation images, or leave mask out of predict.files"


def check_foreseen(task: Task) -> None:
    """See that all parts have images, that the threshold of the masks can be fitted, and that masks can be read.

    Of masks one per part is opened, to see that it is a mask on its image's grid; how many images a threshold has is
    counted from labels and names of mask files, of which some may turn out to be empty.

    Raises:
        InputError: they have not, it cannot, or they cannot.
    """
    parts_of(task)
    if fits(task):
        if FITTED not in task.settings.predict.parts:
            raise InputError(
                f"predict.parts: found {', '.join(task.settings.predict.parts)}, but the threshold of the masks is fitted "
                "on the validation part; add it, or leave mask out of predict.files"
            )
        check_threshold(task)
    for part in ("validation", "test"):
        _check_mask(samples_of(task, part))


def parts_of(task: Task) -> dict[str, list[Sample]]:
    """The images that are asked about, by part.

    Raises:
        InputError: a part is empty.
    """
    divided = task.split.parts()
    missing = [part for part in task.settings.predict.parts if part not in divided]
    if missing:
        raise InputError(
            f"predict.parts: found {missing[0]}, which is empty; expected some of {', '.join(divided)}, or a share of the "
            f"split for it (split.{missing[0]}); evaluation needs validation and test"
        )
    return {part: samples_of(task, part) for part in task.settings.predict.parts}


def samples_of(task: Task, part: str) -> list[Sample]:
    """Those of a part of the split."""
    return [task.samples[i] for i in task.split.parts().get(part, ())]


def fits(task: Task) -> bool:
    """Whether masks are wanted whose threshold takes validation images."""
    if "mask" not in task.settings.predict.files:
        return False
    return any(threshold_of(task, q).supervision != "none" for q in questions(task))


def check_threshold(task: Task) -> None:
    """See that there are as many validation images as the threshold of the masks takes.

    Raises:
        InputError: there are not.
    """
    samples = samples_of(task, FITTED)
    for question in questions(task):
        threshold = threshold_of(task, question)
        of = f" of {question.name!r}" if question.name else ""
        if isinstance(threshold, HealthyQuantile):
            _check_healthy(task, threshold, question, of)
        if isinstance(threshold, HeldOutMasks):
            _check_masks(threshold, question, samples, of)


def _check_healthy(task: Task, threshold: HealthyQuantile, question: Question, of: str) -> None:
    patients, least = healthy_patients(task, question), needed(threshold)
    if question.healthy is None:
        raise InputError(
            f"mask.threshold{of}: {threshold.title} takes healthy images, but no class is healthy; expected data.healthy, "
            f"{_NO_FIT}"
        )
    if patients < least:
        # share of which as many patients are enough, rounded up
        share = math.ceil(1000 / (patients + 1)) / 1000
        smaller = f"healthy:share={share:g}, " if patients else ""
        raise InputError(
            f"mask.threshold{of}: {threshold.title} takes at least {least} healthy patients, found {patients} in the "
            f"validation part; expected more, {smaller}{_NO_FIT}"
        )


def _check_masks(threshold: HeldOutMasks, question: Question, samples: Sequence[Sample], of: str) -> None:
    found = sum(_has_mask(s, question) and has_finding(s, question) for s in samples)
    needed = threshold.count or 1
    if found < needed:
        fewer = f"masks:count={found}, " if found else ""
        raise InputError(
            f"mask.threshold{of}: {threshold.title} takes masks of {needed} images with a finding, found {found} in the "
            f"validation part; expected more, {fewer}{_NO_FIT}"
        )


def _has_mask(sample: Sample, question: Question) -> bool:
    if isinstance(sample.mask, tuple) and question.index is not None:
        return sample.mask[question.index] is not None
    return sample.mask is not None


def _check_mask(samples: Sequence[Sample]) -> None:
    first = next((s for s in samples if s.mask is not None), None)
    if first is not None:
        Reader().drawn(first)

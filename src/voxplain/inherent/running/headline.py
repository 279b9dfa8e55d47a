"""Which threshold makes the masks, where that is left to the program."""

from __future__ import annotations

import math

from voxplain.inherent.data import Sample
from voxplain.inherent.running.questions import Question
from voxplain.inherent.running.task import Task
from voxplain.inherent.threshold import HealthyQuantile, Threshold, parse_threshold

FITTED = "validation"  # the part that thresholds are fitted on


def threshold_of(task: Task, question: Question) -> Threshold:
    """The one of the masks, not fitted.

    Left to the program it is the one that promises something, `HealthyQuantile`, where there are enough healthy patients for
    its promise; else one that needs nobody.
    """
    text = task.settings.mask.threshold
    if text != "auto":
        return parse_threshold(text)
    # what speaks against a label is no place of it
    promise, other = ("healthy:floor=0", "zero") if question.index is not None else ("healthy", "otsu")
    wanted = parse_threshold(promise)
    assert isinstance(wanted, HealthyQuantile)
    enough = question.healthy is not None and healthy_patients(task, question) >= needed(wanted)
    return wanted if enough else parse_threshold(other)


def choice_told(task: Task, question: Question) -> str:
    """In words: what marks, and why that."""
    found, of = threshold_of(task, question), f"{question.name}: " if question.name else ""
    if task.settings.mask.threshold != "auto":
        return f"{of}{found.title}, as mask.threshold says"
    if isinstance(found, HealthyQuantile):
        return f"{of}{found.title}"
    if question.healthy is None:
        return f"{of}{found.title}, since no class is healthy"
    promise = HealthyQuantile()
    return (
        f"{of}{found.title}, which promises nothing: that at most {promise.share:.0%} of healthy images are marked takes "
        f"{needed(promise)} healthy patients in the validation part, and {healthy_patients(task, question)} are there"
    )


def needed(threshold: HealthyQuantile) -> int:
    """How many healthy patients a promise takes."""
    return math.ceil(1 / threshold.share - 1e-9) - 1


def healthy_patients(task: Task, question: Question) -> int:
    """How many patients of the validation part have an image without the finding."""
    chosen = (task.samples[i] for i in task.split.parts().get(FITTED, ()))
    return len({s.group for s in chosen if not has_finding(s, question)})


def has_finding(sample: Sample, question: Question) -> bool:
    """Whether the label says so."""
    if question.index is not None:
        return question.index in sample.labels
    return sample.label != question.healthy

"""All that is told of one image that was explained."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from voxplain.counterfactual.classifier.decision import Decision
from voxplain.counterfactual.measure.change import insertion, sparsity
from voxplain.counterfactual.path import CounterfactualPath
from voxplain.counterfactual.running.case_files import at_dose
from voxplain.counterfactual.running.image_metrics import metrics_of
from voxplain.counterfactual.running.inquiry import Inquiry
from voxplain.counterfactual.running.likeness import Likeness
from voxplain.counterfactual.running.records import Record
from voxplain.counterfactual.running.task import CounterfactualTask
from voxplain.inherent.data import Sample
from voxplain.inherent.data.sample import UNKNOWN


def facts_of(
    task: CounterfactualTask, likeness: Likeness, oracle: Decision | None, part: str, sample: Sample, x: Tensor,
    path: CounterfactualPath, inquiry: Inquiry,
) -> Record:  # fmt: skip
    """What is told of an image, JSON-able.

    Args:
        task: with its classifier.
        likeness: compares the end with training images.
        oracle: a second classifier; None where there is none.
        part: of the split.
        sample: the image.
        x: (C, *S) it, prepared.
        path: what came of it.
        inquiry: that made the path.
    """
    names = task.asked.names
    before, after = float(path.scores[0]), float(path.scores[at_dose(path)])
    decision, towards = (names[1], names[0]) if before > 0 else names
    label = task.samples.classes[sample.label] if _known(sample) else ""  # type: ignore[index]
    changed, sign = path.frames[at_dose(path)], 1.0 if path.target >= before else -1.0
    null = inquiry.nulls(x, path, sign)
    facts: dict[str, Any] = dict(path.diagnostics)
    facts |= {
        "part": part, "id": sample.id, "patient": sample.group, "label": label, "decision": decision,
        "right": label == decision if label in names else None, "towards": towards,
        "title": f"{sample.id}: {decision}" + ("" if label in ("", decision) else f", but it is {label}"),
        "logit before": before, "logit after": after, "target": path.target, "flipped": (before > 0) != (after > 0),
        **metrics_of(inquiry.explainer, likeness, path, sample.group, oracle),
        "sparsity": sparsity(path.frames[0], changed),
        "cout": insertion(task.asked.decision, path.frames[0], changed, towards=sign),
        "distance ratio": float(facts["distance after"]) / float(facts["typical distance"]),
        "random flips": null.alike, "random flips ever": null.ever, "withheld": path.withheld.get("difference", ""),
        "doses": path.doses.tolist(), "scores": path.scores.tolist(),
    }  # fmt: skip
    return facts


def _known(sample: Sample) -> bool:
    return isinstance(sample.label, int) and sample.label != UNKNOWN

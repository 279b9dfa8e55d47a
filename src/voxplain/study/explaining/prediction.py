"""The clean prediction on the case's own grid, and what the page says of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxplain.aggregate.partition import known_spacing, voxel_ml
from voxplain.case.atomic import write_whole
from voxplain.errors import InputError
from voxplain.report import Predicted, predicted_classes
from voxplain.report.prediction import of_classes, probabilities, with_certainty
from voxplain.study.explaining.paths import prediction_path
from voxplain.study.ledger.fingerprint import of_case
from voxplain.study.ledger.ledger import Ledger
from voxplain.study.provenance import of_images, of_model
from voxplain.study.sizes import by
from voxplain.study.table import as_csv

if TYPE_CHECKING:
    from voxplain.case import Case
    from voxplain.engine import Problem
    from voxplain.study.settings.config import ExplainSettings
    from voxplain.target import Resolved


def predict(problem: Problem, settings: ExplainSettings, ledger: Ledger, key: str) -> dict[str, Any]:
    """Write the prediction on the case's grid; what the page says of it and of the case, as plain data."""
    if problem.layout is None:
        path, rows = _write_scores(problem, settings)
    else:
        path, rows = _write_labels(problem, settings)
    overview = {
        "case": problem.case.id,
        "model": problem.model.name,
        "image": image_facts(problem),
        "targets": [_described(t) for t in problem.targets],
        "predicted": [asdict(row) for row in rows],
        "notes": [
            *file_notes(problem.case),
            *problem.remarks(),
            *(t.note for t in problem.targets if t.status != "ok"),
        ],
        "origin": origin(settings, problem.case),
        "files": of_images(settings.image, problem.case, settings.series),
        "network": of_model(settings.model, problem.model),
        "output": output_of(problem),
        "kind": problem.model.output,
        "classes": list(problem.model.classes),
        "disagreement": problem.prediction.disagreement,
        "asked": [asked_of(t, problem) for t in problem.targets],
        "windows": 0 if problem.layout is None else len(problem.layout),
        "resampled": resampled(problem),
    }
    return ledger.finish("prediction", key, [path], overview)


def output_of(problem: Problem) -> list[float] | None:
    """A classifier's raw output."""
    raw = problem.prediction.output
    return None if raw is None else [float(v) for v in raw.double()]


def asked_of(target: Resolved, problem: Problem) -> dict[str, Any]:
    """A target, and how large its region is."""
    voxel = voxel_ml(known_spacing(problem))
    count = None if target.region is None or problem.layout is None else target.region.count
    ml = None if count is None or math.isnan(voxel) else count * voxel
    return {"name": target.name, "voxels": count, "millilitres": ml}


def resampled(problem: Problem) -> bool:
    """Whether the network saw voxels of another size than the file's."""
    return abs(abs(float(np.linalg.det(problem.prepared.to_case[:3, :3]))) - 1) > 1e-3


def file_notes(case: Case) -> list[str]:
    """What was left out or assumed while the image was read."""
    notes: Any = case.meta.get("notes", ())
    return [f"{case.id}: {note}" for note in notes]


def origin(settings: ExplainSettings, case: Case) -> dict[str, Any]:
    """What tells cases apart that have the same id: where the image lies, and a hash of it."""
    return {"image": _paths(settings), "content": of_case(case)}


def refuse_another_case(settings: ExplainSettings, case: Case) -> None:
    """Keep the results of a case from being replaced by those of another.

    Raises:
        InputError: the folder holds another case. The same image under another path is no other case, nor is
            a file whose content has changed.
    """
    there = Ledger(settings.out).last("prediction")
    before = there.get("origin") or {}
    if there and (there.get("case") != case.id or (before and _is_another(before, settings, case))):
        files = ", ".join(before.get("image", [])) or "unknown"
        raise InputError(
            f"out: {settings.out} holds the results of case {there.get('case')!r} ({files}); "
            f"choose another folder for case {case.id!r}"
        )


def _is_another(before: dict[str, Any], settings: ExplainSettings, case: Case) -> bool:
    # paths first: a hash reads the whole image
    return bool(before["image"] != _paths(settings) and before["content"] != of_case(case))


def _paths(settings: ExplainSettings) -> list[str]:
    return [str(path.resolve()) for path in settings.image]


def class_mask(problem: Problem, class_index: int) -> np.ndarray | None:
    """Where the class is predicted, on the case's grid; None for a classifier or where it is nowhere."""
    if problem.layout is None:
        return None
    found = problem.prediction
    mask = found.labels == class_index if found.positive is None else found.positive[class_index]
    restored = problem.prepared.restore(mask[None].float(), mode="nearest")[0] > 0
    return restored.astype("uint8") if restored.any() else None


def _write_labels(problem: Problem, settings: ExplainSettings) -> tuple[Path, Sequence[Predicted]]:
    """Winning class per voxel; for independent classes one channel each."""
    from voxplain.case import write_array

    case, found = problem.case, problem.prediction
    path = prediction_path(settings, case)
    several = found.positive is not None
    layers = found.positive if found.positive is not None else found.labels[None]
    labels = problem.prepared.restore(layers.float(), mode="nearest").astype("int16")
    write_array(path, labels if several else labels[0], case.geometry)
    return path, rows_of(problem, labels)


def rows_of(problem: Problem, labels: np.ndarray) -> tuple[Predicted, ...]:
    """Classes of a segmentation with their volumes and how sure the network is of them.

    Args:
        labels: (1 or K, *spatial) on the case's grid: classes, or a mask of each where they are independent.
    """
    case, found, names = problem.case, problem.prediction, problem.model.classes
    sure = None if found.certainty is None else found.certainty.tolist()
    if found.positive is None:
        return with_certainty(predicted_classes(labels[0], names, case.geometry), names, sure, labels[0])
    rows = [
        row
        for mask, name in zip(labels, names, strict=True)
        for row in predicted_classes(mask, ["", name], case.geometry)
    ]
    return with_certainty(rows, names, sure, labels, masks=True)


def _write_scores(problem: Problem, settings: ExplainSettings) -> tuple[Path, Sequence[Predicted]]:
    """A classifier's outputs, class by class."""
    model, raw = problem.model, problem.prediction.output
    assert raw is not None
    share = probabilities([float(v) for v in raw.double()], model.output)
    path = settings.out / "prediction.csv"
    rows = [
        {"class": name, "probability": p, "predicted": i == int(problem.prediction.labels)}
        for i, (name, p) in enumerate(zip(model.classes, share, strict=True))
    ]
    write_whole(path, as_csv(rows, ()).encode())
    return path, of_classes(model.classes, [float(v) for v in raw.double()], model.output)


def image_facts(problem: Problem) -> dict[str, str]:
    """What the page says of an image."""
    case, prepared = problem.case, problem.prepared
    facts = {"channels": str(case.channels), "shape": by(case.spatial_shape)}
    if case.geometry is not None:
        facts["spacing"] = f"{by(case.geometry.spacing, '.4g')} mm"
        facts["orientation"] = case.geometry.orientation
    facts["values"] = f"{case.image.min():g} to {case.image.max():g}"
    facts["as the network sees it"] = f"{by(prepared.shape)} at {by(prepared.spacing, '.4g')}"
    if problem.layout is not None:
        facts["windows"] = f"{len(problem.layout)} of {by(problem.layout.roi)}"
    return facts


def _described(target: Any) -> str:
    region = target.region
    where = "" if region is None else f", {region.count} voxels"
    status = "" if target.status == "ok" else f" ({target.status})"
    return f"{target.name}: {target.score} of {target.class_name or target.class_index}{where}{status}"

"""From targets as they were asked for to the frozen scalars that are explained."""

from __future__ import annotations

from collections.abc import Sequence

from voxplain.case import read_mask
from voxplain.errors import TargetError
from voxplain.model.model import Model
from voxplain.model.prepared import Prepared
from voxplain.target.parse import parse_target
from voxplain.target.prediction import Prediction
from voxplain.target.scene import Resolved, Scene, unique
from voxplain.target.targets import Target


def resolve(
    targets: Target | str | Sequence[Target | str], model: Model, prepared: Prepared, prediction: Prediction
) -> tuple[Resolved, ...]:
    """The targets on this case and its clean prediction, each once, absent ones included.

    Raises:
        TargetError: none was asked for, or one does not fit the model or the case.
    """
    asked = [targets] if isinstance(targets, (Target, str)) else list(targets)
    if not asked:
        raise TargetError("targets: none was given; ask for 'all' or name a class")
    scene = _scene(model, prepared, prediction)
    resolved: list[Resolved] = []
    for target in asked:
        parsed = parse_target(target, task=model.task) if isinstance(target, str) else target
        resolved += [t for t in parsed.resolve(scene) if not any(t.repeats(u) for u in resolved)]
    return unique(resolved)


def _scene(model: Model, prepared: Prepared, prediction: Prediction) -> Scene:
    case = prepared.case
    return Scene(
        classes=model.classes,
        channels=model.channels_out,
        output=model.output,
        task=model.task,
        spacing=tuple(float(s) for s in prepared.spacing),
        unit="px" if case.geometry is None else "mm",
        prediction=prediction,
        label=prepared.label,
        label_values=model.label_values,
        class_index=model.class_index,
        bring=prepared.bring,
        voxel=lambda index: _voxel(prepared, index),
        read_mask=lambda path: read_mask(path, case),
    )


def _voxel(prepared: Prepared, index: Sequence[int]) -> tuple[int, ...]:
    dims = prepared.case.spatial_dims
    if len(index) != dims:
        raise TargetError(f"voxel {tuple(index)}: found {len(index)} indices, the case has {dims} axes")
    return prepared.voxel(index)

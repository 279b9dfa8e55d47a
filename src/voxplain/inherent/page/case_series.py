"""One image with its evidence, and what remains of it from a threshold on, for the page's slider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from voxplain.errors import InputError
from voxplain.inherent.page.cases import score_told, told_questions
from voxplain.inherent.running.case_files import Grid
from voxplain.inherent.running.thresholds import segmentation_of
from voxplain.report.colours import Scale
from voxplain.report.series import ShownLayer, ShownMask, ShownSeries
from voxplain.report.viewer import ShownLabels

if TYPE_CHECKING:
    from voxplain.inherent.maps import Maps
    from voxplain.inherent.running.judging import Judged
    from voxplain.inherent.running.task import Task

_UNIT = "units of the logit"
_RULES = "Rules for parts of the mask and a refinement are left out here."


def case_series(
    task: Task, views: list[tuple[Judged, Maps]], test: Maps, i: int, about: dict[str, Any]
) -> ShownSeries:
    """The evidence for each class, after what was thresholded.

    Args:
        task: with its settings.
        views: each question with its view of the maps.
        test: the maps.
        i: which image.
        about: what the maps' folder tells of it.

    Raises:
        InputError: the image was not kept.
    """
    grid, image = Grid.from_dict(about["grid"]), test.images[i]
    if image is None:
        raise InputError("the image was not kept with its maps")

    def placed(array: NDArray[Any]) -> NDArray[Any]:
        return array.reshape(grid.shape)

    layers, labels = [], []
    for judged, maps in told_questions(views, i):
        name = judged.question.name
        segmentation = segmentation_of(task.settings.mask, judged.headline) if judged.headline else None
        if segmentation is not None:
            made = segmentation(maps, i)
            seen = np.where(np.isfinite(made.score), made.score, made.score[np.isfinite(made.score)].min())
            told = score_told(segmentation, judged.question, maps, i, task.samples.classes)
            mask = ShownMask(float(made.threshold), told.split(", a difference")[0].capitalize(), _RULES)
            of = f"thresholded: {name}" if name else "thresholded"
            layers.append(ShownLayer(of, placed(seen)[None], unit=_UNIT, mask=mask))
            labels += _outlined(f"mask {name}".strip(), placed(made.mask), dashed=False)
        truth = maps.masks[i]
        if truth is not None:
            labels += _outlined(f"truth {name}".strip(), placed(truth), dashed=True)
    evidence = test.evidence[i]
    limit = Scale.of(np.asarray(evidence)).limit if np.any(evidence) else None
    layers += [
        ShownLayer(f"evidence: {c}", placed(e)[None], limit=limit, unit=_UNIT)
        for c, e in zip(task.samples.classes, evidence, strict=True)
    ]
    return ShownSeries(
        test.ids[i], placed(image[0]), (), None, tuple(layers), grid.geometry, labels=tuple(labels)
    )


def _outlined(name: str, mask: NDArray[Any], *, dashed: bool) -> list[ShownLabels]:
    return [ShownLabels(name, mask.astype(np.int32), {1: name}, dashed=dashed)] if mask.any() else []

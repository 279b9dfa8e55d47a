"""Metrics of one counterfactual that the explained classifier is not asked for."""

from __future__ import annotations

import torch
from torch import Tensor

from voxplain.counterfactual.diffusion.explain import DiffusionExplainer
from voxplain.counterfactual.direction.queries import Scorer, scored
from voxplain.counterfactual.explain import LatentExplainer
from voxplain.counterfactual.measure.change import composition, proximity, reversibility
from voxplain.counterfactual.path import CounterfactualPath
from voxplain.counterfactual.running.case_files import at_dose
from voxplain.counterfactual.running.likeness import Likeness
from voxplain.counterfactual.running.records import OF_ORACLES, Record

TIMES = 3  # that an image is copied for composition


def metrics_of(
    explainer: LatentExplainer | DiffusionExplainer,
    likeness: Likeness,
    path: CounterfactualPath,
    patient: str,
    oracle: Scorer | None,
) -> Record:
    """How far, there and back, whose image it still is, and what another classifier makes of it; JSON-able.

    Args:
        explainer: that made the path.
        likeness: of the task's images.
        path: of the image.
        patient: whose it is.
        oracle: the other classifier; None where there is none.
    """
    before, after = path.frames[0], path.frames[at_dose(path)]
    own = likeness.own(before, after, patient)
    found = {
        "l2": proximity(before, after, power=2), "composition": composition(explainer.generator, before, times=TIMES),
        "reversibility": reversibility(before, explainer.back(path)), "identity": own.cosine, "own nearest": own.nearest,
    }  # fmt: skip
    if oracle is None:
        return found
    with torch.no_grad():
        told: Tensor = scored(oracle, torch.stack([before, after]))
    return found | dict(zip(OF_ORACLES, told.tolist(), strict=True))

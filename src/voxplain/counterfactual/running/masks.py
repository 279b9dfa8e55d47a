"""Where each image may be edited."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from voxplain.counterfactual.diffusion.explain import Mask
from voxplain.counterfactual.running.task import CounterfactualTask
from voxplain.errors import InputError
from voxplain.inherent.data import Reader, Sample
from voxplain.inherent.data.prepared import mask_on
from voxplain.model import Prepared


def places_for(
    task: CounterfactualTask, sample: Sample, ready: Prepared, reader: Reader, device: torch.device
) -> Mask:
    """As ``explain.mask`` says: None, ``"auto"``, or (1, *S) bool of the image's own mask.

    Raises:
        InputError: the image has no such mask, or an empty one.
    """
    asked = task.settings.explain.mask
    if asked is None:
        return None
    if asked == "auto":
        return "auto"
    own = sample
    if asked != "mask":
        told = sample.meta.get(asked)
        if not told:
            raise InputError(
                f"explain.mask: {sample.id} has nothing in a column {asked!r}, expected a file, or auto for all images"
            )
        own = replace(sample, mask=Path(task.settings.data.source).parent / str(told))
    found = mask_on(own, ready, reader)
    if found is None:
        raise InputError(
            f"explain.mask: {sample.id} has no mask, expected one in the data, or auto for all images"
        )
    if not bool(found.any()):
        raise InputError(f"explain.mask: that of {sample.id} is empty, so nothing of it may change")
    return found[None].to(device)

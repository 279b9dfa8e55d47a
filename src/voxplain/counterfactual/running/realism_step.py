"""Whether the ends of the ways look like real images of the class that they are taken to: as sets, with a null."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from voxplain.counterfactual.measure.features import in_batches
from voxplain.counterfactual.measure.realism import kernel_distance, kernel_null
from voxplain.counterfactual.running.case_files import GRID
from voxplain.counterfactual.running.likeness import Likeness
from voxplain.counterfactual.running.records import Record
from voxplain.counterfactual.running.task import CounterfactualTask

_LEAST = 4  # images of either set


def realism_of(
    task: CounterfactualTask, likeness: Likeness, records: Sequence[tuple[Path, Record]], device: torch.device
) -> list[dict[str, Any]]:
    """KID of each way's ends to held-out images of their new class, of their beginnings, and of real images to real ones.

    Images of the class are those of validation and test with its label; without labels, those that were explained and that
    the classifier calls so.

    Returns:
        JSON-able rows: ``towards``, ``images``, ``real images``, ``by``, ``kid``, ``kid before``, ``null`` (95 % quantile of
        KID between random halves of the real ones). Ways with too few images are left out.
    """
    out = []
    for towards in dict.fromkeys(record["towards"] for _, record in records):
        mine = [place for place, record in records if record["towards"] == towards and record["flipped"]]
        called = [place for place, record in records if record["decision"] == towards]
        if len(mine) < _LEAST:
            continue
        labelled = towards in task.samples.classes
        real = likeness.held(task.samples.classes.index(towards)) if labelled else torch.zeros(0, 1)
        by = "label"
        if len(real) < _LEAST:
            real, by = _features(likeness, called, "before", device), "decision"
        if len(real) < _LEAST:
            continue
        before, after = (_features(likeness, mine, name, device) for name in ("before", "after"))
        out.append({
            "towards": towards, "images": len(mine), "real images": len(real), "by": by,
            "kid": kernel_distance(real, after), "kid before": kernel_distance(real, before),
            "null": kernel_null(real, seed=task.settings.direction.seed),
        })  # fmt: skip
    return out


def _features(likeness: Likeness, places: Sequence[Path], name: str, device: torch.device) -> Tensor:
    """(N, F) of images before or after; none of none."""
    found = []
    for place in places:
        with np.load(place / GRID) as stored:
            image = torch.from_numpy(stored[name])[None].to(device)
        found.append(in_batches(likeness.features, image))
    return torch.cat(found) if found else torch.zeros(0, 1)

"""The logit that each image of a batch is to reach: that of a subject of the other class."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from voxplain.inherent.data.augment import drawn
from voxplain.simulator.training.subjects import Subjects


class Targets:
    """Draws a target logit for each image of a batch; a function of seed, epoch and batch, whatever was drawn before.

    Args:
        subjects: of the training part; targets are their logits.
        seed: of the draws.
    """

    def __init__(self, subjects: Subjects, seed: int) -> None:
        self._seed = seed
        self._logits = dict(zip(subjects.indices, subjects.logits.tolist(), strict=True))
        self._others = {ill: subjects.pool(not ill) for ill in (False, True)}

    def __call__(self, batch: Sequence[int], epoch: int, number: int) -> Tensor:
        """(n,) float32.

        Args:
            batch: indices of its samples, over all processes.
            epoch, number: which batch it is.
        """
        generator = torch.Generator().manual_seed(drawn(self._seed, "target", epoch, number))
        chances = torch.rand(len(batch), generator=generator).tolist()
        out = []
        for index, chance in zip(batch, chances, strict=True):
            others = self._others[self._logits[index] > 0]
            out.append(float(others[int(chance * len(others))]))
        return torch.tensor(out)

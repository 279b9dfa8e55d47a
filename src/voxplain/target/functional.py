"""What a target becomes once it is resolved: one frozen scalar of the stitched network output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from voxplain.target.region import Region

Score = Literal["logit", "margin", "log_probability", "probability"]
Output = Literal["softmax", "sigmoid", "binary", "probabilities"]
SCORES: tuple[Score, ...] = ("logit", "margin", "log_probability", "probability")


@dataclass(frozen=True)
class Functional:
    """``F = scale · Σ_{v ∈ region} s_c(z(v))`` with everything but the network output ``z`` frozen.

    For linear scores ``s_c(z) = constant + Σ_k coefficient_k z_k``; the others are functions of one voxel's
    outputs and are explained in two phases (their derivative at the stitched output first).

    On one log-odds output (``binary``, ``sigmoid``) the margin is the logit itself: it already measures the class
    against its absence.

    Attributes:
        region: voxels summed over; ``None`` for a classifier.
        scale: 1 for a sum, 1/|region| for a mean.
        rival: for a margin on softmax outputs, the class compared with: (*spatial) integers, or one integer
            for a classifier.
    """

    class_index: int
    score: Score
    output: Output
    channels: int
    region: Region | None
    scale: float = 1.0
    rival: Tensor | int | None = None

    @property
    def is_linear(self) -> bool:
        """Whether the score is linear in the network's raw output."""
        return self.score in ("logit", "margin") or (
            self.output == "probabilities" and self.score == "probability"
        )

    @property
    def sign_and_channel(self) -> tuple[float, int]:
        """The raw output channel that speaks for the class, and its sign.

        A network with one output channel speaks for class 1 with it, and for class 0 with its negative.
        """
        if self.channels == 1:
            return (1.0, 0) if self.class_index == 1 else (-1.0, 0)
        return 1.0, self.class_index

    @property
    def gain(self) -> float:
        """Factor of a linear score: a single probability's margin is p − (1 − p) = 2p − 1."""
        return 2.0 if self._is_lone_probability and self.score == "margin" else 1.0

    @property
    def constant(self) -> float:
        """The part of a linear score that does not depend on the output, per voxel."""
        if not self._is_lone_probability:
            return 0.0
        if self.score == "margin":
            return -1.0 if self.class_index == 1 else 1.0
        return 0.0 if self.class_index == 1 else 1.0

    @property
    def _is_lone_probability(self) -> bool:
        return self.output == "probabilities" and self.channels == 1

    def link(self, z: Tensor) -> Tensor:
        """The non-linear score of raw outputs: (K, n) -> (n,)."""
        sign, channel = self.sign_and_channel
        if self.output == "softmax":
            log_p = F.log_softmax(z, dim=0)[channel]
        elif self.output == "probabilities":
            p = z[channel] if sign > 0 else 1 - z[channel]
            log_p = torch.log(p.clamp_min(torch.finfo(z.dtype).tiny))
        else:
            log_p = F.logsigmoid(sign * z[channel])
        return log_p if self.score == "log_probability" else log_p.exp()

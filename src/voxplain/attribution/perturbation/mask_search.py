"""The search for masks: of a given area, the one that a score needs most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from voxplain.attribution.perturbation.smooth_mask import Faded, SmoothMasks
from voxplain.engine import Problem
from voxplain.engine.own import OwnInputs

# Weight of the area's constraint at the first and at the last step, against a score scaled to 1 and an area scaled
# to 1; and what all nodes start from. Chosen by how well boxes of 4 to 6 voxels were found in noise.
FIRST, LAST = 0.1, 3.0
START = 0.5


@dataclass(frozen=True)
class Found:
    """Masks (G, *spatial) of one area, and what they keep and leave of each target's score (T,)."""

    masks: Tensor
    kept: Tensor
    deleted: Tensor


class MaskSearch:
    """Looks for the masks of some targets of a problem.

    Args:
        make: the masks that can be drawn.
        levels: (L, C, *spatial) from the hidden image to the image.
        ends: (2, T) scores of the image and of the hidden image.
        mode: ``preserve`` shows the mask alone, ``delete`` hides it alone.
        steps: of Adam.
        rate: its step size.
    """

    def __init__(
        self,
        problem: Problem,
        make: SmoothMasks,
        levels: Tensor,
        ends: Tensor,
        targets: list[int],
        mode: str,
        steps: int,
        rate: float,
    ) -> None:
        self.problem, self.make, self.levels, self.ends, self.targets = problem, make, levels, ends, targets
        self.mode, self.steps, self.rate = mode, steps, rate
        self.own = OwnInputs(problem.engine)
        reach = ends[0] - ends[1]
        self._matters = reach.abs() > 64 * torch.finfo(problem.dtype).eps * ends.abs().amax(0)
        # a score that hiding does not change has nothing to scale by
        self.reach = torch.where(self._matters, reach, torch.ones_like(reach))

    def matters(self, target: int) -> bool:
        """Whether hiding the whole image changes the score."""
        return bool(self._matters[target])

    def run(self, area: float) -> Found:
        """The best masks of an area."""
        problem = self.problem
        nodes = torch.full((len(self.targets), *self.make.nodes), START, dtype=problem.dtype).requires_grad_()
        adam = torch.optim.Adam([nodes], lr=self.rate)
        weights = np.geomspace(FIRST, LAST, self.steps) / area
        with problem.runner.session():
            for step, weight in enumerate(weights):
                with torch.enable_grad():
                    masks = self.make(nodes)
                    penalty = float(weight) * off_area(masks, area).sum()
                what = f"masks of {area:.0%} {step + 1}/{self.steps}"
                towards = self.gradient(masks.detach(), what)
                adam.zero_grad()
                torch.autograd.backward([masks, penalty], [-towards, torch.ones_like(penalty)])
                adam.step()
                with torch.no_grad():
                    nodes.clamp_(0, 1)
            with torch.no_grad():
                masks = self.make(nodes)
            kept, deleted = (self._relative(self._shown(m)) for m in (masks, 1 - masks))
        return Found(masks, kept, deleted)

    def gradient(self, masks: Tensor, what: str) -> Tensor:
        """∂(what is to grow)/∂mask, with scores scaled to 1: (G, *spatial)."""
        preserve = self.mode == "preserve"
        sampler = self._shown(masks if preserve else 1 - masks)
        shape = (self.problem.image.shape[0], *self.problem.plan.shape)
        sums = {t: torch.zeros(shape, dtype=self.problem.dtype) for t in self.targets}

        def take(target: int, where: tuple[slice, ...], block: Tensor) -> None:
            sums[target][(slice(None), *where)] += block

        self.own.gradients(sampler, self.targets, take, what)
        # preserve: ∂F/∂m; delete: −∂F/∂m with m hidden, two signs that cancel
        return torch.stack(
            [
                (self.problem.unpad_gradient(sums[t]) * sampler.slope(t)).sum(0) / float(self.reach[t].abs())
                for t in self.targets
            ]
        )

    def _shown(self, masks: Tensor) -> Faded:
        by_target = dict(zip(self.targets, masks, strict=True))
        return Faded(self.problem.canvas(), self.levels, by_target)

    def _relative(self, sampler: Faded) -> Tensor:
        """Scores between that of the hidden image (0) and that of the image (1)."""
        scores = self.own.scores(sampler, self.targets)
        return (scores - self.ends[1]) / self.reach


def off_area(masks: Tensor, area: float) -> Tensor:
    """Mean square of sort(M) − r_a, (G, *spatial) -> (G,): zero for a mask of zeros and a share ``area`` of ones."""
    flat = masks.flatten(1).sort(1).values
    wanted = torch.zeros_like(flat)
    wanted[:, flat.shape[1] - max(round(area * flat.shape[1]), 1) :] = 1
    return ((flat - wanted) ** 2).mean(1)

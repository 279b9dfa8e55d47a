"""Classifiers of the disease phantom whose rule is known in closed form, so that there is a right explanation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from voxplain.errors import InputError, suggest
from voxplain.phantom.disease.anatomy import EXTENT, SIDES
from voxplain.phantom.grid import make_grid

RULES = {"left": ("left",), "right": ("right",), "both": ("left", "right")}

_CENTERS = {"left": (-38.0, 0.0, 0.0), "right": (38.0, 0.0, 0.0)}
_RADIUS, _RIM = 34.0, 3.0  # mm of the window around a structure, and of its soft border
# A voxel counts as ventricle below the first brightness, as nucleus above the second: half way to the body's 0.55.
_BORDER = {"left": 0.375, "right": 0.725}
_BRIGHTER = {"left": -1.0, "right": 1.0}  # the ventricle is dark, the nucleus bright
_SOFT = 0.05  # brightness over which a voxel begins to count
_DISEASED = {"left": 1.0, "right": -1.0}  # the ventricle is larger, the nucleus smaller


class SizeRule(nn.Module):
    """Says "diseased" by the size of the ventricle (left), of the nucleus (right), or of both, and by nothing else.

    The size is a soft count of voxels in a fixed window: A = Σ w · σ(±(border − brightness) / 0.05). The logit is
    Σ ±(A − middle) / gap over the sides in use, times a gain: a typical diseased subject has +gain, a healthy one −gain.
    Where the window of a side is not in use, the derivative is zero by construction.

    Args:
        rule: "left", "right" or "both".
        window: (sides, *S) in [0, 1], in the rule's order.
        middle: (sides,) the size half way between the classes.
        gap: (sides,) half of the classes' distance, > 0.
        gain: the logit of a typical diseased subject.

    Raises:
        InputError: an unknown rule.
    """

    window: Tensor
    middle: Tensor
    gap: Tensor

    def __init__(
        self,
        rule: str,
        window: NDArray[np.float32],
        middle: Sequence[float],
        gap: Sequence[float],
        gain: float = 4.0,
    ) -> None:
        super().__init__()
        if rule not in RULES:
            raise InputError(f"rule: {rule!r} is unknown; {suggest(rule, RULES)}")
        self.rule, self.gain = rule, gain
        self.register_buffer("window", torch.as_tensor(window, dtype=torch.float32))
        self.register_buffer("middle", torch.tensor(middle, dtype=torch.float32))
        self.register_buffer("gap", torch.tensor(gap, dtype=torch.float32))

    @classmethod
    def fitted(
        cls, rule: str, healthy: NDArray[np.float32], diseased: NDArray[np.float32], gain: float = 4.0
    ) -> Self:
        """The rule with middle and distance of two groups of images, which fill their field of view.

        Args:
            rule: "left", "right" or "both".
            healthy: (N, 1, *S), with axes towards R, A(, S).
            diseased: (M, 1, *S).
            gain: the logit of a typical diseased subject.
        """
        if rule not in RULES:
            raise InputError(f"rule: {rule!r} is unknown; {suggest(rule, RULES)}")
        sides = RULES[rule]
        made = cls(rule, windows(healthy.shape[2:], sides), [0.0] * len(sides), [1.0] * len(sides), gain)
        means = [made.sizes(torch.from_numpy(np.asarray(g, np.float32))).mean(0) for g in (healthy, diseased)]
        made.middle, made.gap = (means[0] + means[1]) / 2, (means[1] - means[0]).abs() / 2
        return made

    def sizes(self, x: Tensor) -> Tensor:
        """(N, sides) soft counts of voxels."""
        counts = [
            window * torch.sigmoid(_BRIGHTER[side] * (x[:, 0] - _BORDER[side]) / _SOFT)
            for side, window in zip(RULES[self.rule], self.window, strict=True)
        ]
        return torch.stack([count.flatten(1).sum(1) for count in counts], 1)

    def logit(self, x: Tensor) -> Tensor:
        """(N,) positive for diseased."""
        signs = torch.tensor([_DISEASED[s] for s in RULES[self.rule]], device=x.device)
        return self.gain * (signs * (self.sizes(x) - self.middle) / self.gap).mean(1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, *S) to (N, 2) logits of healthy and diseased, whose difference is `logit`."""
        half = self.logit(x)[:, None] / 2
        return torch.cat([-half, half], 1)


def windows(shape: Sequence[int], sides: Sequence[str]) -> NDArray[np.float32]:
    """(sides, *S) a soft disc or ball around where each side's structure lies on average."""
    points = make_grid(shape, extent=EXTENT).points()
    out = []
    for side in sides:
        if side not in SIDES:
            raise InputError(f"sides: {side!r} is unknown; {suggest(side, SIDES)}")
        away = np.linalg.norm(points - np.reshape(_CENTERS[side], (3,) + (1,) * len(shape)), axis=0)
        out.append(1 / (1 + np.exp((away - _RADIUS) / _RIM)))
    return np.stack(out).astype(np.float32)

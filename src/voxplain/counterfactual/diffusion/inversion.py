"""From an image to the noise that it would come from, and back, with a hand on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from voxplain.counterfactual.diffusion.schedule import Noise, Schedule

Guide = Callable[[Tensor, int], Tensor]  # (N, C, *S) at a level: the noise that a guided step takes away


def inverted(noise: Noise, schedule: Schedule, x: Tensor, level: int) -> list[Tensor]:
    """Abduction: x (N, C, *S) at all levels from 0, itself, up to one, without anything drawn.

    Args:
        noise: that the denoiser sees.
        schedule: of the levels.
        x: on the denoiser's scale.
        level: the last one.
    """
    found = [x]
    with torch.no_grad():
        for k in range(level):
            found.append(schedule.up(noise(found[-1], schedule.time(k)), k, found[-1]))
    return found


def denoised(
    noise: Noise, schedule: Schedule, x: Tensor, level: int, *, last: int = 0, guide: Guide | None = None,
    kept: tuple[Tensor, Sequence[Tensor]] | None = None,
) -> Tensor:  # fmt: skip
    """From a level down to 0, or to another one; one step is held in memory at a time, whatever their number.

    Args:
        noise: that the denoiser sees.
        schedule: of the levels.
        x: (N, C, *S) at the level.
        level: where to begin.
        last: where to end.
        guide: tells the noise instead of the denoiser, with a goal of its own.
        kept: where something may change (broadcast to x), and the image at all levels, which stays elsewhere (RePaint's
            pasting, Lugmayr et al., CVPR 2022).
    """
    for k in range(level, last, -1):
        if guide is None:
            with torch.no_grad():
                seen = noise(x, schedule.time(k))
        else:
            seen = guide(x, k)
        x = schedule.down(seen, k, x)
        if kept is not None:
            x = torch.where(kept[0], x, kept[1][k - 1])
    return x

"""The classifier of both cohorts: a few convolutions and a mean over all places."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn


def classifier(dims: int = 2, widths: Sequence[int] = (8, 16, 24)) -> nn.Module:
    """(N, 1, *S) in the phantoms' own brightness to logits (N, 2) of healthy and diseased.

    Args:
        dims: spatial axes, 2 or 3.
        widths: channels of the convolutions, each of which halves the image.
    """
    conv = nn.Conv2d if dims == 2 else nn.Conv3d
    norm = nn.BatchNorm2d if dims == 2 else nn.BatchNorm3d
    pool: nn.Module = nn.AdaptiveAvgPool2d(1) if dims == 2 else nn.AdaptiveAvgPool3d(1)
    steps: list[nn.Module] = []
    before = 1
    for width in widths:
        steps += [conv(before, width, 3, padding=1), norm(width), nn.LeakyReLU(0.1)]
        steps += [conv(width, width, 3, stride=2, padding=1), norm(width), nn.LeakyReLU(0.1)]
        before = width
    return nn.Sequential(*steps, pool, nn.Flatten(), nn.Linear(before, 2))

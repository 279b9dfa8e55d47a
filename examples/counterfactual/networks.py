"""The classifier of radiographs: a few convolutions and a mean over all places."""

from __future__ import annotations

from torch import nn


def classifier() -> nn.Module:
    """(N, 1, 32, 32) in [0, 1] to logits (N, 2) of normal and pneumonia."""
    steps: list[nn.Module] = []
    before = 1
    for width in (16, 32, 64):
        steps += [nn.Conv2d(before, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
        steps += [nn.Conv2d(width, width, 3, stride=2, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
        before = width
    return nn.Sequential(*steps, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 2))

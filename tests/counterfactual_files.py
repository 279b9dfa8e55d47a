"""The disease phantom's files with settings of a generator that is ready in a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from simulator_files import files

CLASSIFIER = {
    "source": "nets.py:rule", "weights": "rule.safetensors", "classes": ["healthy", "diseased"], "spatial_dims": 2,
}  # fmt: skip
NETS = """

def sigmoid():
    import torch
    from torch import nn

    class One(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))
        def forward(self, x):
            return torch.sigmoid(self.scale * (x.flatten(1).mean(1, keepdim=True) - 0.3))
    return One()

def box(images):
    return 20 * (images[:, 0, 4:8, 4:8].mean((1, 2))[:, None] - 0.5) * [[-1.0, 1.0]]

def noise():
    import torch
    from torch import nn

    class Noise(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))
        def forward(self, x):
            one = torch.sin(self.scale * 1e4 * x.flatten(1).sum(1, keepdim=True))
            return torch.cat([-one, one], 1)
    return Noise()
"""


def made(root: Path, subjects: int = 48) -> Path:
    """Images, a table and classifiers."""
    files(root, subjects)
    with (root / "nets.py").open("a") as file:
        file.write(NETS)
    return root


def config(root: Path, **other: Any) -> Path:
    """A settings file beside the data."""
    told = {
        "data": "subjects.csv", "prepare": {"orientation": "RAS"}, "classifier": CLASSIFIER,
        "training": {"device": "cpu", "progress": False}, "explain": {"device": "cpu", "cases": 2, "most": 4},
        "direction": {"samples": 300, "images": 40, "nulls": 3}, "out": "out",
    } | other  # fmt: skip
    path = root / "settings.yaml"
    path.write_text(yaml.safe_dump(told))
    return path

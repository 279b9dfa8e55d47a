"""A tiny image, a tiny network in a file, and the command line in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

NETS = '''
import torch
from torch import nn


def unet():
    """1 channel -> 3 classes, 3-D; every class wins somewhere, because the class outputs are bands of intensity."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv3d(1, 4, 3, padding=1), nn.Tanh(), nn.Conv3d(4, 3, 1))
    return net


def linear(scale=2.0):
    """Logits (-x, scale * x) of one voxel: class 1 wherever the image is positive."""
    net = nn.Conv3d(1, 2, 1, bias=False)
    net.weight.data = torch.tensor([-1.0, scale]).reshape(2, 1, 1, 1, 1)
    return net


def picture():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Tanh(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 3))


class Broken(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv3d(1, 2, 1)

    def forward(self, x):
        return self.layer(x) * float("nan")


def broken():
    return Broken()
'''


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def complaints(self) -> list[str]:
        return self.err.splitlines()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with nets.py and scan.nii.gz (12 × 10 × 8, 2 mm, LAS)."""
    from voxplain.case import Geometry, write_array

    monkeypatch.chdir(tmp_path)
    Path("nets.py").write_text(NETS, encoding="utf-8")
    affine = np.diag([-2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = [10.0, -5.0, 3.0]
    image = np.random.default_rng(0).normal(size=(12, 10, 8)).astype(np.float32)
    write_array("scan.nii.gz", image, Geometry(affine, image.shape))
    return tmp_path


@pytest.fixture
def voxplain(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run the command line with these words."""
    from voxplain.cli.app import run

    def call(*words: str) -> Ran:
        capfd.readouterr()
        code = run(words)
        out, err = capfd.readouterr()
        return Ran(code, out, err)

    return call

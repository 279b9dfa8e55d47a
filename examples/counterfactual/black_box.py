"""The phantoms' classifier as a black box: a function of NumPy images, as a vendor would give it."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

# The classifier is another example's.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from atrophy.networks import classifier
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import nn

WEIGHTS = Path(__file__).resolve().parent / "made" / "phantoms" / "plain.safetensors"


def predict(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 1, 32, 32) to logits (N, 2) of healthy and diseased."""
    with torch.inference_mode():
        out: NDArray[np.float32] = _network()(torch.from_numpy(images)).numpy()
    return out


@cache
def _network() -> nn.Module:
    network = classifier()
    network.load_state_dict(load_file(WEIGHTS))
    return network.eval()

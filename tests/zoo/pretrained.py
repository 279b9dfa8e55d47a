"""Networks that others trained, on small crops of the scans they were trained for."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from pairs import FUNDUS, HEAD_RANGE, head as whole_head
from torch import nn
from zoo.draw import reshuffled

from voxplain.case import read_case
from voxplain.model import Preparation, Prepared, load_model

DATA = Path(os.environ.get("VOXPLAIN_DATA", Path(__file__).parents[3] / "shared" / "data"))
MODELS = DATA / "models"
WEIGHTS = {
    "meshnet3": MODELS / "meshnet" / "meshnet3.pt",
    "meshnet18": MODELS / "meshnet" / "meshnet18.pt",
    "brain_mask_unet": MODELS / "deepbrain" / "brain_mask_unet.pt",
    "retina_wnet": MODELS / "retina_wnet" / "retina_wnet.pt",
}


def make(name: str) -> Callable[[int, int], nn.Module]:
    """The trained network for seed 0, its weights at other places for any other."""

    def factory(dims: int, seed: int) -> nn.Module:
        del dims
        with torch.random.fork_rng(devices=[]):
            net = load_model(f"{MODELS / 'nets.py'}:{name}", WEIGHTS[name]).module
        return reshuffled(net, seed) if seed else net

    return factory


def temple(shape: tuple[int, ...]) -> np.ndarray:
    """About the left hippocampus of the real head, as the MeshNets are asked about it."""
    prepare = Preparation(orientation="LIA", spacing=1, scale=HEAD_RANGE)
    return _prepared(prepare, (-26.0, -18.0, 2.0), shape)


def crown(shape: tuple[int, ...]) -> np.ndarray:
    """The upper edge of the brain, as the brain mask's network is asked about it."""
    return _prepared(Preparation(size=128, scale="max"), (0.0, -4.0, 85.0), shape)


def fundus(shape: tuple[int, ...]) -> np.ndarray:
    """Vessels of the real fundus photograph, RGB in [0, 1] at the network's resolution."""
    prepared = Preparation(size=512, scale=(0.0, 255.0))(read_case(DATA / FUNDUS))
    return _middle(prepared.image.numpy(), (227, 79), shape)


@cache
def _prepared_head(prepare: Preparation) -> Prepared:
    return prepare(whole_head(DATA))


def _prepared(prepare: Preparation, centre_mm: tuple[float, ...], shape: tuple[int, ...]) -> np.ndarray:
    found = _prepared_head(prepare)
    assert found.geometry is not None
    return _middle(found.image.numpy(), found.geometry.to_voxels([centre_mm])[0].astype(int), shape)


def _middle(image: np.ndarray, centre: Sequence[int], shape: tuple[int, ...]) -> np.ndarray:
    """The part (C, *shape) of an image about a voxel."""
    starts = [min(max(c - s // 2, 0), n - s) for c, n, s in zip(centre, image.shape[1:], shape, strict=True)]
    return image[(slice(None), *(slice(a, a + s) for a, s in zip(starts, shape, strict=True)))].copy()

"""The real networks load, take their preparation, and see on small crops what they were trained to see."""

from __future__ import annotations

import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from voxplain.case import Case, Geometry
from voxplain.errors import ModelError
from voxplain.model import Preparation, load_model

pytestmark = pytest.mark.real


def head(data: Path) -> Case:
    image = nib.load(data / "brain_t1" / "head_t1_1.75mm.nii.gz")
    values = np.asarray(image.dataobj, dtype=np.float32)[None]
    return Case(id="head", image=values, geometry=Geometry(image.affine, image.shape), label=None, meta={})


@pytest.mark.parametrize("name", ["meshnet3", "meshnet18", "meshnet50", "meshnet104"])
def test_meshnets_load_with_their_names(data: Path, name: str) -> None:
    folder = data / "models"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = load_model(
            f"{folder / 'nets.py'}:{name}",
            folder / "meshnet" / f"{name}.pt",
            classes=folder / "meshnet" / f"{name}.json",
        )
    assert len(model.classes) == model.channels_out == int(name.removeprefix("meshnet"))
    assert (model.task, model.output, model.spatial_dims, model.channels_in) == (
        "segmentation",
        "softmax",
        3,
        1,
    )
    assert len(model.layers()) == len(list(model.module.children()))


def test_weights_of_another_network_are_refused(data: Path) -> None:
    folder = data / "models"
    with pytest.raises(
        ModelError, match=r"do not fit MeshNet: .*of another shape \(0.weight: file \(30, 1, 3, 3, 3\)"
    ):
        load_model(f"{folder / 'nets.py'}:meshnet18", folder / "meshnet" / "meshnet50.pt")


@pytest.mark.slow
def test_meshnet_finds_white_matter_in_the_middle_of_the_head(data: Path) -> None:
    folder = data / "models"
    model = load_model(
        f"{folder / 'nets.py'}:meshnet18",
        folder / "meshnet" / "meshnet18.pt",
        classes=folder / "meshnet" / "meshnet18.json",
        prepare=Preparation(orientation="LIA", spacing=1, scale="minmax"),
    )
    case = head(data)
    prepared = model.prepare(case)
    assert prepared.geometry.orientation == "LIA"
    assert prepared.spacing == pytest.approx((1, 1, 1), abs=1e-4)
    assert np.abs(np.array(prepared.shape) - [239, 163, 239]).max() <= 2  # 137 x 93 x 137 voxels of 1.75 mm
    # 96 voxels about the middle of the brain: with less context than its 93-voxel field the network sees nothing
    box = tuple(slice(c - 48, c + 48) for c in (119, 63, 110))
    with model.frozen(), torch.no_grad():
        labels = model.forward(prepared.image[(None, slice(None), *box)])[0].argmax(0)
    share = torch.bincount(labels.flatten(), minlength=18) / labels.numel()
    assert 0.2 < share[model.class_index("Cerebral-White-Matter")] < 0.45
    assert 0.15 < share[model.class_index("Cerebral-Cortex")] < 0.45
    assert share[model.class_index("Unknown")] < 0.4


@pytest.mark.slow
def test_the_brain_mask_comes_back_to_the_head(data: Path) -> None:
    folder = data / "models"
    model = load_model(
        f"{folder / 'nets.py'}:brain_mask_unet",
        folder / "deepbrain" / "brain_mask_unet.pt",
        classes="brain",
        prepare=Preparation(size=128, scale="max"),
    )
    assert (model.output, model.classes) == ("binary", ("background", "brain"))
    case = head(data)
    prepared = model.prepare(case)
    assert prepared.shape == (128, 128, 128)
    with model.frozen(), torch.no_grad():
        mask = (model.forward(prepared.image[None])[0] > 0).float()
    litres = prepared.restore(mask, "nearest").sum() * case.geometry.voxel_volume / 1e6
    assert 1.3 < litres < 1.65  # the head's data sheet says 1.42 to 1.52


def test_vessels_are_a_tenth_of_the_middle_of_the_retina(data: Path) -> None:
    from skimage.io import imread

    folder = data / "models"
    picture = imread(data / "retina" / "fundus_CC0.jpg").astype(np.float32).transpose(2, 0, 1)
    case = Case(id="fundus", image=picture, geometry=None, label=None, meta={})
    model = load_model(
        f"{folder / 'nets.py'}:retina_wnet",
        folder / "retina_wnet" / "retina_wnet.pt",
        classes="vessel",
        prepare=Preparation(size=512, scale=(0, 255)),
    )
    prepared = model.prepare(case)
    assert prepared.shape == (512, 512)
    with model.frozen(), torch.no_grad():
        logit = model.forward(prepared.image[None, :, 128:384, 128:384])
    assert 0.04 < float((logit > 0).float().mean()) < 0.25
    assert prepared.restore(prepared.image).shape == picture.shape

"""A MONAI bundle says everything by itself, and runs no code of its author."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from voxplain.case import Case, Geometry
from voxplain.errors import InputError, ModelError
from voxplain.model import Preparation, Windows, load_model

NETWORK = {
    "_target_": "UNet",
    "spatial_dims": 3,
    "in_channels": 1,
    "out_channels": 3,
    "channels": [4, 8],
    "strides": [2],
    "norm": "batch",
}
CONFIG = {
    "imports": ["$import glob", "$import os"],
    "bundle_root": ".",
    "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
    "dataset_dir": "/nowhere",
    "datalist": "$list(sorted(glob.glob(@dataset_dir + '/*.nii.gz')))",
    "spacing": [2.0, 2.0, 2.0],
    "network_def": NETWORK,
    "network": "$@network_def.to(@device)",
    "preprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "LoadImaged", "keys": "img"},
            {"_target_": "EnsureChannelFirstd", "keys": "img"},
            {"_target_": "Orientationd", "keys": "img", "axcodes": "RAS"},
            {"_target_": "Spacingd", "keys": "img", "pixdim": "@spacing", "mode": "bilinear"},
            {"_target_": "ScaleIntensityRanged", "keys": "img", "a_min": -57, "a_max": 164, "b_min": 0, "b_max": 1,
             "clip": True},
            {"_target_": "CropForegroundd", "keys": "img", "source_key": "img", "allow_smaller": True},
            {"_target_": "EnsureTyped", "keys": "img", "device": "@device"},
        ],
    },
    "inferer": {
        "_target_": "SlidingWindowInferer",
        "roi_size": [16, 16, 16],
        "sw_batch_size": 4,
        "overlap": 0.5,
        "mode": "gaussian",
        "padding_mode": "replicate",
    },
    "postprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "Activationsd", "keys": "pred", "softmax": True},
            {"_target_": "Invertd", "keys": "pred", "transform": "@preprocessing", "orig_keys": "img"},
            {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
        ],
    },
    "evaluator": {"_target_": "SupervisedEvaluator", "device": "@device", "network": "@network"},
}  # fmt: skip
METADATA = {
    "version": "0.1.0",
    "network_data_format": {
        "inputs": {"image": {"num_channels": 1}},
        "outputs": {
            "pred": {"num_channels": 3, "channel_def": {"0": "background", "1": "liver", "2": "spleen"}}
        },
    },
}


def network() -> torch.nn.Module:
    from monai.networks.nets import UNet

    torch.manual_seed(0)
    return UNet(**{k: v for k, v in NETWORK.items() if k != "_target_"}).eval()


def write(
    folder: Path, *, suffix: str = "json", metadata: dict | None = METADATA, drop: tuple = (), **changes
) -> Path:
    config = {k: v for k, v in (CONFIG | changes).items() if k not in drop}
    (folder / "configs").mkdir()
    (folder / "models").mkdir()
    text = json.dumps(config) if suffix == "json" else yaml.safe_dump(config)
    (folder / "configs" / f"inference.{suffix}").write_text(text)
    if metadata:
        (folder / "configs" / "metadata.json").write_text(json.dumps(metadata))
    torch.save(network().state_dict(), folder / "models" / "model.pt")
    return folder


def ct() -> Case:
    image = np.random.default_rng(0).normal(0, 100, (1, 20, 24, 14)).astype(np.float32)
    image[:, :4] = -500
    affine = np.array([[-1.5, 0, 0, 20], [0, -1.5, 0, 30], [0, 0, 3.0, -5], [0, 0, 0, 1.0]])
    return Case(id="ct", image=image, geometry=Geometry(affine, image.shape[1:]), label=None, meta={})


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_a_common_bundle_needs_no_trust(tmp_path, suffix) -> None:
    model = load_model(write(tmp_path, suffix=suffix))
    assert model.classes == ("background", "liver", "spleen")
    assert (model.output, model.task, model.spatial_dims) == ("softmax", "segmentation", 3)
    assert model.windows == Windows(roi=(16, 16, 16), overlap=0.5, blend="gaussian", padding="replicate")
    x = torch.rand(2, 1, 16, 16, 16)
    with model.frozen(), torch.no_grad():
        assert torch.equal(model.forward(x), network()(x))


def test_its_preprocessing_equals_our_own_steps_and_is_undone(tmp_path) -> None:
    model = load_model(write(tmp_path))
    found = model.prepare(ct())
    own = Preparation(orientation="RAS", spacing=2.0, scale=(-57, 164), crop="foreground")(ct())
    assert found.geometry.matches(own.geometry)
    torch.testing.assert_close(found.image, own.image, atol=1e-4, rtol=0)
    np.testing.assert_allclose(found.restore(found.image), own.restore(own.image), atol=1e-4)
    # the crop cut away what lies left of the fourth plane
    assert not found.restore(torch.ones_like(found.image))[:, :3].any()


def test_what_the_user_says_wins(tmp_path) -> None:
    mine = Preparation(scale="minmax")
    model = load_model(
        write(tmp_path),
        classes="a,b,c",
        prepare=mine,
        windows=Windows(roi=32),
        output="sigmoid",
        device="cpu",
    )
    assert (model.classes, model.windows.roi, model.output, model.prepare.scale) == (
        ("a", "b", "c"), 32, "sigmoid", "minmax",
    )  # fmt: skip


def test_sigmoid_outputs_are_read(tmp_path) -> None:
    steps = {
        "_target_": "Compose",
        "transforms": [{"_target_": "Activationsd", "keys": "pred", "sigmoid": True}],
    }
    assert load_model(write(tmp_path, postprocessing=steps)).output == "sigmoid"


def steps(*more: dict) -> dict:
    first = {"_target_": "ScaleIntensityd", "keys": "img"}
    return {"_target_": "Compose", "transforms": [first, *more]}


@pytest.mark.parametrize("keys", ["label", "seg_gt", ["Mask"], ["img", "label"]])
def test_steps_about_labels_are_left_out(tmp_path, keys) -> None:
    # a label would be missing from the case: the step runs on the image or not at all
    shift = {"_target_": "ShiftIntensityd", "keys": keys, "offset": 7.0}
    model = load_model(write(tmp_path, preprocessing=steps(shift)))
    least = 7.0 if "img" in keys else 0.0  # ScaleIntensity maps the image to [0, 1]
    assert float(model.prepare(ct()).image.min()) == pytest.approx(least)


@pytest.mark.parametrize("keys", ["image2", ["img", "t2"], ["label", "t2"]])
def test_steps_about_another_image_are_refused(tmp_path, keys) -> None:
    shift = {"_target_": "ShiftIntensityd", "keys": keys, "offset": 7.0}
    folder = write(tmp_path, preprocessing=steps(shift))
    says = r"preprocessing#transforms#1 \(ShiftIntensity\) works on '(image2|t2)', but the image is 'img'"
    with pytest.raises(ModelError, match=says):
        load_model(folder)
    mine = Preparation(scale="minmax")
    assert load_model(folder, prepare=mine).prepare.scale == "minmax"


def test_a_bundle_with_next_to_nothing(tmp_path) -> None:
    drop = ("preprocessing", "inferer", "postprocessing")
    model = load_model(write(tmp_path, metadata=None, drop=drop))
    assert (model.windows, model.output, len(model.classes)) == (Windows(), "softmax", 3)
    assert model.prepare == Preparation(dims=3)


def touch(mark: Path) -> str:
    return f"__import__('pathlib').Path('{mark}').touch()"


@pytest.mark.parametrize("place", ["network_def", "argument", "reference", "transform", "window"])
def test_expressions_are_refused_with_their_path_and_run_only_when_trusted(tmp_path, place) -> None:
    mark = tmp_path / "mark"
    (tmp_path / "b").mkdir()
    code = f"${touch(mark)} or 1"
    compose = {
        "_target_": "Compose",
        "transforms": [{"_target_": "ScaleIntensityd", "keys": "img", "minv": code}],
    }
    changes, path = {
        "network_def": ({"network_def": f"${touch(mark)} or monai.networks.nets.UNet(3,1,3,[4,8],[2],norm='batch')"},
                        "network_def"),
        "argument": ({"network_def": NETWORK | {"in_channels": code}}, "network_def#in_channels"),
        "reference": ({"network_def": NETWORK | {"in_channels": "@n"}, "n": code}, "n"),
        "transform": ({"preprocessing": compose}, "preprocessing#transforms#0#minv"),
        "window": ({"inferer": CONFIG["inferer"] | {"roi_size": f"${touch(mark)} or [16, 16, 16]"}},
                   "inferer#roi_size"),
    }[place]  # fmt: skip
    folder = write(tmp_path / "b", **changes)
    with pytest.raises(ModelError, match=f"{path} is the expression .*trust_code=True") as error:
        load_model(folder)
    assert "\n" not in str(error.value)
    assert not mark.exists()
    load_model(folder, trust_code=True)
    assert mark.exists()


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "eval",
        "subprocess.Popen",
        "torch.hub.load",
        "monai.networks.nets.unet.torch.hub.load",
        "monai.bundle.run",
        "torch.nn.modules.module.torch.load",
        "ConfigParser",
    ],
)
def test_foreign_classes_are_refused(tmp_path, target) -> None:
    folder = write(tmp_path, network_def={"_target_": target, "command": "true"})
    with pytest.raises(ModelError, match="network_def#_target_ is") as error:
        load_model(folder)
    assert target in str(error.value)


def test_a_torch_class_is_known(tmp_path) -> None:
    net = {"_target_": "torch.nn.Conv3d", "in_channels": 1, "out_channels": 3, "kernel_size": 1}
    folder = write(tmp_path, network_def=net)
    torch.save(torch.nn.Conv3d(1, 3, 1).state_dict(), folder / "models" / "model.pt")
    assert load_model(folder).channels_out == 3


def test_faults_are_one_clear_line(tmp_path) -> None:
    for name in ("empty", "weights", "other", "infer"):
        (tmp_path / name).mkdir()
    with pytest.raises(ModelError, match=r"no configs/inference.json"):
        load_model(tmp_path / "empty")
    bare = write(tmp_path / "weights")
    (bare / "models" / "model.pt").unlink()
    with pytest.raises(ModelError, match=r"no models/model.pt; download"):
        load_model(bare)
    other = write(tmp_path / "other", network_def=NETWORK | {"channels": [4, 16]})
    with pytest.raises(ModelError, match="of another shape"):
        load_model(other)
    inferer = write(tmp_path / "infer", inferer={"_target_": "MyInferer"})
    with pytest.raises(ModelError, match=r"inferer 'MyInferer' is not known; pass windows=…"):
        load_model(inferer)
    assert load_model(inferer, windows=Windows(roi=16)).windows.roi == 16


def test_names_that_do_not_fit_are_left_out_with_a_warning(tmp_path) -> None:
    odd = json.loads(json.dumps(METADATA))
    odd["network_data_format"]["outputs"]["pred"]["channel_def"].pop("2")
    with pytest.warns(UserWarning, match="names 2 classes for 3 channels"):
        assert load_model(write(tmp_path, metadata=odd)).classes == ("class 0", "class 1", "class 2")


# transforms that the user gives


def test_a_transform_that_fails_is_one_line() -> None:
    from monai.transforms import Compose, SpatialCropd

    steps = Compose([SpatialCropd("wrong", roi_center=(1, 1, 1), roi_size=(2, 2, 2))])
    with pytest.raises(InputError, match="transforms: failed on case ct") as error:
        Preparation(transforms=steps)(ct())
    assert "\n" not in str(error.value)


def test_a_transform_that_loses_the_affine_is_refused() -> None:
    with pytest.raises(InputError, match="without an affine"):
        Preparation(transforms=lambda d: {"image": d["image"].as_tensor()[:, 1:]})(ct())
    kept = Preparation(transforms=lambda d: {"image": d["image"].as_tensor() * 2})(ct())
    np.testing.assert_array_equal(kept.restore(kept.image), ct().image * 2)


def test_turned_grids_are_restored_too() -> None:
    # a rotation by MONAI: linear functions of space survive linear interpolation on any grid
    from monai.transforms import Compose, Rotated

    ramp = np.stack(np.meshgrid(*[np.arange(20.0)] * 3, indexing="ij")).astype(np.float32)
    case = Case(
        id="r", image=ramp, geometry=Geometry(np.diag([2.0, 2, 2, 1]), (20, 20, 20)), label=None, meta={}
    )
    prepared = Preparation(transforms=Compose([Rotated("image", angle=(0.3, 0.2, -0.1), keep_size=False)]))(
        case
    )
    back = prepared.restore(prepared.image)
    assert np.abs(back - ramp)[:, 6:14, 6:14, 6:14].max() < 2e-3
    mask = np.zeros((20, 20, 20), np.uint8)
    mask[5:15, 5:15, 5:15] = 1
    restored = prepared.restore(prepared.bring(mask)[None].float(), "nearest")[0]
    assert 2 * (restored * mask).sum() / (restored.sum() + mask.sum()) > 0.95


def test_transforms_of_a_slice_see_two_axes() -> None:
    from monai.transforms import Compose, Resized

    seen = []
    image = np.random.default_rng(0).random((1, 20, 1, 16)).astype(np.float32)
    case = Case(
        id="s", image=image, geometry=Geometry(np.diag([2.0, 3, 4, 1]), (20, 1, 16)), label=None, meta={}
    )
    steps = Compose(
        [lambda d: (seen.append(d["image"].shape), d)[1], Resized("image", (40, 32), mode="bilinear")]
    )
    prepared = Preparation(transforms=steps, dims=2)(case)
    assert tuple(seen[0]) == (1, 20, 16)
    assert prepared.image.shape == (1, 40, 32)
    assert prepared.spacing == pytest.approx((1.0, 2.0))
    assert prepared.restore(prepared.image).shape == (1, 20, 1, 16)
    index = prepared.voxel((7, 0, 9))
    away = prepared.geometry.to_mm(index) - case.geometry.to_mm((7, 0, 9))
    assert np.abs(away).max() <= 1.0 + 1e-6  # half a prepared voxel

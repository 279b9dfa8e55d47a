"""Real scans of other kinds, with tiny networks: maps come back on the file's grid and lie where they must."""

from __future__ import annotations

from dataclasses import dataclass

import nibabel as nib
import numpy as np
import pytest
import torch
from networks import smooth_segmenter
from scipy import ndimage
from torch import nn

from voxplain.attribution import method
from voxplain.case import Case, read_case, write_array
from voxplain.engine import Problem
from voxplain.model import Preparation, Windows, load_model
from voxplain.target import LabelRegion

pytestmark = [pytest.mark.real]


@dataclass(frozen=True)
class Scan:
    """Images (stacked as channels), labels, one label's value, and how the network wants it."""

    images: tuple[str, ...]
    label: str
    value: int
    prepare: Preparation


SCANS = [
    pytest.param(
        Scan(("ct/example_ct_sm.nii.gz",), "ct/example_seg.nii.gz", 1,
             Preparation(orientation="LPS", spacing=4, scale=(-160, 240))),
        id="ct-spleen",
    ),
    pytest.param(
        Scan(("ct/example_ct.nii.gz",), "ct/example_ct_vertebrae_seg.nii.gz", 28,
             Preparation(orientation="SAR", spacing=(6, 3, 3), scale=(-1000, 1000))),
        id="ct-vertebra-anisotropic-grid",
    ),
    pytest.param(
        Scan(("mr_abdomen/example_mr_sm.nii.gz",), "mr_abdomen/example_seg_mr.nii.gz", 5,
             Preparation(orientation="RAS", scale="zscore-nonzero")),
        id="mr-liver-lps",
    ),
    pytest.param(
        Scan(("ms_lesion/patient19/T1.nii.gz", "ms_lesion/patient19/FLAIR.nii.gz"), "ms_lesion/patient19/gt.nii.gz", 1,
             Preparation(spacing=3, scale="percentile", crop="foreground", divisible=8)),
        id="ms-lesions-two-channels",
    ),
    pytest.param(
        Scan(("spine/t2_t2.nii.gz",), "spine/t2_t2_seg-manual.nii.gz", 1, Preparation(orientation="RPI", scale="minmax")),
        id="cord-psr",
    ),
    pytest.param(
        Scan(("spine/t2s_t2s.nii.gz",), "spine/t2s_t2s_gmseg_manual.nii.gz", 1,
             Preparation(spacing=(0.5, 0.5, 3.75), scale="percentile", divisible=4)),
        id="grey-matter-15-times-anisotropic",
    ),
]  # fmt: skip


WINDOWS = Windows(roi=(24, 32, 16), overlap=0.25, blend="gaussian", padding="replicate")


@pytest.fixture(params=SCANS)
def scanned(request, data) -> tuple[Scan, Case]:
    scan: Scan = request.param
    paths = [data / image for image in scan.images]
    return scan, read_case(paths, label=data / scan.label)


def ask(scanned: tuple[Scan, Case], net: nn.Module) -> Problem:
    """About the labelled region, which no tiny network predicts."""
    scan, case = scanned
    model = load_model(net, prepare=scan.prepare, windows=WINDOWS)
    return Problem(model, case, LabelRegion(class_name=1, value=scan.value))


def mean_filter(channels: int) -> nn.Module:
    """Class 1 is the mean of all channels over 3×3×3 voxels: its gradient is known without a network."""
    net = nn.Conv3d(channels, 2, 3, padding=1, padding_mode="replicate")
    with torch.no_grad():
        net.weight.zero_()
        net.bias.zero_()
        net.weight[1] = 1 / (27 * channels)
    return net


def box_distance(mask: np.ndarray, case: Case) -> np.ndarray:
    """Distance to a mask in mm."""
    return ndimage.distance_transform_edt(~mask, sampling=case.geometry.spacing)


def test_maps_of_real_scans_return_to_the_files_grid(scanned, data, tmp_path):
    scan, case = scanned
    values = method("gradient").attribute(ask(scanned, mean_filter(case.channels))).map(0)
    write_array(tmp_path / "map.nii.gz", values, case.geometry)
    written, original = nib.load(tmp_path / "map.nii.gz"), nib.load(data / scan.images[0])
    assert written.shape[:3] == original.shape[:3]
    np.testing.assert_allclose(written.affine, original.affine, atol=1e-4)
    np.testing.assert_allclose(written.header.get_zooms()[:3], original.header.get_zooms()[:3], rtol=1e-5)
    stored = written.get_fdata().reshape(*written.shape[:3], -1)
    np.testing.assert_allclose(np.moveaxis(stored, 3, 0), values, rtol=1e-6)


def test_maps_lie_on_the_label_and_nowhere_beyond_the_networks_reach(scanned, data):
    """The label's place is nibabel's reading of its file; the map went through another grid and back."""
    scan, case = scanned
    problem = ask(scanned, mean_filter(case.channels))
    found = method("gradient").attribute(problem)
    # replicating filters, paddings and blending weights all hand on what they get: adding 1 to the image adds 1
    assert float(found.values(0).double().sum()) == pytest.approx(1, abs=1e-4)
    strength = found.map(0).sum(0)
    assert strength.min() >= -1e-6 * strength.max()
    file = nib.load(data / scan.label)
    label = np.asarray(file.dataobj) == scan.value
    spacing = np.array(problem.prepared.spacing)
    reach = np.linalg.norm(spacing) * (1 + 0.5 + 1)  # the filter, the nearest label, linear interpolation
    seen = strength > 1e-6 * strength.max()
    assert box_distance(label, case)[seen].max() <= reach + np.linalg.norm(case.geometry.spacing)
    places = nib.affines.apply_affine(file.affine, np.argwhere(seen))
    middle = np.average(places, axis=0, weights=strength[seen])
    truth = nib.affines.apply_affine(file.affine, np.argwhere(label)).mean(0)
    assert np.abs(middle - truth).max() < 0.35 * spacing.max()


def test_integrated_gradients_of_real_scans_are_complete(scanned):
    problem = ask(scanned, smooth_segmenter(3, channels=scanned[1].channels))
    found = method("integrated_gradients", nodes=4).attribute(problem)
    assert found.answers[0].status == "ok"
    start = problem.image.flatten(1).amin(1).reshape(-1, 1, 1, 1).expand_as(problem.image)
    scores = problem.scores([problem.image, start])[:, 0]
    assert float(found.values(0).double().sum()) == pytest.approx(float(scores[0] - scores[1]), rel=1e-3)


class Tiny(nn.Sequential):
    """A smooth classifier of chest X-rays that learns in seconds."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 8, 3, padding=1), nn.ELU(), nn.AvgPool2d(2), nn.Conv2d(8, 16, 3, padding=1), nn.ELU(),
            nn.AvgPool2d(2), nn.Conv2d(16, 16, 3, padding=1), nn.ELU(), nn.Flatten(), nn.Linear(16 * 49, 2),
        )  # fmt: skip


@pytest.fixture(scope="module")
def xray(data):
    """A network trained on chest X-rays, the test pictures and their labels."""
    files = np.load(data / "xray2d/pneumoniamnist.npz", allow_pickle=False)
    x = torch.from_numpy(files["train_images"]).float()[:, None] / 255
    y = torch.from_numpy(files["train_labels"][:, 0]).long()
    torch.manual_seed(0)
    net = Tiny()
    optimiser = torch.optim.Adam(net.parameters(), 3e-3)
    for _ in range(4):
        for batch in torch.randperm(len(x)).split(64):
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()
            optimiser.step()
    model = load_model(
        net.eval(), spatial_dims=2, task="classification", classes=["normal", "pneumonia"],
        prepare=Preparation(scale=(0.0, 255.0)), windows=Windows(),
    )  # fmt: skip
    return model, files["test_images"], files["test_labels"][:, 0]


def test_xray_classifier_explains_what_it_predicts(xray):
    model, pictures, truth = xray
    right = 0
    for picture, label in zip(pictures[:60], truth[:60], strict=True):
        problem = Problem(model, Case("xray", picture[None]), "predicted")
        right += problem.targets[0].class_index == label
        with torch.no_grad():
            raw = model.module(torch.from_numpy(picture[None, None]).float() / 255)[0]
        assert problem.targets[0].class_index == int(raw.argmax())
        assert float(problem.clean_scores()[0]) == pytest.approx(float(raw.max()), rel=1e-4)
    assert right > 45  # 75 %; MedMNIST's networks reach 84 to 88 % (Yang et al. 2023)


OPTIONS = {
    "integrated_gradients": {"nodes": 32},
    "grad_cam": {"relu": False},
    "occlusion": {"size": 7, "baseline": 0.0},
    "smoothgrad": {},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_every_family_explains_an_xray(xray, name):
    model, pictures, _ = xray
    problem = Problem(model, Case("xray", pictures[0][None]), "all")
    found = method(name, **OPTIONS[name]).attribute(problem)
    assert [a.status for a in found.answers] == ["ok", "ok"]
    assert found.map("pneumonia").shape[1:] == (28, 28)
    if name == "integrated_gradients":
        assert all(a.checks["completeness_gap"] < 1e-3 for a in found.answers)
    if name == "occlusion":  # the first tile, by hand
        x = torch.from_numpy(pictures[0][None, None]).float() / 255
        hidden = x.clone()
        hidden[..., :7, :7] = 0
        with torch.no_grad():
            lost = (model.module(x) - model.module(hidden))[0]
        np.testing.assert_allclose(found.region_values[:, 0], lost, rtol=1e-4, atol=1e-5)

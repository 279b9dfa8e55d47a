"""Eigen-CAM against a singular value decomposition of places × features, the slow way."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cam_truth import LAYOUTS, SCORES, agree, classification, segmentation
from torch import nn

from voxplain.attribution import method
from voxplain.attribution.cam.eigen import moments, principal
from voxplain.engine import Problem
from voxplain.model import Model, Windows
from voxplain.target import AllClasses, PredictedRegion, Voxel


def singular(rows: np.ndarray, centre: bool) -> tuple[np.ndarray, np.ndarray]:
    """First right singular vector of (places, F) with positive sum, and the mean."""
    mean = rows.mean(0)
    vector = np.linalg.svd(rows - mean if centre else rows, full_matrices=False)[2][0]
    return vector * np.sign(vector.sum()), mean


def rows(fields) -> np.ndarray:
    return np.concatenate([f.reshape(len(f), -1).T for f in fields])


@pytest.mark.parametrize("centre", [True, False])
@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_eigen_cam_over_windows(layout, relu, centre):
    problem, slow = segmentation(layout, "down.2")
    vector, mean = singular(rows(slow.activations), centre)
    pictures = {}
    for w, a in enumerate(slow.activations):  # all windows, whatever the target
        projected = np.tensordot(vector, a, axes=1) - (vector @ mean if centre else 0)
        pictures[w] = np.maximum(projected, 0) if relu else projected
    truth = slow.painted(pictures, weighted=True)
    found = method("eigen_cam", layer="down.2", relu=relu, centre=centre).attribute(problem)
    agree(found, problem, lambda t: truth)
    assert [a.score for a in found.answers] == pytest.approx(slow.value.tolist(), rel=1e-9)
    assert all("the same for every target" in a.note for a in found.answers)


@pytest.mark.parametrize("centre", [True, False])
@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_eigen_grad_cam_over_windows(layout, score, centre):
    problem, slow = segmentation(layout, "first.2", score)
    for relu in (True, False):
        found = method("eigen_grad_cam", layer="first.2", relu=relu, centre=centre).attribute(problem)

        def truth(t, relu=relu):
            gradients = slow.gradients(t)
            fields = {w: gradients[w] * slow.activations[w] for w in slow.used(t)}
            vector, _ = singular(rows(fields.values()), centre)
            pictures = {w: np.tensordot(vector, f, axes=1) for w, f in fields.items()}
            return slow.painted(
                {w: np.maximum(p, 0) if relu else p for w, p in pictures.items()}, weighted=False
            )

        agree(found, problem, truth)


@pytest.mark.parametrize("dims", [2, 3])
def test_classification(dims):
    problem, slow = classification(dims, "3")
    vector, mean = singular(rows(slow.activations), centre=True)
    truth = slow.painted(
        {0: np.maximum(np.tensordot(vector, slow.activations[0], axes=1) - vector @ mean, 0)}, True
    )
    agree(method("eigen_cam", layer="3").attribute(problem), problem, lambda t: truth)


@pytest.mark.parametrize("name", ["eigen_cam", "eigen_grad_cam"])
def test_the_sign_does_not_depend_on_the_eigenvectors(name):
    """Signed maps correlate positively with the summed activations, or with HiRes-CAM."""
    for layout in ("2d-gaussian", "3d-gaussian"):
        problem, slow = segmentation(layout, "first.2")
        found = method(name, layer="first.2", relu=False).attribute(problem)
        hires = method("hires_cam", layer="first.2").attribute(problem)
        summed = slow.painted({w: a.sum(0) for w, a in enumerate(slow.activations)}, weighted=True)
        for t in problem.present:
            other = hires.values(t) if name == "eigen_grad_cam" else summed
            both = torch.stack([found.values(t).flatten(), other.flatten()])
            assert float(torch.corrcoef(both)[0, 1]) > 0


def test_a_map_of_the_layer_alone_does_not_depend_on_what_else_is_asked():
    whole, _ = segmentation("2d-gaussian", "down.2")
    corner = Problem(whole.model, whole.case, Voxel(index=(0, 0), class_name=1), dtype=torch.float64)
    assert len(corner.plan.windows(corner.present)) < len(corner.plan)
    maps = [method("eigen_cam", layer="down.2").attribute(p).values(0) for p in (whole, corner)]
    torch.testing.assert_close(*maps, rtol=0, atol=0)


def test_moments_add_up_over_windows_and_take_any_number_of_places():
    """60 000 places × 5 features: the decomposition is of a 5 × 5 matrix."""
    torch.manual_seed(0)
    values = torch.randn(5, 40, 50, 30, dtype=torch.float64) + torch.arange(5.0).reshape(5, 1, 1, 1)
    found = principal(moments(values[:, :13]) + moments(values[:, 13:]), centre=True)
    vector, mean = singular(values.reshape(5, -1).T.numpy(), centre=True)
    np.testing.assert_allclose(found.direction, vector, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-10)
    variance = np.linalg.eigvalsh(np.cov(values.reshape(5, -1).numpy(), bias=True))
    assert found.share == pytest.approx(variance[-1] / variance.sum(), rel=1e-8)
    assert found.rival == pytest.approx(variance[-2] / variance.sum(), rel=1e-8)
    assert "arbitrary" in str(found), "noise has no direction of its own"


def test_a_layer_that_says_the_same_everywhere_has_status_zero():
    net = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 2, 1))
    with torch.no_grad():
        net[0].weight.zero_()
        net[0].bias.fill_(0.3)
        net[2].bias.copy_(torch.tensor([0.0, 1.0]))
    problem, _ = segmentation("2d-whole")
    flat = Problem(Model(net, spatial_dims=2), problem.case, PredictedRegion(class_name=1))
    # padding makes no difference to a weight of zero
    assert method("eigen_cam", layer="1").attribute(flat).answers[0].status == "zero"
    assert method("eigen_cam", layer="1", centre=False).attribute(flat).answers[0].status == "ok"


def test_float32_is_close_to_double():
    problem, _ = segmentation("3d-gaussian", "down.2")
    net = problem.model.module
    double = method("eigen_cam", layer="down.2").attribute(problem).values(0)
    windows = Windows(roi=(6, 6, 4), overlap=0.5, blend="gaussian")
    single = Problem(Model(net.float(), windows=windows), problem.case, AllClasses(background=True))
    found = method("eigen_cam", layer="down.2").attribute(single).values(0)
    torch.testing.assert_close(found.double(), double, rtol=1e-4, atol=1e-5)

"""A prediction that was kept makes the same problem, without the network."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from networks import classifier, random_case, smooth_segmenter
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from voxplain.attribution import method
from voxplain.engine import Problem
from voxplain.engine.passes import Passes
from voxplain.engine.prediction_file import read_prediction, write_prediction
from voxplain.errors import InputError
from voxplain.model import Model, Windows
from voxplain.target.prediction import Prediction

WINDOWS = Windows(roi=6, overlap=0.5)
KINDS = {
    "softmax": (
        lambda: Model(smooth_segmenter(3), spatial_dims=3),
        (8, 9, 7),
        ["all+background", "0@margin"],
    ),
    "sigmoid": (lambda: Model(smooth_segmenter(2), spatial_dims=2, output="sigmoid"), (8, 9), ["all"]),
    "binary": (lambda: Model(smooth_segmenter(2, classes=1), spatial_dims=2), (8, 9), ["all+background"]),
    "windows": (
        lambda: Model(smooth_segmenter(3), spatial_dims=3, windows=WINDOWS),
        (8, 9, 7),
        ["all+background", "boundary:1:2", "0@margin"],
    ),
    "classes": (lambda: Model(classifier(2), spatial_dims=2), (8, 9), ["predicted", "2@margin"]),
    "labels": (lambda: Model(classifier(2), spatial_dims=2, output="sigmoid"), (8, 9), ["all"]),
    "one logit": (lambda: Model(classifier(3, classes=1), spatial_dims=3), (8, 9, 7), ["predicted"]),
}


def problem(kind, **kwargs):
    make, shape, targets = KINDS[kind]
    return Problem(make(), random_case(shape), targets, batch=3, **kwargs)


def members(target):
    region = target.region
    return None if region is None or region.count == 0 else region.crop(region.bounds)


def same(a, b):
    return (a is None and b is None) or (a.dtype == b.dtype and torch.equal(a, b))


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_problem_without_a_pass(kind, tmp_path):
    made = problem(kind)
    assert made.passes.forward
    kept = read_prediction(write_prediction(tmp_path / "new" / "p.safetensors", made.prediction))
    for field in ("labels", "second", "positive", "output", "certainty"):
        assert same(getattr(kept, field), getattr(made.prediction, field)), field

    again = problem(kind, prediction=kept)
    assert again.passes == Passes()
    assert again.remarks() == made.remarks()
    assert [t.name for t in again.targets] == [t.name for t in made.targets]
    for a, b in zip(again.targets, made.targets, strict=True):
        plain = [dataclasses.replace(t, functional=None) for t in (a, b)]
        assert plain[0] == plain[1]
        assert same(members(a), members(b))
        assert a.functional is None or a.functional.scale == b.functional.scale
    assert again.plan.touching == made.plan.touching
    assert torch.equal(again.clean_scores().nan_to_num(-9), made.clean_scores().nan_to_num(-9))
    before, now = (method("gradient").attribute(p) for p in (made, again))
    assert all(torch.equal(now.values(t), before.values(t)) for t in made.present)


@pytest.mark.parametrize("share", [float("nan"), 1 / 3, 0.0])
def test_the_disagreement_is_exact(share, tmp_path):
    one = torch.zeros(2, 2, dtype=torch.int16)
    kept = read_prediction(write_prediction(tmp_path / "p", Prediction(one, one + 1, disagreement=share)))
    assert kept.disagreement == share or (share != share and kept.disagreement != kept.disagreement)


@pytest.mark.filterwarnings("ignore:.*disagree")
def test_remarks_about_windows_are_those_of_the_prediction(tmp_path):
    made = problem("windows")
    doubtful = dataclasses.replace(made.prediction, disagreement=0.5)
    kept = read_prediction(write_prediction(tmp_path / "p", doubtful))
    assert "disagree about 50%" in problem("windows", prediction=kept).remarks()[0]


@pytest.mark.parametrize("kind", ["softmax", "sigmoid", "classes", "labels"])
@pytest.mark.parametrize(
    "other", ["softmax", "windows", "sigmoid", "binary", "classes", "labels", "one logit"]
)
def test_what_a_network_of_another_form_said_is_refused(kind, other):
    if kind == other or {kind, other} <= {"softmax", "windows"}:
        return
    with pytest.raises(InputError, match=r"random: prediction: found .* expected .* another") as caught:
        problem(kind, prediction=problem(other).prediction)
    assert "\n" not in str(caught.value)


def test_another_image_or_classes_that_there_are_not(tmp_path):
    right = problem("softmax").prediction
    turned = Prediction(right.labels.mT, right.second.mT)
    with pytest.raises(InputError, match=r"labels of shape \(8, 7, 9\), expected of shape \(8, 9, 7\)"):
        problem("softmax", prediction=turned)
    with pytest.raises(InputError, match="second from"):
        problem("softmax", prediction=dataclasses.replace(right, second=right.second + 2))


def test_other_files_are_refused_by_name(tmp_path):
    path = tmp_path / "p.safetensors"
    save_file({"labels": torch.zeros(2), "second": torch.zeros(2)}, path)
    with pytest.raises(InputError, match=r"p\.safetensors: is no stored prediction"):
        read_prediction(path)
    save_file({"labels": torch.zeros(2)}, path, {"kind": "voxplain prediction", "disagreement": "NaN"})
    with pytest.raises(InputError, match=r"p\.safetensors: is damaged .*second"):
        read_prediction(path)
    two = {"labels": torch.zeros(2), "second": torch.zeros(2)}
    for facts in ({}, {"disagreement": "much"}):
        save_file(two, path, {"kind": "voxplain prediction", **facts})
        with pytest.raises(InputError, match=r"p\.safetensors: is damaged .*disagreement"):
            read_prediction(path)


class Unmeasured(nn.Module):
    """Flattens a convolution's weights, which only their own layout allows, and reads the image, as no fake tensor lets."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = nn.Conv3d(1, 4, 3, padding=1), nn.Conv3d(4, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scale = 1.0 if float(x.detach().abs().max()) < 1e9 else 0.5
        w = self.b.weight.view(3, -1)
        w = (w / w.norm(dim=1, keepdim=True)).view_as(self.b.weight)
        return F.conv3d(self.a(x * scale).tanh(), w, padding=1)


def test_what_the_prediction_would_have_shown_of_the_network_is_found_with_one_pass():
    def problem(**kwargs):
        return Problem(
            Model(Unmeasured(), spatial_dims=3), random_case((8, 7, 6)), "all+background", **kwargs
        )

    made = problem()
    again = problem(prediction=made.prediction)
    assert again.runner.footprint is None
    assert again.passes == Passes(1, 0)
    a, b = (method("gradient").attribute(p) for p in (made, again))
    assert all(torch.equal(a.values(t), b.values(t)) for t in made.present)


class Picky(nn.Module):
    """Refuses small random inputs, so that its task is not known before it is asked about the image."""

    def __init__(self) -> None:
        super().__init__()
        self.net = smooth_segmenter(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[-1] != 9:
            raise RuntimeError("nine columns")
        return self.net(x)


def test_a_task_that_is_not_known_takes_its_one_pass():
    made = Problem(Model(Picky(), spatial_dims=2), random_case((8, 9)), "all+background")
    model = Model(Picky(), spatial_dims=2)
    assert model.known_task is None
    again = Problem(model, random_case((8, 9)), "all+background", prediction=made.prediction)
    assert again.passes == Passes(1, 0)
    assert torch.equal(again.clean_scores(), made.clean_scores())

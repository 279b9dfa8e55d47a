"""What was found out by breaking things: each of these once gave a wrong answer without a word."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from networks import classifier, random_case, self_explaining, smooth_segmenter
from small import SMALL
from torch import nn
from torch.nn import functional as F

from voxplain.attribution import GradCam, Gradient, Occlusion, VarGrad, method, methods
from voxplain.case import Case, Geometry, write_array
from voxplain.engine import Problem
from voxplain.errors import ModelError, TargetError, VoxplainError
from voxplain.model import Model, Preparation, Windows
from voxplain.target import AllClasses, FalseNegatives, LabelRegion, Mask, PredictedRegion

WINDOWS = Windows(roi=6, overlap=0.5)


def segmentation(
    targets: object = None, net: nn.Module | None = None, channels: int = 1, **kwargs: object
) -> Problem:
    model = Model(net or smooth_segmenter(3, channels), spatial_dims=3, windows=WINDOWS)
    return Problem(model, random_case((8, 9, 7), channels), targets or AllClasses(background=True), **kwargs)


@pytest.mark.parametrize("score", ["logit", "probability"])
@pytest.mark.parametrize("name", sorted(methods()))
def test_the_cost_told_before_is_the_cost_paid(name, score):
    channels = 2 if "channels" in methods()[name].needs else 1
    targets = AllClasses(background=True, score=score)
    problem = segmentation(targets, channels=channels)
    if "segmentation" not in methods()[name].tasks:
        problem = Problem(Model(self_explaining(3), spatial_dims=3), random_case((8, 9, 7)), targets)
    chosen = method(name, **SMALL.get(name, {}))
    if score not in chosen.scores:
        with pytest.raises(TargetError, match=f"asks for the {score}"):
            chosen.attribute(problem)
        return
    told = chosen.cost(problem)
    paid = chosen.attribute(problem).passes
    assert (told.forward, told.backward) == (paid.forward, paid.backward)


def test_a_position_that_does_not_exist_is_no_map_of_zeros():
    attribution = Gradient().attribute(segmentation())
    assert np.array_equal(attribution.map(np.int64(0)), attribution.map(0))
    for position in (-1, 3):
        with pytest.raises(TargetError, match="expected a position"):
            attribution.map(position)


def test_other_regions_are_other_parts():
    problem = segmentation()
    one = np.ones((8, 9, 7), dtype=np.int32)
    two = one.copy()
    two[4:] = 2
    assert Occlusion(regions=one).attribute(problem).region_values.shape == (3, 1)
    assert Occlusion(regions=two).attribute(problem).region_values.shape == (3, 2)


def test_variance_of_a_linear_networks_gradient_is_zero_and_said_to_be():
    torch.manual_seed(0)
    linear = nn.Sequential(nn.Conv3d(1, 4, 3, padding=1), nn.Conv3d(4, 3, 3, padding=1))
    attribution = VarGrad(draws=6).attribute(segmentation(net=linear))
    assert {a.status for a in attribution.answers} == {"zero"}


def test_variance_of_a_nearly_linear_network_is_right_in_single_precision():
    """The same variance in double, where the naive formula is exact enough."""

    class Nearly(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.conv = nn.Conv3d(1, 2, 3, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(x + 1e-3 * torch.sin(x))

    single = VarGrad(draws=6).attribute(segmentation(net=Nearly()))
    double = VarGrad(draws=6).attribute(segmentation(net=Nearly().double(), dtype=torch.float64))
    for t in range(2):
        truth = double.values(t).float()
        assert float((single.values(t) - truth).abs().max()) < 0.02 * float(truth.max())


class TwiceTheSame(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.act, self.second = (
            nn.Conv3d(1, 3, 3, padding=1),
            nn.ReLU(),
            nn.Conv3d(3, 3, 3, padding=1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.act(self.act(self.first(x)) - 0.1))


def test_a_layer_that_runs_twice_is_refused():
    with pytest.raises(ModelError, match="runs it 2 times"):
        GradCam(layer="act").attribute(segmentation(net=TwiceTheSame()))


def test_hidden_features_as_many_as_classes_are_no_read_out():
    net = nn.Sequential(nn.Conv3d(1, 3, 3, padding=1), nn.ReLU(), nn.Conv3d(3, 3, 3, padding=1))
    assert segmentation(net=net).layer().name == "1"


def test_cam_of_a_scripted_network_says_that_hooks_do_not_run():
    scripted = torch.jit.script(smooth_segmenter(3))
    with pytest.raises(ModelError, match="hooks"):
        GradCam().attribute(segmentation(net=scripted))


class InPlace(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = classifier(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x -= 1
        return self.inner(x)


def test_a_network_that_writes_to_its_input_does_not_change_the_image():
    case = random_case((8, 9, 7))
    problem = Problem(Model(InPlace(), spatial_dims=3), case, "1")
    Gradient().attribute(problem)
    np.testing.assert_array_equal(problem.image.numpy(), case.image)
    x = problem.image[None].clone().requires_grad_()
    (truth,) = torch.autograd.grad(classifier(3)(x - 1)[0, 1], x)
    torch.testing.assert_close(Gradient().attribute(problem).values(0), truth[0], rtol=1e-4, atol=1e-7)


class Remembering(nn.Module):
    """Keeps a grid per input shape, as transformers and coordinate networks do."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.grids = smooth_segmenter(3), {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape not in self.grids:
            self.grids[x.shape] = torch.linspace(0, 1, x.shape[-1])
        return self.inner(x) + self.grids[x.shape]


def test_estimating_memory_leaves_nothing_in_the_users_network():
    net = Remembering()
    segmentation(net=net)
    assert all(type(grid) is torch.Tensor for grid in net.grids.values())
    assert type(net(torch.rand(1, 1, 6, 6, 6))) is torch.Tensor


def test_classes_named_by_numbers_are_not_taken_for_positions():
    net = smooth_segmenter(3)
    model = Model(net, spatial_dims=3, windows=WINDOWS, classes=["0", "2", "1"])
    label = np.zeros((8, 9, 7), dtype=np.int32)
    label[2:5] = 2
    problem = Problem(
        model,
        random_case((8, 9, 7), label=label),
        [LabelRegion(class_name="1"), "label:2:2", PredictedRegion(class_name=2)],
    )
    assert [(t.class_index, t.class_name) for t in problem.targets] == [(2, "1"), (1, "2"), (2, "1")]


def test_a_mask_file_of_0_and_255_must_say_which_value_is_meant():
    label = np.zeros((8, 9, 7), dtype=np.int32)
    label[2:5] = 255
    case = random_case((8, 9, 7), label=label)
    model = Model(smooth_segmenter(3), spatial_dims=3, windows=WINDOWS)
    with pytest.raises(TargetError, match="holds 255"):
        Problem(model, case, "fn:1")
    missed = Problem(model, case, FalseNegatives(class_name=1, value=255))
    truth = (label == 255) & (missed.prediction.labels.numpy() != 1)
    assert missed.targets[0].region.count == truth.sum()
    assert Problem(model, case, "fn:1:255").targets[0].region.count == truth.sum()


def test_a_mask_may_be_a_path(tmp_path: Path):
    case = random_case((8, 9, 7))
    mask = np.zeros((8, 9, 7), dtype=np.uint8)
    mask[3, 4, 5] = 1
    write_array(tmp_path / "m.nii.gz", mask, case.geometry)
    model = Model(smooth_segmenter(3), spatial_dims=3)
    problem = Problem(model, case, Mask(class_name=1, mask=tmp_path / "m.nii.gz"))
    assert problem.targets[0].region.count == 1


@pytest.mark.parametrize("class_index", [0, 1])
def test_margin_of_one_probability_is_over_its_complement(class_index):
    """p − (1 − p) = 2p − 1 for the foreground, and its negative for the background."""

    class Probability(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = smooth_segmenter(3, classes=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.sigmoid(self.inner(x))

    net = Probability().double()
    case = Case("p", random_case((6, 6, 6)).image)
    target = PredictedRegion(class_name=class_index, score="margin")
    problem = Problem(Model(net, spatial_dims=3, output="probabilities"), case, target, dtype=torch.float64)
    x = problem.image[None].clone().requires_grad_()
    p = net(x)[0, 0]
    margin = (2 * p - 1) * (1 if class_index else -1)
    inside = (p.detach() > 0.5) == bool(class_index)
    (truth,) = torch.autograd.grad(margin[inside].mean(), x)
    attribution = Gradient().attribute(problem)
    assert attribution.answers[0].score == pytest.approx(float(margin[inside].mean()), rel=1e-10)
    torch.testing.assert_close(attribution.values(0), truth[0], rtol=1e-9, atol=1e-12)


def test_windows_that_agree_about_independent_classes_are_not_said_to_disagree():
    class Never(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            z = F.avg_pool3d(x, 3, 1, 1)
            return torch.cat([z - 100, -z - 100], 1)

    model = Model(Never(), spatial_dims=3, windows=WINDOWS, output="sigmoid")
    problem = Problem(model, random_case((8, 9, 7)), Mask(class_name=0, mask=np.ones((8, 9, 7))))
    assert not problem.prediction.disagreement > 0


@pytest.mark.parametrize("score", ["log_probability", "probability"])
@pytest.mark.parametrize(("classes", "output"), [(3, "softmax"), (1, "binary"), (3, "sigmoid")])
@pytest.mark.parametrize("dims", [2, 3])
def test_probabilities_of_a_classifier(dims, classes, output, score):
    net = classifier(dims, classes=classes).double()
    case = random_case((7, 8, 9)[:dims])
    model = Model(net, spatial_dims=dims, output=output)
    problem = Problem(model, case, f"1@{score}", dtype=torch.float64)
    x = problem.image[None].clone().requires_grad_()
    z = net(x)[0]
    log_p = F.log_softmax(z, 0)[1] if output == "softmax" else F.logsigmoid(z[0 if classes == 1 else 1])
    (truth,) = torch.autograd.grad(log_p if score == "log_probability" else log_p.exp(), x)
    torch.testing.assert_close(Gradient().attribute(problem).values(0), truth[0], rtol=1e-9, atol=1e-12)
    lost = Occlusion(size=9, baseline=0.0).attribute(problem).region_values[0, 0]
    empty = net(torch.zeros_like(x))[0].detach()
    blank = (
        F.log_softmax(empty, 0)[1] if output == "softmax" else F.logsigmoid(empty[0 if classes == 1 else 1])
    )
    before, after = (v if score == "log_probability" else v.exp() for v in (log_p.detach(), blank))
    assert float(lost) == pytest.approx(float(before - after), rel=1e-9)


@pytest.mark.parametrize("spacing", [1.0, 2.3, (1.2, 3.0, 1.7)])
def test_the_written_map_keeps_the_sum_of_what_it_explains(spacing):
    """Shares add up over voxels, so a voxel of eight times the volume carries eight times the share."""
    shape = (24, 22, 20)
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"))
    image = np.exp(-6 * (grid**2).sum(0))[None].astype(np.float32)
    case = Case("blob", image, Geometry(np.diag([1.75, 1.75, 1.75, 1.0]), shape))
    model = Model(smooth_segmenter(3), spatial_dims=3, prepare=Preparation(spacing=spacing))
    problem = Problem(model, case, AllClasses(background=True))
    attribution = method("integrated_gradients", nodes=8, baseline=0.0).attribute(problem)
    for t in problem.present:
        total = float(attribution.values(t).sum())
        assert float(attribution.map(t).sum()) == pytest.approx(
            total, rel=0.05, abs=0.02 * float(attribution.values(t).abs().sum())
        )


def test_a_network_that_wants_divisible_sizes_is_told_with_the_remedy():
    class UNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down, self.up, self.head = (
                nn.Conv3d(1, 4, 4, stride=4),
                nn.Upsample(scale_factor=4),
                nn.Conv3d(5, 2, 1),
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(torch.cat([x, self.up(self.down(x))], 1))

    model = Model(UNet(), spatial_dims=3)
    with pytest.raises(ModelError, match="divisible by 4, such as 12×12×8"):
        Problem(model, random_case((10, 9, 7)), "1")


def test_the_same_question_twice_is_answered_once():
    problem = segmentation([AllClasses(background=True), "1", "1@margin"])
    assert [t.name for t in problem.targets] == ["class-0", "class-1", "class-2", "class-1-margin"]


def test_a_baseline_that_does_not_exist_is_refused_before_anything_runs():
    for name in ("integrated_gradients", "occlusion"):
        with pytest.raises(VoxplainError, match="baseline: found 'foo'"):
            method(name, baseline="foo")

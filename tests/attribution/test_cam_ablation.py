"""Ablation-CAM against stitched networks whose layer lacks one feature map, the slow way."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cam_truth import LAYOUTS, SCORES, agree, classification, segmentation
from networks import InstanceNormSegmenter, random_case, smooth_segmenter
from torch import nn

from voxplain.attribution import method
from voxplain.attribution.cam.ablation import AblationCam
from voxplain.attribution.cam.score import ScoreCam
from voxplain.engine import Problem, layers
from voxplain.engine.replaced import Replaced
from voxplain.engine.stitched import Stitched
from voxplain.engine.terms import WindowTerms
from voxplain.errors import ModelError, VoxplainError
from voxplain.model import Model, Windows
from voxplain.target import AllClasses, Voxel


@torch.no_grad()
def drops(slow) -> np.ndarray:
    """(F, T): (F − F_k) / |F|, feature map k set to zero in every window."""
    clean, found = slow.scores(slow.clean), []
    for k in range(len(slow.activations[0])):
        keep = torch.ones(len(slow.activations[0]), dtype=torch.float64)
        keep[k] = 0
        shape = (1, -1, *(1,) * (slow.activations[0].ndim - 1))
        z, _ = slow.run(slow.image, lambda o, keep=keep, shape=shape: o * keep.reshape(shape))
        found.append((clean - slow.scores(z)) / clean.abs())
    return torch.stack(found).numpy()


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_segmentation_over_windows(layout, score):
    problem, slow = segmentation(layout, "down.1", score)
    truth = drops(slow)
    for relu in (True, False):
        found = method("ablation_cam", layer="down.1", relu=relu).attribute(problem)
        agree(found, problem, lambda t, relu=relu: slow.combined(truth[:, t], t, relu))
    assert [a.score for a in found.answers] == pytest.approx(slow.value.tolist(), rel=1e-9)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("dims", [2, 3])
def test_classification(dims, score):
    problem, slow = classification(dims, "3", score)
    truth = drops(slow)
    found = method("ablation_cam", layer="3", relu=False).attribute(problem)
    agree(found, problem, lambda t: slow.combined(truth[:, t], t, False))
    assert found.passes.forward == 1 + 1 + 5 + 1, (
        "count, image, one per feature map, map: whatever the targets"
    )


@pytest.mark.parametrize("dims", [2, 3])
def test_of_a_linear_head_it_is_grad_cam_over_the_score(dims):
    """F = Σ_k w_k mean(A_k) + b: leaving out k loses w_k mean(A_k), by hand."""
    problem, slow = classification(dims, "3")
    head = problem.model.module[6].weight.detach().numpy()
    found = method("ablation_cam", layer="3", relu=False).attribute(problem)
    means = slow.activations[0].reshape(5, -1).mean(1)
    for t in problem.present:
        weights = head[t] * means / abs(float(slow.value[t].detach()))
        torch.testing.assert_close(found.values(t), slow.combined(weights, t, False), rtol=1e-9, atol=1e-12)
    assert any(v < 0 for v in slow.value), (
        "a negative score, which the paper would turn around, is among them"
    )


@pytest.mark.parametrize("name", ["ablation_cam", "score_cam", "xgrad_cam", "eigen_grad_cam"])
def test_targets_with_different_scores_do_not_disturb_each_other(name):
    """Linear and non-linear scores go different ways over windows, in one problem and in one answer."""
    mixed = [
        AllClasses(background=True, score=score) for score in ("probability", "logit", "log_probability")
    ]
    alone = {
        s: segmentation("2d-gaussian", "down.2", s)[0] for s in ("probability", "logit", "log_probability")
    }
    problem = alone["logit"]
    together = Problem(problem.model, problem.case, mixed, dtype=torch.float64)
    chosen = method(name, layer="down.2", relu=False)
    told, found = chosen.cost(together), chosen.attribute(together)
    assert (told.forward, told.backward) == (found.passes.forward, found.passes.backward)
    for first, (score, single) in zip((0, 3, 6), alone.items(), strict=True):
        truth = chosen.attribute(single)
        for c in range(3):
            assert together.targets[first + c].functional.score == score
            torch.testing.assert_close(found.values(first + c), truth.values(c), rtol=1e-9, atol=1e-13)


def test_only_the_feature_maps_with_most_energy_are_tried():
    problem, slow = segmentation("2d-gaussian", "first.0")
    truth = drops(slow)
    places = np.concatenate([a.reshape(len(a), -1) for a in slow.activations], axis=1)
    least = np.argmin((places**2).mean(1))
    assert least != np.argmin(places.var(1)), "the variance would choose others"
    truth[least] = 0
    found = method("ablation_cam", layer="first.0", channels=3, relu=False).attribute(problem)
    agree(found, problem, lambda t: slow.combined(truth[:, t], t, False))
    assert "the 3 of 4 feature maps with the largest energy" in found.answers[0].note


def test_windows_that_no_target_touches_are_not_run():
    model = Model(InstanceNormSegmenter(2), windows=Windows(roi=(6, 8), overlap=0.5))
    problem = Problem(model, random_case((16, 8)), [Voxel(index=(1, 1), class_name=c) for c in (1, 2)])
    touched = len(problem.plan.windows(problem.present))
    assert touched < len(problem.plan)
    found = AblationCam(layer="down.1").attribute(problem)
    assert (found.passes.forward, found.passes.backward) == (1 + touched * (6 + 1 + 1), 0)


def test_a_score_of_zero_is_no_divisor():
    """The lost score is shown as it is, and said to be."""
    net = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.Conv2d(2, 2, 1, bias=False)).double()
    with torch.no_grad():
        net[0].weight[1] = net[0].weight[0]
        net[0].bias[1] = net[0].bias[0]
        net[2].weight[:] = torch.tensor([[1.0, -1.0], [0.0, 0.0]]).reshape(2, 2, 1, 1)
    problem = Problem(
        Model(net, spatial_dims=2),
        random_case((6, 7)),
        Voxel(index=(3, 3), class_name=0),
        dtype=torch.float64,
    )
    found = AblationCam(layer="1", relu=False).attribute(problem)
    assert found.answers[0].score == 0 and "not divided" in found.answers[0].note
    assert torch.isfinite(found.values(0)).all()


class Fragile(nn.Module):
    """Fails in the middle of a pass when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.passes_left = smooth_segmenter(2), 10**9
        self.inner[1] = nn.ReLU(inplace=True)
        self.inner[2].register_forward_pre_hook(self.count)

    def count(self, *_: object) -> None:
        self.passes_left -= 1
        if self.passes_left < 0:
            raise RuntimeError("broken cable")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x)


def snapshot(net: nn.Module) -> tuple:
    modules = [(n, id(m), type(m), m.training, getattr(m, "inplace", None)) for n, m in net.named_modules()]
    tensors = {k: (v.clone(), v.data_ptr(), v.stride()) for k, v in net.state_dict().items()}
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in net.modules()]
    return modules, tensors, hooks, [p.requires_grad for p in net.parameters()]


def same(a: tuple, b: tuple) -> bool:
    tensors = all(
        torch.equal(a[1][k][0], b[1][k][0]) and a[1][k][1:] == b[1][k][1:] for k in {**a[1], **b[1]}
    )
    return tensors and (a[0], *a[2:]) == (b[0], *b[2:])


@pytest.mark.parametrize("chosen", [AblationCam(layer="inner.1"), ScoreCam(layer="inner.1")])
@pytest.mark.parametrize("after", [0, 1, 2, 4, None])
def test_the_users_network_is_bit_identical_afterwards(chosen, after):
    net = Fragile().train()
    problem = Problem(
        Model(net, spatial_dims=2, windows=Windows(roi=6)),
        random_case((8, 9)),
        AllClasses(background=True),
        batch=2,
    )
    x = problem.image[None]
    before, answer = snapshot(net), net(x).detach()
    if after is None:
        chosen.attribute(problem)
    else:
        net.passes_left = after
        with pytest.raises(VoxplainError, match="broken cable"):
            chosen.attribute(problem)
        net.passes_left = 10**9
    assert same(before, snapshot(net))
    assert torch.equal(net(x), answer)


def test_a_layer_before_an_operation_in_place_is_seen_as_it_was():
    """What the map is made of and what is left out are the layer's own output, not what ReLU made of it."""

    class InPlace(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = smooth_segmenter(2).double()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.net[0](x)
            y.relu_()
            return self.net[2](y)

    net = InPlace()
    problem = Problem(
        Model(net, spatial_dims=2), random_case((7, 8)), AllClasses(background=True), dtype=torch.float64
    )
    inner = net.net
    with torch.no_grad():
        a = inner[0](problem.image[None])[0]
        clean = inner[2](a.relu()[None])[0]
        for t in problem.present:
            region = problem.prediction.labels == problem.targets[t].class_index
            score, weights = clean[t][region].mean(), []
            for k in range(4):
                left = a.clone()
                left[k] = 0
                weights.append((score - inner[2](left.relu()[None])[0, t][region].mean()) / score.abs())
            truth = torch.einsum("k,k...->...", torch.stack(weights), a)[None]
            found = AblationCam(layer="net.0", relu=False).attribute(problem)
            torch.testing.assert_close(found.values(t), truth, rtol=1e-9, atol=1e-12)
        centred = a.flatten(1) - a.flatten(1).mean(1, keepdim=True)
        vector = torch.linalg.svd(centred.T, full_matrices=False).Vh[0]
        truth = torch.sign(vector.sum()) * (vector @ centred).reshape(1, *a.shape[1:])
    found = method("eigen_cam", layer="net.0", relu=False).attribute(problem)
    torch.testing.assert_close(found.values(0), truth, rtol=1e-9, atol=1e-12)


def test_only_the_layers_own_output_is_changed():
    """A layer that hands its input through shares its memory with a skip connection, which must stay whole."""

    class Skip(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.first, self.through = nn.Conv2d(1, 3, 3, padding=1), nn.Dropout()
            self.last = nn.Conv2d(6, 2, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.first(x)
            return self.last(torch.cat([self.through(y), y], 1))

    net = Skip().double().eval()
    problem = Problem(
        Model(net, spatial_dims=2),
        random_case((5, 6)),
        Voxel(index=(2, 2), class_name=1),
        dtype=torch.float64,
    )
    with torch.no_grad():
        a = net.first(problem.image[None])[0]
        lost = net.last.weight[1, :3, 0, 0] * a[:, 2, 2] / problem.clean_scores()[0].abs()
        truth = torch.einsum("k,k...->...", lost, a)[None]
    found = AblationCam(layer="through", relu=False).attribute(problem)
    torch.testing.assert_close(found.values(0), truth, rtol=1e-9, atol=1e-12)


class Shapes(nn.Module):
    """Layers that are no pictures, run twice, or not at all."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.act = nn.Conv2d(1, 3, 3, padding=1), nn.ReLU()
        self.pair, self.flat, self.idle = Pair(), nn.Flatten(), nn.ReLU()
        self.last = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, _ = self.pair(self.act(self.act(self.first(x)) - 0.1))
        return self.last(self.flat(y).reshape(y.shape))


class Pair(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, x


@pytest.mark.parametrize("name", ["ablation_cam", "score_cam", "eigen_cam"])
@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        ("act", "runs it 2 times"),
        ("pair", "type tuple"),
        ("flat", "expected one tensor"),
        ("idle", "did not run it"),
    ],
)
def test_layers_that_are_no_place_are_refused(name, layer, reason):
    problem = Problem(Model(Shapes(), spatial_dims=2), random_case((6, 7)), AllClasses(background=True))
    with pytest.raises(ModelError, match=f"^layer '{layer}': .*{reason}"):
        method(name, layer=layer).attribute(problem)


def fails_once(function, at: int):
    calls = iter(range(10**9))

    def wrapped(*args, **kwargs):
        if next(calls) == at:
            raise torch.OutOfMemoryError("out of memory (injected)")
        return function(*args, **kwargs)

    return wrapped


@pytest.mark.parametrize("at", [0, 1, 3, 6, 13])
@pytest.mark.parametrize(
    ("name", "score", "owner", "attribute"),
    [
        ("ablation_cam", "logit", WindowTerms, "scores"),
        ("ablation_cam", "probability", Stitched, "part"),
        ("ablation_cam", "logit", Replaced, "_forward"),
        ("score_cam", "logit", WindowTerms, "scores"),
        ("score_cam", "logit", "upsample", ""),
        ("eigen_cam", "logit", "upsample", ""),
        ("eigen_cam", "logit", "whole_precision", ""),
        ("ablation_cam", "logit", "whole_precision", ""),
    ],
)
def test_memory_that_runs_out_changes_no_number(name, score, owner, attribute, at, monkeypatch):
    from voxplain.engine import features

    def build() -> Problem:
        model = Model(smooth_segmenter(3), spatial_dims=3, windows=Windows(roi=6, overlap=0.5))
        return Problem(model, random_case((8, 9, 7)), AllClasses(background=True, score=score), batch=4)

    chosen = method(name, layer="1", relu=False, **({} if name == "eigen_cam" else {"channels": 2}))
    truth, again = chosen.attribute(build()), build()
    monkeypatch.setattr(layers, "KEPT_BYTES", 0, raising=False)
    if isinstance(owner, str):
        owner, attribute = features, owner
    monkeypatch.setattr(owner, attribute, fails_once(getattr(owner, attribute), at))
    found = chosen.attribute(again)
    for t in range(3):
        torch.testing.assert_close(found.values(t), truth.values(t), rtol=1e-4, atol=1e-6)
        assert found.answers[t].score == pytest.approx(truth.answers[t].score, rel=1e-6)

"""Layer methods against closed forms, and against the input's own methods at a layer that is the input."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from networks import classifier, random_case, smooth_segmenter
from torch import nn

from voxplain.attribution import method
from voxplain.engine import Problem, layer_tour, layer_visits, layers
from voxplain.errors import InputError, ModelError
from voxplain.model import Model, Windows
from voxplain.target import AllClasses, ClassScore, Voxel

SHAPES = {2: (9, 12), 3: (8, 9, 7)}
WINDOWS = {
    "whole": Windows(),
    "windows": Windows(roi=6, overlap=0.5, blend="gaussian"),
}
START = -0.3
FROM_BASELINE = {
    "internal_influence": {"nodes": 3},
    "layer_conductance": {"nodes": 3},
    "layer_integrated_gradients": {"nodes": 3},
}
EVERY = {
    **FROM_BASELINE,
    "layer_activation": {},
    "layer_gradient_x_activation": {},
    "layer_gradient_shap": {"draws": 4},
    "neuron_gradient": {},
}


class Square(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x**2


def seen_from_the_input(dims, task, windows, score="logit", channels=2):
    """A network whose layer ``0`` gives the image itself."""
    inner = (classifier if task == "classification" else smooth_segmenter)(dims, channels)
    net = nn.Sequential(nn.Identity(), inner).double()
    case = random_case(SHAPES[dims], channels)
    model = Model(net, spatial_dims=dims, windows=WINDOWS[windows])
    return Problem(model, case, AllClasses(background=True, score=score), dtype=torch.float64, seed=7)


CASES = [
    (dims, task, windows, score)
    for dims in (2, 3)
    for task, windows, score in (
        ("classification", "whole", "logit"),
        ("segmentation", "whole", "probability"),
        ("segmentation", "windows", "logit"),
        ("segmentation", "windows", "log_probability"),
    )
]


@pytest.mark.parametrize(("dims", "task", "windows", "score"), CASES)
def test_at_the_input_they_are_the_inputs_methods(dims, task, windows, score):
    """Summed over the channels: conductance and layer IG are integrated gradients, and so on."""
    p = seen_from_the_input(dims, task, windows, score)
    pairs = [
        ("layer_gradient_x_activation", {}, "input_x_gradient", {}),
        ("layer_conductance", {"nodes": 4}, "integrated_gradients", {"nodes": 4, "rule": "midpoint"}),
        (
            "layer_conductance",
            {"nodes": 4, "rule": "left"},
            "integrated_gradients",
            {"nodes": 4, "rule": "left"},
        ),
        ("layer_integrated_gradients", {"nodes": 4}, "integrated_gradients", {"nodes": 4}),
    ]
    for name, parameters, peer, of_peer in pairs:
        start = {} if name == "layer_gradient_x_activation" else {"baseline": "blur:1"}
        found = method(name, layer="0", **parameters, **start).attribute(p)
        truth = method(peer, **of_peer, **start).attribute(p)
        for t in p.present:
            torch.testing.assert_close(found.values(t)[0], truth.values(t).sum(0), rtol=1e-9, atol=1e-13)
            if start:
                assert found.answers[t].checks["completeness_gap"] == pytest.approx(
                    truth.answers[t].checks["completeness_gap"], rel=1e-6, abs=1e-10
                )
            assert found.answers[t].score == pytest.approx(truth.answers[t].score, rel=1e-10)
    shap = {"draws": 5, "baselines": (START, "blur:1")}
    found = method("layer_gradient_shap", layer="0", channel=1, **shap).attribute(p)
    truth = method("expected_gradients", **shap).attribute(p)
    for t in p.present:
        torch.testing.assert_close(found.values(t)[0], truth.values(t)[1], rtol=1e-9, atol=1e-13)
    influence = method("internal_influence", layer="0", channel=1, nodes=4, baseline=START).attribute(p)
    integrated = method("integrated_gradients", nodes=4, baseline=START).attribute(p)
    for t in p.present:
        torch.testing.assert_close(
            influence.values(t)[0] * (p.image - START)[1], integrated.values(t)[1], rtol=1e-9, atol=1e-13
        )


@pytest.mark.parametrize("windows", WINDOWS)
@pytest.mark.parametrize("dims", [2, 3])
def test_conductance_of_squares_in_closed_form(dims, windows):
    """A = x², F = mean over the region of A² (both classes share it), so that ∫ 2A dA = x⁴ − b⁴ at each voxel.

    On every panel the midpoint rule misses (1/12) h² of the second derivative's mean, the left rule (1/2) h of the first
    one's: halving h quarters the gap of the one and halves that of the other.
    """
    head = (nn.Conv2d if dims == 2 else nn.Conv3d)(1, 2, 1)
    with torch.no_grad():
        head.weight[:] = torch.tensor([1.0, 1.0]).reshape(2, *(1,) * (dims + 1))
        head.bias[:] = torch.tensor([0.0, 1.0])
    net = nn.Sequential(Square(), Square(), head).double()
    p = Problem(
        Model(net, spatial_dims=dims, windows=WINDOWS[windows]),
        random_case(SHAPES[dims]),
        "1",
        dtype=torch.float64,
    )
    truth = (p.image**4 - START**4) / p.image.numel()  # class 1 wins everywhere
    gaps = {}
    for rule in ("midpoint", "left"):
        for nodes in (16, 32):
            found = method("layer_conductance", layer="0", nodes=nodes, baseline=START, rule=rule).attribute(
                p
            )
            gaps[rule, nodes] = found.answers[0].checks["completeness_gap"]
            error = float((found.values(0) - truth).abs().max() / truth.abs().max())
            assert error < (0.01 if rule == "midpoint" else 0.2)
    assert gaps["midpoint", 32] / gaps["midpoint", 16] == pytest.approx(0.25, rel=0.02)
    assert gaps["left", 32] / gaps["left", 16] == pytest.approx(0.5, rel=0.05)
    # A² is a quadratic, whose derivative Gauss and Legendre integrate exactly with one node
    exact = method("layer_integrated_gradients", layer="0", nodes=1, baseline=START).attribute(p)
    torch.testing.assert_close(exact.values(0), truth, rtol=1e-10, atol=1e-13)
    assert exact.answers[0].checks["completeness_gap"] < 1e-10


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("score", ["logit", "probability"])
def test_batches_and_disk_do_not_change_the_maps(score, batch, tmp_path):
    def problem(**kwargs):
        dims = 3 if score == "logit" else 2
        model = Model(smooth_segmenter(dims).double(), windows=WINDOWS["windows"])
        targets = AllClasses(background=True, score=score)
        return Problem(model, random_case((8, 9, 7)[:dims]), targets, dtype=torch.float64, **kwargs)

    for name, parameters in EVERY.items():
        chosen = method(name, layer="0", **parameters)
        truth = chosen.attribute(problem())
        found = chosen.attribute(problem(batch=batch, memory=0, scratch=tmp_path))
        assert found.maps.on_disk
        for t in range(3):
            torch.testing.assert_close(found.values(t), truth.values(t), rtol=1e-10, atol=1e-14)
            assert found.answers[t].checks == pytest.approx(truth.answers[t].checks, rel=1e-6, abs=1e-10)


def test_activations_beside_a_draw_are_kept_as_long_as_they_are_needed_and_no_longer():
    p = seen_from_the_input(2, "segmentation", "windows")
    tour = layer_tour.Tour(sampler=[0, 1, 2], needs=[(0, 1), (1, 2), (2, 0)])
    assert tour.most_at_once() == 3  # 0 is wanted again at the end
    beside = layer_tour.Beside(p, tour, windows=2)
    assert beside.missing([(4, 0), (4, 1), (5, 0)]) == [(4, 0), (4, 1), (4, 2), (5, 0), (5, 1)]
    for pair in [(4, 0), (4, 1), (4, 2)]:
        beside.put(pair, torch.full((2, 3), float(10 * pair[0] + pair[1]), dtype=torch.float64))
    assert [float(a[0, 0]) for a in beside.get(4, 2)] == [42.0, 40.0]
    beside.release(4, 0)  # 0 and 1 are needed later
    assert beside.missing([(4, 0), (4, 1), (4, 2)]) == []
    beside.release(4, 1)
    assert beside.missing([(4, 0), (4, 2)]) == [(4, 1)]
    beside.put((5, 0), torch.zeros((2, 3), dtype=torch.float64))  # where 1 was
    assert [float(a[0, 0]) for a in beside.get(4, 2)] == [42.0, 40.0]


@pytest.mark.parametrize("score", ["logit", "probability"])
def test_what_is_laid_beside_the_draws_stays_within_its_count(score, monkeypatch):
    """Two panel ends per window under way: those of a batch, or of all windows where outputs are stitched first."""
    model = Model(smooth_segmenter(2).double(), windows=WINDOWS["windows"])
    targets = AllClasses(background=True, score=score)
    p = Problem(model, random_case((9, 12)), targets, batch=2, dtype=torch.float64)
    alive, put = [], layer_tour.Beside.put

    def counting(self, pair, activation):
        put(self, pair, activation)
        alive.append((self, len(self._slots)))
        stored = self._store[self._slots[pair]]
        assert stored.untyped_storage().nbytes() == activation.nbytes, "a view would hold the whole batch"

    monkeypatch.setattr(layer_tour.Beside, "put", counting)
    method("layer_conductance", layer="0", nodes=12, baseline=START).attribute(p)
    windows = len(p.plan)
    assert windows == 6
    assert max(count for _, count in alive) == (3 if score == "logit" else 2 * windows)
    assert all(not beside._slots for beside, _ in alive), "all is dropped in the end"


def fails_once(function, at):
    """The function, out of memory at its ``at``-th call."""
    calls = iter(range(10**9))

    def wrapped(*args, **kwargs):
        if next(calls) == at:
            raise torch.OutOfMemoryError("out of memory (injected)")
        return function(*args, **kwargs)

    return wrapped


@pytest.mark.parametrize("at", [0, 4])
@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("score", ["logit", "probability"])
def test_memory_that_runs_out_counts_nothing_twice(name, score, at, monkeypatch):
    def problem():
        model = Model(smooth_segmenter(2).double(), windows=WINDOWS["windows"])
        targets = AllClasses(background=True, score=score)
        return Problem(model, random_case((9, 12)), targets, batch=4, dtype=torch.float64)

    chosen = method(name, layer="0", **EVERY[name])
    truth = chosen.attribute(problem())
    owners = [(layer_visits.Visitor, "_backward"), (layers.LayerView, "_upsample")]
    if name == "neuron_gradient":
        owners = [(torch.autograd, "grad")]
    for owner, attribute in owners:
        with monkeypatch.context() as patch:
            patch.setattr(owner, attribute, fails_once(getattr(owner, attribute), at))
            found = chosen.attribute(problem())
        for t in range(3):
            torch.testing.assert_close(found.values(t), truth.values(t), rtol=1e-10, atol=1e-14)
            assert found.answers[t].score == pytest.approx(truth.answers[t].score, rel=1e-10)
            assert found.answers[t].checks == pytest.approx(truth.answers[t].checks, rel=1e-6, abs=1e-10)
            assert found.answers[t].note == truth.answers[t].note


@pytest.mark.parametrize("name", EVERY)
def test_the_network_is_as_it_was_also_after_a_failure(name, monkeypatch):
    net = smooth_segmenter(2).train()
    p = Problem(Model(net, windows=WINDOWS["windows"]), random_case((9, 12)), AllClasses(background=True))
    state = {k: v.clone() for k, v in net.state_dict().items()}

    def as_it_was():
        assert net.training and all(q.requires_grad and q.grad is None for q in net.parameters())
        assert all(torch.equal(v, state[k]) for k, v in net.state_dict().items())
        assert not any(m._forward_hooks or m._backward_hooks for m in net.modules())

    method(name, **EVERY[name]).attribute(p)
    as_it_was()
    wide = method(name, channel=99, **EVERY[name])
    with pytest.raises(InputError, match=r"found channel=99, expected 0 to 3: the layer has 4 feature maps"):
        wide.attribute(p)
    as_it_was()
    monkeypatch.setattr(net[2], "forward", lambda x: 1 / 0)
    with pytest.raises(ModelError, match="ZeroDivisionError"):
        method(name, **EVERY[name]).attribute(p)
    monkeypatch.undo()
    as_it_was()


@pytest.mark.parametrize("name", EVERY)
def test_what_cannot_be_asked_is_refused_in_one_line(name):
    p = Problem(Model(classifier(2)), random_case((8, 12)), ClassScore())
    with pytest.raises(ModelError, match="convolutional layer"):
        method(name, layer="6", **EVERY[name]).attribute(p)
    with pytest.raises(ModelError, match="has no such layer"):
        method(name, layer="nine", **EVERY[name]).attribute(p)
    with pytest.raises(InputError, match=f"{name}: found channel=-1"):
        method(name, channel=-1)


def test_parameters_are_checked_before_anything_runs():
    for name in FROM_BASELINE:
        with pytest.raises(InputError, match=f"{name}: found nodes=0"):
            method(name, nodes=0)
        with pytest.raises(InputError, match="baseline: found 'foo'"):
            method(name, baseline="foo")
    with pytest.raises(InputError, match="layer_conductance: found rule='right'"):
        method("layer_conductance", rule="right")
    with pytest.raises(InputError, match="layer_gradient_shap: found draws=1"):
        method("layer_gradient_shap", draws=1)
    with pytest.raises(InputError, match="neuron_gradient: found over='all'"):
        method("neuron_gradient", over="all")


class Unused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner, self.idle = smooth_segmenter(2), nn.Conv2d(1, 2, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.idle(x)
        return self.inner(x)


@pytest.mark.parametrize("name", [n for n in EVERY if n not in ("layer_activation", "neuron_gradient")])
def test_a_layer_that_the_output_does_not_hang_on_is_refused(name):
    p = Problem(Model(Unused()), random_case((9, 12)), AllClasses(background=True))
    with pytest.raises(ModelError, match="no gradient leads from the output"):
        method(name, layer="idle", **EVERY[name]).attribute(p)


def test_activations_are_shown_also_where_no_target_is():
    """The voxel lies in the first windows only."""

    def attribute(windows):
        model = Model(smooth_segmenter(2).double(), windows=windows)
        p = Problem(model, random_case((9, 20)), Voxel(index=(0, 0), class_name=1), dtype=torch.float64)
        assert len(p.plan.windows([0])) < len(p.plan)
        return p, method("layer_activation", layer="0").attribute(p).values(0)

    p, found = attribute(Windows(roi=9, overlap=0.5))
    truth = p.model.module[0](p.image[None]).mean(1).detach()
    # far from the windows' edges a convolution does not know of the windows; the last window ends at the image's edge
    assert truth.abs().min() > 1e-3
    torch.testing.assert_close(found[:, 1:-1, -3:-1], truth[:, 1:-1, -3:-1], rtol=1e-10, atol=1e-12)


def test_the_same_activation_for_every_target_and_said_so():
    p = Problem(
        Model(smooth_segmenter(2), windows=WINDOWS["windows"]), random_case((9, 12)), "all+background"
    )
    found = method("layer_activation").attribute(p)
    assert all(torch.equal(found.values(t), found.values(0)) for t in p.present)
    assert all("the same for every target" in a.note for a in found.answers)
    assert np.isfinite([a.score for a in found.answers]).all()


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("name", ["layer_conductance", "layer_integrated_gradients", "layer_deep_lift"])
def test_it_is_said_that_the_map_of_a_coarse_layer_has_another_sum_than_its_places(name, dims):
    torch.manual_seed(0)
    conv = {2: nn.Conv2d, 3: nn.Conv3d}[dims]
    net = nn.Sequential(conv(1, 4, 2, 2), nn.Tanh(), nn.Flatten(2), Mean(), nn.Linear(4, 3)).eval()
    p = Problem(Model(net, spatial_dims=dims), random_case((8,) * dims), ["predicted"])
    found = method(name, layer="0", baseline=0.0).attribute(p)
    answer, drawn = found.answers[0], float(found.values(0).sum())
    with torch.no_grad():
        x = p.image[None].float()
        difference = float((net(x) - net(0 * x))[0, p.targets[0].class_index])
    assert answer.checks["completeness_gap"] < 0.01
    assert drawn == pytest.approx(2**dims * difference, rel=0.2)
    said = [float(s) for s in re.search(r"own places, (\S+), not .* image, (\S+?)$", answer.note).groups()]
    assert said == pytest.approx([difference, drawn], rel=0.01)
    assert found.unit == "score per place of the layer"
    # as many places as voxels: nothing to say
    same = nn.Sequential(conv(1, 4, 1), *net[1:]).eval()
    p = Problem(Model(same, spatial_dims=dims), random_case((8,) * dims), ["predicted"])
    assert "own places" not in method(name, layer="0", baseline=0.0).attribute(p).answers[0].note


class Mean(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(-1)

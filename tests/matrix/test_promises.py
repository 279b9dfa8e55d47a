"""What a method declares about itself is true."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from matrix.exceptions import ASKED, UNSTABLE
from matrix.world import alike
from networks import InstanceNormSegmenter, random_case, self_explaining, smooth_segmenter
from small import SMALL
from torch import nn
from zoo.networks import ZOO

from voxplain.attribution import method, methods
from voxplain.attribution.attribution import Attribution
from voxplain.engine import Problem
from voxplain.errors import VoxplainError
from voxplain.model import Model, Windows
from voxplain.target import AllClasses
from voxplain.target.functional import SCORES

NAMES = sorted(methods())
FAMILIES = {"gradient", "backprop", "cam", "layer", "perturbation", "shapley", "synthesis"}
NEEDS = {"gradients", "hooks", "layer", "baseline", "regions", "channels", "evidence"}


def network(task: str, dims: int, channels: int = 2) -> nn.Module:
    """A network that all methods of its task explain: the classifier gives its own account, too."""
    return (self_explaining if task == "classification" else smooth_segmenter)(dims, channels)


def problem(
    task: str = "segmentation",
    dims: int = 2,
    *,
    net: nn.Module | None = None,
    seed: int = 0,
    score: str = "logit",
) -> Problem:
    net = network(task, dims) if net is None else net
    shape = (12, 10) if dims == 2 else (8, 9, 7)
    model = Model(net, spatial_dims=dims, channels_in=2)
    return Problem(model, random_case(shape, 2), AllClasses(background=True, score=score), seed=seed)


def ask(name: str, asked: Problem, **parameters: Any) -> Attribution:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return method(name, **{**SMALL.get(name, {}), **parameters}).attribute(asked)


def supported(name: str) -> tuple[str, int]:
    """A task and a number of dimensions that the method takes."""
    kind = methods()[name]
    task = "segmentation" if "segmentation" in kind.tasks else kind.tasks[0]
    return task, kind.spatial_dims[0]


def maps(found: Attribution) -> list[np.ndarray]:
    return [found.values(t).numpy() for t, a in enumerate(found.answers) if a.status == "ok"]


@pytest.mark.parametrize("name", NAMES)
def test_declarations_are_complete(name: str) -> None:
    kind = methods()[name]
    assert kind.name == name
    assert kind.family in FAMILIES
    assert kind.title
    assert kind.reads
    assert any(c.isdigit() for c in kind.source), "the source names a year"
    assert set(kind.needs) <= NEEDS
    assert kind.answer in ("map", "map of the layer", "image")
    assert set(kind.scores) <= set(SCORES)
    assert kind.scores
    assert kind.tasks
    assert set(kind.spatial_dims) <= {2, 3}
    fields = {f.name for f in dataclasses.fields(kind)}
    assert "layer" not in kind.needs or "layer" in fields
    assert "baseline" not in kind.needs or fields & {"baseline", "baselines"}


def test_titles_are_unique() -> None:
    titles = [kind.title for kind in methods().values()]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("name", NAMES)
def test_only_random_methods_depend_on_the_seed_and_all_repeat_with_it(name: str) -> None:
    """On a deep network: behind the last nonlinearity even a random path has the same gradient everywhere."""
    task, _ = supported(name)
    entry = ZOO["unet" if task == "segmentation" else "gp_unet"]
    shape = entry.shapes[2]
    model = Model(entry.make(2, 0), spatial_dims=2)
    first, again, other = (
        maps(
            ask(name, Problem(model, entry.case(shape), entry.targets(shape), seed=s), **ASKED.get(name, {}))
        )
        for s in (5, 5, 6)
    )
    assert first
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    same = len(first) == len(other) and all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    assert same != methods()[name].random


@pytest.mark.parametrize("name", NAMES)
def test_global_randomness_is_neither_used_nor_moved(name: str) -> None:
    task, dims = supported(name)
    found = []
    for seed in (1, 2):
        asked = problem(task, dims)
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002  the global state is what is tested
        before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
        found.append(maps(ask(name, asked)))
        assert torch.equal(torch.get_rng_state(), before[0])
        assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert all(np.array_equal(a, b) for a, b in zip(*found, strict=True))


class WaysRound(nn.Module):
    """A deep layer, and a skip connection around it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.down, self.up = nn.Conv2d(2, 4, 3, stride=2, padding=1), nn.Upsample(scale_factor=2)
        self.last = nn.Conv2d(6, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.cat([self.up(torch.tanh(self.down(x))), torch.tanh(x)], 1))


class TokensFirst(nn.Module):
    """Lays voxels along the first axis, as transformers for sequences do."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Conv2d(2, 4, 3, padding=1), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = torch.relu(self.first(x)).flatten(2).permute(2, 0, 1)
        return self.last(tokens).permute(1, 2, 0).reshape(len(x), 3, *x.shape[2:])


def over_windows() -> Problem:
    model = Model(TokensFirst(), spatial_dims=2, windows=Windows(roi=(5, 5), overlap=0.2))
    return Problem(model, random_case((13, 9), 2), AllClasses(background=True), batch=4)


# checks that do not come with every answer: when they come, and when they do not (parameters; problems)
SOMETIMES: dict[tuple[str, str], tuple[Any, Any]] = {
    ("kernel_shap", "agreement"): ({"size": 4, "samples": 64}, {"size": 6, "samples": 64}),
    ("shapley_sampling", "agreement"): ({"permutations": 4}, {"permutations": 2}),
    ("feature_permutation", "agreement"): ({"draws": 2}, {"donors": (0.0,)}),
    ("deep_lift_shap", "agreement"): ({"baselines": (0.0, 1.0)}, {"baselines": (0.0,)}),
    ("layer_conductance", "completeness_gap"): (problem, lambda: problem(net=WaysRound())),
    ("layer_deep_lift", "completeness_gap"): (problem, lambda: problem(net=WaysRound())),
    ("lrp", "completeness_gap"): (problem, over_windows),
    ("excitation_backprop", "completeness_gap"): (problem, over_windows),
    ("contrastive_excitation_backprop", "completeness_gap"): (problem, over_windows),
}


def given(found: Attribution) -> list[set[str]]:
    return [set(a.checks) for a in found.answers if a.status == "ok"]


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_carries_the_declared_checks_and_no_others(name: str) -> None:
    kind = methods()[name]
    assert set(kind.trust_where) <= set(kind.trust)
    task, dims = supported(name)
    shares = {"channel 0", "channel 1"} if name == "contrast_shapley" else set()  # they are its answer
    found = given(ask(name, problem(task, dims)))
    assert found
    for checks in found:
        assert set(kind.trust) - set(kind.trust_where) <= checks <= set(kind.trust) | shares


def test_every_check_that_is_not_always_there_is_declared_so() -> None:
    assert {(n, c) for n in NAMES for c in methods()[n].trust_where} == set(SOMETIMES)


@pytest.mark.parametrize(("name", "check"), SOMETIMES)
def test_a_check_is_missing_just_where_it_is_said_to_be(name: str, check: str) -> None:
    for asked, is_there in zip(SOMETIMES[name, check], (True, False), strict=True):
        found = ask(name, problem(), **asked) if isinstance(asked, dict) else ask(name, asked())
        assert given(found)
        for checks, answer in zip(given(found), found.answers, strict=True):
            assert checks == set(methods()[name].trust) - (set() if is_there else {check})
            assert is_there or answer.note


@pytest.mark.parametrize("name", [n for n in NAMES if not methods()[n].signed])
@pytest.mark.parametrize("net", [InstanceNormSegmenter, None], ids=["relu", "smooth"])
def test_methods_without_sign_have_no_negative_value(name: str, net: type[nn.Module] | None) -> None:
    if net is None:
        found = maps(ask(name, problem(*supported(name))))
    else:
        model = Model(net(2), spatial_dims=2)
        found = maps(ask(name, Problem(model, random_case((12, 10)), AllClasses(background=True))))
    assert all(m.min() >= 0 for m in found)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("name", NAMES)
def test_declared_scores_are_explained_and_others_refused(name: str, score: str) -> None:
    task, dims = supported(name)
    asked = problem(task, dims, score=score)
    if score in methods()[name].scores:
        assert maps(ask(name, asked))
    else:
        with pytest.raises(VoxplainError, match=f"method {name}: .*{score}"):
            ask(name, asked)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("task", ["classification", "segmentation"])
@pytest.mark.parametrize("name", NAMES)
def test_declared_tasks_and_dimensions_are_explained_and_others_refused(
    name: str, task: str, dims: int
) -> None:
    kind, asked = methods()[name], problem(task, dims)
    if task in kind.tasks and dims in kind.spatial_dims:
        assert maps(ask(name, asked))
    else:
        with pytest.raises(VoxplainError, match=f"method {name}: .*it supports"):
            ask(name, asked)


@pytest.mark.parametrize("name", NAMES)
def test_methods_that_need_no_hooks_explain_a_traced_network_and_the_others_refuse(name: str) -> None:
    task, dims = supported(name)
    shape = (1, 2, 12, 10) if dims == 2 else (1, 2, 8, 9, 7)
    traced = torch.jit.trace(network(task, dims), torch.rand(shape))
    asked = problem(task, dims, net=traced)
    if {"hooks", "layer", "evidence"} & set(methods()[name].needs):
        with pytest.raises(VoxplainError, match=r"hooks|has no explain\(x\)"):
            ask(name, asked)
        return
    plain = maps(ask(name, problem(task, dims)))
    for a, b in zip(maps(ask(name, asked)), plain, strict=True):
        # rounding differs, and optimisation lets it grow
        least = 0.9 if name in UNSTABLE else 0.9999
        assert alike(torch.from_numpy(a), torch.from_numpy(b)) > least


@pytest.mark.parametrize("name", NAMES)
def test_methods_that_need_no_gradients_take_none(name: str) -> None:
    task, dims = supported(name)
    paid = ask(name, problem(task, dims)).passes
    assert (paid.backward > 0) == ("gradients" in methods()[name].needs)


@pytest.mark.parametrize("name", NAMES)
def test_one_channel_is_enough_unless_channels_are_needed(name: str) -> None:
    _, dims = supported(name)
    net = network(supported(name)[0], dims, 1)
    shape = (12, 10) if dims == 2 else (8, 9, 7)
    asked = Problem(Model(net, spatial_dims=dims), random_case(shape), AllClasses(background=True))
    if "channels" in methods()[name].needs:
        with pytest.raises(VoxplainError, match="one channel"):
            ask(name, asked)
    else:
        assert maps(ask(name, asked))

"""Axioms that every attribution has to meet, on networks whose truth is known in closed form."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from networks import classifier, random_case, smooth_segmenter
from torch import nn

from voxplain.attribution import method, methods
from voxplain.case import Case
from voxplain.engine import Problem
from voxplain.errors import InputError, TargetError
from voxplain.model import Model, Windows
from voxplain.target import AllClasses, ClassScore, PredictedRegion, Voxel

SHAPES = {2: (7, 8), 3: (5, 6, 4)}
# every method whose map has the input's channels
PER_CHANNEL = {
    "gradient": {},
    "input_x_gradient": {},
    "integrated_gradients": {"nodes": 3, "baseline": 0.3},
    "smoothgrad": {"draws": 2},
    "smoothgrad_squared": {"draws": 2},
    "vargrad": {"draws": 2},
    "expected_gradients": {"draws": 2},
    "feature_ablation": {"size": 3, "baseline": 0.3},
    "guided_ig": {"steps": 3, "baseline": 0.3},
    "blur_ig": {"nodes": 3},
    "noise_tunnel": {"of": "gradient", "draws": 2},
    "guided_backprop": {},
    "deconvolution": {},
    "guided_grad_cam": {"layer": "0"},
    "deep_lift": {"baseline": 0.3},
    "deep_lift_shap": {"baselines": (0.3, "blur")},
    # the flat rule of the default gives channels alike what none of them did
    "lrp": {"rule": "epsilon", "bias": "absorb"},
    "neuron_gradient": {},
    "layer_activation_guided_backprop": {},
}
PER_VOXEL = {
    "grad_cam": {"layer": "0"},
    "grad_cam_pp": {"layer": "0"},
    "hires_cam": {"layer": "0"},
    "layer_cam": {"layer": "0"},
    "xgrad_cam": {"layer": "0"},
    "eigen_cam": {"layer": "0"},
    "eigen_grad_cam": {"layer": "0"},
    "score_cam": {"layer": "0"},
    "ablation_cam": {"layer": "0"},
    # per channel, but a class that nothing excites has an empty map
    "excitation_backprop": {},
    "contrastive_excitation_backprop": {},
    "occlusion": {"size": 2},
    "feature_permutation": {"size": 4, "draws": 2},
    "rise": {"draws": 8, "cells": 4},
    "lime": {"size": 3, "samples": 40},
    "extremal_perturbation": {"areas": 0.2, "steps": 3, "width": 2.0},
    "kernel_shap": {"size": 4},
    "shapley_sampling": {"size": 4, "permutations": 4},
    "layer_activation": {"layer": "0"},
    "layer_gradient_x_activation": {"layer": "0"},
    "internal_influence": {"layer": "0", "nodes": 2},
    "layer_conductance": {"layer": "0", "nodes": 2},
    "layer_integrated_gradients": {"layer": "0", "nodes": 2},
    "layer_gradient_shap": {"layer": "0", "draws": 2},
    "layer_deep_lift": {"layer": "0"},
}
# Images that are made, not maps of the given one; shares of whole channels, of which these cases have one; and what
# networks say of themselves, which these do not.
ELSEWHERE = {"activation_maximization", "deep_dream", "contrast_shapley", "evidence"}
NETWORKS = {"classification": classifier, "segmentation": smooth_segmenter}


def make(dims, task, channels=1, **windows):
    net = NETWORKS[task](dims, channels).double()
    return Model(net, spatial_dims=dims, windows=Windows(**windows))


def test_every_method_is_tested_here():
    assert set(methods()) == set(PER_CHANNEL) | set(PER_VOXEL) | ELSEWHERE


@pytest.mark.parametrize("task", NETWORKS)
@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("name", PER_CHANNEL)
def test_a_channel_that_the_network_ignores_gets_exactly_zero(name, dims, task):
    model = make(dims, task, channels=2)
    with torch.no_grad():
        model.module[0].weight[:, 1] = 0
    p = Problem(model, random_case(SHAPES[dims], 2), AllClasses(background=True), dtype=torch.float64)
    found = method(name, **PER_CHANNEL[name]).attribute(p)
    for t in p.present:
        assert not found.values(t)[1].any()
        assert found.values(t)[0].any()


@pytest.mark.parametrize("task", NETWORKS)
@pytest.mark.parametrize("name", [*PER_CHANNEL, "occlusion"])
def test_a_score_that_ignores_the_image_has_status_zero(name, task):
    model = make(2, task)
    with torch.no_grad():
        model.module[0].weight.zero_()
    p = Problem(model, random_case((7, 8)), AllClasses(background=True))
    found = method(name, **PER_CHANNEL.get(name, {"size": 3})).attribute(p)
    assert {a.status for a in found.answers} == {"zero"}
    assert all("zero to rounding" in a.note for a in found.answers)
    assert not found.map(0).any()


class Linear(nn.Module):
    """F_k = Σ w_k ⊙ x + b_k: a classifier whose every attribution is known."""

    def __init__(self, shape):
        super().__init__()
        torch.manual_seed(3)
        self.weight = nn.Parameter(torch.randn(3, *shape))
        self.bias = nn.Parameter(torch.randn(3))

    def forward(self, x):
        return x.flatten(1) @ self.weight.flatten(1).T + self.bias


def linear(dims, channels):
    shape = SHAPES[dims]
    net = Linear((channels, *shape)).double()
    model = Model(net, spatial_dims=dims, channels_in=channels, fixed_shape=shape, windows=Windows())
    p = Problem(model, random_case(shape, channels), AllClasses(), dtype=torch.float64)
    return p, net.weight.detach()


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("dims", [2, 3])
def test_linear_network_in_closed_form(dims, channels):
    p, weights = linear(dims, channels)
    low = p.image.flatten(1).amin(1).reshape(-1, *(1,) * dims)
    truth = {
        ("gradient",): lambda w: w,
        ("input_x_gradient",): lambda w: w * p.image,
        ("integrated_gradients", 1): lambda w: w * (p.image - low),
        ("smoothgrad", 4): lambda w: w,
        ("smoothgrad_squared", 4): lambda w: w**2,
    }
    for (name, *count), formula in truth.items():
        extra = {"nodes": 1, "baseline": "minimum"} if count == [1] else {"draws": 4} if count else {}
        found = method(name, **extra).attribute(p)
        for t in range(3):
            torch.testing.assert_close(found.values(t), formula(weights[t]), rtol=1e-10, atol=1e-12)
    varied = method("vargrad", draws=4).attribute(p)
    assert all(float(varied.values(t).abs().max()) < 1e-12 for t in range(3)), (
        "a linear gradient does not vary"
    )
    hidden = method("occlusion", size=1, baseline=0.5).attribute(p)
    for t in range(3):  # one voxel at a time, all channels together
        torch.testing.assert_close(
            hidden.values(t)[0], (weights[t] * (p.image - 0.5)).sum(0), rtol=1e-9, atol=1e-12
        )


@pytest.mark.parametrize("name", PER_CHANNEL)
def test_channels_that_the_network_treats_alike_get_the_same_map(name):
    """f(a, b) = f(b, a) for this network, and both channels hold the same values."""
    model = make(2, "segmentation", channels=2)
    with torch.no_grad():
        model.module[0].weight[:, 1] = model.module[0].weight[:, 0]
    case = random_case((7, 8))
    case = Case("twice", np.repeat(case.image, 2, axis=0))
    p = Problem(model, case, AllClasses(background=True), dtype=torch.float64)
    found = method(name, **PER_CHANNEL[name]).attribute(p)
    for t in p.present:
        torch.testing.assert_close(found.values(t)[0], found.values(t)[1], rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", ["gradient", "integrated_gradients", "smoothgrad", "occlusion"])
@pytest.mark.parametrize("dims", [2, 3])
def test_what_the_score_cannot_see_gets_zero(dims, name):
    """The receptive field of two 3-convolutions reaches 2 voxels."""
    shape = (16, 9) if dims == 2 else (16, 7, 6)
    corner = (1,) * dims
    p = Problem(
        make(dims, "segmentation", roi=8, overlap=0.5),
        random_case(shape),
        Voxel(index=corner, class_name=1),
        dtype=torch.float64,
    )
    parameters = {"occlusion": {"size": 1}, "smoothgrad": {"draws": 2}, "integrated_gradients": {"nodes": 2}}
    found = method(name, **parameters.get(name, {})).attribute(p).values(0).abs().sum(0)
    near = tuple(slice(0, 4) for _ in range(dims))
    assert (found[near] > 0).all()
    found[near] = 0
    assert not found.any()


@pytest.mark.parametrize("name", [*PER_CHANNEL, *PER_VOXEL])
@pytest.mark.parametrize("task", NETWORKS)
def test_same_seed_same_map_and_the_answer_says_what_it_cost(name, task):
    parameters = {**PER_CHANNEL, **PER_VOXEL}[name]
    target = ClassScore() if task == "classification" else PredictedRegion(class_name=1)
    maps = []
    for _ in range(2):
        p = Problem(make(2, task), random_case((7, 8)), target, seed=5)
        before = p.passes.copy()
        found = method(name, **parameters).attribute(p)
        maps.append(found.map())
        assert found.passes == p.passes - before
        row = found.rows()[0]
        assert row["status"] == "ok" and row["forward_passes"] == found.passes.forward > 0
        assert row["seed"] == 5 and row["method"] == name and row["seconds"] > 0 and row["peak_memory_mb"] > 0
    assert np.array_equal(*maps)
    if "draws" in parameters:
        p = Problem(make(2, task), random_case((7, 8)), target, seed=6)
        assert not np.array_equal(method(name, **parameters).attribute(p).map(), maps[0])


def test_methods_and_parameters_suggest_what_was_meant():
    with pytest.raises(InputError, match="did you mean 'integrated_gradients'"):
        method("integrated_gradient")
    with pytest.raises(InputError, match="did you mean 'draws'"):
        method("smoothgrad", drwas=3)
    p = Problem(make(2, "segmentation"), random_case((7, 8)), PredictedRegion(class_name=1))
    with pytest.raises(TargetError, match="did you mean 'class-1'"):
        method("gradient").attribute(p).map("clas-1")


def test_only_warned_about_when_there_is_something_to_warn_about():
    p = Problem(make(2, "segmentation"), random_case((7, 8)), PredictedRegion(class_name=1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # which there is for Softplus: guided backpropagation is published for ReLU only
        warnings.filterwarnings("ignore", message=".*published for ReLU only")
        for name, parameters in {**PER_CHANNEL, **PER_VOXEL}.items():
            method(name, **parameters).attribute(p)

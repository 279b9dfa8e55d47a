"""Layer methods give Captum's numbers wherever Captum can be asked, and the right ones where it is wrong."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from captum.attr import (
    InternalInfluence,
    LayerActivation,
    LayerConductance,
    LayerGradientXActivation,
    LayerIntegratedGradients,
    NeuronGradient,
)
from captum.attr._core.layer.layer_gradient_shap import LayerInputBaselineXGradient
from networks import conv, random_case
from peers import SETUPS, Scores, ask, build
from stitched_layers import MODE, setup
from torch import nn
from torch.nn import functional as F

from voxplain.attribution import Blur, method
from voxplain.attribution.gradient.expected_gradients import stratified
from voxplain.engine import Problem
from voxplain.model import Model, Windows
from voxplain.target import AllClasses

pytestmark = [
    pytest.mark.filterwarnings("ignore:Input Tensor 0 did not"),
    pytest.mark.filterwarnings("ignore:a constant baseline on a network with"),
]
CLOSE = {"rtol": 1e-5, "atol": 1e-10}  # Captum's quadrature weights are float32
START = -0.4


def layers_of(setup):
    """A layer at the image's resolution, and for the classifier a coarse one."""
    return ("0", "3") if setup[1] == "classification" else ("0",)


def picture(truth, problem, channel=None):
    """Captum's (1, F, *s), summed over the features or one of them, on the image's grid: (1, *spatial)."""
    coarse = truth[:, None].sum(2) if channel is None else truth[:, channel : channel + 1]
    size = problem.spatial_shape
    return F.interpolate(coarse, size=size, mode=MODE[len(size)], align_corners=False)[0].detach()


def same(found, problem, truths, **kwargs):
    for t, truth in enumerate(truths):
        assert truth.abs().max() > 1e-8
        torch.testing.assert_close(found.values(t), picture(truth, problem, **kwargs), **CLOSE)


@pytest.mark.parametrize("setup", SETUPS)
def test_activation_and_gradient_x_activation_are_captums(setup):
    problem, net = build(setup)
    for layer in layers_of(setup):
        module, x = net.net.get_submodule(layer), problem.image[None]
        activation = LayerActivation(net, module).attribute(x)
        found = method("layer_activation", layer=layer).attribute(problem)
        same(found, problem, [activation / activation.shape[1]] * 3)
        same(
            method("layer_activation", layer=layer, channel=1).attribute(problem),
            problem,
            [activation],
            channel=1,
        )
        truths = [LayerGradientXActivation(net, module).attribute(x, target=t) for t in range(3)]
        name = "layer_gradient_x_activation"
        same(method(name, layer=layer).attribute(problem), problem, truths)
        same(method(name, layer=layer, channel=2).attribute(problem), problem, truths, channel=2)


@pytest.mark.parametrize("setup", SETUPS)
def test_internal_influence_is_captums(setup):
    problem, net = build(setup)
    for layer in layers_of(setup):
        peer = InternalInfluence(net, net.net.get_submodule(layer))
        truths = [
            peer.attribute(problem.image[None], baselines=START, target=t, n_steps=5, method="gausslegendre")
            for t in range(3)
        ]
        found = method("internal_influence", layer=layer, nodes=5, baseline=START).attribute(problem)
        same(found, problem, truths)


@pytest.mark.parametrize("setup", SETUPS)
def test_conductance_is_captums_where_captums_nodes_reach_both_ends(setup):
    """Its trapezoid has the nodes 0, 1/n ... 1, and every method takes the gradient at the left of two nodes."""
    problem, net = build(setup)
    for layer in layers_of(setup):
        peer = LayerConductance(net, net.net.get_submodule(layer))
        ask_peer = {"baselines": START, "n_steps": 6, "method": "riemann_trapezoid"}
        truths = [peer.attribute(problem.image[None], target=t, **ask_peer) for t in range(3)]
        settings = {"layer": layer, "nodes": 6, "baseline": START, "rule": "left"}
        same(method("layer_conductance", **settings).attribute(problem), problem, truths)
        one = method("layer_conductance", **settings, channel=3).attribute(problem)
        same(one, problem, truths, channel=3)


@pytest.mark.parametrize("setup", SETUPS)
def test_conductance_is_complete_where_captums_default_is_not(setup):
    """Captum's default nodes leave out both ends of the path, and its gradients lag behind by half a step."""
    problem, net = build(setup)
    x = problem.image[None]
    ends = net(torch.cat([x, torch.full_like(x, START)])).detach()
    for layer in layers_of(setup):
        peer = LayerConductance(net, net.net.get_submodule(layer))
        found = method("layer_conductance", layer=layer, nodes=16, baseline=START).attribute(problem)
        for t in range(3):
            difference = float(ends[0, t] - ends[1, t])
            captums = peer.attribute(x, baselines=START, target=t, n_steps=16).sum().detach()
            gap = found.answers[t].checks["completeness_gap"]
            assert gap < 2e-3
            assert gap < 0.25 * abs(float(captums) - difference) / abs(difference)


@pytest.mark.parametrize("setup", SETUPS)
def test_layer_integrated_gradients_are_captums(setup):
    problem, net = build(setup)
    for layer in layers_of(setup):
        peer = LayerIntegratedGradients(net, net.net.get_submodule(layer))
        asked = {"baselines": torch.full_like(problem.image[None], START), "n_steps": 5}
        truths = [peer.attribute(problem.image[None], target=t, **asked) for t in range(3)]
        settings = {"layer": layer, "nodes": 5, "baseline": START}
        same(method("layer_integrated_gradients", **settings).attribute(problem), problem, truths)
        one = method("layer_integrated_gradients", **settings, channel=0).attribute(problem)
        same(one, problem, truths, channel=0)


@pytest.mark.parametrize("setup", SETUPS)
def test_gradient_shap_is_captums_with_the_same_draws(setup, monkeypatch):
    """Captum's step for one draw runs as it is; only its random number is replaced by voxplain's."""
    problem, net = build(setup, seed=4)
    positions, choices = stratified(4, 2, np.random.default_rng(4))
    x = problem.image[None]
    starts = [torch.full_like(x, START), torch.full_like(x, 0.3)]
    for layer in layers_of(setup):
        peer = LayerInputBaselineXGradient(net, net.net.get_submodule(layer))
        truths = []
        for t in range(3):
            total = 0.0
            for position, choice in zip(positions, choices, strict=True):
                monkeypatch.setattr(np.random, "uniform", lambda *_, p=position: np.array([p]))
                total = total + peer.attribute(x, starts[choice], target=t)
            truths.append(total / 4)
        found = method("layer_gradient_shap", layer=layer, draws=4, baselines=(START, 0.3)).attribute(problem)
        same(found, problem, truths)


@pytest.mark.parametrize("setup", SETUPS)
def test_neuron_gradient_is_captums(setup):
    problem, net = build(setup)
    for layer in layers_of(setup):
        peer = NeuronGradient(net, net.net.get_submodule(layer))
        for channel in (None, 2):
            found = method("neuron_gradient", layer=layer, channel=channel).attribute(problem)
            for t in range(3):

                def mean(a, t=t, channel=channel):
                    feature = a.mean(1) if channel is None else a[:, channel]
                    if net.masks is None:
                        return feature.flatten(1).mean(1)
                    return (feature * net.masks[t]).flatten(1).sum(1) / net.masks[t].sum()

                truth = peer.attribute(problem.image[None], mean)[0]
                assert truth.abs().max() > 1e-6
                torch.testing.assert_close(found.values(t), truth, **CLOSE)


class Addition(nn.Module):
    """A residual block; as nnU-Net and transformers have it, the layer's output is added to where it lies."""

    def __init__(self, dims: int, in_place: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        make = conv(dims)
        self.first, self.second = make(1, 4, 3, padding=1), make(4, 4, 3, padding=1)
        self.act, self.head, self.in_place = nn.Tanh(), make(4, 3, 1, bias=False), in_place

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = self.act(self.first(x))
        b = self.second(a)
        if self.in_place:
            b += a
        else:
            b = b + a
        return self.head(torch.tanh(b))


LAYER_METHODS = {
    "layer_activation": {},
    "layer_gradient_x_activation": {},
    "internal_influence": {"nodes": 3, "baseline": START},
    "layer_conductance": {"nodes": 3, "baseline": START},
    "layer_integrated_gradients": {"nodes": 3, "baseline": START},
    "layer_gradient_shap": {"draws": 3, "baselines": (START,)},
    "neuron_gradient": {},
}


@pytest.mark.parametrize("dims", [2, 3])
def test_a_layer_that_feeds_an_in_place_addition_is_itself(dims):
    """Captum's layer integrated gradients stop there; the other numbers are those of the network without it."""
    case = random_case((6, 8, 5)[:dims])

    def problem(*, in_place):
        net = Addition(dims, in_place).double().requires_grad_(False)
        model = Model(net, spatial_dims=dims)
        return Problem(model, case, AllClasses(background=True), dtype=torch.float64)

    there, apart = problem(in_place=True), problem(in_place=False)
    for name, parameters in LAYER_METHODS.items():
        chosen = method(name, layer="second", **parameters)
        found, truth = chosen.attribute(there), chosen.attribute(apart)
        for t in range(3):
            assert truth.values(t).abs().max() > 1e-8
            torch.testing.assert_close(found.values(t), truth.values(t), rtol=1e-10, atol=1e-14)
    for asked, fails in ((there, True), (apart, False)):
        net = asked.model.module
        peer, x = LayerIntegratedGradients(ask(net, asked), net.second), asked.image[None]
        settings = {"baselines": torch.full_like(x, START), "target": 1, "n_steps": 3}
        if fails:
            with pytest.raises(RuntimeError, match="in-place"):
                peer.attribute(x, **settings)
            continue
        found = method("layer_integrated_gradients", layer="second", nodes=3, baseline=START).attribute(there)
        torch.testing.assert_close(found.values(1), picture(peer.attribute(x, **settings), asked), **CLOSE)


@pytest.mark.parametrize("shape", [(8, 12), (6, 8, 4)])
def test_captum_measures_a_layer_with_a_way_round_against_what_it_cannot_explain(shape):
    """Its delta is against F(x) − F(b), although the skip connection keeps the image's features all the way."""
    problem, _, layer = setup(shape, Windows())
    net = problem.model.module
    z = net(problem.image[None])[0]
    scores = Scores(net, [z.argmax(0) == c for c in range(3)])
    peer = LayerIntegratedGradients(scores, net.get_submodule(layer))
    found = method("layer_integrated_gradients", layer=layer, nodes=64, baseline="blur:1").attribute(problem)
    start = Blur(1.0)(problem)[None]
    for t in range(3):
        truth, delta = peer.attribute(
            problem.image[None],
            baselines=start,
            target=t,
            n_steps=64,
            return_convergence_delta=True,
        )
        torch.testing.assert_close(found.values(t), picture(truth, problem), rtol=1e-4, atol=1e-9)
        ends = scores(torch.cat([problem.image[None], start]))[:, t]
        assert abs(float(delta)) > 0.05 * abs(float(ends[0] - ends[1]))
        assert found.answers[t].checks["completeness_gap"] < 0.01  # kinks of ReLU

"""Layer methods over sliding windows against autograd through all windows at once, formulas written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from stitched_layers import scores, setup

from voxplain.attribution import method
from voxplain.attribution.baseline import Blur, Constant
from voxplain.attribution.gradient.expected_gradients import stratified
from voxplain.model import Windows

pytestmark = pytest.mark.filterwarnings("ignore:a constant baseline on a network with")
LAYOUTS = [
    pytest.param((10, 13), Windows(roi=(6, 8), overlap=0.25, blend="gaussian"), id="2d-gaussian"),
    pytest.param((8, 12), Windows(), id="2d-whole"),
    pytest.param((5, 12), Windows(roi=8, overlap=0.3, padding="reflect"), id="2d-reflect"),
    pytest.param((6, 9, 7), Windows(roi=(6, 6, 4), overlap=0.5), id="3d-constant"),
    pytest.param(
        (5, 8, 11), Windows(roi=8, overlap=0.25, blend="gaussian", padding_value=-0.7), id="3d-padded"
    ),
]
SCORES = ["logit", "margin", "log_probability", "probability"]
CASES = [
    pytest.param(*layout.values, score, id=f"{layout.id}-{score}")
    for layout in LAYOUTS
    for score in (SCORES if layout.id in ("2d-gaussian", "3d-constant") else ("logit", "probability"))
]
START = -0.4


def gradients_at(stitch, x, clean, score, instead=None):
    """Per target the gradients at every window's layer, these layers' values, and the scores."""
    leaf = x.clone().requires_grad_()
    z, layers = stitch.run(leaf, instead)
    value = scores(z, clean, score)
    found = [torch.autograd.grad(v, layers, retain_graph=True) for v in value]
    return found, [a.detach() for a in layers], value.detach()


def together(stitch, shares, targets=3):
    """Maps (1, *shape) and totals of per-target, per-window shares (F, *s)."""
    maps = [stitch.paint([s.sum(0) for s in shares[t]], weighted=False) for t in range(targets)]
    return maps, [sum(float(s.sum()) for s in shares[t]) for t in range(targets)]


def compare(found, maps, least=1e-7):
    for t, truth in enumerate(maps):
        assert truth.abs().max() > least
        torch.testing.assert_close(found.values(t), truth, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize(("shape", "windows"), LAYOUTS)
def test_layer_activation_blends_the_feature_maps_of_all_windows(shape, windows):
    problem, stitch, layer = setup(shape, windows)
    _, layers = stitch.run(problem.image)
    for channel, pick in ((None, lambda a: a.mean(0)), (4, lambda a: a[4])):
        found = method("layer_activation", layer=layer, channel=channel).attribute(problem)
        compare(found, [stitch.paint([pick(a) for a in layers], weighted=True)] * 3)


@pytest.mark.parametrize(("shape", "windows", "score"), CASES)
def test_gradient_x_activation_is_of_the_stitched_score(shape, windows, score):
    problem, stitch, layer = setup(shape, windows, score)
    clean = stitch.run(problem.image)[0].detach()
    gradients, layers, value = gradients_at(stitch, problem.image, clean, score)
    found = method("layer_gradient_x_activation", layer=layer).attribute(problem)
    shares = [[a * g for a, g in zip(layers, gradients[t], strict=True)] for t in range(3)]
    compare(found, together(stitch, shares)[0])
    one = method("layer_gradient_x_activation", layer=layer, channel=2).attribute(problem)
    compare(one, [stitch.paint([s[2] for s in shares[t]], weighted=False) for t in range(3)])
    assert [a.score for a in found.answers] == pytest.approx(value.tolist(), rel=1e-10)


@pytest.mark.parametrize(("shape", "windows", "score"), CASES)
def test_internal_influence_is_the_mean_gradient_on_the_path(shape, windows, score):
    problem, stitch, layer = setup(shape, windows, score)
    clean = stitch.run(problem.image)[0].detach()
    points, weights = np.polynomial.legendre.leggauss(3)
    shares = [[0.0] * len(stitch.places) for _ in range(3)]
    for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
        at = START + point * (problem.image - START)
        gradients = gradients_at(stitch, at, clean, score)[0]
        for t in range(3):
            shares[t] = [s + weight * g for s, g in zip(shares[t], gradients[t], strict=True)]
    found = method("internal_influence", layer=layer, nodes=3, baseline=START).attribute(problem)
    compare(found, together(stitch, shares)[0])


@pytest.mark.parametrize(("shape", "windows", "score"), CASES)
def test_conductance_is_the_gradient_times_the_change_of_the_activation(shape, windows, score):
    rule = "left" if windows.blend == "constant" else "midpoint"
    problem, stitch, layer = setup(shape, windows, score)
    clean, nodes = stitch.run(problem.image)[0].detach(), 3
    shares = [[0.0] * len(stitch.places) for _ in range(3)]

    def at(position):
        return START + position * (problem.image - START)

    for i in range(nodes):
        inside = at((i + (0.5 if rule == "midpoint" else 0)) / nodes)
        gradients = gradients_at(stitch, inside, clean, score)[0]
        before, after = stitch.run(at(i / nodes))[1], stitch.run(at((i + 1) / nodes))[1]
        for t in range(3):
            triples = zip(gradients[t], before, after, strict=True)
            shares[t] = [s + g * (b - a) for s, (g, a, b) in zip(shares[t], triples, strict=True)]
    found = method("layer_conductance", layer=layer, nodes=nodes, baseline=START, rule=rule).attribute(
        problem
    )
    maps, totals = together(stitch, shares)
    compare(found, maps)
    for t in range(3):  # the skip connection leads round the layer
        assert "completeness_gap" not in found.answers[t].checks
        assert f"sum to {totals[t]:.3g} of the score's difference" in found.answers[t].note


@pytest.mark.parametrize(("shape", "windows", "score"), CASES)
def test_layer_integrated_gradients_replace_the_layer(shape, windows, score):
    problem, stitch, layer = setup(shape, windows, score)
    clean = stitch.run(problem.image)[0].detach()
    start = stitch.run(torch.full_like(problem.image, START))[1]
    end = stitch.run(problem.image)[1]
    points, weights = np.polynomial.legendre.leggauss(3)
    shares = [[0.0] * len(stitch.places) for _ in range(3)]

    def between(position):
        return [(a + position * (b - a)).detach().requires_grad_() for a, b in zip(start, end, strict=True)]

    for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
        gradients = gradients_at(stitch, problem.image, clean, score, between(point))[0]
        for t in range(3):
            parts = zip(gradients[t], start, end, strict=True)
            new = [weight * g * (b - a).detach() for g, a, b in parts]
            shares[t] = [s + n for s, n in zip(shares[t], new, strict=True)]
    found = method("layer_integrated_gradients", layer=layer, nodes=3, baseline=START).attribute(problem)
    maps, totals = together(stitch, shares)
    compare(found, maps)
    low = scores(stitch.run(problem.image, between(0.0))[0].detach(), clean, score)
    high = scores(clean, clean, score)
    for t in range(3):
        difference = float((high - low)[t])
        gap = abs(totals[t] - difference) / abs(difference)
        assert found.answers[t].checks["completeness_gap"] == pytest.approx(gap, rel=1e-6, abs=1e-11)
        assert found.answers[t].score == pytest.approx(float(high[t]), rel=1e-10)


@pytest.mark.parametrize("score", ["logit", "probability"])
@pytest.mark.parametrize(("shape", "windows"), LAYOUTS)
def test_gradient_shap_is_the_mean_over_its_draws(shape, windows, score):
    problem, stitch, layer = setup(shape, windows, score, seed=3)
    clean, draws = stitch.run(problem.image)[0].detach(), 5
    starts = [Constant(START)(problem), Blur(1.0)(problem)]
    positions, choices = stratified(draws, 2, np.random.default_rng(3))
    end = [a.detach() for a in stitch.run(problem.image)[1]]
    halves = [[[0.0] * len(stitch.places) for _ in range(3)] for _ in range(2)]
    for i, (position, choice) in enumerate(zip(positions, choices, strict=True)):
        low = [a.detach() for a in stitch.run(starts[choice])[1]]
        at = starts[choice] + position * (problem.image - starts[choice])
        gradients = gradients_at(stitch, at, clean, score)[0]
        for t in range(3):
            new = [g * (b - a) / draws for g, a, b in zip(gradients[t], low, end, strict=True)]
            halves[i % 2][t] = [s + n for s, n in zip(halves[i % 2][t], new, strict=True)]
    found = method("layer_gradient_shap", layer=layer, draws=draws, baselines=(START, "blur:1")).attribute(
        problem
    )
    even, odd = (together(stitch, half)[0] for half in halves)
    compare(found, [a + b for a, b in zip(even, odd, strict=True)])
    for t in range(3):
        truth = float(torch.corrcoef(torch.stack([even[t].flatten(), odd[t].flatten()]))[0, 1])
        assert found.answers[t].checks["agreement"] == pytest.approx(truth, abs=1e-9)


@pytest.mark.parametrize("over", ["region", "image"])
@pytest.mark.parametrize("channel", [None, 3])
@pytest.mark.parametrize(("shape", "windows"), LAYOUTS)
def test_neuron_gradient_is_that_of_the_blended_features_mean(shape, windows, channel, over):
    problem, stitch, layer = setup(shape, windows)
    leaf = problem.image.clone().requires_grad_()
    z, layers = stitch.run(leaf)
    pictures = [a.mean(0) if channel is None else a[channel] for a in layers]
    blended = stitch.paint(pictures, weighted=True)[0]
    found = method("neuron_gradient", layer=layer, channel=channel, over=over).attribute(problem)
    activation = method("layer_activation", layer=layer, channel=channel).attribute(problem)
    for t in range(3):
        inside = z.argmax(0) == t if over == "region" else torch.ones(shape, dtype=torch.bool)
        mean = blended[inside].mean()
        (truth,) = torch.autograd.grad(mean, leaf, retain_graph=True)
        assert truth.abs().max() > 1e-7
        torch.testing.assert_close(found.values(t), truth, rtol=1e-9, atol=1e-13)
        assert f"mean over the {over} is {float(mean):.4g}" in found.answers[t].note
        assert float(activation.values(t)[0][inside].mean()) == pytest.approx(mean.item(), rel=1e-10)


@pytest.mark.parametrize("name", ["layer_conductance", "layer_integrated_gradients"])
@pytest.mark.parametrize(("shape", "windows", "score"), CASES[::3])
def test_a_layer_without_a_way_round_it_is_complete_over_windows(shape, windows, score, name):
    problem, _, layer = setup(shape, windows, score, kind="plain")
    found = method(name, layer=layer, nodes=16, baseline=START).attribute(problem)
    limit = 4e-3 if name == "layer_conductance" else 1e-5
    assert all(a.checks["completeness_gap"] < limit for a in found.answers)
    assert all("goes round" not in a.note for a in found.answers)

"""Gradient methods give Captum's numbers wherever Captum can be asked."""

from __future__ import annotations

import pytest
import torch
from captum.attr import InputXGradient as Product, IntegratedGradients as Integrated, NoiseTunnel, Saliency
from peers import SETUPS, build, everywhere

from voxplain.attribution import (
    Constant,
    ExpectedGradients,
    Gradient,
    InputXGradient,
    IntegratedGradients,
    Minimum,
    SmoothGrad,
    SmoothGradSquared,
    VarGrad,
)

pytestmark = pytest.mark.filterwarnings("ignore:Input Tensor 0 did not")
CLOSE = {"rtol": 1e-5, "atol": 1e-10}


@pytest.mark.parametrize("setup", SETUPS)
def test_gradient_is_captums_saliency(setup):
    problem, scores = build(setup)
    found = Gradient().attribute(problem)
    for t in range(3):
        truth = Saliency(scores).attribute(problem.image[None], target=t, abs=False)[0]
        torch.testing.assert_close(found.values(t), truth, **CLOSE)
        assert found.answers[t].score == pytest.approx(
            float(scores(problem.image[None]).detach()[0, t]), rel=1e-9
        )


@pytest.mark.parametrize("setup", SETUPS)
def test_input_x_gradient_is_captums(setup):
    problem, scores = build(setup)
    found = InputXGradient().attribute(problem)
    for t in range(3):
        truth = Product(scores).attribute(problem.image[None], target=t)[0]
        torch.testing.assert_close(found.values(t), truth, **CLOSE)


# Captum's trapezoid divides by n instead of n − 1, so that its weights do not sum to one; it is left out
RULES = [
    ("gauss-legendre", "gausslegendre"),
    ("midpoint", "riemann_middle"),
    ("left", "riemann_left"),
    ("right", "riemann_right"),
]


@pytest.mark.parametrize(("rule", "captums"), RULES)
@pytest.mark.parametrize("setup", SETUPS)
def test_integrated_gradients_are_captums(setup, rule, captums):
    problem, scores = build(setup)
    found = IntegratedGradients(nodes=7, rule=rule, baseline=Constant(-0.4)).attribute(problem)
    for t in range(3):
        truth, delta = Integrated(scores).attribute(
            problem.image[None],
            baselines=-0.4,
            target=t,
            n_steps=7,
            method=captums,
            return_convergence_delta=True,
        )
        torch.testing.assert_close(found.values(t), truth[0], **CLOSE)
        ends = scores(torch.stack([problem.image, torch.full_like(problem.image, -0.4)])).detach()[:, t]
        gap = abs(float(delta)) / abs(float(ends[0] - ends[1]))
        assert found.answers[t].checks["completeness_gap"] == pytest.approx(
            gap, rel=1e-4, abs=1e-7
        )  # Captum's weights are float32


@pytest.mark.parametrize("setup", SETUPS)
def test_integrated_gradients_from_a_minimum_baseline_are_captums(setup):
    problem, scores = build(setup)
    found = IntegratedGradients(nodes=5, baseline="minimum").attribute(problem)
    start = Minimum()(problem)
    assert torch.equal(start[:, *(0,) * setup[0]], torch.stack([channel.min() for channel in problem.image]))
    for t in range(3):
        truth = Integrated(scores).attribute(
            problem.image[None], baselines=start[None], target=t, n_steps=5, method="gausslegendre"
        )
        torch.testing.assert_close(found.values(t), truth[0], **CLOSE)


NOISE = [(SmoothGrad, "smoothgrad"), (SmoothGradSquared, "smoothgrad_sq"), (VarGrad, "vargrad")]


@pytest.mark.parametrize(("method", "captums"), NOISE)
@pytest.mark.parametrize("setup", SETUPS)
def test_noise_methods_are_captums_noise_tunnel_with_the_same_draws(setup, method, captums, monkeypatch):
    """Captum's tunnel runs as it is; only its random numbers are replaced by voxplain's."""
    problem, scores = build(setup, seed=11)
    draws = 6
    found = method(draws=draws, sigma=0.2).attribute(problem)
    ranges = torch.stack([channel.max() - channel.min() for channel in problem.image])
    sigma = 0.2 * ranges.reshape(-1, *(1,) * setup[0])
    noise = torch.stack([sigma * problem.noise().box(i, everywhere(problem)) for i in range(draws)])
    assert float((noise / sigma).std()) == pytest.approx(1, abs=0.1)
    monkeypatch.setattr(torch, "normal", lambda _, deviations: noise.reshape(deviations.shape))
    for t in range(3):
        truth = NoiseTunnel(Saliency(scores)).attribute(
            problem.image[None], nt_type=captums, nt_samples=draws, target=t, abs=False
        )[0]
        torch.testing.assert_close(found.values(t), truth, rtol=1e-5, atol=1e-13)
        assert found.values(t).abs().max() > 1e-8


@pytest.mark.parametrize("setup", SETUPS)
def test_agreement_is_the_correlation_of_even_and_odd_draws(setup):
    problem, scores = build(setup, seed=2)
    found = SmoothGrad(draws=5, sigma=0.3).attribute(problem)
    ranges = torch.stack([channel.max() - channel.min() for channel in problem.image])
    sigma = 0.3 * ranges.reshape(-1, *(1,) * setup[0])
    inputs = [problem.image + sigma * problem.noise().box(i, everywhere(problem)) for i in range(5)]
    for t in range(3):
        maps = [Saliency(scores).attribute(x[None], target=t, abs=False).flatten() for x in inputs]
        halves = torch.stack([maps[0] + maps[2] + maps[4], maps[1] + maps[3]])
        truth = float(torch.corrcoef(halves)[0, 1])
        assert found.answers[t].checks["agreement"] == pytest.approx(truth, abs=1e-9)


@pytest.mark.parametrize("sigma", [0.0, 0.1])
@pytest.mark.parametrize("setup", SETUPS)
def test_expected_gradients_are_gradient_shap_with_the_same_draws(setup, sigma, monkeypatch):
    """GradientSHAP written out: mean over draws of (x' − b) · ∂F(b + α(x' − b)), gradients by Captum."""
    problem, scores = build(setup, seed=4)
    draws, samplers = 6, []
    asked = problem.gradient

    def spy(make, **kwargs):
        return asked(lambda p: samplers.append(make(p)) or samplers[-1], **kwargs)

    monkeypatch.setattr(problem, "gradient", spy)
    found = ExpectedGradients(draws=draws, baselines=(0.0, "blur"), sigma=sigma).attribute(problem)
    (sampler,) = samplers
    for baseline in (0, 1):
        mine = [a for a, c in zip(sampler.positions, sampler.choices, strict=True) if c == baseline]
        assert sorted(int(a * len(mine)) for a in mine) == list(range(len(mine)))
    assert sorted(sampler.choices) == [0, 0, 0, 1, 1, 1]
    assert torch.equal(sampler.baselines[0], torch.zeros_like(problem.image))
    ranges = torch.stack([channel.max() - channel.min() for channel in problem.image])
    spread = sigma * ranges.reshape(-1, *(1,) * setup[0])
    for t in range(3):
        truth = torch.zeros_like(problem.image)
        for i, (alpha, choice) in enumerate(zip(sampler.positions, sampler.choices, strict=True)):
            start = sampler.baselines[choice]
            end = problem.image + spread * problem.noise().box(i, everywhere(problem))
            point = start + alpha * (end - start)
            gradient = Saliency(scores).attribute(point[None], target=t, abs=False)[0]
            truth += (end - start) * gradient / draws
        torch.testing.assert_close(found.values(t), truth, **CLOSE)

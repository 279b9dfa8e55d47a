"""Windows are exact: everything equals autograd through the whole stitched pipeline, in double precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import InstanceNormSegmenter, random_case, smooth_segmenter
from stitched import scores, stitched
from torch.nn import functional as F

from voxplain.engine import Problem
from voxplain.engine.samplers import Fixed, Noisy, clean
from voxplain.model import Model, Windows
from voxplain.target import AllClasses, PredictedRegion, Voxel

LAYOUTS = [
    pytest.param((9, 11), Windows(roi=6, overlap=0.5), id="2d-constant"),
    pytest.param((10, 13), Windows(roi=(6, 8), overlap=0.25, blend="gaussian"), id="2d-gaussian"),
    pytest.param((5, 12), Windows(roi=8, overlap=0.3, blend="gaussian"), id="2d-padded"),
    pytest.param((5, 12), Windows(roi=8, overlap=0.3, padding="reflect"), id="2d-reflect"),
    pytest.param((5, 12), Windows(roi=8, overlap=0.3, padding="replicate"), id="2d-replicate"),
    pytest.param((5, 12), Windows(roi=8, overlap=0.3, padding="circular"), id="2d-circular"),
    pytest.param((9, 7, 10), Windows(roi=6, overlap=0.5), id="3d-constant"),
    pytest.param(
        (8, 9, 7), Windows(roi=(6, 4, 6), overlap=(0.5, 0.25, 0.6), blend="gaussian"), id="3d-gaussian"
    ),
    pytest.param(
        (5, 9, 11), Windows(roi=8, overlap=0.25, blend="gaussian", padding_value=-0.7), id="3d-padded"
    ),
    pytest.param((8, 6, 8), Windows(), id="3d-whole"),
]


def problem(
    shape: tuple[int, ...], windows: Windows, targets: object, seed: int = 0, **kwargs: object
) -> Problem:
    net = smooth_segmenter(len(shape), seed=seed).double()
    model = Model(net, spatial_dims=len(shape), windows=windows)
    return Problem(model, random_case(shape, seed=seed), targets, dtype=torch.float64, **kwargs)


@pytest.mark.parametrize("score", ["logit", "margin", "log_probability", "probability"])
@pytest.mark.parametrize(("shape", "windows"), LAYOUTS)
def test_window_gradient_is_the_gradient_of_the_stitched_model(shape, windows, score):
    p = problem(shape, windows, AllClasses(background=True, score=score))
    x = p.image.clone().requires_grad_()
    net = p.model.module
    z = stitched(net, x, windows)
    truth = scores(z, z.detach(), score)
    found = p.gradient(lambda q: clean(q.padded))
    assert len(p.targets) == 3
    for t in range(3):
        (gradient,) = torch.autograd.grad(truth[t], x, retain_graph=True)
        assert gradient.abs().max() > 1e-6
        torch.testing.assert_close(found.maps[t], gradient, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(found.scores[0], truth.detach(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("score", ["logit", "margin", "log_probability", "probability"])
@pytest.mark.parametrize(("shape", "windows"), LAYOUTS)
def test_scores_of_other_inputs_keep_the_clean_region_and_rival(shape, windows, score):
    p = problem(shape, windows, AllClasses(background=True, score=score))
    other = torch.from_numpy(np.random.default_rng(5).normal(size=p.image.shape))
    clean = stitched(p.model.module, p.image, windows).detach()
    with torch.no_grad():
        truth = torch.stack(
            [scores(stitched(p.model.module, v, windows), clean, score) for v in (other, p.image)]
        )
    torch.testing.assert_close(p.scores([other, p.image]), truth, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("shape", "windows"), LAYOUTS)
def test_prediction_equals_argmax_of_the_stitched_output(shape, windows):
    p = problem(shape, windows, AllClasses(background=True))
    z = stitched(p.model.module, p.image, windows).detach()
    assert torch.equal(p.prediction.labels.long(), z.argmax(0))
    assert torch.equal(p.prediction.second.long(), z.topk(2, 0).indices[1])


@pytest.mark.parametrize(("shape", "windows"), LAYOUTS)
def test_mean_and_second_moment_are_of_the_stitched_gradient(shape, windows):
    p = problem(shape, windows, AllClasses(background=True), seed=3)
    sigma = torch.full((1, *(1,) * len(shape)), 0.3, dtype=torch.float64)
    noise = p.noise()
    draws = 5
    found = p.gradient(lambda q: Noisy(q.padded, noise, sigma, draws), variance=True, halves=True)
    everywhere = tuple(slice(0, s) for s in p.layout.padded)
    z = stitched(p.model.module, p.image, windows).detach()
    gradients = []
    for i in range(draws):
        eps = p.layout.unpad(noise.box(i, everywhere))
        x = (p.image + 0.3 * eps).requires_grad_()
        truth = scores(stitched(p.model.module, x, windows), z, "logit")
        gradients.append([torch.autograd.grad(s, x, retain_graph=True)[0] for s in truth])
    for t in range(3):
        stack = torch.stack([g[t] for g in gradients])
        torch.testing.assert_close(found.maps[t], stack.mean(0), rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(found.variance[t], stack.var(0, correction=0), rtol=1e-9, atol=1e-14)
        even, odd = stack[::2].sum(0).flatten(), stack[1::2].sum(0).flatten()
        assert found.agreement[t] == pytest.approx(
            float(torch.corrcoef(torch.stack([even, odd]))[0, 1]), abs=1e-9
        )


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_batches_and_disk_do_not_change_the_maps(batch, tmp_path):
    windows = Windows(roi=6, overlap=0.5, blend="gaussian")
    whole = problem((9, 7, 10), windows, AllClasses(background=True)).gradient(lambda q: clean(q.padded))
    p = problem((9, 7, 10), windows, AllClasses(background=True), batch=batch, memory=0, scratch=tmp_path)
    found = p.gradient(lambda q: clean(q.padded))
    assert found.maps.on_disk
    for t in range(3):
        torch.testing.assert_close(found.maps[t], whole.maps[t], rtol=1e-12, atol=1e-14)


def test_instance_norm_inside_windows_is_exact():
    """InstanceNorm couples all voxels of a window, so a wrong window cotangent would show everywhere."""
    windows = Windows(roi=6, overlap=0.5)
    net = InstanceNormSegmenter(3).double().eval()
    p = Problem(
        Model(net, windows=windows), random_case((8, 9, 7)), AllClasses(background=True), dtype=torch.float64
    )
    x = p.image.clone().requires_grad_()
    z = stitched(net, x, windows)
    truth = scores(z, z.detach(), "logit")
    found = p.gradient(lambda q: clean(q.padded))
    for t, target in enumerate(p.targets):
        (gradient,) = torch.autograd.grad(truth[target.class_index], x, retain_graph=True)
        torch.testing.assert_close(found.maps[t], gradient, rtol=1e-10, atol=1e-12)


def test_windows_without_a_target_are_not_run():
    windows = Windows(roi=6, overlap=0.0)
    p = problem((18, 6, 6), windows, Voxel(index=(0, 0, 0), class_name=1))
    assert p.passes.forward == 3 and p.passes.backward == 0  # the prediction needs all three windows
    p.gradient(lambda q: clean(q.padded))
    assert p.passes.forward == 4 and p.passes.backward == 1  # the voxel lies in the first window only


def test_one_forward_serves_all_classes_and_one_backward_each():
    p = problem((8, 8, 8), Windows(roi=(4, 8, 8), overlap=0.0), AllClasses(background=True))
    touched = sum(len(t) for t in p.plan.touching)
    before = p.passes.copy()
    p.gradient(lambda q: clean(q.padded))
    assert (p.passes - before).forward == 2
    assert (p.passes - before).backward == touched


def test_module_is_bit_identical_after_the_engine_ran():
    net = InstanceNormSegmenter(3).train()
    state = {k: v.clone() for k, v in net.state_dict().items()}
    strides = {k: p.stride() for k, p in net.named_parameters()}
    p = Problem(Model(net, windows=Windows(roi=6)), random_case((8, 9, 7)), AllClasses(background=True))
    p.gradient(lambda q: clean(q.padded))
    p.scores([p.image])
    assert net.training and all(m.training for m in net.modules())
    assert net.down[2].inplace
    assert all(q.requires_grad and q.grad is None for q in net.parameters())
    assert {k: p.stride() for k, p in net.named_parameters()} == strides
    assert all(torch.equal(v, state[k]) for k, v in net.state_dict().items())
    assert not any(m._forward_hooks or m._backward_hooks for m in net.modules())


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
@pytest.mark.parametrize(("shape", "windows"), LAYOUTS)
def test_multilabel_and_softmax_regions(shape, windows, output):
    net = smooth_segmenter(len(shape)).double()
    model = Model(net, spatial_dims=len(shape), windows=windows, output=output)
    p = Problem(model, random_case(shape), PredictedRegion(class_name=1, reduce="sum"), dtype=torch.float64)
    z = stitched(net, p.image, windows).detach()
    member = z[1] > 0 if output == "sigmoid" else z.argmax(0) == 1
    assert member.any()
    assert float(p.scores([p.image])[0, 0]) == pytest.approx(float(z[1][member].sum()), rel=1e-10)


@pytest.mark.parametrize("score", ["logit", "margin", "log_probability", "probability"])
@pytest.mark.parametrize("class_index", [0, 1])
def test_binary_network_speaks_for_both_classes(score, class_index):
    net = smooth_segmenter(3, classes=1).double()
    windows = Windows(roi=6, overlap=0.5)
    p = Problem(
        Model(net, windows=windows),
        random_case((8, 9, 7)),
        PredictedRegion(class_name=class_index, score=score),
        dtype=torch.float64,
    )
    x = p.image.clone().requires_grad_()
    z = stitched(net, x, windows)[0]
    member = (z.detach() > 0) == bool(class_index)
    log_odds = z if class_index == 1 else -z
    s = {
        "logit": log_odds,
        "margin": log_odds,
        "log_probability": F.logsigmoid(log_odds),
        "probability": torch.sigmoid(log_odds),
    }[score]
    (gradient,) = torch.autograd.grad(s[member].mean(), x)
    torch.testing.assert_close(p.gradient(lambda q: clean(q.padded)).maps[0], gradient, rtol=1e-9, atol=1e-12)


def test_fixed_draws_give_each_input_its_own_score():
    p = problem((8, 8, 8), Windows(roi=6, overlap=0.25), PredictedRegion(class_name=1))
    inputs = [p.image, 0.5 * p.image, torch.zeros_like(p.image)]
    together = p.engine.scores(Fixed([p.pad(x) for x in inputs]), p.present)
    alone = torch.cat([p.scores([x]) for x in inputs])
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=1e-12)

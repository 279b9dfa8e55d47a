"""CAM methods against the papers' formulas, written out in numpy on autograd's own activations and gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data.utils import compute_importance_map, dense_patch_slices
from networks import InstanceNormSegmenter, classifier, random_case, smooth_segmenter
from torch import nn
from torch.nn import functional as F

from voxplain.attribution import GradCam, GradCamPlusPlus, HiResCam
from voxplain.engine import Problem
from voxplain.errors import ModelError
from voxplain.model import Model, Windows
from voxplain.target import AllClasses, ClassScore, PredictedRegion

MODE = {2: "bilinear", 3: "trilinear"}
SHAPES = {2: (8, 12), 3: (6, 8, 4)}


def layer_and_gradient(net, module, x, score):
    """A (F, *s) and ∂score/∂A, by autograd alone."""
    kept = []
    handle = module.register_forward_hook(lambda m, i, o: kept.append(o))
    z = net(x[None])[0]
    handle.remove()
    (gradient,) = torch.autograd.grad(score(z), kept[0])
    return kept[0][0].detach().numpy(), gradient[0].numpy()


def upsampled(coarse: np.ndarray, size: tuple[int, ...]) -> torch.Tensor:
    return F.interpolate(
        torch.from_numpy(coarse)[None, None], size=size, mode=MODE[len(size)], align_corners=False
    )[0]


def grad_cam(a, g):
    return np.einsum("k,k...->...", g.reshape(len(g), -1).mean(1), a)


def grad_cam_pp(a, g):
    """α_k = Σ_ij [g² / (2 g² + g³ Σ_ab A)] ReLU(g), one voxel at a time."""
    weights = np.zeros(len(a))
    for k in range(len(a)):
        total = a[k].sum()
        for value in g[k].ravel():
            denominator = 2 * value**2 + total * value**3
            if denominator != 0 and value > 0:
                weights[k] += value**2 / denominator * value
    return np.tensordot(weights, a, axes=1)


def hires_cam(a, g):
    return sum(a[k] * g[k] for k in range(len(a)))


FORMULAS = [(GradCam, grad_cam), (GradCamPlusPlus, grad_cam_pp), (HiResCam, hires_cam)]


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize(("method", "formula"), FORMULAS)
@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("task", ["classification", "segmentation"])
def test_cam_is_the_papers_formula(task, dims, method, formula, relu):
    if task == "classification":
        net, layer = classifier(dims).double(), "3"
    else:
        net, layer = InstanceNormSegmenter(dims).double(), "down.1"
    net.eval()
    if task == "segmentation":
        net.down[2].inplace = False
    p = Problem(
        Model(net, spatial_dims=dims),
        random_case(SHAPES[dims]),
        AllClasses(background=True),
        dtype=torch.float64,
    )
    found = method(layer=layer, relu=relu).attribute(p)
    masks = [None] * 3 if task == "classification" else [p.prediction.labels == c for c in range(3)]
    for t, target in enumerate(p.targets):
        c = target.class_index
        a, g = layer_and_gradient(
            net,
            net.get_submodule(layer),
            p.image,
            lambda z, c=c: z[c] if task == "classification" else z[c][masks[c]].mean(),
        )
        coarse = formula(a, g)
        assert coarse.shape != p.spatial_shape
        truth = upsampled(np.maximum(coarse, 0) if relu else coarse, p.spatial_shape)
        torch.testing.assert_close(found.maps[t], truth, rtol=1e-9, atol=1e-12)
        assert found.answers[t].status == ("ok" if truth.any() else "zero")


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("dims", [2, 3])
def test_hires_cam_of_a_linear_head_is_complete(dims, channels):
    """F = Σ_v w · A(v) / n + b after global pooling, so Σ g ⊙ A = F − b."""
    torch.manual_seed(0)
    make, pool = (nn.Conv2d, nn.AdaptiveAvgPool2d) if dims == 2 else (nn.Conv3d, nn.AdaptiveAvgPool3d)
    net = nn.Sequential(
        make(channels, 5, 3, padding=1), nn.GELU(), pool(1), nn.Flatten(), nn.Linear(5, 3)
    ).double()
    p = Problem(
        Model(net, spatial_dims=dims), random_case(SHAPES[dims], channels), AllClasses(), dtype=torch.float64
    )
    found = HiResCam(layer="1", relu=False).attribute(p)
    for t, answer in enumerate(found.answers):
        bias = float(net[4].bias[t].detach())
        assert float(found.values(t).sum()) == pytest.approx(answer.score - bias, rel=1e-10)


WINDOWS = [Windows(), Windows(roi=6, overlap=0.5), Windows(roi=6, overlap=0.25, blend="gaussian")]


@pytest.mark.parametrize("windows", WINDOWS, ids=["whole", "constant", "gaussian"])
@pytest.mark.parametrize("dims", [2, 3])
def test_hires_cam_of_stitched_windows_is_complete(dims, windows):
    """The head is a convolution (linear with a bias), the mean over the region leaves the bias: Σ map = F − b."""
    net = smooth_segmenter(dims).double()
    with torch.no_grad():
        net[2].bias.copy_(torch.tensor([0.1, -0.05, 0.08]))
    shape = (9, 12) if dims == 2 else (7, 9, 6)
    p = Problem(
        Model(net, spatial_dims=dims, windows=windows),
        random_case(shape),
        AllClasses(background=True),
        dtype=torch.float64,
    )
    found = HiResCam(layer="1", relu=False).attribute(p)
    for t, answer in enumerate(found.answers):
        bias = float(net[2].bias[answer.target.class_index].detach())
        assert float(found.values(t).sum()) == pytest.approx(answer.score - bias, rel=1e-9)


def weights_mean(a, g):
    return np.array([y.mean() for y in g])


def weights_pp(a, g):
    with np.errstate(invalid="ignore"):  # 0/0 where the gradient is zero
        share = [y**2 / (2 * y**2 + x.sum() * y**3) * np.maximum(y, 0) for x, y in zip(a, g, strict=True)]
    return np.array([np.nansum(s) for s in share])


@pytest.mark.parametrize("method", [GradCam, GradCamPlusPlus])
@pytest.mark.parametrize("blend", ["constant", "gaussian"])
@pytest.mark.parametrize(("shape", "roi"), [((10, 13), (6, 8)), ((8, 10, 6), (6, 6, 4))])
@pytest.mark.parametrize("score", ["logit", "margin", "probability", "log_probability"])
def test_stitched_cam_sums_weights_over_windows_and_blends_maps(shape, roi, blend, method, score):
    """The slow way: gradient of the stitched score at each window's layer, weights summed, maps blended."""
    dims, layer = len(shape), "down.1"
    net = InstanceNormSegmenter(dims).double().eval()
    net.down[2].inplace = False
    model = Model(net, windows=Windows(roi=roi, overlap=0.5, blend=blend))
    p = Problem(model, random_case(shape), PredictedRegion(class_name=1, score=score), dtype=torch.float64)
    step = [max(int(r * 0.5), 1) for r in roi]
    places = dense_patch_slices(shape, roi, step, return_slice=True)
    importance = torch.as_tensor(
        compute_importance_map(roi, mode=blend, sigma_scale=0.125, dtype=torch.float64)
    )
    total = torch.zeros(shape, dtype=torch.float64)
    for where in places:
        total[where] += importance
    kept = []
    handle = net.get_submodule(layer).register_forward_hook(lambda m, i, o: kept.append(o))
    stitched = torch.zeros((3, *shape), dtype=torch.float64)
    for where in places:
        stitched[(slice(None), *where)] += (
            net(p.image[(slice(None), *where)][None])[0] * importance / total[where]
        )
    handle.remove()
    mask = stitched.argmax(0) == 1
    assert mask.any()
    clean = stitched.detach().clone()
    clean[1] = -torch.inf
    rival = stitched.gather(0, clean.argmax(0)[None])[0]
    value = {
        "logit": stitched[1],
        "margin": stitched[1] - rival,
        "probability": stitched.softmax(0)[1],
        "log_probability": stitched.log_softmax(0)[1],
    }[score]
    gradients = torch.autograd.grad(value[mask].mean(), kept)
    used = [w for w, where in enumerate(places) if mask[where].any()]
    a = [kept[w][0].detach().numpy() for w in used]
    g = [gradients[w][0].numpy() for w in used]
    truth = torch.zeros((1, *shape), dtype=torch.float64)
    weights = weights_mean if method is GradCam else weights_pp
    alpha = sum(weights(x, y) for x, y in zip(a, g, strict=True))
    for w, activation in zip(used, a, strict=True):
        coarse = np.maximum(np.tensordot(alpha, activation, axes=1), 0)
        where = places[w]
        truth[(slice(None), *where)] += upsampled(coarse, roi) * importance / total[where]
    torch.testing.assert_close(method(layer=layer).attribute(p).maps[0], truth, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("dims", [2, 3])
def test_default_layer_is_the_bottleneck_or_the_last_feature_map(dims):
    case = random_case(SHAPES[dims])
    segmenter = Problem(Model(InstanceNormSegmenter(dims)), case, PredictedRegion(class_name=1))
    assert segmenter.layer().name == "down"
    assert Problem(Model(classifier(dims)), case, ClassScore()).layer().name == "3"


def test_layers_that_cannot_be_painted_are_refused_with_a_suggestion():
    p = Problem(Model(classifier(2)), random_case((8, 12)), ClassScore())
    with pytest.raises(ModelError, match="convolutional layer"):
        GradCam(layer="6").attribute(p)
    named = Problem(Model(InstanceNormSegmenter(2)), random_case((8, 12)), PredictedRegion(class_name=1))
    with pytest.raises(ModelError, match=r"did you mean 'down\.1'|down"):
        GradCam(layer="dwn.1").attribute(named)

"""CAM and perturbation methods give Captum's numbers wherever Captum can be asked."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from captum.attr import FeatureAblation, LayerAttribution, LayerGradCam, Occlusion as CaptumOcclusion
from networks import InstanceNormSegmenter, random_case
from peers import SETUPS, ask, build

from voxplain.attribution import GradCam, Occlusion
from voxplain.engine import Problem
from voxplain.errors import InputError
from voxplain.model import Model
from voxplain.target import AllClasses

pytestmark = pytest.mark.filterwarnings("ignore:Input Tensor 0 did not")
CLOSE = {"rtol": 1e-5, "atol": 1e-9}
MODE = {2: "bilinear", 3: "trilinear"}


def check_grad_cam(problem, scores, layer, module, relu):
    found = GradCam(layer=layer, relu=relu).attribute(problem)
    dims = len(problem.spatial_shape)
    for t in problem.present:
        coarse = LayerGradCam(scores, module).attribute(problem.image[None], target=t, relu_attributions=relu)
        truth = LayerAttribution.interpolate(coarse, problem.spatial_shape, MODE[dims])[0].detach()
        assert truth.abs().max() > 1e-9 or relu
        torch.testing.assert_close(found.maps[t], truth, **CLOSE)


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("setup", SETUPS)
def test_grad_cam_is_captums(setup, relu):
    problem, scores = build(setup)
    for layer in ("0", "1", "3") if setup[1] == "classification" else ("0", "1"):
        check_grad_cam(problem, scores, layer, scores.net[int(layer)], relu)


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("layer", ["first", "down", "down.1", "up"])
@pytest.mark.parametrize("dims", [2, 3])
def test_seg_grad_cam_of_a_bottleneck_is_captums(dims, layer, relu):
    net = InstanceNormSegmenter(dims).double().eval()
    net.down[2].inplace = False  # Captum cannot look at a layer that the next one overwrites
    case = random_case((8, 12) if dims == 2 else (6, 8, 4))
    problem = Problem(Model(net), case, AllClasses(background=True), dtype=torch.float64)
    check_grad_cam(problem, ask(net, problem), layer, net.get_submodule(layer), relu)


# (size, stride) per axis: cubes side by side; overlapping; borders cut off; another size on every axis
CUBES = [(3, 3), (4, 2), (5, 3), ((4, 3, 5), (2, 3, 4))]


@pytest.mark.parametrize(("size", "stride"), CUBES)
@pytest.mark.parametrize("setup", SETUPS)
def test_occlusion_is_captums(setup, size, stride):
    problem, scores = build(setup)
    dims, _, channels = setup
    size, stride = (v if isinstance(v, int) else v[:dims] for v in (size, stride))
    found = Occlusion(size=size, stride=stride, baseline=0.3, paint="effect").attribute(problem)
    edge, step = ((v,) * dims if isinstance(v, int) else v for v in (size, stride))
    for t in range(3):
        truth = CaptumOcclusion(scores).attribute(
            problem.image[None],
            (channels, *edge),
            strides=(channels, *step),
            baselines=0.3,
            target=t,
            perturbations_per_eval=16,
        )[0]
        assert torch.equal(truth[:1].expand_as(truth), truth), "all channels are hidden together"
        torch.testing.assert_close(found.values(t), truth[:1].detach().double(), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("setup", SETUPS)
def test_density_is_the_effect_per_voxel_of_the_part(setup):
    problem, _ = build(setup)
    effect = Occlusion(size=3, paint="effect").attribute(problem)
    density = Occlusion(size=3).attribute(problem)
    for t in range(3):
        # a voxel's cube of edge 3 has min(3, extent − its start) voxels along each axis
        edges = [torch.tensor([min(3, n - i // 3 * 3) for i in range(n)]) for n in problem.spatial_shape]
        sizes = torch.stack(torch.meshgrid(*edges, indexing="ij")).prod(0)
        torch.testing.assert_close(density.values(t) * sizes, effect.values(t), rtol=1e-12, atol=1e-12)
        # side by side, the parts' densities sum to the parts' effects
        torch.testing.assert_close(density.values(t).sum(), density.region_values[t].sum())


def ablated(problem, scores, regions, baseline):
    """Captum's feature ablation: (T, R)."""
    mask = torch.zeros(problem.spatial_shape, dtype=torch.long)
    whole = tuple(slice(0, s) for s in problem.spatial_shape)
    for r, region in enumerate(regions):
        mask[region.crop(whole)] = r + 1
    if bool((mask == 0).any()):
        labels = range(1, len(regions) + 1)
    else:
        mask, labels = mask - 1, range(len(regions))
    rows = []
    for t in problem.present:
        truth = FeatureAblation(scores).attribute(
            problem.image[None], baselines=baseline[None], target=t, feature_mask=mask[None, None]
        )[0, 0]
        rows.append(torch.stack([truth[mask == k].mean() for k in labels]))
    return torch.stack(rows).detach()


@pytest.mark.parametrize("setup", SETUPS)
def test_given_regions_are_captums_feature_ablation(setup):
    problem, scores = build(setup)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, problem.spatial_shape)  # scattered, not boxes; 0 is no region
    found = Occlusion(regions=labels, baseline="minimum", paint="effect").attribute(problem)
    low = problem.image.flatten(1).amin(1).reshape(-1, *(1,) * setup[0]).expand_as(problem.image)
    truth = ablated(problem, scores, found.regions, low)
    assert len(found.regions) == 4
    torch.testing.assert_close(found.region_values, truth.double(), rtol=1e-5, atol=1e-7)
    for t in range(3):
        for r in range(4):
            inside = found.values(t)[0][torch.from_numpy(labels == r + 1)]
            torch.testing.assert_close(inside, truth[t, r].double().expand_as(inside), rtol=1e-5, atol=1e-7)
        assert not found.values(t)[0][torch.from_numpy(labels == 0)].any()


@pytest.mark.parametrize("setup", SETUPS)
def test_supervoxels_are_captums_feature_ablation(setup):
    problem, scores = build(setup, smooth=1.5)
    found = Occlusion(supervoxels=8, baseline=-0.2, paint="effect").attribute(problem)
    whole = tuple(slice(0, s) for s in problem.spatial_shape)
    assert torch.equal(
        sum(r.crop(whole).int() for r in found.regions), torch.ones(problem.spatial_shape, dtype=torch.int32)
    ), "every voxel is in exactly one supervoxel"
    truth = ablated(problem, scores, found.regions, torch.full_like(problem.image, -0.2))
    assert len(found.regions) > 2
    torch.testing.assert_close(found.region_values, truth.double(), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "parameters",
    [
        {"size": 4, "stride": 5},
        {"size": 0},
        {"size": (3, 3, 3, 3)},
        {"supervoxels": 1},
        {"paint": "colour"},
        {"supervoxels": 3, "regions": np.ones((9, 12))},
        {"regions": np.zeros((9, 12))},
        {"stride": 0},
    ],
    ids=str,
)
def test_impossible_parts_are_refused(parameters):
    with pytest.raises(InputError, match=r"occlusion: found|occlusion: size|occlusion: the region map"):
        problem, _ = build((2, "segmentation", 1))
        Occlusion(**parameters).attribute(problem)

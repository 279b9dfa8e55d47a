"""Occlusion over windows equals brute force: whole occluded images through MONAI's sliding-window inference."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from monai.data.utils import dense_patch_slices
from networks import random_case, smooth_segmenter
from stitched import scores, stitched

from voxplain.attribution import Minimum, Occlusion
from voxplain.engine import Problem
from voxplain.model import Model, Windows
from voxplain.target import AllClasses, PredictedRegion, Voxel

LAYOUTS = [
    pytest.param((9, 11), Windows(roi=6, overlap=0.5), id="2d-constant"),
    pytest.param((10, 13), Windows(roi=(6, 8), overlap=0.25, blend="gaussian"), id="2d-gaussian"),
    pytest.param((5, 12), Windows(roi=8, overlap=0.3, blend="gaussian"), id="2d-padded"),
    pytest.param((5, 12), Windows(roi=8, overlap=0.3, padding="reflect"), id="2d-reflect"),
    pytest.param((5, 12), Windows(roi=8, overlap=0.3, padding="replicate"), id="2d-replicate"),
    pytest.param((5, 12), Windows(roi=8, overlap=0.3, padding="circular"), id="2d-circular"),
    pytest.param(
        (5, 9, 8), Windows(roi=8, overlap=0.25, blend="gaussian", padding_value=-0.7), id="3d-padded"
    ),
    pytest.param((5, 9, 8), Windows(roi=6, overlap=0.5, padding="reflect"), id="3d-reflect"),
    pytest.param((7, 6, 8), Windows(), id="3d-whole"),
]
SCORES = ["logit", "margin", "log_probability", "probability"]


def cubes(shape, size, stride):
    """Slices of Captum's cubes, the last ones cut off."""
    starts = [range(0, max(n - size, 0) + stride, stride) for n in shape]
    return [
        tuple(slice(a, min(a + size, n)) for a, n in zip(corner, shape, strict=True))
        for corner in product(*starts)
    ]


@pytest.mark.parametrize("kind", SCORES)
@pytest.mark.parametrize(("shape", "windows"), LAYOUTS)
@torch.no_grad()
def test_occlusion_equals_brute_force(shape, windows, kind):
    net = smooth_segmenter(len(shape), channels=2).double()
    p = Problem(
        Model(net, spatial_dims=len(shape), windows=windows),
        random_case(shape, 2),
        AllClasses(background=True, score=kind),
        dtype=torch.float64,
    )
    found = Occlusion(size=4, stride=3, baseline=0.25, paint="effect").attribute(p)
    clean = stitched(net, p.image, windows)
    before = scores(clean, clean, kind)
    total, cover = torch.zeros((3, *shape), dtype=torch.float64), torch.zeros(shape)
    parts = cubes(shape, 4, 3)
    assert len(parts) == len(found.regions)
    for r, box in enumerate(parts):
        x = p.image.clone()
        x[(slice(None), *box)] = 0.25
        lost = before - scores(stitched(net, x, windows), clean, kind)
        torch.testing.assert_close(found.region_values[:, r], lost, rtol=1e-9, atol=1e-12)
        total[(slice(None), *box)] += lost.reshape(-1, *(1,) * len(shape))
        cover[box] += 1
    for t in range(3):
        torch.testing.assert_close(found.values(t)[0], total[t] / cover, rtol=1e-9, atol=1e-12)
        assert found.answers[t].score == pytest.approx(float(before[t]), rel=1e-9)


@pytest.mark.parametrize("kind", SCORES)
@pytest.mark.parametrize("baseline", ["minimum", "mean", "blur:2"])
@torch.no_grad()
def test_given_regions_and_image_baselines_equal_brute_force(kind, baseline):
    shape, windows = (9, 8, 7), Windows(roi=6, overlap=0.5, blend="gaussian")
    net = smooth_segmenter(3).double()
    labels = np.random.default_rng(1).integers(0, 4, shape)
    p = Problem(
        Model(net, windows=windows),
        random_case(shape),
        AllClasses(background=True, score=kind),
        dtype=torch.float64,
    )
    from voxplain.attribution.baseline import parse_baseline

    hidden = parse_baseline(baseline, p)(p)
    found = Occlusion(regions=labels, baseline=baseline).attribute(p)
    clean = stitched(net, p.image, windows)
    for r, value in enumerate((1, 2, 3)):
        x = torch.where(torch.from_numpy(labels == value), hidden, p.image)
        lost = scores(clean, clean, kind) - scores(stitched(net, x, windows), clean, kind)
        torch.testing.assert_close(found.region_values[:, r], lost, rtol=1e-9, atol=1e-12)


def touching(places, box):
    return [
        w
        for w, where in enumerate(places)
        if all(a.start < b.stop and b.start < a.stop for a, b in zip(where, box, strict=True))
    ]


@pytest.mark.parametrize("kind", SCORES)
@pytest.mark.parametrize("overlap", [0.0, 0.5])
def test_only_touched_windows_are_run(overlap, kind):
    """Σ over the target's windows of 1 (clean) + its cubes, for all targets together."""
    shape, roi = (16, 8), (6, 8)
    net = smooth_segmenter(2).double()
    p = Problem(
        Model(net, windows=Windows(roi=roi, overlap=overlap)),
        random_case(shape),
        [Voxel(index=(1, 1), class_name=c, score=kind) for c in (0, 1, 2)],
        dtype=torch.float64,
    )
    places = dense_patch_slices(shape, roi, (max(int(6 * (1 - overlap)), 1), 8), return_slice=True)
    target = touching(places, (slice(1, 2), slice(1, 2)))
    assert 0 < len(target) < len(places)
    expected = len(target) + sum(len(set(touching(places, box)) & set(target)) for box in cubes(shape, 4, 4))
    found = Occlusion(size=4, baseline=0).attribute(p)
    assert (found.passes.forward, found.passes.backward) == (expected, 0)
    far = [r for r, box in enumerate(cubes(shape, 4, 4)) if not set(touching(places, box)) & set(target)]
    assert far
    assert not found.region_values[:, far].any(), "the score cannot see these cubes"


@pytest.mark.parametrize("dims", [2, 3])
def test_one_forward_per_part_serves_all_classes_of_a_whole_image(dims):
    shape = (8,) * dims
    p = Problem(Model(smooth_segmenter(dims)), random_case(shape), AllClasses(background=True))
    found = Occlusion(size=4, baseline=Minimum()).attribute(p)
    assert len(p.targets) == 3
    assert (found.passes.forward, found.passes.backward) == (1 + 2**dims, 0)


def test_overlapping_boxes_and_empty_share_are_painted_as_the_mean_over_their_holders():
    p = Problem(Model(smooth_segmenter(2)), random_case((7, 5)), PredictedRegion(class_name=1))
    found = Occlusion(size=(4, 5), stride=(3, 5), baseline=0, paint="effect").attribute(p)
    a, b = found.region_values[0].tolist()  # rows 0–3 and 3–6
    expected = torch.tensor([a] * 3 + [(a + b) / 2] + [b] * 3).float()
    torch.testing.assert_close(found.values(0)[0], expected[:, None].expand(7, 5))

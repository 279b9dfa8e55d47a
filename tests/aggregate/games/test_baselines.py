"""Baselines that fill regions from their surroundings: known images, a body in Hounsfield units, and what is implausible."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from networks import random_case, smooth_segmenter
from scipy import ndimage
from scipy.sparse.linalg import cg

from voxplain.aggregate.games import region_game
from voxplain.aggregate.partition import Partition
from voxplain.attribution import KernelShap, Occlusion
from voxplain.attribution.baseline import (
    Blur,
    Constant,
    Mean,
    OtherCase,
    check_baseline,
    name_of,
    parse_baseline,
)
from voxplain.attribution.baselines import harmonic
from voxplain.attribution.baselines.harmonic import filled, filled_coarse_to_fine, noise_deviation
from voxplain.attribution.baselines.plausibility import border_jump, foreign_share, plausibility
from voxplain.attribution.baselines.regional import Infill, LocalMean
from voxplain.attribution.baselines.surroundings import Surroundings, surroundings
from voxplain.engine import Problem
from voxplain.errors import InputError
from voxplain.model import Model
from voxplain.phantom import ORGAN_CLASSES, organs
from voxplain.target.region import MaskRegion, label_regions


def ask(image, geometry=None, seed=0):
    """A problem about an image (C, *S)."""
    case = replace(random_case(image.shape[1:], len(image)), image=np.asarray(image, np.float32))
    case = replace(case, geometry=geometry) if geometry is not None else case
    net = smooth_segmenter(image.ndim - 1, len(image))
    return Problem(Model(net, spatial_dims=image.ndim - 1), case, "1", seed=seed)


def block(shape, *corners):
    mask = torch.zeros(shape, dtype=torch.bool)
    mask[tuple(slice(a, b) for a, b in corners)] = True
    return mask


def test_surroundings_are_voxels_whose_centres_are_near():
    """Spacing 1 × 2 mm, reach 2 mm about one voxel: two voxels along the first axis, one along the second."""
    found = surroundings(MaskRegion(block((9, 9), (4, 5), (4, 5))), (9, 9), (1.0, 2.0), 2.0)
    shell = np.zeros((9, 9), dtype=bool)
    shell[found.box] = found.shell
    assert sorted(map(tuple, np.argwhere(shell).tolist())) == [(2, 4), (3, 4), (4, 3), (4, 5), (5, 4), (6, 4)]


def test_surroundings_end_at_the_image_and_are_one_voxel_wide_at_least():
    found = surroundings(MaskRegion(block((4, 5), (0, 1), (0, 2))), (4, 5), (1.0, 5.0), 1.0)
    shell = np.zeros((4, 5), dtype=bool)
    shell[found.box] = found.shell
    assert sorted(map(tuple, np.argwhere(shell).tolist())) == [(0, 2), (1, 0), (1, 1)]
    brute = np.random.default_rng(0).random((12, 10)) < 0.1
    found = surroundings(MaskRegion(torch.from_numpy(brute)), (12, 10), (1.0, 1.0))
    distance = ndimage.distance_transform_edt(~brute)
    shell = np.zeros((12, 10), dtype=bool)
    shell[found.box] = found.shell
    np.testing.assert_array_equal(shell, (distance > 0) & (distance <= 3))


def test_local_mean_is_the_mean_around_in_the_clean_image():
    """Two neighbours in each other's surroundings: each is filled from the other as it is, not as it was filled."""
    image = np.arange(12.0).reshape(1, 1, 12)
    p = ask(np.concatenate([image, -2 * image]))
    regions = label_regions(torch.tensor([[0, 0, 0, 0, 1, 1, 2, 2, 0, 0, 0, 0]]), [1, 2, 3])
    out = LocalMean(2.0).over(p, regions)
    # region 1 (4, 5) sees 2, 3, 6, 7; region 2 (6, 7) sees 4, 5, 8, 9
    expected = image.copy()
    expected[0, 0, 4:6], expected[0, 0, 6:8] = 4.5, 6.5
    np.testing.assert_allclose(out[0].numpy(), expected[0])
    np.testing.assert_allclose(out[1].numpy(), -2 * expected[0])


def test_infill_continues_what_is_linear():
    """A linear image is harmonic: the in-fill is the image itself where there is no noise, in any spacing."""
    i, j = np.meshgrid(np.arange(14.0), np.arange(16.0), indexing="ij")
    p = ask((2 * i - 3 * j + 5)[None])
    member = block((14, 16), (4, 9), (5, 12))
    out = Infill().over(p, [MaskRegion(member)])
    torch.testing.assert_close(out, p.image, rtol=0, atol=1e-3)


def test_infill_keeps_none_of_what_was_there():
    rng = np.random.default_rng(0)
    image = rng.normal(size=(1, 20, 20))
    member = block((20, 20), (5, 14), (6, 15))
    other = image.copy()
    other[0][member.numpy()] = 100.0
    for fill in (Infill(), LocalMean()):
        a, b = (fill.over(ask(x), [MaskRegion(member)]) for x in (image, other))
        torch.testing.assert_close(a[0][member], b[0][member], rtol=0, atol=1e-4)
        assert torch.equal(a[0][~member], ask(image).image[0][~member])


def test_infill_has_the_noise_of_its_surroundings():
    """White noise of 3 about 50, in 10 000 voxels: estimated to a few per cent, edges aside."""
    rng = np.random.default_rng(1)
    image = 50 + 3 * rng.normal(size=(120, 120))
    image[:, :20] += 500  # an edge is no noise
    everywhere, nothing = np.ones(image.shape, bool), np.zeros(image.shape, bool)
    assert noise_deviation(image, everywhere, (1, 1), nothing) == pytest.approx(3, rel=0.05)
    # every other column missing: fewer neighbours, whose mean is noisier
    missing = np.zeros(image.shape, bool)
    missing[:, ::2] = True
    image[missing] = 1e4
    assert noise_deviation(image, ~missing, (1, 1), missing) == pytest.approx(3, rel=0.05)
    assert noise_deviation(image, nothing, (1, 1), nothing) == 0
    image[missing] = 50 + 3 * rng.normal(size=int(missing.sum()))
    member = block((120, 120), (30, 110), (40, 110))
    inside = Infill().over(ask(image[None]), [MaskRegion(member)])[0][member].reshape(80, 70)[8:-8, 8:-8]
    assert float(inside.mean()) == pytest.approx(50, abs=1.0)
    assert float(inside.std()) == pytest.approx(3, rel=0.15)


def test_infill_depends_on_the_problems_seed_alone():
    image = np.random.default_rng(2).normal(size=(1, 16, 16))
    member = [MaskRegion(block((16, 16), (4, 10), (4, 10)))]
    first = Infill().over(ask(image, seed=3), member)
    assert torch.equal(first, Infill().over(ask(image, seed=3), member))
    assert not torch.equal(first, Infill().over(ask(image, seed=4), member))


@pytest.mark.parametrize("shape", [(90, 71), (22, 25, 21)])
def test_large_holes_are_filled_as_small_ones_are(shape):
    """From coarse to fine, against the solver at its full precision: within a few thousandths of the image's range."""
    rng = np.random.default_rng(0)
    image = ndimage.gaussian_filter(rng.normal(size=shape), 1)
    missing = np.ones(shape, dtype=bool)
    missing[(slice(0, 3),)] = False
    missing[tuple(slice(n // 2, n // 2 + 2) for n in shape)] = False
    spacing = (1.0, 1.5, 2.0)[: len(shape)]
    assert missing.sum() > 4096
    found, truth = filled_coarse_to_fine(image, missing, spacing), filled(image, missing, spacing)
    assert np.abs(found - truth).max() < 3e-3 * np.ptp(image)
    np.testing.assert_array_equal(found[~missing], image[~missing])


def test_a_coarse_grid_saves_steps(monkeypatch):
    """A hole 90 voxels wide: steps of the finest grid, against those from nothing to the same tolerance."""
    steps = []

    def counted(*args, **kwargs):
        steps.append(0)

        def more(_):
            steps[-1] += 1

        return cg(*args, **kwargs, callback=more)

    monkeypatch.setattr(harmonic, "cg", counted)
    monkeypatch.setattr(harmonic, "TOLERANCE", harmonic.COARSE_TOLERANCE)
    image = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(90, 91)), 1) + 50
    missing = np.ones(image.shape, dtype=bool)
    missing[0], missing[45, 45:47] = False, False
    filled_coarse_to_fine(image, missing, (1, 1))
    fine = steps[-1]
    harmonic._solved(image, missing, harmonic.neighbour_weights((1, 1)), None, harmonic.COARSE_TOLERANCE)
    assert len(steps) == 3 and 0 < fine < 0.75 * steps[-1]


def test_a_region_that_is_the_whole_image_becomes_its_mean():
    p = ask(np.arange(12.0).reshape(1, 3, 4))
    for fill in (Infill(), LocalMean()):
        whole = [MaskRegion(torch.ones(3, 4, dtype=torch.bool))]
        torch.testing.assert_close(fill.over(p, whole), torch.full((1, 3, 4), 5.5))
        assert plausibility(p, whole, ["all"], fill.over(p, whole)).foreign.isnan().all()


def test_regions_that_overlap_are_refused():
    p = ask(np.random.default_rng(0).normal(size=(1, 6, 6)))
    parts = [MaskRegion(block((6, 6), (0, 3), (0, 3))), MaskRegion(block((6, 6), (2, 5), (2, 5)))]
    with pytest.raises(InputError, match="baseline infill: region 1 shares voxels with another"):
        Infill().over(p, parts)


def test_grammar():
    p = ask(np.random.default_rng(0).normal(size=(1, 6, 6)))
    assert parse_baseline("infill", p) == Infill() and parse_baseline("infill:6", p) == Infill(6.0)
    assert parse_baseline("local-mean", p) == LocalMean() and parse_baseline(
        "local-mean:2.5", p
    ) == LocalMean(2.5)
    for text in ("infill", "local-mean:2", "blur", "blur:4", "minimum", "mean", "constant:0.5"):
        check_baseline(text)
        assert name_of(parse_baseline(text, p)) == text
    assert (
        name_of(Constant(-1000)) == "constant:-1000"
        and name_of(Mean()) == "mean"
        and name_of(Blur()) == "blur"
    )
    assert name_of(OtherCase(random_case((4, 4)))) == "case:random"
    for bad in ("infill:0", "infill:thick", "local-mean:-1", "inpaint"):
        with pytest.raises(InputError, match=r"'local-mean', 'infill' or 'infill:WIDTH_MM'") as caught:
            check_baseline(bad)
        assert "\n" not in str(caught.value)


def test_where_there_are_no_regions_they_are_refused_in_one_line():
    p = ask(np.random.default_rng(0).normal(size=(1, 6, 6)))
    with pytest.raises(
        InputError, match="baseline infill: it fills regions from what surrounds them"
    ) as caught:
        parse_baseline("infill", p)(p)
    assert "\n" not in str(caught.value)


def test_methods_of_regions_fill_their_own():
    """Kernel SHAP of labels and occlusion of labels, against the game of the same regions."""
    p = ask(np.random.default_rng(0).normal(size=(1, 8, 9)))
    labels = np.ones((8, 9), dtype=np.int32)
    labels[2:5, 2:6], labels[4:, 6:] = 2, 3
    partition = Partition("label", torch.from_numpy(labels - 1), ("a", "b", "c"), (1.0, 1.0))
    for baseline in ("infill", "local-mean"):
        game = region_game(p, partition, baseline=baseline)
        shap = KernelShap(regions=labels, baseline=baseline).attribute(p)
        torch.testing.assert_close(shap.region_values, game.shapley, rtol=1e-5, atol=1e-6)
        lost = Occlusion(size=None, regions=labels, baseline=baseline).attribute(p)
        torch.testing.assert_close(lost.region_values, game.occlusion, rtol=1e-5, atol=1e-6)


# ---- plausibility ----


def test_foreign_share_by_hand():
    """Surroundings 0 to 100: quantiles 1 and 99. Of 0.5, 1, 50, 99, 99.5, 200 three lie beyond."""
    image = np.concatenate([np.arange(101.0), np.zeros(6)])
    fill = np.concatenate([np.arange(101.0), [0.5, 1, 50, 99, 99.5, 200]])
    member = np.arange(107) > 100
    around = Surroundings((slice(0, 107),), member, ~member)
    assert foreign_share(image, fill, around) == 3 / 6


def test_border_jump_by_hand():
    """In a row 0 0 [4 5] 1: borders 0|4 and 5|1 jump by 4 + 4; filled with 2 3 by 2 + 2: half."""
    image = np.array([0.0, 0, 4, 5, 1])
    member = np.array([False, False, True, True, False])
    fill = np.where(member, [0, 0, 2, 3, 0], 77.0)  # what it holds elsewhere does not matter
    assert border_jump(image, fill, member) == 0.5
    assert border_jump(image, image, member) == 1.0
    assert border_jump(np.zeros(5), np.zeros(5), member) == 0.0
    assert border_jump(np.zeros(5), np.ones(5), member) == np.inf


@pytest.fixture(scope="module")
def body():
    case = organs((48, 40, 40), seed=0)
    net = smooth_segmenter(3)
    p = Problem(Model(net, spatial_dims=3), case, "1")
    labels = torch.from_numpy(case.label.astype(np.int32))
    return p, Partition("label", labels, ORGAN_CLASSES, p.prepared.spacing)


TISSUE = [
    "muscle", "spine", "heart", "aorta", "vena cava", "liver", "spleen", "stomach", "kidney left", "kidney right", "bowel",
]  # fmt: skip


def test_air_in_an_organ_is_implausible_and_infill_is_not(body):
    p, partition = body
    air = plausibility(p, partition.parts, partition.regions, torch.full_like(p.image, -1000.0))
    assert set(TISSUE) <= set(air.implausible)
    assert "air" not in air.warning and "\n" not in air.warning
    # either sign alone will do: air jumps out of fat beside air, smoothed lung is no tissue but does not jump
    fat, lung = ORGAN_CLASSES.index("body"), ORGAN_CLASSES.index("lung left")
    assert air.foreign[fat] < 0.1 and air.jump[fat] > 2 and "body" in air.implausible
    smooth = plausibility(p, partition.parts, partition.regions, Blur()(p))
    assert smooth.foreign[lung] > 0.9 and smooth.jump[lung] < 1 and "lung left" in smooth.implausible
    for text in ("infill", "local-mean"):
        found = plausibility(
            p, partition.parts, partition.regions, parse_baseline(text, p).over(p, partition.parts)
        )
        assert not set(TISSUE) & set(found.implausible), text
    r = ORGAN_CLASSES.index("liver")
    filled_in = plausibility(p, partition.parts, partition.regions, Infill().over(p, partition.parts))
    assert air.foreign[r] == 1 and filled_in.foreign[r] < 0.1
    assert air.jump[r] > 3 and filled_in.jump[r] < 1


def test_infilled_organs_look_like_what_surrounds_them(body):
    """The liver's 110 HU lie among fat, lung and other organs; what is filled in is between these, with noise of 14 HU."""
    p, partition = body
    out = Infill().over(p, partition.parts)
    r = ORGAN_CLASSES.index("liver")
    inside = out[0][partition.labels == r]
    around = surroundings(partition.parts[r], p.spatial_shape, p.prepared.spacing)
    shell = p.image[0][around.box][torch.from_numpy(around.shell)]
    assert shell.min() - 60 < inside.min() and inside.max() < shell.max() + 60
    assert abs(float(inside.mean() - shell.mean())) < 2 * float(shell.std())

"""The head: contrasts, lesions, and atrophy with stated volumes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from voxplain.errors import InputError
from voxplain.phantom import BRAIN_CLASSES, brain
from voxplain.phantom.brain import CONTRASTS

QUIET = {"texture": 0, "partial_volume": 0, "noise": 0, "bias": 0}
# A block of life-size brain around each region: x, y, z of its centre, at 1 mm.
AT_HIPPOCAMPI = {"shape": (76, 54, 34), "spacing": 1.0, "scale": 1.0, "center": (0, -20, -13)}
AT_VENTRICLES = {"shape": (72, 96, 40), "spacing": 1.0, "scale": 1.0, "center": (0, -6, 12)}


def index(name: str) -> int:
    return BRAIN_CLASSES.index(name)


def volume(case, name: str) -> float:
    return case.meta["volumes_mm3"][name]


@pytest.mark.parametrize("contrast", ["T1", "FLAIR", "T2"])
@pytest.mark.parametrize("shape", [(40, 40), (20, 24, 20)])
def test_clean_intensities_are_the_contrasts(contrast, shape):
    case = brain(shape, seed=1, contrast=contrast, **QUIET)
    assert np.array_equal(case.image[0], np.array(CONTRASTS[contrast], dtype=np.float32)[case.label])


def test_random_contrast_is_one_value_per_class():
    case = brain((32, 32, 32), seed=1, contrast="random", **QUIET)
    for value in np.unique(case.label):
        assert np.ptp(case.image[0][case.label == value]) == 0


def test_several_contrasts_are_channels_of_one_head():
    both = brain((24, 24, 24), seed=1, contrast=("T1", "FLAIR"), **QUIET)
    for channel, name in enumerate(("T1", "FLAIR")):
        alone = brain((24, 24, 24), seed=1, contrast=name, **QUIET)
        assert np.array_equal(both.image[channel], alone.image[0])
    assert both.meta["channels"] == ["T1", "FLAIR"]


def test_own_contrast_is_used_by_name():
    case = brain((24, 24, 24), seed=1, contrast={"white matter": 5.0}, **QUIET)
    assert np.array_equal(case.image[0], 5.0 * (case.label == index("white matter")))


@pytest.mark.parametrize("seed", range(3))
def test_proportions_are_those_of_a_brain(seed):
    case = brain((64, 72, 64), seed=seed, spacing=3.0, scale=1.0)
    litres = {name: volume(case, name) / 1e6 for name in BRAIN_CLASSES}
    assert 0.45 < litres["grey matter"] < 0.9
    assert 0.45 < litres["white matter"] < 0.95
    assert 0.010 < litres["ventricles"] < 0.040


def test_without_skull_only_the_brain_remains():
    bare, whole = (brain((40, 44, 40), seed=1, skull=s) for s in (False, True))
    assert not np.isin(bare.label, [index("scalp"), index("skull")]).any()
    tissue = np.isin(whole.label, [index("grey matter"), index("white matter")])
    assert np.array_equal(bare.label[tissue], whole.label[tissue])


def test_hippocampi_lie_on_their_sides():
    case = brain(**AT_HIPPOCAMPI, seed=1, orientation="LPS")
    for name, sign in (("hippocampus left", -1), ("hippocampus right", 1)):
        i = np.argwhere(case.label == index(name)).mean(axis=0)
        x = (case.geometry.affine[:3, :3] @ i + case.geometry.affine[:3, 3])[0]
        assert 20 < sign * x < 34


@pytest.mark.parametrize("dose", [0.0, 0.5, 1.0])
def test_hippocampi_keep_the_stated_volume(dose):
    whole = brain(**AT_HIPPOCAMPI, seed=1)
    case = brain(**AT_HIPPOCAMPI, seed=1, atrophy=dose)
    for name in ("hippocampus left", "hippocampus right"):
        (now,), (before,) = case.meta["regions"][name], whole.meta["regions"][name]
        assert now["volume_mm3"] == pytest.approx((1 - dose / 2) * before["volume_mm3"])
        assert now["volume_mm3"] == pytest.approx(4 / 3 * np.pi * np.prod(now["axes_mm"]))
        assert volume(case, name) == pytest.approx(now["volume_mm3"], rel=0.03)


@pytest.mark.parametrize(
    ("region", "grid", "classes", "grows"),
    [
        ("hippocampus left", AT_HIPPOCAMPI, ["hippocampus left"], False),
        ("hippocampus right", AT_HIPPOCAMPI, ["hippocampus right"], False),
        ("ventricles", AT_VENTRICLES, ["ventricles"], True),
        ("cortex", {"shape": (40, 44, 40), "spacing": 4.5, "scale": 1.0}, ["grey matter"], False),
    ],
)
def test_atrophy_is_monotone_and_stays_in_its_region(region, grid, classes, grows):
    labels = [brain(**grid, seed=2, atrophy=d, region=region).label for d in (0, 0.25, 0.5, 1.0)]
    masks = [np.isin(label, [index(c) for c in classes]) for label in labels]
    for less, more in itertools.pairwise(masks):
        inner, outer = (less, more) if grows else (more, less)
        assert not (inner & ~outer).any()  # nested
        assert inner.sum() < outer.sum()  # strictly
    changed = labels[0] != labels[-1]
    assert np.array_equal(changed, masks[0] != masks[-1])


def test_shrunken_hippocampus_leaves_fluid():
    before, after = (brain(**AT_HIPPOCAMPI, seed=1, atrophy=d).label for d in (0.0, 1.0))
    assert np.all(after[before != after] == index("csf"))


def test_atrophy_leaves_noise_and_bias_alone():
    before, after = (brain(**AT_HIPPOCAMPI, seed=1, atrophy=d, partial_volume=0) for d in (0.0, 0.6))
    same = before.label == after.label
    assert 0.9 < same.mean() < 1
    assert np.array_equal(before.image[0][same], after.image[0][same])


def test_ventricles_grow_to_the_stated_volume():
    before, after = (brain(**AT_VENTRICLES, seed=1, atrophy=d, region="ventricles") for d in (0.0, 0.4))
    for old, new in zip(
        before.meta["regions"]["ventricles"], after.meta["regions"]["ventricles"], strict=True
    ):
        assert new["volume_mm3"] == pytest.approx(1.6 * old["volume_mm3"])


@pytest.mark.parametrize("shape", [(96, 96), (40, 44, 40)])
def test_lesions_are_their_ellipsoids_within_white_matter(shape):
    healthy = brain(shape, seed=4, contrast="FLAIR")
    ill = brain(shape, seed=4, contrast="FLAIR", lesions=5, lesion_radius=(5.0, 9.0))
    lesion = ill.label == index("lesion")
    assert lesion.any() and len(ill.meta["regions"]["lesion"]) == 5
    assert np.all(healthy.label[lesion] == index("white matter"))
    assert np.array_equal(healthy.label[~lesion], ill.label[~lesion])
    assert ill.image[0][lesion].mean() > 1.4 * ill.image[0][ill.label == index("white matter")].mean()
    # Independently: voxel centres inside an ellipsoid of the meta, turned by its angles.
    from scipy.spatial.transform import Rotation

    voxels = np.argwhere(healthy.label == index("white matter"))
    affine = ill.geometry.affine
    points = voxels @ affine[:3, : len(shape)].T + affine[:3, 3]
    inside = np.zeros(len(points), dtype=bool)
    for e in ill.meta["regions"]["lesion"]:
        turn = Rotation.from_euler("xyz", e["turn_degrees"], degrees=True).as_matrix()
        local = (points - e["center_mm"]) @ turn / e["axes_mm"]
        inside |= (local**2).sum(axis=1) <= 1
    assert np.mean(lesion[tuple(voxels.T)] != inside) < 1e-4


def test_every_seed_has_its_own_folds():
    labels = [brain((48, 48), seed=s, **QUIET).label == index("grey matter") for s in (0, 1)]
    overlap = 2 * (labels[0] & labels[1]).sum() / (labels[0].sum() + labels[1].sum())
    assert overlap < 0.75


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"contrast": "T11"}, "did you mean 'T1'"),
        ({"contrast": ()}, "contrast"),
        ({"contrast": {"white mater": 1.0}}, "did you mean 'white matter'"),
        ({"region": "hipocampus", "atrophy": 0.5}, "did you mean 'hippocampus"),
        ({"atrophy": 1.5}, "atrophy"),
        ({"lesions": -1}, "lesions"),
        ({"lesions": 2, "lesion_radius": (0.0, 1.0)}, "lesion_radius"),
        ({"lesions": 2, "spacing": 1.0, "scale": 1.0, "center": (0, 0, 500)}, "room for 0"),
        ({"atrophy": 0.5, "shape": (32, 32)}, r"center=\(-2[5-9], -(19|20|21), -1[2-4]\)"),
    ],
)
def test_impossible_requests_are_refused(wrong, says):
    with pytest.raises(InputError, match=says) as caught:
        brain(**{"shape": (16, 16, 16), "seed": 0, **wrong})
    assert "\n" not in str(caught.value)

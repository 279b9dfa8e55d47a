"""The tumour phantom: what is drawn is what the label says, and class changes nothing but one mass's pattern."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from voxplain.case import Case
from voxplain.errors import InputError
from voxplain.phantom import BRAIN_CLASSES, TUMOUR_CLASSES, TUMOUR_LABELS, tumours
from voxplain.phantom.tumour_patient import PLACES, SITES, Scanner, assigned, draw_patient
from voxplain.phantom.tumours import FIELD_OF_VIEW

LESION, DECOY = TUMOUR_LABELS.index("lesion"), TUMOUR_LABELS.index("decoy")
ILL = TUMOUR_CLASSES[1:]
GRIDS = [
    {"shape": (56, 64)},
    {"shape": (72, 96), "spacing": (2.9, 2.3)},
    {"shape": (48, 56, 14), "spacing": (4.2, 3.7, 5.0)},
]


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scanner at "north" that adds nothing."""
    monkeypatch.setitem(SITES, "north", Scanner(bias=0, noise=0, gamma=1, gain=1))  # type: ignore[arg-type]


def voxels_inside(case: Case, place: str) -> np.ndarray:
    """From the meta alone: voxel centres in the union of a mass's ellipsoids."""
    index = np.stack(np.meshgrid(*map(np.arange, case.spatial_shape), indexing="ij"), axis=-1)
    dims = index.shape[-1]
    points = index @ case.geometry.affine[:3, :dims].T + case.geometry.affine[:3, 3]
    inside = np.zeros(case.spatial_shape, dtype=bool)
    for e in case.meta["masses"][place]:
        turn = Rotation.from_euler("xyz", e["turn_degrees"], degrees=True).as_matrix()
        local = (points - e["center_mm"]) @ turn / e["axes_mm"]
        inside |= (local**2).sum(axis=-1) <= 1
    return inside


def test_an_image_depends_on_its_key_alone():
    keys = [(seed, patient, slice) for seed in (0, 1) for patient in (0, 5) for slice in (0, 2)]
    make = {key: tumours((42, 48), seed=key[0], patient=key[1], slice=key[2]) for key in keys}
    again = {key: tumours((42, 48), seed=key[0], patient=key[1], slice=key[2]) for key in reversed(keys)}
    for key in keys:
        assert np.array_equal(make[key].image, again[key].image)
        assert np.array_equal(make[key].label, again[key].label)
        assert make[key].meta == again[key].meta
    assert len({case.image.tobytes() for case in make.values()}) == len(keys)


def test_global_random_state_is_neither_used_nor_changed():
    np.random.seed(1)  # noqa: NPY002
    first = tumours((42, 48), seed=3).image
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    np.random.seed(2)  # noqa: NPY002
    assert np.array_equal(first, tumours((42, 48), seed=3).image)
    np.random.seed(1)  # noqa: NPY002
    assert np.array_equal(state, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("kind", ILL)
def test_masks_are_the_bodies_of_the_meta(grid, kind):
    case = tumours(**grid, seed=2, patient=4, slice=1, kind=kind)
    bone = np.isin(case.label, [BRAIN_CLASSES.index(n) for n in ("background", "scalp", "skull")])
    for place in PLACES.values():
        body = voxels_inside(case, place) & ~bone
        assert body.sum() > 50
        expected = LESION if PLACES[kind] == place else DECOY
        # Rounding may decide about voxel centres on the surface itself.
        assert np.sum(body != ((case.label == expected) & voxels_inside(case, place))) <= 2
    drawn = np.isin(case.label, (LESION, DECOY))
    assert (
        np.sum(drawn != np.logical_or.reduce([voxels_inside(case, p) & ~bone for p in PLACES.values()])) <= 2
    )


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("kind", ILL)
def test_a_tumour_has_its_healthy_twins_values_in_another_order(grid, kind, clean):
    ill, healthy = (tumours(**grid, seed=7, patient=2, site="north", kind=k) for k in (kind, "healthy"))
    lesion = ill.label == LESION
    assert not (healthy.label == LESION).any()
    assert np.all(healthy.label[lesion] == DECOY)
    assert np.array_equal(ill.label[~lesion], healthy.label[~lesion])
    assert np.array_equal(ill.image[0][~lesion], healthy.image[0][~lesion])
    assert np.array_equal(np.sort(ill.image[0][lesion]), np.sort(healthy.image[0][lesion]))
    assert np.mean(ill.image[0][lesion] != healthy.image[0][lesion]) > 0.95


def test_values_have_the_stated_mean_and_spread(clean):
    case = tumours((128, 128), seed=1, patient=1, kind="ring", site="north")
    person = draw_patient(1, 1)
    for place, (mean, spread) in person.values.items():
        values = case.image[0][voxels_inside(case, place) & np.isin(case.label, (LESION, DECOY))]
        assert values.mean() == pytest.approx(mean, abs=1.0)
        assert values.std() == pytest.approx(spread, rel=0.01)


@pytest.mark.parametrize("noise", [0.0, 25.0])
def test_classes_differ_inside_the_tumour_alone_whatever_the_noise(noise, monkeypatch):
    monkeypatch.setitem(SITES, "west", Scanner(bias=0.1, noise=noise, gamma=1.2, gain=0.8))
    images = {k: tumours((56, 64), seed=4, patient=9, slice=2, site="west", kind=k) for k in TUMOUR_CLASSES}
    for kind in ILL:
        changed = images[kind].image[0] != images["healthy"].image[0]
        lesion = images[kind].label == LESION
        assert not (changed & ~lesion).any()
        assert (changed & lesion).sum() > 0.95 * lesion.sum()


@pytest.mark.parametrize("patient", range(3))
def test_the_round_mass_is_a_sphere_in_mm_on_any_grid(patient):
    areas, slice = [], 3
    for shape, spacing in (((224, 256), None), ((300, 180), (0.8, 1.3))):
        case = tumours(shape, seed=0, patient=patient, slice=slice, kind="granular", spacing=spacing)
        (ball,) = case.meta["masses"]["base"]
        radius, height = ball["axes_mm"][2], ball["center_mm"][2] - case.geometry.affine[2, 3]
        area = (case.label == LESION).sum() * np.prod(case.geometry.spacing[:2])
        areas.append(area)
        assert 21.5 <= radius <= 26
        assert area == pytest.approx(np.pi * (radius**2 - height**2), rel=0.01)
    assert areas[0] == pytest.approx(areas[1], rel=0.01)


def test_a_volume_is_its_slices():
    flat = tumours((56, 64), seed=6, patient=1, slice=1, kind="striped")
    thick = tumours(
        (56, 64, 9), seed=6, patient=1, slice=1, kind="striped", spacing=(*[FIELD_OF_VIEW[1] / 64] * 2, 6.0)
    )
    assert np.array_equal(thick.label[..., 4], flat.label)
    lesion = thick.label == LESION
    x, y, z = (np.ptp(np.argwhere(lesion)[:, axis]) * thick.geometry.spacing[axis] for axis in range(3))
    assert all(35 < width < 62 for width in (x, y, z))


def test_lesions_take_three_to_six_per_cent_of_a_slice():
    shares = [
        (tumours((42, 48), seed=8, patient=p, slice=p % 4, kind=k).label == LESION).mean()
        for p in range(12)
        for k in ILL
    ]
    assert 0.032 < np.mean(shares) < 0.045
    assert min(shares) > 0.02 and max(shares) < 0.06


def test_a_volume_has_room_for_all_masses():
    case = tumours((42, 48, 16), seed=1, patient=2, kind="ring")
    assert 0.01 < (case.label == LESION).mean() < 0.03
    assert 1.6 < (case.label == DECOY).sum() / (case.label == LESION).sum() < 2.4


def test_each_class_is_imaged_as_often_at_each_site():
    counts = Counter(assigned(3, patient) for patient in range(48))
    assert len(counts) == 12 and set(counts.values()) == {4}
    assert [assigned(3, p) for p in range(12)] != [assigned(3, p) for p in range(12, 24)]
    case = tumours((42, 48), seed=3, patient=7)
    assert (case.meta["class"], case.meta["site"]) == assigned(3, 7)


def test_sites_differ_by_gamma_and_gain(monkeypatch):
    """Without noise and field: out = gain · 1000 · (in / 1000) ** gamma."""
    for site, gamma, gain in (("north", 1.0, 1.0), ("south", 0.8, 1.5)):
        monkeypatch.setitem(SITES, site, Scanner(bias=0, noise=0, gamma=gamma, gain=gain))
    north, south = (tumours((42, 48), seed=1, site=site).image for site in ("north", "south"))
    assert south == pytest.approx(1500 * (north / 1000) ** 0.8, rel=1e-4)


def test_sites_differ_in_noise_and_field():
    """Air shows the noise alone: its mean, undone for gamma and gain, is sigma √(π/2) (Rayleigh)."""
    for site, scanner in SITES.items():
        case = tumours((128, 128), seed=1, patient=3, site=site)
        air = 1000 * (case.image[0, :10] / 1000 / scanner.gain) ** (1 / scanner.gamma)
        assert air.mean() == pytest.approx(scanner.noise * np.sqrt(np.pi / 2), rel=0.03)
    assert len({scanner.noise for scanner in SITES.values()}) == len(SITES)


def test_images_of_a_patient_are_alike_and_those_of_others_are_not():
    """A slice split leaks: the image most like a patient's second one is that patient's first."""
    first, second = (
        np.stack([tumours((42, 48), seed=2, patient=p, slice=s).image.ravel() for p in range(30)])
        for s in (0, 1)
    )
    correlation = np.corrcoef(first, second)[:30, 30:]
    assert np.array_equal(correlation.argmax(axis=0), np.arange(30))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"kind": "rings"}, "did you mean 'ring'"),
        ({"site": "nort"}, "did you mean 'north'"),
        ({"patient": -1}, "patient: -1"),
        ({"slice": 0.5}, "slice: 0.5"),
        ({"seed": True}, "seed: True"),
        ({"shape": (32, 32)}, "too coarse for grains of 9 mm; at most 4.5 mm, e.g. a shape of \\(42, 48\\)"),
        ({"spacing": (2.0, 5.0)}, "spacing: 5.00 mm"),
        ({"shape": (64,)}, "shape"),
        ({"shape": (64, 0)}, "shape"),
        ({"spacing": -1.0}, "spacing"),
    ],
)
def test_impossible_requests_are_refused(wrong, says):
    with pytest.raises(InputError, match=says) as caught:
        tumours(**{"shape": (56, 64), "seed": 0, **wrong})
    assert "\n" not in str(caught.value)

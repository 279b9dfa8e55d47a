"""The tumour phantom is not solvable by brightness, and it is solvable by texture: by classifiers that know the truth.

One image each of 384 patients, and a second one of 96 of them. With 96 independent patients in a class, the standard error
of an AUROC of 0.5 is 0.034.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import ndimage
from skimage.filters import threshold_multiotsu
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from voxplain.phantom import TUMOUR_CLASSES, TUMOUR_LABELS, tumours
from voxplain.phantom.tumour_patient import PLACES

LESION, DECOY = TUMOUR_LABELS.index("lesion"), TUMOUR_LABELS.index("decoy")
SHAPE = (56, 64)


@dataclass(frozen=True)
class Images:
    values: np.ndarray  # (N, i, j)
    label: np.ndarray  # (N, i, j)
    kind: np.ndarray  # (N,) index into TUMOUR_CLASSES
    patient: np.ndarray  # (N,)

    @property
    def masses(self) -> np.ndarray:
        return np.isin(self.label, (LESION, DECOY))


@pytest.fixture(scope="module")
def images() -> Images:
    keys = [(p, 0) for p in range(384)] + [(p, 1) for p in range(96)]
    cases = [tumours(SHAPE, seed=11, patient=p, slice=s) for p, s in keys]
    return Images(
        np.stack([case.image[0] for case in cases]),
        np.stack([case.label for case in cases]),
        np.array([TUMOUR_CLASSES.index(case.meta["class"]) for case in cases]),
        np.array([p for p, _ in keys]),
    )


def one_against_the_rest(kind: np.ndarray, feature: np.ndarray) -> list[float]:
    return [roc_auc_score(kind == k, feature) for k in range(len(TUMOUR_CLASSES))]


@pytest.mark.parametrize("name", ["mean", "max", "spread", "median", "95 %", "99 %"])
def test_brightness_of_an_image_does_not_tell_its_class(images, name):
    flat = images.values.reshape(len(images.values), -1)
    features = {"mean": flat.mean(1), "max": flat.max(1), "spread": flat.std(1)}
    features |= {f"{q} %": np.percentile(flat, q, axis=1) for q in (95, 99)} | {
        "median": np.median(flat, axis=1)
    }
    assert all(0.4 < auc < 0.6 for auc in one_against_the_rest(images.kind, features[name]))


@pytest.mark.parametrize("name", ["mean", "max", "spread", "area"])
def test_brightness_and_area_of_the_masses_do_not_tell_the_class(images, name):
    inside = np.where(images.masses, images.values, np.nan)
    features = {
        "mean": np.nanmean(inside, axis=(1, 2)),
        "max": np.nanmax(inside, axis=(1, 2)),
        "spread": np.nanstd(inside, axis=(1, 2)),
        "area": images.masses.mean(axis=(1, 2)),
    }
    assert all(0.4 < auc < 0.6 for auc in one_against_the_rest(images.kind, features[name]))


def test_tumours_of_all_classes_have_the_same_sizes_and_values(images):
    ill = images.kind > 0
    lesion = images.label[ill] == LESION
    inside = np.where(lesion, images.values[ill], np.nan)
    for feature in (
        lesion.mean(axis=(1, 2)),
        np.nanmean(inside, axis=(1, 2)),
        np.nanmax(inside, axis=(1, 2)),
    ):
        for k in range(1, len(TUMOUR_CLASSES)):
            assert 0.38 < roc_auc_score(images.kind[ill] == k, feature) < 0.62  # 3 classes: fewer images


@pytest.mark.parametrize("what", ["histogram", "histogram of the brightest", "moments"])
def test_histograms_and_moments_do_not_tell_the_class(images, what):
    flat = images.values.reshape(len(images.values), -1)
    bright = np.sort(flat, axis=1)[:, ::-1]
    centred = flat - flat.mean(1, keepdims=True)
    features = {
        "histogram": np.stack([np.histogram(x, bins=32, range=(0, 1800))[0] for x in flat]),
        "histogram of the brightest": bright[:, : flat.shape[1] // 4 : 32],
        "moments": np.stack(
            [flat.mean(1), flat.max(1), *[(centred**p).mean(1) / 200.0**p for p in (2, 3, 4)]], axis=1
        ),
    }[what]
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500, C=0.1))
    found = cross_val_predict(classifier, features, images.kind, groups=images.patient, cv=GroupKFold(5))
    assert balanced_accuracy_score(images.kind, found) < 0.40


def test_brightness_does_not_tell_tumour_from_decoy(images):
    for k in (None, 1, 2, 3):
        of = images.masses & ((images.kind > 0) if k is None else (images.kind == k))[:, None, None]
        lesion = images.label[of] == LESION
        assert 0.3 < lesion.mean() < 0.37  # one of three
        assert 0.45 < roc_auc_score(lesion, images.values[of]) < 0.55
        assert abs(average_precision_score(lesion, images.values[of]) - lesion.mean()) < 0.05


@pytest.mark.parametrize("classes", [2, 3, 4])
def test_otsu_on_the_image_is_a_poor_segmentation(images, classes):
    dices = []
    for values, label in zip(
        images.values[images.kind > 0][:90], images.label[images.kind > 0], strict=False
    ):
        found, truth = values > threshold_multiotsu(values, classes=classes, nbins=64)[-1], label == LESION
        dices.append(2 * (found & truth).sum() / (found.sum() + truth.sum()))
    assert np.median(dices) <= 0.40


def test_the_image_as_a_score_map_is_poor(images):
    ill = images.kind > 0
    truth = (images.label[ill] == LESION).ravel()
    assert average_precision_score(truth, images.values[ill].ravel()) < 0.30


def test_place_and_outline_of_bright_masses_do_not_tell_the_class(images):
    """A linear classifier on where the masses are, given to it without any mistake."""
    coarse = (
        images.masses.reshape(len(images.masses), 14, 4, 16, 4)
        .mean(axis=(2, 4))
        .reshape(len(images.masses), -1)
    )
    found = cross_val_predict(
        LogisticRegression(max_iter=500, C=0.1), coarse, images.kind, groups=images.patient, cv=GroupKFold(5)
    )
    assert balanced_accuracy_score(images.kind, found) < 0.40


def textures(image: np.ndarray) -> np.ndarray:
    """(i, j, features): local filters and their energies, relative to the local mean; neither brightness nor place."""
    blurred = ndimage.gaussian_filter
    image = image / blurred(image, 3.0)
    edges = [ndimage.gaussian_laplace(image, s) for s in (0.7, 1.0, 1.5, 2.5)]
    slope = ndimage.gaussian_gradient_magnitude(image, 1.0)
    energies = [blurred(f**2, width) for f in (*edges, slope) for width in (1.5, 3.0, 5.0)]
    return np.stack([*edges, *energies], axis=-1)


def test_texture_tells_tumour_from_decoy_in_every_class(images):
    """The task can be solved: local filters and a forest, taught with the masks of other patients."""
    taught, asked = (images.patient < 96), (images.patient >= 96) & (images.patient < 192)

    def voxels(chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        table = np.concatenate(
            [textures(x)[m] for x, m in zip(images.values[chosen], images.masses[chosen], strict=True)]
        )
        kinds = np.repeat(images.kind[chosen], images.masses[chosen].sum(axis=(1, 2)))
        return table, images.label[chosen][images.masses[chosen]] == LESION, kinds

    table, lesion, _ = voxels(taught)
    some = np.random.default_rng(0).permutation(len(table))[:15000]
    forest = RandomForestClassifier(40, min_samples_leaf=5, random_state=0).fit(table[some], lesion[some])
    table, lesion, kinds = voxels(asked)
    score = forest.predict_proba(table)[:, 1]
    assert roc_auc_score(lesion, score) > 0.95
    for kind in PLACES:  # of each, voxels at the border included, where windows see what lies outside
        of = kinds == TUMOUR_CLASSES.index(kind)
        assert roc_auc_score(lesion[of], score[of]) > 0.9

"""What the threshold 'healthy' promised: told only where more are marked than its own chance explains."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hand_made_maps import blobs, maps_of

from voxplain.inherent.evaluate import Asked, localisation
from voxplain.inherent.evaluate.promise import Promise, chance, promise, promise_told
from voxplain.inherent.mask import Segmentation
from voxplain.inherent.threshold import HealthyQuantile, Otsu


def heights(values, prefix, called_ill=0, **more):
    """Healthy images of one bright voxel each, the first few of which are decided to be ill."""
    contrasts = [np.pad([[v]], ((0, 3), (0, 3))) for v in values]
    logits = [[0.0, 1.0] if i < called_ill else [1.0, 0.0] for i in range(len(values))]
    ids = [f"{prefix}{i:03d}" for i in range(len(values))]
    return maps_of(contrasts, labels=[0] * len(values), ids=ids, **{"groups": ids, "logits": logits, **more})


def asked(test, validation, **settings):
    threshold = HealthyQuantile(**settings).fit(validation)
    rows = localisation(test, Segmentation(threshold, "ignore"), Asked(draws=1, surfaces=False)).cases
    return promise(threshold, rows)


@pytest.mark.parametrize("fitted", [19, 60])
def test_the_chance_is_that_of_drawing_both_parts_from_one_population(fitted):
    rng, patients, share = np.random.default_rng(0), 50, 0.1
    rank = int(np.ceil((fitted + 1) * (1 - share) - 1e-9))
    found = []
    for _ in range(20000):
        threshold = np.sort(rng.random(fitted))[rank - 1]
        found.append((rng.random(patients) > threshold).sum())
    for marked in (3, 8, 14):
        assert chance(marked, patients, fitted, share) == pytest.approx(
            np.mean(np.array(found) >= marked), abs=0.015
        )


def test_a_test_part_like_the_validation_part_keeps_the_promise_and_a_shifted_one_breaks_it():
    rng = np.random.default_rng(1)
    validation = heights(rng.random(100) + 1, "v", called_ill=1)
    same = asked(heights(rng.random(200) + 1, "t"), validation)
    assert same.patients == 200 and not same.broken
    shifted = heights(rng.random(200) + 1.3, "t", called_ill=60)
    found = asked(shifted, validation)
    assert found.broken and found.marked / found.patients > 0.25
    told = promise_told(found, shifted, validation)
    assert "at most 5.0%" in told and f"{found.marked:.3g} of 200 healthy patients" in told
    assert "30.0% of the healthy images of the test part are decided to be ill, 1.0%" in told
    calm = heights(rng.random(200) + 1.3, "t")
    assert "maps rise higher" in promise_told(asked(calm, validation), calm, validation)


def test_patients_count_and_not_their_images():
    rng = np.random.default_rng(2)
    validation = heights(rng.random(40) + 1, "v")
    values = np.where(np.arange(90) % 3 == 0, 5.0, 0.5)  # one of three images of every patient lies high
    of_three = [f"p{i // 3}" for i in range(90)]
    each = asked(heights(values, "t", groups=of_three), validation)
    assert each.patients == 30 and each.marked == pytest.approx(10)
    whole = asked(heights(values, "t", groups=of_three), validation, unit="patient")
    assert whole.marked == 30


def test_other_thresholds_promise_nothing():
    validation = heights(np.random.default_rng(3).random(40) + 1, "v")
    assert promise(Otsu().fit(validation), []) is None and promise(None, []) is None
    fitted = HealthyQuantile().fit(validation)
    assert promise(fitted, []) is None and promise(replace(fitted, spared=0.1), [{}]) is None


def test_of_an_independent_label_images_without_it_are_not_called_healthy():
    found = Promise(0.05, 9, 20, 1e-6)
    maps = blobs(30)
    told = promise_told(found, maps, maps, "edema")
    assert "of images without edema" in told and "patients without edema" in told and "healthy" not in told
    assert "of healthy images" in promise_told(found, maps, maps)

"""From a map to a mask: every rule, and both sides of a refinement."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hand_made_maps import blobs, maps_of

from voxplain.errors import InputError
from voxplain.inherent.mask import Components, DenseCrf, RandomWalker, Segmentation
from voxplain.inherent.mask.segment import HEALTHY, NOTHING_ABOVE, TOO_SMALL
from voxplain.inherent.score_map import ClassScore, ImageIntensity
from voxplain.inherent.threshold import HealthyQuantile, Oracle, Otsu, ZeroEvidence

ZERO = ZeroEvidence().fit(None)
CROSS = np.where(np.eye(5) > 0, 2.0, -1.0)


def test_a_mask_is_the_score_above_the_threshold():
    made = Segmentation(ZERO)(maps_of([CROSS]))
    assert np.array_equal(made.mask, CROSS > 0) and made.reason == "" and made.threshold == 0
    assert len(made.lesions) == 5 and not made.refined and made.mask is made.before


def test_a_healthy_prediction_leaves_no_mask_and_says_why():
    maps = maps_of([CROSS, CROSS], logits=[[1.0, 0.0], [0.0, 1.0]])
    masks = [m.mask.sum() for m in Segmentation(ZERO).all(maps)]
    assert masks == [0, 5]
    made = Segmentation(ZERO)(maps, 0)
    assert made.reason == HEALTHY and made.raw.sum() == 5 and made.lesions == []
    assert [m.mask.sum() for m in Segmentation(ZERO, "ignore").all(maps)] == [5, 5]


def test_without_a_healthy_class_or_a_network_there_is_no_such_prediction():
    logits = [[1.0, 0.0]]
    no_healthy = maps_of([CROSS], logits=logits, healthy=None)
    assert Segmentation(ZeroEvidence().fit(None, ClassScore("evidence", 1)))(no_healthy).mask.sum() == 5
    image = maps_of([CROSS], logits=logits, images=[CROSS[None]])
    assert Segmentation(ZeroEvidence().fit(None, ImageIntensity()))(image).mask.sum() == 5


def test_an_empty_mask_says_why():
    assert Segmentation(ZERO)(maps_of([-np.ones((4, 4))])).reason == NOTHING_ABOVE
    assert Segmentation(ZERO, components=Components(at_least_voxels=2))(maps_of([CROSS])).reason == TOO_SMALL


def test_components_see_the_spacing():
    maps = maps_of([CROSS, CROSS], spacings=[(1.0, 1.0), (2.0, 2.0)])
    keep = Segmentation(ZERO, components=Components(at_least_mm2=3))
    assert [m.mask.sum() for m in keep.all(maps)] == [0, 5]


@pytest.mark.parametrize("refinement", [RandomWalker(), DenseCrf()], ids=lambda r: r.name)
def test_before_and_after_are_both_there(refinement):
    maps = blobs(4, (24, 24))
    plain, refined = Segmentation(Otsu().fit(None)), Segmentation(Otsu().fit(None), refinement=refinement)
    for i in range(4):
        made = refined(maps, i)
        assert np.array_equal(made.before, plain(maps, i).mask) and made.refined
    assert any((m.before != m.mask).any() for m in refined.all(maps))


def test_a_refinement_never_brings_back_a_healthy_prediction():
    maps = maps_of([CROSS], logits=[[1.0, 0.0]], images=[CROSS[None]])
    assert Segmentation(ZERO, refinement=DenseCrf())(maps).mask.sum() == 0


def test_what_healthy_cases_are_spared_is_left_out():
    maps = blobs(90, seed=3)
    threshold = HealthyQuantile(0.2, spared=0.02).fit(maps)
    segmentation = Segmentation(threshold, "ignore", Components(at_least_share=0.02))
    healthy = maps.take(maps.is_healthy)
    assert sum(m.mask.any() for m in segmentation.all(healthy)) / len(healthy) <= 0.2


def test_an_oracle_per_image_reads_each_truth():
    maps = maps_of([CROSS, CROSS], masks=[CROSS > 0, np.zeros((5, 5), bool)], labels=[1, 1])
    segmentation = Segmentation(Oracle("image").fit(maps))
    assert [m.mask.sum() for m in segmentation.all(maps)] == [5, 0]


def test_it_tells_all_its_parts():
    told = json.loads(
        json.dumps(Segmentation(ZERO, refinement=DenseCrf(), components=Components("largest")).to_dict())
    )
    assert told["healthy"] == "no mask" and told["components"]["keep"] == "largest"
    assert told["refinement"]["name"] == "dense CRF" and told["threshold"]["name"] == "zero"


def test_an_unknown_rule_and_an_unfitted_threshold_are_told():
    with pytest.raises(InputError, match="healthy: found 'none'"):
        Segmentation(ZERO, "none")
    with pytest.raises(InputError, match="not fitted"):
        Segmentation(ZeroEvidence())(maps_of([CROSS]))

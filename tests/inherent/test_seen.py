"""What the network was not shown is never marked, fitted on or scored: as if maps ended where the crop ends."""

from __future__ import annotations

from dataclasses import replace

import nibabel
import numpy as np
import pytest
from hand_made_maps import blobs
from inherent_runs import config, spots

from voxplain.case import read_case
from voxplain.cli.app import run
from voxplain.errors import InputError
from voxplain.inherent.evaluate import Asked, dice_curve, localisation, map_quality
from voxplain.inherent.maps import Maps
from voxplain.inherent.maps_file import read_maps, write_maps
from voxplain.inherent.mask import Components, DenseCrf, RandomWalker, Segmentation
from voxplain.inherent.score_map import ClassScore
from voxplain.inherent.threshold import HealthyQuantile, HeldOutMasks, MultiOtsu, Oracle, Otsu, ZeroEvidence

EDGE = 5
BOX = (slice(EDGE, -EDGE), slice(EDGE, -EDGE))


def pair(n=48, seed=0) -> tuple[Maps, Maps]:
    """Maps of a crop, all of whose scores are below 0, and the same in larger images of which nothing else was seen."""
    inner = blobs(n, seed=seed)
    lowered = [
        e - np.float32(9) * (np.arange(3) > 0)[:, None, None].astype(np.float32) for e in inner.evidence
    ]
    inner = replace(inner, evidence=lowered)
    seen = np.zeros((30, 32), bool)
    seen[BOX] = True

    def placed(array):
        out = np.zeros((*array.shape[:-2], 30, 32), array.dtype)
        out[..., *BOX] = array
        return out

    outer = replace(
        inner,
        evidence=[placed(e) for e in inner.evidence],
        masks=[placed(m) for m in inner.masks],
        images=[placed(i) for i in inner.images],
        seen=[seen] * n,
    )
    return inner, outer


THRESHOLDS = [ZeroEvidence(), Otsu(), MultiOtsu(), MultiOtsu(clamp=True), HealthyQuantile(0.2), HeldOutMasks(8), Oracle(),
              Oracle("image")]  # fmt: skip


@pytest.mark.parametrize("threshold", THRESHOLDS, ids=lambda t: t.title)
@pytest.mark.parametrize("refinement", [None, RandomWalker(band=3.0), DenseCrf(rounds=2)], ids=str)
def test_masks_are_those_of_the_crop_alone(threshold, refinement):
    inner, outer = pair(24)
    if refinement is not None and not isinstance(threshold, Otsu):
        return
    made = [Segmentation(threshold.fit(m), "ignore", Components(), refinement).all(m) for m in (inner, outer)]
    for small, large in zip(*made, strict=True):
        assert small.threshold == large.threshold
        assert large.raw.sum() == large.raw[BOX].sum() and np.array_equal(large.raw[BOX], small.raw)
        assert large.mask.sum() == large.mask[BOX].sum()
        if refinement is None:
            assert np.array_equal(large.mask[BOX], small.mask)


def test_numbers_are_those_of_the_crop_alone():
    inner, outer = pair()
    asked = Asked(draws=20)
    assert map_quality(outer, ClassScore(), asked) == map_quality(inner, ClassScore(), asked)
    otsu = Otsu().fit(None)
    small, large = (localisation(m, Segmentation(otsu), asked) for m in (inner, outer))
    assert small.rows == large.rows
    curves = [dice_curve(m, ClassScore(), steps=4000) for m in (inner, outer)]
    assert curves[0].mean.max() == curves[1].mean.max() and np.isfinite(curves[1].thresholds).all()


def test_a_lesion_outside_of_the_crop_is_missed_and_not_forgotten():
    _, outer = pair(6)
    masks = [np.zeros((30, 32), bool) for _ in range(6)]
    for mask in masks:
        mask[0:2, 0:2] = True
    lost = replace(outer, masks=masks, truth_voxels=np.zeros(0, np.int64), labels=np.ones(6, np.int64))
    rows = {
        r["metric"]: r["value"] for r in localisation(lost, Segmentation(Otsu().fit(None), "ignore")).rows
    }
    assert rows["dice mean"] == 0 and rows["lesion sensitivity"] == 0
    assert [r["dice"] for r in Oracle("image").fit(lost).score(lost)] == [0] * 6


def test_a_file_keeps_what_was_seen(tmp_path):
    _, outer = pair(6)
    again = read_maps(write_maps(tmp_path / "maps", outer.take([0, 3])))
    assert all(np.array_equal(s, outer.seen[0]) for s in again.seen)
    assert read_maps(write_maps(tmp_path / "all", blobs(2))).seen[1] is None


@pytest.mark.parametrize("seen", [np.ones((3, 3), bool), np.ones((20, 22)), np.zeros((20, 22), bool)])
def test_what_is_no_mask_of_the_map_is_refused(seen):
    with pytest.raises(InputError, match="seen of 'c000'"):
        replace(blobs(1), seen=[seen])


def test_a_crop_ends_masks_written_by_the_commands(tmp_path):
    """Frames of zeros around volumes; the threshold marks all that has a score, and nothing is marked in the frames."""
    table = spots(tmp_path, suffix="nii.gz")
    for path in tmp_path.glob("[im]*.nii.gz"):
        old = nibabel.load(path)
        array = np.pad(np.asarray(old.dataobj) + 9 * path.name.startswith("i"), [(3, 2), (0, 4), (0, 0)])
        nibabel.Nifti1Image(array, old.affine).to_filename(path)
    path = config(tmp_path, table, prepare={"scale": "zscore", "crop": "foreground"},
                  mask={"threshold": "multi-otsu:offset=1e6", "healthy": "ignore"})  # fmt: skip
    for command in ("train", "predict", "evaluate"):
        assert run(["inherent", command, str(path)]) == 0
    for folder in (tmp_path / "out/prediction/cases/test").iterdir():
        mask, evidence = (read_case(folder / f"{n}.nii.gz").image for n in ("mask", "evidence"))
        outside = np.ones(mask.shape, bool)
        outside[:, 3:-2, :-4] = False
        assert mask[~outside].all() and not mask[outside].any()
        assert (evidence[:, outside[0]] == 0).all()

"""Series in the page: what is stored is what was there, within what is told."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from report.series.series_pages import DOSES, series, written
from report.viewer.volumes import CORNER, SHAPE, marked, oblique, unpacked

from voxplain.errors import InputError
from voxplain.report.series import ShownLayer, ShownSeries, moving, pack_series
from voxplain.report.viewer import MB, assets

EVIL = "</script><script>alert(1)</script><b>x</b>"
needs_script = pytest.mark.skipif(assets("series") is None, reason="the series was not built (make viewer)")


def packed(shown: ShownSeries, budget: float = 12 * MB):
    made = pack_series([lambda: shown], 1, budget)
    return made.contents[0], made.volumes


@pytest.mark.parametrize("axes", ["RAS", "LPS", "LIA"])
def test_frames_and_motion_come_back_on_axes_right_anterior_superior(axes):
    contents, volumes = packed(series(axes))
    for dose, change in zip(DOSES, contents["changes"], strict=True):
        np.testing.assert_allclose(unpacked(volumes, change, contents["shape"]), dose * marked(), atol=1e-4)
    warp = contents["layers"][2]
    for dose, (right, anterior, superior) in zip(DOSES, warp["steps"], strict=True):
        np.testing.assert_allclose(
            unpacked(volumes, right, contents["shape"]), np.full(SHAPE, dose), atol=1e-4
        )
        assert not unpacked(volumes, anterior, contents["shape"]).any()
        assert not unpacked(volumes, superior, contents["shape"]).any()
    assert warp["missing"] == {"2": "It folds."}


def test_an_oblique_grid_keeps_its_own_axes():
    contents, volumes = packed(series("LIA", affine=oblique()))
    assert unpacked(volumes, contents["changes"][-1], contents["shape"])[CORNER] == pytest.approx(1, abs=1e-4)
    assert any("oblique by up to 20°" in note for note in contents["notes"])


def test_a_mask_is_counted_on_the_file_s_own_grid():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(40, 48, 32)).astype(np.float32)
    from voxplain.report.series import ShownMask

    layer = ShownLayer("score", values[None], mask=ShownMask(0.5, "Score"))
    # so little room that the grid is coarser
    contents, _ = packed(ShownSeries("s", values, layers=(layer,)), budget=20_000)
    assert contents["shape"] != list(values.shape)
    cuts = contents["layers"][0]["mask"]["cuts"]
    assert [c for c, _ in cuts].count(0.5) == 1
    for cut, voxels in cuts[1:-1]:
        assert voxels == int((values > np.float32(cut)).sum()) or abs(voxels - (values > cut).sum()) <= 1


def test_the_difference_ends_where_changes_do_and_is_stored_once():
    contents, volumes = packed(series())
    difference = contents["layers"][0]
    assert difference["limit"] == pytest.approx(1.0, abs=0.01)  # of 0.5 and 1, the 99.5th percentile
    assert difference["steps"] == contents["changes"]
    # the image, 3 changes, the ramp, 3 × 3 of motion, labels
    assert len(volumes) == 1 + 3 + 1 + 9 + 1


def test_coarse_grids_are_told_and_motion_is_in_their_voxels():
    shape = (48, 48, 32)
    image = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    moved = np.zeros((2, 3, *shape), np.float32)
    moved[1, 0] = 4.0
    shown = ShownSeries("s", image, layers=(ShownLayer("warp grid", moved, "grid"),))
    contents, volumes = packed(shown, budget=12_000)
    by = shape[0] / contents["shape"][0]
    assert by > 1
    assert any("coarser grid" in note for note in contents["notes"])
    right = unpacked(volumes, contents["layers"][0]["steps"][1][0], contents["shape"])
    np.testing.assert_allclose(right, 4.0 / by, atol=0.02)


def test_what_does_not_fit_or_cannot_be_read_is_said():
    def broken() -> ShownSeries:
        raise InputError("the frames were not written")

    made = moving([broken, lambda: series()], budget=300)
    assert made.packed.contents == (None, None)
    assert made.why(0) == "no slider: the frames were not written"
    assert "takes more than 0.0003 MB" in made.why(1)
    assert not made.has(0) and made.note == ""


@needs_script
def test_names_are_escaped_and_the_policy_allows_one_script(tmp_path):
    text = written(tmp_path, [series(name=EVIL)]).read_text(encoding="utf-8")
    assert "<script>alert" not in text and "<b>x" not in text
    told = re.search(r'<script type="application/json" id="series-0-contents">(.*?)</script>', text, re.S)[1]
    assert json.loads(told)["name"] == EVIL
    assert re.search(r"script-src 'sha256-[^']+'\"", text)
    assert len(re.findall(r"<script>", text)) == 1 and not re.search(r"https?://|@import|\son\w+=\"", text)


def test_what_is_withheld_stands_first_and_has_no_layer(tmp_path):
    import nibabel as nib

    from voxplain.counterfactual.page.series import image_series

    frames = np.arange(3 * 4 * 5, dtype=np.float32).reshape(3, 4, 5, 1).transpose(1, 2, 3, 0)
    nib.save(nib.Nifti1Image(frames, np.diag([2.0, 2, 2, 1])), tmp_path / "frames.nii.gz")
    told = {"id": "a", "doses": [0.0, 1.0, 2.0], "scores": [-1.0, 0.0, 1.0], "dose": 1.0, "target": 0.0}
    shown = image_series(tmp_path, told | {"withheld": "its copy differs"}, ("well", "ill"), "image units")
    contents, volumes = packed(shown)
    assert (
        contents["warnings"] == ["The difference is withheld: its copy differs."] and contents["layers"] == []
    )
    assert [step["calibrated"] for step in contents["steps"]] == [False, True, False]
    free = image_series(tmp_path, told | {"withheld": ""}, ("well", "ill"), "image units")
    contents, volumes = packed(free)
    added = unpacked(volumes, contents["changes"][2], contents["shape"])
    np.testing.assert_allclose(added, 40.0, atol=0.01)

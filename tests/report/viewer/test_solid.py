"""Three dimensions: the script that the page runs on request, and what it draws."""

from __future__ import annotations

import base64
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from accessible import faults, needs_axe
from chromium import Page, needs_chromium
from PIL import Image
from report.viewer.volumes import AFFINE, case, oblique, reoriented, unpacked

from voxplain.report.html import render, write_page
from voxplain.report.page import Page as Report
from voxplain.report.viewer import MB, ShownCase, ShownMap, ShownTarget, assets, pack

pytestmark = [
    needs_chromium,
    pytest.mark.skipif(assets() is None, reason="the viewer was not built (make viewer)"),
]
SHAPE = (20, 22, 18)
FOR, AGAINST = (15, 11, 9), (5, 11, 9)  # centres of a block on the patient's right, and one on the left
STALL = "GPU stall due to ReadPixels"  # what a driver says of every pixel that is read; no fault
WAIT = "v.solid.ready.then(() => new Promise(r => setTimeout(r, 250)))"


def blocks() -> ShownCase:
    """Two blocks of opposite signs in an LPS file, so that its sides are not those of its array."""
    values = np.zeros(SHAPE)
    for (x, y, z), value in ((FOR, 1.0), (AGAINST, -1.0)):
        values[x - 2 : x + 3, y - 2 : y + 3, z - 2 : z + 3] = value
    turned, geometry = reoriented(values, "LPS")
    image = np.abs(turned) + np.linspace(0, 1, turned.size).reshape(SHAPE)
    maps = (ShownMap("blocks", turned, "units"), ShownMap("turned", -turned, "units"))
    return ShownCase("blocks", image, (ShownTarget("t", maps),), geometry)


def report(*cases: ShownCase, **more) -> Report:
    made = pack([partial(lambda c: c, c) for c in cases], len(cases), **more)
    return Report(case="a case", model="a model", viewer=made)


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    flat = ShownCase("picture", np.eye(9), (ShownTarget("t", (ShownMap("m", np.eye(9) - 0.5),)),))
    cases = (blocks(), flat, case("LIA", "oblique", oblique()))
    return write_page(tmp_path_factory.mktemp("solid") / "report.html", report(*cases))


@pytest.fixture(scope="module")
def page(file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("profile")
    with Page(folder, 340, 600, flags=("--enable-unsafe-swiftshader",)) as page:
        page.send("Emulation.setScrollbarsHidden", hidden=True)
        page.open(file)
        page.ask("window.v = voxplain.viewers[0]; v.ready")
        assert page.ask("typeof voxplainSolid") == "undefined"  # nothing is run before it is asked for
        page.ask("v.solid.button.click()")
        page.ask(WAIT)
        yield page


def choose(page: Page, label: str, value: int) -> None:
    page.ask(
        "(() => { const f = [...document.querySelectorAll('.vx-solid .vx-field')].find(f => f.textContent.startsWith("
        f"{label!r})).querySelector('select, input'); f.value = {value};"
        "f.dispatchEvent(new Event(f.tagName === 'SELECT' ? 'change' : 'input')); })()"
    )


def seen(page: Page, folder: Path) -> dict[str, np.ndarray]:
    """Where the colours of the map are in the picture: centres (across, down) and counts of both signs."""
    page.ask(WAIT)
    pixels = np.asarray(Image.open(page.picture(folder / "solid.png", ".vx-stage")).convert("RGB")).astype(
        int
    )
    pixels = pixels[:, pixels.shape[1] // 5 :]  # the cube is in the corner
    warm, cold = pixels[..., 0] - pixels[..., 2], pixels[..., 2] - pixels[..., 0]
    found = {}
    for name, mask in (("for", warm > 30), ("against", cold > 30)):
        rows, columns = np.nonzero(mask)
        found[name] = np.array(
            [len(rows), columns.mean() if len(rows) else 0, rows.mean() if len(rows) else 0]
        )
    return found


FRONT, BACK, LEFT, TOP = 0, 1, 2, 4


def test_what_speaks_for_and_against_is_on_its_own_side(page, tmp_path):
    page.ask("v.state.crosshair = false; v.redraw()")
    choose(page, "Image", 0)
    choose(page, "Look from", FRONT)
    front = seen(page, tmp_path)
    assert min(front["for"][0], front["against"][0]) > 200
    # seen from the front the patient's right is on the left
    assert front["for"][1] < front["against"][1] - 20
    choose(page, "Look from", BACK)
    back = seen(page, tmp_path)
    assert back["for"][1] > back["against"][1] + 20
    choose(page, "Look from", LEFT)  # the block on the left hides the other
    left = seen(page, tmp_path)
    assert left["against"][0] > 5 * max(left["for"][0], 1)


def test_a_cut_takes_the_side_that_it_names(page, tmp_path):
    choose(page, "Look from", FRONT)
    page.ask("v.goTo([10, 11, 9])")
    for number, gone in ((2, "for"), (1, "against")):  # the patient's right, the patient's left
        choose(page, "Cut off", number)
        found = seen(page, tmp_path)
        kept = {"for": "against", "against": "for"}[gone]
        assert found[gone][0] < 20 < 200 < found[kept][0], (number, found)
    choose(page, "Cut off", 0)


def test_a_click_on_what_is_seen_moves_the_cross_hair_of_the_planes(page, tmp_path):
    choose(page, "Look from", FRONT)
    at = seen(page, tmp_path)["for"]
    page.ask("v.goTo([0, 0, 0]); document.querySelector('.vx-stage').scrollIntoView()")
    page.ask(WAIT)
    x, y, width = page.ask(
        "(() => { const b = document.querySelector('.vx-stage').getBoundingClientRect(); return [b.x, b.y, b.width]; })()"
    )
    page.click(x + int(width) // 5 + at[1], y + at[2])
    page.ask(WAIT)
    voxel = np.array(page.ask("v.state.voxel"))
    # on the front of the block, which grows towards anterior
    assert np.abs(voxel - (FOR[0], FOR[1] + 2, FOR[2])).max() <= 1, voxel


def test_threshold_method_and_keys_change_it(page, tmp_path):
    choose(page, "Look from", FRONT)
    before = seen(page, tmp_path)
    page.ask("v.openMap(0, 1); v.ready")
    turned = seen(page, tmp_path)
    assert (turned["for"][1] - turned["against"][1]) * (before["for"][1] - before["against"][1]) < 0
    page.ask("v.openMap(0, 0); v.ready")
    page.ask("v.state.opacity = 0; v.redraw()")
    assert seen(page, tmp_path)["for"][0] == 0
    page.ask("v.state.opacity = 0.9; v.redraw(); document.querySelector('.vx-stage canvas').focus()")
    for _ in range(5):
        page.press("ArrowRight")  # 30° to a side: what is beside the other comes before it
    apart = [abs(found["for"][1] - found["against"][1]) for found in (seen(page, tmp_path), before)]
    assert apart[0] < 0.95 * apart[1]


@needs_axe
def test_it_has_no_serious_fault(page):
    assert faults(page) == []
    page.ask("document.querySelector('.vx-help').showModal()")
    assert faults(page) == []
    page.ask("document.querySelector('.vx-help').close()")


def test_a_volume_is_a_nifti_file_with_the_affine_of_the_page(page):
    """Read by nibabel, from an oblique file with axes L, I, A."""
    plain = page.ask(
        "(async () => { v.openCase(2); await v.ready; const of = v.case; const m = of.targets[0].maps[0];"
        "const b = new Uint8Array(voxplainSolid.nifti(of, await v.volumes.get(m, 336), m.scale, m.offset));"
        "return btoa(String.fromCharCode(...b)); })()"
    )
    read = nib.Nifti1Image.from_bytes(base64.b64decode(plain))
    packed = pack([lambda: case("LIA", "oblique", oblique())], 1)
    described = packed.contents["cases"][0]
    np.testing.assert_allclose(read.affine, oblique(), atol=1e-5)  # RAS, as the file was before it was turned
    truth = unpacked(packed.volumes, described["targets"][0]["maps"][0], described["shape"])
    np.testing.assert_allclose(read.get_fdata(), truth, atol=1e-6)
    assert nib.aff2axcodes(read.affine) == ("R", "A", "S") and not np.allclose(read.affine, AFFINE)


def test_a_picture_has_no_third_dimension(page):
    page.ask("v.openCase(1); v.ready")
    assert page.ask("v.solid.button.hidden && v.solid.whole.hidden")
    page.ask("v.openCase(0); v.ready")
    assert not page.ask("v.solid.button.hidden || v.solid.whole.hidden")


def test_nothing_is_asked_of_the_network_and_nothing_complains(page):
    assert [c for c in page.complaints if STALL not in c] == []
    assert all(url.startswith(("file:", "data:")) for url in page.requests)
    assert sum(url.startswith("file:") for url in page.requests) == 1


def test_without_webgl_the_page_says_so_and_keeps_its_planes(file, tmp_path):
    with Page(tmp_path) as page:
        script = (
            "const get = HTMLCanvasElement.prototype.getContext; HTMLCanvasElement.prototype.getContext ="
            "function (kind, ...more) { return kind === 'webgl2' ? null : get.call(this, kind, ...more); }"
        )
        page.send("Page.addScriptToEvaluateOnNewDocument", source=script)
        page.open(file)
        page.ask("window.v = voxplain.viewers[0]; v.ready.then(() => v.solid.button.click())")
        page.ask("new Promise(r => setTimeout(r, 100))")
        assert "no WebGL2" in page.ask("document.querySelector('.vx-solid').textContent")
        assert page.ask("document.querySelectorAll('.vx-panel canvas').length") == 3
        assert page.complaints == []


@pytest.mark.parametrize("more", [{"three_d": False}, {"budget": 0.5 * MB}])
def test_a_page_without_it_neither_holds_nor_allows_its_script(more):
    text = render(report(blocks(), **more))
    assert 'id="viewer-solid"' not in text and assets().solid_policy not in text
    assert 'id="viewer-contents"' in text and assets().policy in text

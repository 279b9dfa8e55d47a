"""The series in a browser: the slider moves pictures and numbers, by mouse and keys."""

from __future__ import annotations

import base64
import time

import numpy as np
import pytest
from chromium import Page, needs_chromium
from report.series.series_pages import series, written
from report.viewer.volumes import oblique

from voxplain.report.colours import overlay
from voxplain.report.viewer import assets

pytestmark = [
    needs_chromium,
    pytest.mark.skipif(assets("series") is None, reason="the series was not built (make viewer)"),
]
EVIL = "</script><script>document.title = 'stolen'</script><b>x</b>"
DRAWN = "new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))"
HELPERS = """
window.all = voxplainSeries.all;
window.root = n => document.querySelectorAll('[data-series]')[n];
window.said = n => root(n).querySelector('.vx-said').textContent;
window.places = n => [...root(n).querySelectorAll('.vx-place')].map(p => p.textContent);
window.field = (n, name) => [...root(n).querySelectorAll('.vx-field')].find(f => f.textContent.startsWith(name));
"""
RAS, LPS, LIA, OBLIQUE, NAMED = range(5)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory):
    shown = [series("RAS"), series("LPS"), series("LIA"), series("LIA", "o", oblique()), series("RAS", EVIL)]
    file = written(tmp_path_factory.mktemp("series"), shown)
    with Page(tmp_path_factory.mktemp("profile")) as browser:
        browser.open(file)
        browser.ask(HELPERS)
        browser.ask("Promise.all(all.map(s => { s.open(); return s.ready; })).then(() => 1)")
        yield browser


def at(page: Page, number: int, step: int = 2, layer: int = 0, *, crosshair: bool = False) -> None:
    page.ask(
        f"(() => {{ const s = all[{number}]; s.state.crosshair = {str(crosshair).lower()}; s.state.voxel = [0, 7, 6];"
        f"s.show({layer}); s.go({step}); return s.ready.then(() => {DRAWN}); }})()"
    )


def pixels(page: Page, number: int, pane: int) -> np.ndarray:
    width, height, plain = page.ask(
        f"(() => {{ const c = all[{number}].panes[{pane}].canvas;"
        "const copy = new OffscreenCanvas(c.width, c.height).getContext('2d', {willReadFrequently: true});"
        "copy.drawImage(c, 0, 0); const d = copy.getImageData(0, 0, c.width, c.height).data; let s = '';"
        "for (let n = 0; n < d.length; n += 8192) s += String.fromCharCode(...d.subarray(n, n + 8192));"
        "return [c.width, c.height, btoa(s)]; })()"
    )
    return np.frombuffer(base64.b64decode(plain), np.uint8).reshape(height, width, 4)[..., :3].astype(int)


def corner(picture: np.ndarray) -> str:
    rows, columns = picture.shape[0] // 2, picture.shape[1] // 2
    light = (picture.min(-1) > 200) & (picture.max(-1) > 240)
    y, x = (float(v.mean()) for v in np.nonzero(light))
    return f"{'top' if y < rows else 'bottom'} {'left' if x < columns else 'right'}"


@pytest.mark.parametrize("number", [RAS, LPS, LIA, OBLIQUE])
def test_the_light_grows_where_the_patient_s_left_front_and_top_is(page, number):
    page.ask(f"root({number}).scrollIntoView()")
    at(page, number)
    page.ask(f"all[{number}].state.low = 0; all[{number}].state.high = 1; all[{number}].redraw(); {DRAWN}")
    # panes in threes: before, now, layer; axial, coronal, sagittal
    assert [corner(_inside(pixels(page, number, pane))) for pane in (1, 4, 7)] == [
        "top right",
        "top right",
        "top left",
    ]
    assert not (_inside(pixels(page, number, 0)).min(-1) > 200).any()


def _inside(picture: np.ndarray) -> np.ndarray:
    """Without the letters, which stand in the middle of the edges."""
    out = picture.copy()
    tall, wide = picture.shape[:2]
    out[int(0.44 * tall) : int(0.56 * tall), : int(0.1 * wide)] = 0
    out[int(0.44 * tall) : int(0.56 * tall), -int(0.1 * wide) :] = 0
    out[:, int(0.44 * wide) : int(0.56 * wide)] = 0
    return out


def test_the_slider_changes_pictures_and_numbers(page):
    at(page, RAS, 0)
    before = pixels(page, RAS, 1)
    assert said_of(page) == "Dose 0 (the image itself): logit −2, probability of ill 0.119, decision well"
    assert "difference 0" in page.ask(f"places({RAS})")[-1]
    page.ask(f"all[{RAS}].panes[0].canvas.focus(); field({RAS}, 'Dose').querySelector('input').focus()")
    for _ in range(2):
        page.press("ArrowRight")
    page.ask(f"all[{RAS}].ready.then(() => {DRAWN})")
    assert said_of(page) == "Dose 1 (the calibrated dose): logit +3, probability of ill 0.953, decision ill"
    assert "before 0 · now 1 image units · difference 1" in page.ask(f"places({RAS})")[-1]
    assert np.abs(pixels(page, RAS, 1) - before).max() > 100
    assert page.ask(f"field({RAS}, 'Dose').querySelector('input').getAttribute('aria-valuetext')") == said_of(
        page
    )


def said_of(page: Page) -> str:
    return page.ask(f"said({RAS})")


def test_the_difference_has_the_colours_of_the_scale(page):
    at(page, RAS, 2)
    page.ask(f"all[{RAS}].state.low = 0; all[{RAS}].state.high = 1; all[{RAS}].redraw(); {DRAWN}")
    seen = pixels(page, RAS, 2)
    truth = 255 * overlay(np.array([1.0]), 1.0)[0, :3] * 0.9  # over black
    assert np.abs(seen.reshape(-1, 3) - truth).max(1).min() <= 2


def test_the_grid_is_that_of_the_displacement(page):
    """Tissue that goes one voxel to the right, which is one to the left in the picture; columns are lines at x - 1."""
    lines = page.ask(
        "(() => { const s = all[0], n = 6 * 8 * 7; const one = new Float32Array(n).fill(1), none = new Float32Array(n);"
        "return voxplainSeries.warped({ shape: [6, 8, 7] }, s.info.planes[0], [0, 0, 0], [one, none, none]); })()"
    )
    rows, columns = lines[:8], lines[8:]
    assert np.array(rows[0]).reshape(-1, 2).tolist() == [[x + 0.5 - 1, 0.5] for x in range(6)]
    assert np.array(columns[2]).reshape(-1, 2).tolist() == [[2.5 - 1, y + 0.5] for y in range(8)]


def test_a_step_that_folds_says_so_and_others_tell_the_motion(page):
    at(page, RAS, 1, 2)
    assert "moved by 1 mm" in page.ask(f"places({RAS})")[-1]  # half a voxel of 2 mm
    at(page, RAS, 2, 2)
    assert page.ask(f"root({RAS}).querySelector('p.vx-lost').textContent") == "It folds."
    assert "moved" not in page.ask(f"places({RAS})")[-1]


def test_the_mask_s_slider_tells_what_is_left(page):
    at(page, RAS, 2, 1)
    told = page.ask(f"places({RAS})")[0]
    ramp = np.linspace(-1, 1, 6 * 8 * 7, dtype=np.float32)
    left = int((ramp > 0.5).sum())
    # 2 × 1.5 × 3 mm
    assert told.startswith(
        f"Ramp above 0.5 (the threshold that was used): {left} voxels, {left * 9 / 1000:.3g} ml"
    )
    page.ask(f"field({RAS}, 'Mask from').querySelector('input').focus()")
    before = pixels(page, RAS, 2)
    page.press("ArrowLeft")
    page.ask(DRAWN)
    assert page.ask(f"places({RAS})")[0] != told
    page.ask(f"all[{RAS}].state.voxel = [3, 3, 3]; all[{RAS}].cut = 20; all[{RAS}].redraw(); {DRAWN}")
    assert np.abs(pixels(page, RAS, 2) - before).max() > 100


def test_keys_walk_the_cross_hair_and_turn_slices(page):
    at(page, RAS, 2, crosshair=True)
    page.ask(f"all[{RAS}].panes[1].canvas.focus()")
    for key in ("ArrowLeft", "ArrowDown", "PageDown"):
        page.press(key)
    # radiological: left on the screen is the patient's right, down is back
    assert page.ask(f"all[{RAS}].state.voxel") == [1, 6, 5]


def test_a_pointer_places_the_cross_hair_in_all_panes(page):
    at(page, RAS, 2)
    page.ask(f"root({RAS}).scrollIntoView()")
    box = f"all[{RAS}].panes[4].canvas.getBoundingClientRect()"
    x, y, width, height = page.ask(f"(b => [b.x, b.y, b.width, b.height])({box})")
    page.ask(f"scrollBy(0, {y - 200})")
    page.click(x + width / 2, 200 + height / 2)
    page.ask(DRAWN)
    found = page.ask(f"all[{RAS}].state.voxel")
    assert found[0] in (2, 3) and found[1] == 7 and found[2] == 3


def test_it_plays_and_stops(page):
    at(page, RAS, 0)
    page.ask(f"all[{RAS}].run(true)")
    page.ask("new Promise(r => setTimeout(r, 1200))")
    page.ask(f"all[{RAS}].run(false)")
    assert page.ask(f"all[{RAS}].step") != 0


def test_every_control_has_a_name_and_stills_give_way(page):
    unnamed = page.ask(
        "[...document.querySelectorAll('.voxplain :is(button, select, input, canvas)')].filter(e =>"
        "!(e.getAttribute('aria-label') || e.labels?.[0]?.textContent || e.textContent)).map(e => e.outerHTML)"
    )
    assert unnamed == []
    assert page.ask("getComputedStyle(document.querySelector('.vx-still')).display") == "none"
    page.send("Emulation.setEmulatedMedia", media="print")
    assert page.ask("getComputedStyle(document.querySelector('.vx-still')).display") != "none"
    assert page.ask("getComputedStyle(document.querySelector('.voxplain')).display") == "none"
    page.send("Emulation.setEmulatedMedia", media="screen")


def test_phones_have_no_sideways_scroll(page):
    page.resize(390, 800)
    page.ask(DRAWN)
    assert page.ask("document.documentElement.scrollWidth") <= 390
    page.resize(1280, 1000)


def test_nothing_is_asked_for_and_nothing_complains(page):
    assert page.ask("document.title") == "t"
    assert page.ask(f"all[{NAMED}].info.name") == EVIL
    assert [r for r in page.requests if not r.startswith("file:")] == [] and len(page.requests) == 1
    assert page.complaints == []


def test_without_scripts_stills_are_shown(tmp_path):
    file = written(tmp_path, [series()])
    with Page(tmp_path / "profile") as browser:
        browser.send("Emulation.setScriptExecutionDisabled", value=True)
        browser.send("Page.navigate", url=file.resolve().as_uri())
        shown = "document.querySelector('.vx-still') && getComputedStyle(document.querySelector('.vx-still')).display"
        for _ in range(200):  # nothing can be awaited where scripts are off
            if (found := browser.ask(shown)) is not None and browser.ask("document.readyState") == "complete":
                break
            time.sleep(0.05)
        assert found == "block"
        assert browser.ask("document.querySelector('.voxplain').hidden")

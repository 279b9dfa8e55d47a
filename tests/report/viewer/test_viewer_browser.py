"""The viewer in a browser: what is on the screen, and what the reader's hand and keys do to it."""

from __future__ import annotations

import base64
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from accessible import faults_of, needs_axe
from chromium import Page, needs_chromium
from report.study_pages import page as study_page
from report.viewer.volumes import case, oblique

from voxplain.report.colours import colour_map, overlay
from voxplain.report.outline import outline
from voxplain.report.study import write_study_page
from voxplain.report.viewer import ShownCase, ShownMap, ShownTarget, assets, pack

pytestmark = [
    needs_chromium,
    pytest.mark.skipif(assets() is None, reason="the viewer was not built (make viewer)"),
]
EVIL = "</script><script>document.title = 'stolen'</script><b>x</b>"
DRAWN = "new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))"
HELPERS = """
window.v = voxplain.viewers[0];
window.field = name => [...document.querySelectorAll('.vx-field')].find(f => f.textContent.startsWith(name));
window.set = (control, value, event) => { control.value = value; control.dispatchEvent(new Event(event)); };
window.box = () => { const b = document.querySelector('.vx-panel canvas').getBoundingClientRect();
  return [b.x, b.y, b.width, b.height]; };
window.controls = [...document.querySelectorAll('.voxplain :is(button, select, input, canvas)')];
window.named = e =>
  e.getAttribute('aria-label') || (e.labels?.[0]?.control === e && e.labels[0].textContent) || e.textContent;
"""
RAS, LPS, LIA, OBLIQUE, PICTURE, NAMED = range(6)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    flat = np.random.default_rng(0).normal(size=(20, 30))
    cases = [
        case("RAS"),
        case("LPS"),
        case("LIA"),
        case("RAS", "oblique", oblique()),
        ShownCase("picture", flat, (ShownTarget("t", (ShownMap("m", flat - 0.5),)),)),
        case("RAS", EVIL),
    ]
    made = pack([partial(lambda c: c, c) for c in cases], len(cases))
    folder = tmp_path_factory.mktemp("viewer")
    return write_study_page(folder / "report.html", study_page(viewer=made))


@pytest.fixture(scope="module")
def browser(file: Path, tmp_path_factory: pytest.TempPathFactory):
    with Page(tmp_path_factory.mktemp("profile")) as page:
        page.open(file)
        page.ask(HELPERS)
        page.ask("v.ready")
        page.ask("document.querySelector('.voxplain').scrollIntoView()")
        yield page


@pytest.fixture
def page(browser: Page) -> Page:
    """The first case as it is at first."""
    browser.ask(
        "v.state.neurological = false; v.state.threshold = 0.05; v.state.opacity = 0.9; v.state.crosshair = true;"
        "v.openCase(0); v.openMap(0, 0);"
        f"v.ready.then(() => {{ v.state.voxel = [3, 4, 3]; v.redraw(); return {DRAWN}; }})"
    )
    return browser


def pixels(page: Page, number: int) -> np.ndarray:
    """A canvas as it is on the screen, (rows, columns, 3)."""
    width, height, plain = page.ask(
        f"(async () => {{ await {DRAWN}; const c = document.querySelectorAll('.vx-panel canvas')[{number}];"
        "const copy = new OffscreenCanvas(c.width, c.height).getContext('2d', {willReadFrequently: true});"
        "copy.drawImage(c, 0, 0); const d = copy.getImageData(0, 0, c.width, c.height).data; let s = '';"
        "for (let n = 0; n < d.length; n += 8192) s += String.fromCharCode(...d.subarray(n, n + 8192));"
        "return [c.width, c.height, btoa(s)]; })()"
    )
    return np.frombuffer(base64.b64decode(plain), np.uint8).reshape(height, width, 4)[..., :3].astype(int)


def brightest_corner(picture: np.ndarray) -> str:
    rows, columns = picture.shape[0] // 3, picture.shape[1] // 3
    light = picture.sum(-1)
    corners = {
        "top left": light[:rows, :columns],
        "top right": light[:rows, -columns:],
        "bottom left": light[-rows:, :columns],
        "bottom right": light[-rows:, -columns:],
    }
    return max(corners, key=lambda name: corners[name].mean())


def test_colours_and_opacity_are_those_of_the_pictures(page):
    table = np.array(page.ask("Array.from(voxplain.table(v.contents.stops))")).reshape(-1, 3)
    truth = np.asarray(colour_map()(np.arange(513)))[:, :3] * 255
    assert np.abs(table - truth).max() <= 0.51
    values = np.linspace(-1.5, 1.5, 201)
    own = overlay(values, 1.0)
    places = page.ask(f"{values.tolist()}.map(x => voxplain.place(x, 1))")
    assert np.abs(table[places] - own[:, :3] * 255).max() <= 0.51
    alphas = page.ask(f"{values.tolist()}.map(x => voxplain.alpha(x, 1, 0.9, 0))")
    np.testing.assert_allclose(alphas, own[:, 3], atol=1e-12)


def test_outlines_run_along_the_same_edges_as_in_the_pictures(page):
    mask = np.random.default_rng(4).random((9, 12)) < 0.5
    lines = np.array(page.ask(f"voxplain.outline({mask.astype(int).ravel().tolist()}, 12, 9, 1)")).reshape(
        -1, 4
    )

    def edges(segments) -> set:
        found = set()
        for x0, y0, x1, y1 in segments:
            steps = int(max(abs(x1 - x0), abs(y1 - y0)))
            ways = np.linspace((x0, y0), (x1, y1), steps + 1)
            found |= {tuple(sorted(map(tuple, ways[n : n + 2].tolist()))) for n in range(steps)}
        return found

    truth = set()
    for loop in outline(mask):
        corners = loop + 0.5
        truth |= edges(np.hstack([corners[:-1], corners[1:]]))
    assert edges(lines) == truth


@pytest.mark.parametrize("number", [RAS, LPS, LIA, OBLIQUE])
def test_left_front_and_top_are_where_they_belong(page, number):
    page.ask(f"v.openCase({number}); v.ready")
    page.ask(
        "v.state.crosshair = v.state.outlines = false; v.state.opacity = 0; v.state.voxel = [0, 7, 6]; v.redraw()"
    )
    assert [brightest_corner(pixels(page, n)) for n in range(3)] == ["top right", "top right", "top left"]
    letters = page.ask("v.case.planes.map(p => p.letters.map(l => l[0]).join(''))")
    assert letters == ["RLAP", "RLSI", "APSI"]
    page.ask("v.state.neurological = true; v.redraw()")
    assert [brightest_corner(pixels(page, n)) for n in range(3)] == ["top left", "top left", "top left"]
    page.ask("v.state.outlines = true")
    if number != OBLIQUE:
        assert "RAS −11.0, −9.5, 23.0 mm" in page.ask("v.told()")
    assert "image 1 " in page.ask("v.told()") and "ramp" in page.ask("v.told()")


def test_a_voxel_is_named_as_in_its_file(page):
    page.ask(f"v.openCase({LIA}); v.ready")
    page.ask("v.state.voxel = [0, 7, 6]")
    # L, I, A: the mark is at the end of the first axis, at the begin of the second, at the end of the third
    assert "voxel (5, 0, 7)" in page.ask("v.told()")


def test_a_click_puts_the_cross_hair_there_and_links_the_planes(page):
    box = page.ask("box()")
    before = pixels(page, 2)
    # the slice is 12 mm wide and 12 mm high, so it fills the canvas: the last column but one, the second row
    page.click(box[0] + box[2] * 4.5 / 6, box[1] + box[3] * 1.5 / 8)
    page.ask(DRAWN)
    assert page.ask("v.state.voxel.slice(0, 2)") == [1, 6]
    assert "RAS −9.0, −11.0" in page.ask("document.querySelector('.vx-place').textContent")
    assert (pixels(page, 2) != before).any()


def test_keys_walk_turn_and_switch(page):
    page.ask("v.state.voxel = [3, 3, 3]; document.querySelector('.vx-panel canvas').focus()")
    for key in ("ArrowRight", "ArrowUp", "PageUp"):
        page.press(key)
    # to the right of the picture is the patient's left
    assert page.ask("v.state.voxel") == [2, 4, 4]
    page.press("PageDown")
    assert page.ask("v.state.voxel[2]") == 3
    page.press("2")
    page.ask("v.ready")
    assert page.ask("document.querySelector('.vx-side h3').textContent").startswith("spot")
    assert page.ask("document.activeElement.tagName") == "CANVAS"
    page.press("+")
    assert page.ask("v.state.zoom") == 1.25
    page.press("?")
    assert page.ask("document.querySelector('dialog').open")
    page.press("Escape")
    assert not page.ask("document.querySelector('dialog').open")


def test_every_control_can_be_reached_by_tab_and_has_a_name(page):
    names = page.ask("controls.map(named)")
    assert len(names) > 18 and all(name.strip() for name in names)
    assert page.ask("controls.every(e => e.tabIndex >= 0)")


@pytest.mark.parametrize(("label", "value"), [("Hidden below", 60), ("Opacity", 20)])
def test_sliders_change_the_picture(page, label, value):
    before = pixels(page, 0)
    page.ask(f"set(field({label!r}).querySelector('input'), {value}, 'input')")
    after = pixels(page, 0)
    assert (after != before).any()
    if label == "Opacity":  # less colour everywhere
        assert np.ptp(after, axis=-1).sum() < np.ptp(before, axis=-1).sum()


def test_windows_zoom_and_dragging_change_the_picture(page):
    seen = [pixels(page, 0)]
    for script in (
        "v.window(-1, 3)",
        "v.zoom(2)",
        "v.movePicture({number: 0, canvas: document.querySelector('.vx-panel canvas')}, 40, 0)",
    ):
        page.ask(script)
        seen.append(pixels(page, 0))
        assert (seen[-1] != seen[-2]).any(), script
    page.ask("v.whole(); v.preset(0)")
    assert (pixels(page, 0) == seen[0]).all()


def test_the_slice_slider_scrolls(page):
    before = pixels(page, 0)
    page.ask("set(document.querySelector('.vx-panel input'), 1, 'input')")
    assert (pixels(page, 0) != before).any()
    assert "slice 2 of 7" in page.ask("document.querySelector('.vx-where').textContent")


def choose(page: Page, label: str, value: int) -> None:
    page.ask(f"set(field({label!r}).querySelector('select'), {value}, 'change'); v.ready")


def test_method_and_target_switch_and_two_methods_stand_side_by_side(page):
    first = pixels(page, 0)
    choose(page, "Method", 1)
    assert (pixels(page, 0) != first).any()
    choose(page, "Method", 0)
    choose(page, "Beside it", 1)
    assert page.ask("document.querySelectorAll('.vx-panel canvas').length") == 6
    assert (pixels(page, 3) != pixels(page, 0)).any()
    assert page.ask("[...document.querySelectorAll('.vx-side h3')].map(h => h.textContent)") == [
        "ramp holds",
        "spot",
    ]
    choose(page, "Target", 1)
    assert page.ask("document.querySelectorAll('.vx-panel canvas').length") == 3
    # the same places with the other sign
    signs = [(p[..., 0] - p[..., 2]).ravel() for p in (first, pixels(page, 0))]
    assert np.corrcoef(*signs)[0, 1] < -0.9


def test_a_picture_has_one_panel_and_no_letters(page):
    page.ask(f"v.openCase({PICTURE}); v.ready")
    assert page.ask("document.querySelectorAll('.vx-panel canvas').length") == 1
    assert page.ask("document.querySelector('.vx-panel input').hidden")
    assert "pixel" not in page.ask("v.told()") and "voxel (" in page.ask("v.told()")


def test_a_name_is_a_name_and_no_markup(page):
    page.ask(f"v.openCase({NAMED}); v.ready")
    assert (
        page.ask("document.title") != "stolen"
        and page.ask("document.querySelectorAll('.voxplain b').length") == 0
    )
    assert page.ask("document.querySelector('.vx-field option:checked').textContent") == EVIL


def test_it_fits_a_telephone(page):
    page.resize(390, 800)
    assert page.ask(f"{DRAWN}.then(() => document.documentElement.scrollWidth)") <= 390
    sizes = page.ask("[...document.querySelectorAll('.vx-panel canvas')].map(c => [c.clientWidth, c.width])")
    assert all(client == drawn > 250 for client, drawn in sizes)
    page.resize(1280, 1000)


def test_letters_do_what_the_buttons_do(page):
    page.ask("document.querySelector('.vx-panel canvas').focus()")
    for key, state in (("o", "outlines"), ("x", "crosshair"), ("n", "neurological")):
        before = page.ask(f"v.state.{state}")
        page.press(key)
        assert page.ask(f"v.state.{state}") is not before
        page.press(key)
        assert page.ask(f"v.state.{state}") is before
    page.press("Home")
    assert page.ask("v.state.voxel[2]") == 0
    page.press("End")
    assert page.ask("v.state.voxel[2]") == 6
    page.press("s")  # the ramp ends there
    assert page.ask("v.state.voxel") in ([5, 7, 6], [0, 0, 0])
    window = page.ask("[v.state.low, v.state.high]")
    page.ask("v.window(0.2, 0.4)")
    page.press("w")
    assert page.ask("[v.state.low, v.state.high]") == window


def test_the_help_keeps_the_focus_until_escape_and_opens_from_anywhere(page):
    page.ask("document.activeElement.blur()")
    page.press("?")
    assert page.ask("document.querySelector('.vx-help').open")
    for _ in range(3):
        page.press("Tab")
        assert page.ask("document.activeElement.closest('.vx-help') !== null")
    page.press("o")  # no key of the viewer works behind it
    assert page.ask("v.state.outlines")
    page.press("Escape")
    assert not page.ask("document.querySelector('.vx-help').open")


def test_the_first_tab_leads_past_what_comes_before_the_results(file, tmp_path):
    with Page(tmp_path) as page:
        page.open(file)
        page.press("Tab")
        assert page.ask("document.activeElement.className") == "skip"
        assert page.ask("document.activeElement.getBoundingClientRect().top") >= 0
        page.press("Enter")
        assert page.ask("document.activeElement.id") == "content"


@needs_axe
def test_the_page_of_a_study_has_no_serious_fault(file, tmp_path):
    assert faults_of(file, tmp_path) == []


def test_one_finger_moves_the_cross_hair_and_two_zoom_and_move(page):
    page.send("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=2)
    page.ask("document.querySelector('.voxplain').scrollIntoView()")
    x, y, width, height = page.ask("box()")
    middle = (x + width / 2, y + height / 2)
    page.touch("touchStart", (x + width * 1.5 / 6, middle[1]))
    page.touch("touchMove", (x + width * 4.5 / 6, middle[1]))
    page.touch("touchEnd")
    page.ask(DRAWN)
    assert page.ask("v.state.voxel[0]") == 1  # to the right: the patient's left
    scrolled = page.ask("scrollY")
    page.touch("touchStart", (middle[0] - 20, middle[1]), (middle[0] + 20, middle[1]))
    page.touch("touchMove", (middle[0] - 40, middle[1] + 10), (middle[0] + 40, middle[1] + 10))
    page.touch("touchEnd")
    page.ask(DRAWN)
    assert page.ask("v.state.zoom") == pytest.approx(2, rel=0.1)
    zoom, pan, row = page.ask("[v.state.zoom, v.state.pan[0][1], 7 - v.state.voxel[1] + 0.5 - 4]")
    # the cross-hair stays where it is but for the fingers' way down; 8 rows fill the picture
    assert ((row - pan) * zoom - row) * height / 8 == pytest.approx(10, abs=1)
    assert page.ask("v.state.voxel[0]") == 1 and page.ask("scrollY") == scrolled
    page.send("Emulation.setTouchEmulationEnabled", enabled=False)
    page.ask("v.whole()")


def test_nothing_was_asked_of_the_network_and_nothing_complained(browser):
    assert browser.complaints == []
    assert all(url.startswith(("file:", "data:")) for url in browser.requests)
    assert sum(url.startswith("file:") for url in browser.requests) == 1

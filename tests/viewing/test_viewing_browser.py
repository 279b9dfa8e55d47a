"""The served page in a browser: lazy loading, the view in the address, scripts in names, notes, a reader study."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from urllib.parse import unquote

import numpy as np
import pytest
from chromium import Page, needs_chromium
from viewing.conftest import Running
from viewing_folder import EVIL, METHODS, ViewedStudy, voxels

from voxplain.report.viewer import assets
from voxplain.viewing import read_notes

pytestmark = [
    needs_chromium,
    pytest.mark.skipif(assets() is None, reason="the viewer was not built (make viewer)"),
]
DRAWN = "new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(r, 200))))"
READY = f"voxplain.started.then(async p => {{ window.p = p; await p.ready; await {DRAWN}; }})"
STATE = "JSON.stringify([p.viewer.case.name, {...p.viewer.state}])"
TEXT = "document.body.textContent"


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with Page(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def go(chrome: Page) -> Callable[..., Page]:
    """Opens a server's page as the terminal says it."""

    def to(server: Running, fragment: str = "") -> Page:
        chrome.open("about:blank")
        chrome.requests.clear()
        chrome.complaints.clear()
        chrome.open(server.gate.address + fragment)
        chrome.ask(READY)
        return chrome

    return to


def asked(page: Page) -> list[str]:
    """What was asked for since last time, without the host."""
    found = [
        "/" + r.split("/", 3)[3].partition("?")[0] for r in page.requests if r.startswith("http://127.0.0.1")
    ]
    assert all(r.startswith(("http://127.0.0.1:", "data:", "about:")) for r in page.requests)
    page.requests.clear()
    return found


def volumes(page: Page) -> list[str]:
    return sorted(
        r.removeprefix("/api/items/") for r in asked(page) if r.count("/") > 3 and not r.endswith("notes")
    )


def to_view(page: Page, script: str) -> None:
    page.ask(f"(async () => {{ {script}; await p.ready; await p.viewer.ready; await {DRAWN}; }})()")


def test_volumes_are_loaded_when_they_are_looked_at(study: ViewedStudy, running, go):
    page = go(running(study.out))
    assert volumes(page) == ["0/image", "0/labels/0", "0/maps/0/0"]
    page.press("2")
    page.ask(f"p.viewer.ready.then(() => {DRAWN})")
    assert volumes(page) == ["0/maps/0/1"]
    to_view(page, "p.viewer.openMap(0, 0)")
    assert volumes(page) == []  # it is still here
    to_view(page, "p.viewer.openTarget(1)")
    assert volumes(page) == ["0/maps/1/0"]
    page.press("j")
    page.ask(READY)
    assert volumes(page) == ["1/image", "1/labels/0", "1/maps/1/0"]
    assert page.ask("p.viewer.told()").startswith("RAS") and not page.complaints
    # the voxel that the page tells is the file's, and of cases that are passed by only the last is read
    told = page.ask("p.viewer.told()")
    at = tuple(int(n) for n in told.partition("voxel (")[2].partition(")")[0].split(","))
    assert float(told.partition("gradient ")[2].split(" ")[0]) == pytest.approx(voxels(1, 0, 1)[at], rel=1e-3)
    page.ask(
        "(async () => { for (let n = 2; n < 8; n++) p.show(n); await p.ready; await p.viewer.ready; })()"
    )
    items = [r for r in asked(page) if r.startswith("/api/items/") and r.count("/") == 3]
    assert items[-1] == "/api/items/7" and len(items) <= 2 and page.ask("p.viewer.case.name") == "case-7"


@pytest.mark.long
def test_a_link_gives_the_same_view_again(study: ViewedStudy, running, go):
    server = running(study.out)
    page = go(server)
    to_view(page, "p.show(4)")
    to_view(page, "p.viewer.openTarget(1)")
    to_view(page, "p.viewer.openMap(0, 2)")
    to_view(page, "p.viewer.openMap(1, 1)")
    to_view(
        page,
        "Object.assign(p.viewer.state, {voxel: [1, 2, 3], threshold: 0.3, opacity: 0.5});"
        "Object.assign(p.viewer.state, {neurological: true, outlines: false});"
        "p.viewer.window(10, 200); p.viewer.zoom(2); p.viewer.state.pan[1] = [1.5, -2]; p.viewer.redraw()",
    )
    before, address = page.ask(STATE), page.ask("location.href")
    assert "token" not in address
    state = json.loads(before)[1]
    assert (state["target"], state["maps"], state["voxel"], state["zoom"]) == (1, [2, 1], [1, 2, 3], 2)
    page.open(address)
    page.ask(READY)
    assert page.ask(STATE) == before
    pressed = page.ask(
        "[...document.querySelectorAll('.vx-buttons button')].slice(0, 3).map(b => b.getAttribute('aria-pressed'))"
    )
    assert pressed == ["false", "true", "true"]
    assert page.ask("[...document.querySelectorAll('.vx-controls input[type=range]')].map(i => i.value)") == [
        "30",
        "50",
    ]
    # as somebody gets it who has just started
    page = go(server, "#" + address.partition("#")[2])
    assert page.ask(STATE) == before and not page.complaints


@pytest.mark.long
def test_a_link_that_fits_nothing_does_no_harm(study: ViewedStudy, running, go):
    page = go(
        running(study.out),
        "#case=case-1&target=none&method=x&voxel=99,0,-1&window=5,5&zoom=NaN&pan=1&opacity=7&threshold=x",
    )
    state = json.loads(page.ask(STATE))
    assert state[0] == "case-1" and state[1]["maps"] == [0, -1] and state[1]["opacity"] == 1
    assert page.ask("p.viewer.told()") and not page.complaints


@pytest.mark.long
def test_the_back_button_goes_through_cases_and_methods(study: ViewedStudy, running, go):
    page = go(running(study.out))
    seen = []
    for step in ("p.viewer.openMap(0, 1)", "p.show(2)", "p.viewer.openTarget(1)"):
        to_view(page, step)
        seen.append(page.ask("[p.viewer.case.name, p.viewer.state.target, p.viewer.state.maps[0]]"))
    assert seen == [["case-0", 0, 1], ["case-2", 0, 1], ["case-2", 1, 1]]
    for expected in (*reversed(seen[:-1]), ["case-0", 0, 0]):
        to_view(page, "history.back(); await new Promise(r => addEventListener('popstate', r, {once: true}))")
        assert page.ask("[p.viewer.case.name, p.viewer.state.target, p.viewer.state.maps[0]]") == expected
    to_view(page, "history.forward(); await new Promise(r => addEventListener('popstate', r, {once: true}))")
    assert page.ask("p.viewer.state.maps[0]") == 1


@pytest.mark.long
def test_the_list_is_searched_and_sorted(study: ViewedStudy, running, go):
    page = go(running(study.out))
    names = "[...document.querySelectorAll('.vs-cases .vs-name')].map(n => n.textContent)"

    def sort(by: str, largest: bool = False) -> list[str]:
        page.ask(
            "(() => { const l = document.querySelector('.vs-order select');"
            f"l.value = [...l.options].findIndex(o => o.text === {by!r}); l.dispatchEvent(new Event('change'));"
            "const b = document.querySelector('.vs-order > button');"
            f"if ((b.getAttribute('aria-pressed') === 'true') !== {str(largest).lower()}) b.click(); }})()"
        )
        return page.ask(names)

    ids = study.ids
    assert sort("score of spleen") == ids[::-1] and sort("score of spleen", True) == ids
    assert sort("complexity", True)[0] == "case-3" and sort("outlierness", True)[0] == "case-3"
    assert set(page.ask("[...document.querySelectorAll('.vs-cases .light')].map(l => l.textContent)")) == {
        "fails here"
    }
    page.press("/")
    for letter in "case-5":
        page.press(letter)
    assert page.ask(names) == ["case-5"] and "1 of 9 cases" in page.ask(TEXT)
    assert page.ask("document.activeElement.type") == "search"


def test_nothing_is_wider_than_the_screen(study: ViewedStudy, running, go, chrome):
    page = go(running(study.out), "#case=" + EVIL.replace("#", "%23"))
    for width in (1280, 390):
        chrome.resize(width, 900)
        page.ask(DRAWN)
        assert page.ask("document.documentElement.scrollWidth <= innerWidth"), width
    chrome.resize(1280, 1000)


def test_scripts_in_names_and_notes_are_text(own_study: ViewedStudy, running, go):
    page = go(running(own_study.out))
    to_view(page, "p.show(2)")
    evil = "</p><script>document.title='stolen'</script>" + EVIL
    page.ask(
        "(async () => { const f = document.querySelector('.vs-form');"
        f"f.querySelector('.vs-author input').value = {evil[:90]!r};"
        f"f.querySelector('textarea').value = {evil!r}; f.querySelectorAll('input[type=radio]')[3].click();"
        f"f.requestSubmit(); await new Promise(r => setTimeout(r, 500)); await {DRAWN}; }})()"
    )
    assert page.ask("document.querySelector('.vs-text').textContent") == evil
    assert [n.text for n in read_notes(own_study.out)] == [evil]
    page.open(page.ask("location.href"))
    page.ask(READY)
    assert (
        page.ask("p.viewer.case.name") == EVIL
        and page.ask("document.querySelector('.vs-text').textContent") == evil
    )
    assert page.ask("document.title") == "Of gradient and lrp"
    assert page.ask("document.querySelectorAll('body img, main script').length") == 0
    assert page.ask("document.querySelector('.vs-cases li:last-child .vs-name').textContent") in (
        EVIL,
        "case-1",
    )
    assert not page.complaints


@pytest.mark.long
def test_a_case_that_cannot_be_read_leaves_the_others(own_study: ViewedStudy, running, go):
    (own_study.images / "0.nii.gz").write_bytes(b"no image")
    page = go(running(own_study.out))
    assert "0.nii.gz" in page.ask("document.querySelector('[role=alert]').textContent")
    to_view(page, "p.show(2)")
    assert page.ask("p.viewer.told()") and page.ask("document.querySelector('[role=alert]').hidden")
    to_view(page, "p.show(1)")  # nothing is done of it: the image alone
    assert "has not come to this case yet" in page.ask(TEXT) and "image" in page.ask("p.viewer.told()")


def test_a_reader_rates_without_names_and_goes_on(own_study: ViewedStudy, running, go, chrome: Page):
    server = running(own_study.out, blinded=True, seed=5)
    chrome.open("about:blank")
    chrome.complaints.clear()
    chrome.open(server.gate.address)
    chrome.ask(
        "new Promise(r => { const t = setInterval(() => { const i = document.querySelector('.vs-who input'); if (!i) return;"
        "clearInterval(t); i.value = 'Anna'; document.querySelector('.vs-who').requestSubmit(); r(); }, 50); })"
    )
    chrome.ask(READY)
    page, first = chrome, chrome.ask("p.viewer.case.name")
    whole = page.ask("document.documentElement.outerHTML + document.title + location.href").lower()
    assert not any(name in whole.replace("linear-gradient", "") for name in METHODS)
    assert "0 of 6 maps rated" in page.ask(TEXT)
    for n in range(3):
        page.ask(
            f"(async () => {{ const f = document.querySelectorAll('.vs-form')[{n}];"
            "const r = f.querySelectorAll('input[type=radio]');"
            f"r[{n}].click(); r[9].click(); f.requestSubmit(); await new Promise(r => setTimeout(r, 400)); }})()"
        )
    assert "3 of 6 maps rated" in page.ask(TEXT)
    to_view(page, "p.look('B')")
    assert page.ask("p.viewer.map(0).method") == "B"
    page.open(server.address)  # what a reload does without the view in the address
    page.ask(READY)
    assert page.ask("p.viewer.case.name") != first and "3 of 6 maps rated" in unquote(page.ask(TEXT))
    given = {n.letter: (n.usefulness, n.agreement, n.author) for n in read_notes(own_study.out)}
    assert given == {"A": (1, 5, "Anna"), "B": (2, 5, "Anna"), "C": (3, 5, "Anna")}
    assert {n.method for n in read_notes(own_study.out)} == set(METHODS)
    assert not page.complaints


@pytest.mark.long
def test_the_page_says_when_the_server_was_ended(study: ViewedStudy, running, go):
    page = go(running(study.out))
    page.send(
        "Network.emulateNetworkConditions",
        offline=True,
        latency=0,
        downloadThroughput=-1,
        uploadThroughput=-1,
    )
    to_view(page, "p.show(5)")
    page.send(
        "Network.emulateNetworkConditions",
        offline=False,
        latency=0,
        downloadThroughput=-1,
        uploadThroughput=-1,
    )
    assert "does not answer" in page.ask("document.querySelector('[role=alert]').textContent")


@pytest.mark.long
def test_what_is_drawn_is_the_map(study: ViewedStudy, running, go):
    page = go(running(study.out))
    pixels = (
        "(() => { const c = document.querySelector('.vx-panel canvas');"
        "const all = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        "return [...all].filter((v, i) => i % 4 < 3); })()"
    )
    to_view(page, "p.viewer.state.crosshair = p.viewer.state.outlines = false; p.viewer.redraw()")
    with_map = np.array(page.ask(pixels))
    to_view(page, "p.viewer.state.opacity = 0; p.viewer.redraw()")
    without = np.array(page.ask(pixels))
    assert (with_map != without).mean() > 0.1
    grey = without.reshape(-1, 3)
    assert (grey.max(1) - grey.min(1) < 12).mean() > 0.97  # letters and ground have a tint

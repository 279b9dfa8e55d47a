"""The page of a real head in a browser: all that a reader does is seen, and nothing else happens."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from accessible import faults, needs_axe
from chromium import Page, needs_chromium
from PIL import Image

from voxplain.report.viewer import MB, assets
from voxplain.study.explaining.run import run
from voxplain.study.settings.load import load_settings

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    needs_chromium,
    pytest.mark.skipif(assets() is None, reason="the viewer was not built (make viewer)"),
]
DRAWN = "new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))"
STALL = "GPU stall due to ReadPixels"  # what a driver says of every pixel that is read; no fault


def explained(data: Path, out: Path, factory: str, weights: str, classes, **more) -> Path:
    settings = {
        "image": [str(data / "brain_t1/head_t1_1.75mm.nii.gz")],
        "model": {
            "source": f"{data / 'models/nets.py'}:{factory}",
            "weights": str(data / "models" / weights),
            "classes": classes,
        },
        "methods": ["gradient", "input-x-gradient"],
        "out": str(out),
        **more,
    }
    assert run(load_settings(None, settings, ())) == 0
    return out / "report.html"


@pytest.fixture(scope="module")
def head(data, tmp_path_factory) -> Path:
    """The whole head, by the brain mask network on a coarse grid: right enough to look at, and quick."""
    return explained(
        data,
        tmp_path_factory.mktemp("head"),
        "brain_mask_unet",
        "deepbrain/brain_mask_unet.pt",
        classes=["background", "brain"],
        prepare={"size": 64, "scale": "max"},
        targets=["brain", "boundary:brain:8"],
    )


@pytest.fixture(scope="module")
def shots(tmp_path_factory) -> Path:
    """Where pictures of the page are kept: the folder VOXPLAIN_SHOTS, to be looked at, or one that is thrown away."""
    folder = Path(os.environ.get("VOXPLAIN_SHOTS") or tmp_path_factory.mktemp("shots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def page(head, tmp_path_factory):
    with Page(tmp_path_factory.mktemp("profile"), flags=("--enable-unsafe-swiftshader",)) as page:
        page.send("Emulation.setScrollbarsHidden", hidden=True)
        begin(page, head)
        yield page


def begin(page: Page, file: Path) -> None:
    page.open(file)
    page.ask("window.v = voxplain.viewers[0]; v.ready")


def look(page: Page, to: Path, selector: str = ".vx-sides") -> np.ndarray:
    page.ask(f"v.ready.then(() => {DRAWN})")
    return np.asarray(Image.open(page.picture(to, selector)).convert("RGB")).astype(int)


def walk(page: Page, shots: Path, name: str) -> None:
    """Everything that a reader does, by hand and by key; each deed must be seen."""
    seen = [look(page, shots / f"{name}-first.png")]

    def does(script: str, what: str) -> None:
        page.ask(script)
        seen.append(look(page, shots / f"{name}-{what}.png"))
        assert seen[-1].shape != seen[-2].shape or (seen[-1] != seen[-2]).any(), f"{name}: {what}"

    field = "[...document.querySelectorAll('.vx-field')].find(f => f.textContent.startsWith(%r)).querySelector('%s')"

    def sets(label: str, tag: str, value: int, event: str) -> str:
        control = field % (label, tag)
        return (
            f"(() => {{ const c = {control}; c.value = {value}; c.dispatchEvent(new Event({event!r})); }})()"
        )

    does(
        "(() => { const s = document.querySelector('.vx-panel input'); s.value = 20;"
        "s.dispatchEvent(new Event('input')); })()",
        "scrolled",
    )
    does(sets("Method", "select", 1, "change"), "method")
    does(sets("Target", "select", 1, "change"), "target")
    does(sets("Hidden below", "input", 60, "input"), "threshold")
    does(sets("Opacity", "input", 30, "input"), "opacity")
    does(sets("Beside it", "select", 0, "change"), "beside")
    does("v.window(20, 120)", "window")
    page.ask("v.openCase(0); v.ready")
    page.ask("document.querySelector('.vx-panel canvas').focus()")
    seen.append(look(page, shots / f"{name}-again.png"))
    for key in ("ArrowLeft", "PageUp", "Home", "+", "0", "2", "o", "x", "n", "s"):
        page.press(key)
        if key == "0":  # as it was before +, which was seen
            continue
        seen.append(look(page, shots / f"{name}-key.png"))
        assert seen[-1].shape != seen[-2].shape or (seen[-1] != seen[-2]).any(), f"{name}: key {key}"


def test_scrolling_switching_and_sliding_are_seen(page, shots):
    page.resize(1280, 1000)
    walk(page, shots, "wide")
    assert page.ask("document.querySelector('.vx-row').clientWidth") > 900  # the room is used


def test_the_same_on_a_telephone(page, head, shots):
    page.resize(390, 844)
    begin(page, head)
    assert page.ask(f"{DRAWN}.then(() => document.documentElement.scrollWidth)") <= 390
    walk(page, shots, "narrow")
    page.resize(1280, 1000)


@needs_axe
def test_the_page_has_no_serious_fault(page):
    assert faults(page) == []


def test_three_dimensions_have_the_colours_of_the_map(page, shots):
    page.ask("v.openCase(0); v.ready")
    page.resize(390, 500)
    page.ask("v.solid.button.click()")
    page.ask("v.solid.ready.then(() => new Promise(r => setTimeout(r, 400)))")
    pixels = look(page, shots / "solid.png", ".vx-stage")[:300, 120:]  # the cube is in the corner
    assert ((pixels[..., 0] - pixels[..., 2]) > 80).sum() > 50 and (
        (pixels[..., 2] - pixels[..., 0]) > 80
    ).sum() > 50


def test_nothing_complained_nothing_was_fetched_and_the_page_is_small(page, head):
    assert [c for c in page.complaints if STALL not in c] == []
    assert all(url.startswith(("file:", "data:")) for url in page.requests)
    assert head.stat().st_size < 15 * MB


@pytest.mark.long
def test_hippocampi_on_the_whole_head(data, tmp_path, shots):
    """The README's own run, which takes a minute and a half and 14 GB."""
    file = explained(
        data,
        tmp_path / "out",
        "meshnet18",
        "meshnet/meshnet18.pt",
        classes=str(data / "models/meshnet/meshnet18.json"),
        prepare={"orientation": "LIA", "spacing": 1, "scale": "minmax", "crop": "foreground"},
        targets=["Hippocampus", "Thalamus"],
    )
    with Page(tmp_path / "profile", flags=("--enable-unsafe-swiftshader",)) as page:
        page.send("Emulation.setScrollbarsHidden", hidden=True)
        page.open(file)
        page.ask("window.v = voxplain.viewers[0]; v.ready")
        walk(page, shots, "hippocampus")
        page.ask("v.openCase(0); v.ready.then(() => v.solid.button.click())")
        page.ask("v.solid.ready.then(() => new Promise(r => setTimeout(r, 1000)))")
        look(page, shots / "hippocampus-solid.png", ".vx-stage")
        assert [c for c in page.complaints if STALL not in c] == []
        assert file.stat().st_size < 15 * MB

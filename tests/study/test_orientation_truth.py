"""A mark in the left, front, upper corner stays there, from files of any axes to everything that a study shows or writes."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from chromium import Page, needs_chromium
from dicom_tools import volumes
from report.viewer.volumes import reoriented
from viewing.conftest import Running

from voxplain.case import read_case, write_array, write_case
from voxplain.cli.app import run
from voxplain.report.viewer import assets
from voxplain.study import export_dicom

NET = '''
import torch


def bright():
    """Class 1 wherever the image is above 500."""
    net = torch.nn.Conv3d(1, 2, 1)
    net.weight.data = torch.tensor([-1.0, 1.0]).reshape(2, 1, 1, 1, 1)
    net.bias.data = torch.tensor([500.0, -500.0])
    return net
'''
needs_viewer = pytest.mark.skipif(assets() is None, reason="the viewer was not built (make viewer)")
SHAPE, SPACING = (16, 18, 12), (2.0, 1.5, 3.0)
MARK = (slice(1, 4), slice(14, 17), slice(9, 11))  # of axes R, A, S: left, in front, on top
CENTRE = (2.0, 15.0, 9.5)
AXES = ("RAS", "LPS", "LIA", "oblique")
# of a radiological axial, coronal and sagittal slice, as shares of (columns, rows) from its upper left corner
CORNERS = ((13.5 / 16, 2.5 / 18), (13.5 / 16, 2 / 12), (2.5 / 18, 2 / 12))


def grid(axes: str) -> np.ndarray:
    """Voxels of axes R, A, S to millimetres; the oblique one is turned by 15° and then 10° about two axes."""
    affine = np.diag([*SPACING, 1.0])
    affine[:3, 3] = (-20.0, 7.0, 31.0)
    if axes == "oblique":
        a, b = np.radians((15, 10))
        about_z, about_x = np.eye(4), np.eye(4)
        about_z[:2, :2] = [[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]
        about_x[1:3, 1:3] = [[np.cos(b), -np.sin(b)], [np.sin(b), np.cos(b)]]
        affine = about_z @ about_x @ affine
    return affine


def centre_of(array: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Centre of what is not zero, in the affine's millimetres."""
    assert (array != 0).sum() == 3 * 3 * 2
    return affine[:3, :3] @ np.argwhere(array != 0).mean(0) + affine[:3, 3]


def truth(axes: str) -> np.ndarray:
    return (grid(axes) @ [*CENTRE, 1])[:3]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of one body in four files."""
    folder = tmp_path_factory.mktemp("sides")
    body = np.random.default_rng(0).integers(150, 450, SHAPE).astype(np.int16)
    body[MARK] = 1000
    for axes in AXES:
        image, geometry = reoriented(body, "RAS" if axes == "oblique" else axes, grid(axes))
        write_array(folder / f"{axes}.nii.gz", image, geometry)
    (folder / "net.py").write_text(NET, encoding="utf-8")
    (folder / "study.yaml").write_text(
        "models: {bright: {source: 'net.py:bright', classes: [background, mark]}}\n"
        f"cases: [{', '.join(f'{{image: {axes}.nii.gz}}' for axes in AXES)}]\n"
        "targets: [mark]\nmethods: [input_x_gradient]\nmetrics: []\nrun: {workers: 1}\nout: study\n",
        encoding="utf-8",
    )
    assert run(["study", str(folder / "study.yaml")]) == 0
    return folder


@pytest.mark.parametrize("axes", AXES)
def test_in_nifti(place: Path, axes: str) -> None:
    for file in (
        f"maps/bright/{axes}/input_x_gradient/mark.nii.gz",
        f"predictions/bright/{axes}.nii.gz",
    ):
        image = nib.load(place / "study" / file)
        np.testing.assert_allclose(centre_of(np.asarray(image.dataobj), image.affine), truth(axes), atol=1e-4)


@pytest.mark.parametrize("axes", AXES)
def test_in_dicom(place: Path, tmp_path: Path, axes: str) -> None:
    hd = pytest.importorskip("highdicom")
    write_case(tmp_path / "series", read_case(place / f"{axes}.nii.gz"), format="dicom")
    export_dicom(
        place / "study", tmp_path / "out", source=tmp_path / "series", case=axes, kinds=["pm", "seg"]
    )
    in_lps = truth(axes) * [-1, -1, 1]
    (parametric,) = (tmp_path / "out").glob("pm-*.dcm")
    for file in (parametric, tmp_path / "out" / "seg.dcm"):
        volume = hd.imread(file).get_volume()
        found = volume.array.reshape(volume.array.shape[:3])
        np.testing.assert_allclose(centre_of(found, volume.affine), in_lps, atol=1e-3)
    for name, file in (("paramap2itkimage", parametric), ("segimage2itkimage", tmp_path / "out" / "seg.dcm")):
        ((array, affine),) = volumes(name, file, tmp_path / name)
        np.testing.assert_allclose(centre_of(array, affine), truth(axes), atol=1e-3)


def corners(picture: np.ndarray) -> tuple[float, float]:
    """Where the coloured part is, as shares of the slice: the rows and columns that are not mostly black."""
    shown = picture.max(-1) > 20
    rows, columns = (np.flatnonzero(shown.mean(axis) > 0.5) for axis in (1, 0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    y, x = np.argwhere(picture[..., 0] - picture[..., 2] > 60).mean(0)
    return (x + 0.5 - left) / (right - left), (y + 0.5 - top) / (bottom - top)


SCREEN = """(async () => { await new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)));
  const c = document.querySelectorAll('.vx-panel canvas')[%d];
  const copy = new OffscreenCanvas(c.width, c.height).getContext('2d', {willReadFrequently: true});
  copy.drawImage(c, 0, 0); const d = copy.getImageData(0, 0, c.width, c.height).data; let s = '';
  for (let n = 0; n < d.length; n += 8192) s += String.fromCharCode(...d.subarray(n, n + 8192));
  return [c.width, c.height, btoa(s)]; })()"""


def check_screen(page: Page, axes: str) -> None:
    """That the viewer `v` shows the mark of its case where it is."""
    page.ask("v.strongest(); v.state.crosshair = v.state.outlines = false; v.redraw()")
    told = re.search(r"RAS (\S+), (\S+), (\S+) mm", page.ask("v.told()").replace("−", "-"))
    # the strongest voxel is one of the mark's
    assert np.abs(np.array(told.groups(), float) - truth(axes)).max() < 3
    letters = page.ask("v.case.planes.map(p => p.letters.map(l => l[0]).join(''))")
    assert letters == ["RLAP", "RLSI", "APSI"]
    for plane, expected in enumerate(CORNERS):
        width, height, plain = page.ask(SCREEN % plane)
        pixels = np.frombuffer(base64.b64decode(plain), np.uint8).reshape(height, width, 4).astype(int)
        np.testing.assert_allclose(corners(pixels[..., :3]), expected, atol=0.02, err_msg=f"{axes} {plane}")


@needs_chromium
@needs_viewer
def test_in_the_page_s_viewer(place: Path, tmp_path: Path) -> None:
    with Page(tmp_path / "profile") as page:
        page.open(place / "study" / "report.html")
        page.ask("window.v = voxplain.viewers[0]; v.ready")
        assert page.ask("v.contents.cases.map(c => c.name)") == list(AXES)
        for number, axes in enumerate(AXES):
            page.ask(f"v.openCase({number}); v.ready")
            check_screen(page, axes)
        assert page.complaints == []


@needs_chromium
@needs_viewer
def test_in_the_served_viewer(place: Path, tmp_path: Path, running: Callable[..., Running]) -> None:
    server = running(place / "study")
    with Page(tmp_path / "profile") as page:
        for axes in AXES:
            page.open("about:blank")
            page.open(f"{server.gate.address}#case={axes}")
            page.ask(
                "voxplain.started.then(async p => { window.v = p.viewer; await p.ready; await v.ready; })"
            )
            assert page.ask("v.case.name") == axes
            check_screen(page, axes)
        assert page.complaints == []


@pytest.mark.parametrize("axes", AXES)
def test_in_the_page_s_pictures(place: Path, axes: str) -> None:
    """The axial slice with the map, as it is printed."""
    from PIL import Image

    (file,) = (place / "study" / "pictures" / "bright" / axes).rglob("mark.png")
    picture = np.asarray(Image.open(file).convert("RGB")).astype(int)
    np.testing.assert_allclose(corners(picture), CORNERS[0], atol=0.04)

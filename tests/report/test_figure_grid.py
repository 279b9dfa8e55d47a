"""Figures for papers: the patient is the right way round, colours are those of the scale, text stays text."""

from __future__ import annotations

import io
import re
import zlib
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image
from report.figure_rows import marked_row
from report.viewer.volumes import SHAPE, marked, oblique, reoriented

from voxplain.errors import InputError
from voxplain.report.colours import Scale, overlay, shade, window
from voxplain.report.figure import FigureRow, Style, draw_grid, figure_bytes, write_figure
from voxplain.report.figure.style import width_of

BARE = Style(width=60, letters=False, scale_bar=False)
DPI = 200
# where the left, anterior, superior corner is in radiological pictures
CORNERS = {"axial": ("top", "right"), "coronal": ("top", "right"), "sagittal": ("top", "left")}
AT = {"axial": 6, "coronal": 7, "sagittal": 0}  # the slices of RAS that hold the mark


def pixels(drawing) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(figure_bytes(drawing, "png", dpi=DPI))).convert("RGB")).astype(
        int
    )


def panel(drawing, number: int) -> np.ndarray:
    """The pixels of one picture."""
    picture = pixels(drawing)
    tall, wide = picture.shape[:2]
    box = drawing.figure.axes[number].get_position()
    return picture[
        round((1 - box.y1) * tall) : round((1 - box.y0) * tall), round(box.x0 * wide) : round(box.x1 * wide)
    ]


def corner(picture: np.ndarray, vertical: str, across: str) -> np.ndarray:
    """The middle of the corner's voxel, of the 6 × 8 × 7."""
    rows, columns = (max(n // 40, 1) for n in picture.shape[:2])
    y = slice(rows, 2 * rows) if vertical == "top" else slice(-2 * rows, -rows)
    x = slice(columns, 2 * columns) if across == "left" else slice(-2 * columns, -columns)
    return picture[y, x].reshape(-1, 3).mean(0)


@pytest.mark.parametrize("axes", ["LPS", "RAS", "LIA"])
@pytest.mark.parametrize("plane", CORNERS)
def test_left_anterior_superior_is_where_radiologists_expect_it(axes, plane):
    _shows_the_corner(marked_row(axes), plane)


@pytest.mark.parametrize("plane", CORNERS)
def test_an_oblique_grid_is_the_right_way_round(plane):
    _shows_the_corner(marked_row("LIA", oblique()), plane)


def _shows_the_corner(row: FigureRow, plane: str) -> None:
    drawing = draw_grid([row], planes=[plane], style=BARE, window=(0, 1), at=_place(row))
    image, coloured = panel(drawing, 0), panel(drawing, 1)
    where = CORNERS[plane]
    other = ("bottom", "left" if where[1] == "right" else "right")
    assert corner(image, *where).min() > 200 > 60 > corner(image, *other).max()
    red, _, blue = corner(coloured, *where)
    assert red > blue + 60  # +4, towards yellow
    assert np.ptp(corner(coloured, *other)) < 10


def _place(row: FigureRow) -> list[float]:
    """RAS mm of the light."""
    index = np.unravel_index(int(row.image.argmax()), row.image.shape)
    return (row.geometry.affine @ [*index, 1.0])[:3].tolist()


def test_colours_are_those_of_the_scale_over_the_image():
    rng = np.random.default_rng(1)
    image, values = rng.normal(size=(4, 5)), rng.normal(size=(4, 5))
    drawing = draw_grid([FigureRow("r", image, {"m": values})], style=Style(width=90))
    seen = panel(drawing, 1)
    scale, limits = Scale.of(values), window(image)
    colours = overlay(values, scale.limit)
    truth = shade(image, limits) * (1 - colours[..., 3:]) + colours[..., :3] * colours[..., 3:]
    rows, columns = ((np.arange(n) + 0.5) / n for n in image.shape)
    found = seen[(rows * seen.shape[0]).astype(int)][:, (columns * seen.shape[1]).astype(int)]
    assert np.abs(found - 255 * truth).max() <= 2


def test_ranges_are_shared_as_asked():
    image = np.ones((4, 4)) * np.arange(4)
    rows = [
        FigureRow(name, image, {"a": image * a, "b": -image * b})
        for name, a, b in (("x", 1, 10), ("y", 3, 30))
    ]
    told = {
        shared: draw_grid(rows, scale=shared, percentile=100).caption for shared in ("method", "row", "all")
    }
    assert "a: ±9 " in told["method"] and "b: ±90 " in told["method"]
    assert "x: ±30 " in told["row"] and "y: ±90 " in told["row"]
    assert "±90 (values from −90 to +9)" in told["all"]
    mixed = FigureRow("z", image, {"a": image, "b": image}, units={"a": "score", "b": "share"})
    with pytest.raises(InputError, match="different units \\(score, share\\)"):
        draw_grid([mixed], scale="row")


def test_slices_letters_lengths_and_positions_are_told():
    image, geometry = reoriented(marked(), "LPS")
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:4, 4, 4] = 1  # y = -20 + 1.5 * 4 = -14 mm, z = 5 + 3 * 4 = 17 mm
    row = FigureRow(
        "case", image, {"m": image}, geometry, reoriented(labels, "LPS")[0], names={1: "organ"}, focus=1
    )
    text = _texts(figure_bytes(draw_grid([row], planes=["axial", "coronal"]), "svg"))
    assert {
        "image",
        "m",
        "case",
        "axial, S 17.0 mm",
        "coronal, P 14.0 mm",
        "organ",
        "R",
        "L",
        "A",
        "P",
        "S",
        "I",
    } <= text
    assert "2 mm" in text  # of 12 mm in width, at most 30 %


@pytest.mark.parametrize("name", ["a <b> & $c$", "Größe, ±1"])
def test_names_are_text_that_can_be_edited(name):
    image = np.ones((4, 4)) * np.arange(4)
    drawing = draw_grid([FigureRow(name, image, {"m": image})], title=name)
    assert name in _texts(figure_bytes(drawing, "svg"))


def _texts(svg: bytes) -> set[str]:
    return {e.text or "" for e in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")}


def test_a_pdf_holds_its_text_and_its_fonts():
    image = np.ones((4, 4)) * np.arange(4)
    made = figure_bytes(draw_grid([FigureRow("case", image, {"gradient": image})]), "pdf")
    # letters are set in groups, two bytes each
    letters = b"".join(re.findall(rb"\(([^)]*)\)", b"".join(_streams(made)))).replace(b"\0", b"")
    assert b"gradient" in letters
    assert b"/FontFile2" in made
    assert b"/CreationDate" not in made


def _streams(pdf: bytes):
    for found in re.finditer(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.S):
        try:
            yield zlib.decompress(found.group(1))
        except zlib.error:
            continue


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_the_same_figure_is_the_same_file(kind, tmp_path):
    def made() -> bytes:
        return write_figure(
            tmp_path / f"f.{kind}", draw_grid([marked_row("LPS")], style=BARE), dpi=60
        ).read_bytes()

    first = made()
    assert first == made()
    assert not re.search(rb"<dc:date>|/CreationDate|tIME", first)


def test_size_is_in_millimetres():
    drawing = draw_grid([marked_row("LPS")], style=Style(width=width_of("single")))
    wide = Image.open(io.BytesIO(figure_bytes(drawing, "png", dpi=254))).size[0]
    assert wide == 890
    tall = draw_grid([marked_row("LPS")] * 9, style=Style(width=183, tallest=120))
    assert tall.figure.get_size_inches()[1] * 25.4 <= 121


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"planes": ["transverse"]}, "plane 'transverse'; expected axial"),
        ({"scale": "each"}, "scale 'each'; expected method, row, all"),
        ({"at": (0, 0, 900)}, "lies outside the image"),
    ],
)
def test_what_cannot_be_drawn_is_said(how, message):
    with pytest.raises(InputError, match=message):
        draw_grid([marked_row("LPS")], **how)


def test_rows_without_a_map_stay_empty_and_say_so():
    image = np.ones((4, 4)) * np.arange(4)
    rows = [FigureRow("x", image, {"a": image, "b": 0 * image}), FigureRow("y", image, {"a": image})]
    text = _texts(figure_bytes(draw_grid(rows, ["a", "b"]), "svg"))
    assert {"zero everywhere", "no map"} <= text


# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB
MACHADO = {
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


@pytest.mark.parametrize("kind", MACHADO)
@pytest.mark.parametrize("strength", [0.3, 0.6, 0.85, 1.0])
def test_signs_stay_apart_for_the_colour_blind(kind, strength):
    apart = _delta(*(_lab(_seen(_colour(sign * strength), kind)) for sign in (-1, 1)))
    assert apart > 20  # a just noticeable difference is about 2.3


def _colour(value: float) -> np.ndarray:
    """On black, as in most pictures' dark parts, and as the colour bar has it."""
    rgba = overlay(np.array([value]), 1.0)[0]
    return rgba[:3] * rgba[3] + 0.16 * (1 - rgba[3])


def _seen(srgb: np.ndarray, kind: str) -> np.ndarray:
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return np.clip(np.array(MACHADO[kind]) @ linear, 0, 1)


def _lab(linear: np.ndarray) -> np.ndarray:
    to_xyz = [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
    t = np.array(to_xyz) @ linear / [0.95047, 1.0, 1.08883]
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def _delta(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b))

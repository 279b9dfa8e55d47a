"""`voxplain figure` and `figure_grid`: the maps of a folder, or of attributions, as a figure."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import voxplain as vx
from voxplain.errors import InputError

TEXT = "{http://www.w3.org/2000/svg}text"


@pytest.fixture
def explained(folder, voxplain) -> Path:
    found = voxplain(
        "explain", "--image", "scan.nii.gz", "--model", "nets.py:linear", "--method", "input-x-gradient", "--method",
        "gradient", "--target", "1", "--metrics", "rounding_stability", "--out", "ex",
    )  # fmt: skip
    assert found.code == 0, found.err
    return folder


def texts(path: Path) -> set[str]:
    return {e.text or "" for e in ET.fromstring(path.read_bytes()).iter(TEXT)}


def test_the_folder_of_explain_becomes_a_figure(explained, voxplain):
    found = voxplain(
        "figure", "ex", "--out", "f.svg", "--name", "gradient=Saliency", "--plane", "coronal", "--at", "=0,5,7",
        "--width", "single",
    )  # fmt: skip
    assert found.code == 0, found.err
    assert found.out.startswith("wrote f.svg\n")
    # y = -5 + 2 j = 5; columns in the order of the settings
    assert {"image", "input_x_gradient", "Saliency", "coronal, A 5.0 mm", "prediction"} <= texts(
        Path("f.svg")
    )
    assert "Columns: image, input_x_gradient, Saliency." in found.out


def test_attributions_give_the_same_figure(explained):
    model = vx.load_model("nets.py:linear")
    case = vx.read_case("scan.nii.gz")
    problem = vx.Problem(model, case, ["1"])
    made = [vx.method(name).attribute(problem) for name in ("input-x-gradient", "gradient")]
    ours, theirs = vx.figure_grid(made, path="a.png"), vx.figure_grid("ex", path="b.png")
    assert ours.caption.replace("scan", "") == theirs.caption.replace("scan", "")
    assert "prediction" in theirs.caption
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    # by hand, input × gradient of the mean of 2 x over the predicted voxels: the map's largest value
    inside = case.image[0] > 0
    assert f" to +{2 * case.image.max() / inside.sum():.3g}); gradient" in ours.caption


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--method", "gradiant"), "method: ex has no 'gradiant'; did you mean"),
        (("--case", "other"), "case: ex has no 'other'"),
        (("--scale", "row"), "cannot share a colour range; expected scale=method"),
        (("--at", "1,2"), "at: found '1,2', expected 3 numbers"),
        (("--width", "wide"), "width 'wide'; expected single (89 mm)"),
        (("--name", "x"), "name: found 'x'"),
    ],
)
def test_what_cannot_be_drawn_is_told_in_a_line(explained, voxplain, words, complaint):
    found = voxplain("figure", "ex", "--out", "f.svg", *words)
    assert found.code == 2
    assert complaint in found.err and len(found.complaints) == 1
    assert not Path("f.svg").exists()


def test_an_unknown_format_and_an_image_that_has_moved(explained):
    with pytest.raises(InputError, match=r"f.tiff ends with '.tiff'; expected png, svg, pdf"):
        vx.figure_grid("ex", path="f.tiff")
    Path("scan.nii.gz").rename("moved.nii.gz")
    with pytest.raises(InputError, match="is not where it was"):
        vx.figure_grid("ex")


def test_no_folder_of_results(tmp_path):
    with pytest.raises(InputError, match=r"holds no study.yaml"):
        vx.figure_grid(tmp_path)
    with pytest.raises(InputError, match="no attributions"):
        vx.figure_grid([])

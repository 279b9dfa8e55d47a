"""Cases as DICOM series: geometry and values come back, and other readers agree."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest

from voxplain.case import Case, Geometry, read_case, write_case
from voxplain.errors import GeometryError, InputError


def affine(matrix):
    full = np.eye(4)
    full[:3, :3] = matrix
    full[:3, 3] = 12.345678, -98.7654321, 33.25
    return full


RIGHT_HANDED = {
    "RAS": np.diag([0.7, 0.8, 2.5]),
    "LPS": np.diag([-0.7, -0.8, 2.5]),
    "PSR": np.array([[0, 0, 2.0], [-0.7, 0, 0], [0, 0.9, 0]]) * [1, 1, -1],
    "oblique": np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0], [0.48, 0.64, 0.6]]) @ np.diag([0.7, 0.7, 3]),
    "tilted": np.array([[-0.7, 0, 0], [0, -0.7, 0.9], [0, 0, 2.5]]),
}


@pytest.mark.parametrize("name", RIGHT_HANDED)
@pytest.mark.parametrize("modality", ["CT", "MR", None])
def test_right_handed_grids_come_back_as_they_are(tmp_path, name, modality):
    matrix = RIGHT_HANDED[name]
    assert np.linalg.det(matrix) > 0
    image = np.random.default_rng(0).integers(-1000, 3000, (1, 4, 5, 6))
    meta = {} if modality is None else {"modality": modality}
    case = Case("a", image, Geometry(affine(matrix), (4, 5, 6)), meta=meta)
    write_case(f"{tmp_path}/out/", case)
    again = read_case(tmp_path / "out")
    np.testing.assert_array_equal(again.image, image)
    np.testing.assert_allclose(again.geometry.affine, case.geometry.affine, atol=1e-9)


def test_left_handed_grids_come_back_with_the_third_axis_reversed(tmp_path):
    image = np.random.default_rng(0).integers(0, 100, (1, 4, 5, 6))
    case = Case("a", image, Geometry(affine(np.diag([-0.7, 0.8, 2.5])), (4, 5, 6)))
    write_case(tmp_path / "out.d", case, format="dicom")
    again = read_case(tmp_path / "out.d")
    assert again.geometry.orientation == "LAI"
    np.testing.assert_array_equal(again.image, image[..., ::-1])
    np.testing.assert_allclose(again.geometry.to_mm([1, 2, 0]), case.geometry.to_mm([1, 2, 5]), atol=1e-9)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_fractions_come_back_within_half_a_quantisation_step(tmp_path, scale):
    image = (np.random.default_rng(0).normal(size=(1, 4, 5, 6)) * scale).astype(np.float32)
    write_case(tmp_path / "out", Case("a", image, Geometry(np.eye(4), (4, 5, 6))), format="dicom")
    step = (float(image.max()) - float(image.min())) / 65535
    # Half a step, and float32's own rounding.
    assert np.abs(read_case(tmp_path / "out").image - image).max() <= 0.5001 * step + 1e-6 * scale


@pytest.mark.parametrize("value", [0.1, 0.0, 1e7, -123456.75])
def test_a_constant_image_is_constant(tmp_path, value):
    image = np.full((1, 2, 3, 4), value, np.float32)
    write_case(tmp_path / "out", Case("a", image, Geometry(np.eye(4), (2, 3, 4))), format="dicom")
    np.testing.assert_allclose(read_case(tmp_path / "out").image, image, rtol=1e-7)


def test_simpleitk_reads_the_same_volume(tmp_path):
    sitk = pytest.importorskip("SimpleITK")
    image = np.random.default_rng(0).integers(0, 3000, (1, 4, 5, 6))
    case = Case("a", image, Geometry(affine(RIGHT_HANDED["oblique"]), (4, 5, 6)))
    write_case(tmp_path / "out", case, format="dicom")
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path / "out")))
    volume = reader.Execute()
    np.testing.assert_array_equal(sitk.GetArrayFromImage(volume).transpose(2, 1, 0), image[0])
    for index in [(0, 0, 0), (3, 4, 5)]:
        place = np.array(volume.TransformIndexToPhysicalPoint(index)) * (-1, -1, 1)
        np.testing.assert_allclose(place, case.geometry.to_mm(index), atol=1e-5)


def test_a_slice_becomes_one_image(tmp_path):
    case = Case("a", np.arange(20).reshape(1, 4, 5), Geometry(affine(RIGHT_HANDED["LPS"]), (4, 5)))
    write_case(tmp_path / "out", case, format="dicom")
    again = read_case(tmp_path / "out")
    np.testing.assert_array_equal(again.image[..., 0], case.image)
    np.testing.assert_allclose(again.geometry.affine, case.geometry.affine, atol=1e-9)


def test_identifiers_are_one_series_and_reproducible_with_a_seed(tmp_path):
    case = Case("a", np.zeros((1, 4, 5, 3)), Geometry(np.eye(4), (4, 5, 3)))
    for name, seed in (("a", 7), ("b", 7), ("c", 8), ("d", None), ("e", None)):
        write_case(tmp_path / name, case, format="dicom", seed=seed)
    series = {}
    for name in "abcde":
        images = [pydicom.dcmread(f) for f in sorted((tmp_path / name).iterdir())]
        assert len({i.SeriesInstanceUID for i in images}) == 1
        assert len({i.SOPInstanceUID for i in images}) == 3
        assert all(i.SOPInstanceUID.is_valid and i.SeriesInstanceUID.is_valid for i in images)
        assert all(i.ImageType[0] == "DERIVED" and str(i.PatientName) == "" for i in images)
        series[name] = images[0].SeriesInstanceUID
    assert series["a"] == series["b"]
    assert len(set(series.values())) == 4


@pytest.mark.parametrize(
    ("case", "error", "words"),
    [
        (Case("a", np.zeros((1, 4, 5, 6))), GeometryError, "no geometry"),
        (Case("a", np.zeros((2, 4, 5, 6)), Geometry(np.eye(4), (4, 5, 6))), InputError, "2 channels"),
        (
            Case(
                "a", np.zeros((1, 4, 5, 6)), Geometry(affine([[1, 0.3, 0], [0, 1, 0], [0, 0, 1]]), (4, 5, 6))
            ),
            GeometryError,
            "right angles",
        ),
    ],
)
def test_what_a_series_cannot_hold_is_refused(tmp_path, case, error, words):
    with pytest.raises(error, match=words):
        write_case(tmp_path / "out", case, format="dicom")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_content_is_not_written_into(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "other.dcm").write_bytes(b"")
    case = Case("a", np.zeros((1, 4, 5, 6)), Geometry(np.eye(4), (4, 5, 6)))
    with pytest.raises(InputError, match="not an empty folder"):
        write_case(f"{tmp_path}/out/", case)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["other.dcm"]

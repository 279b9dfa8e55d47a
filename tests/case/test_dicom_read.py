"""DICOM: slices become a volume by their place in space, or the reason why not is said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from pydicom.data import get_testdata_file

from voxplain.case import read_case
from voxplain.errors import GeometryError, InputError

LPS_TO_RAS = np.diag([-1.0, -1, 1, 1])


def written_out_affine(axes, spacing, step, origin):
    """DICOM part 3, C.7.6.2.1.1: position = origin + row direction × column distance × column index + …, LPS."""
    affine = np.eye(4)
    affine[:3, 0] = np.array(axes[0]) * spacing[1]
    affine[:3, 1] = np.array(axes[1]) * spacing[0]
    affine[:3, 2] = step
    affine[:3, 3] = origin
    return LPS_TO_RAS @ affine


def test_slices_are_sorted_by_place_not_by_name_or_number(make_series):
    folder, pixels = make_series()
    case = read_case(folder)
    np.testing.assert_array_equal(case.image[0], pixels.transpose(2, 1, 0))
    expected = written_out_affine(((1, 0, 0), (0, 1, 0)), (0.8, 0.6), (0, 0, 2.5), (-20, 30, 100))
    np.testing.assert_allclose(case.geometry.affine, expected)
    assert case.geometry.orientation == "LPS"
    np.testing.assert_allclose(case.geometry.spacing, (0.6, 0.8, 2.5))


def test_descending_positions_give_the_same_volume(make_series):
    folder, pixels = make_series(step=(0, 0, -2.5))
    case = read_case(folder)
    np.testing.assert_array_equal(case.image[0], pixels[::-1].transpose(2, 1, 0))
    np.testing.assert_allclose(case.geometry.to_mm([0, 0, 0]), (20, -30, 100 - 5 * 2.5))


@pytest.mark.parametrize(
    ("axes", "step"),
    [
        (((0, 1, 0), (0, 0, -1)), (-3, 0, 0)),  # sagittal
        (((1, 0, 0), (0, 0, -1)), (0, 3, 0)),  # coronal
        (((0.8, 0.6, 0), (0, 0, -1)), (-1.8, 2.4, 0)),  # oblique: a 3-4-5 triangle
        (((1, 0, 0), (0, 1, 0)), (0, 0.9, 2.5)),  # tilted gantry
    ],
)
def test_geometry_equals_an_independent_reader(make_series, axes, step):
    folder, pixels = make_series(axes=axes, step=step)
    case = read_case(folder)
    order = 1 if np.cross(*axes) @ np.array(step) > 0 else -1
    np.testing.assert_array_equal(case.image[0], pixels[::order].transpose(2, 1, 0))
    start = np.array((-20, 30, 100)) + (0 if order == 1 else 5) * np.array(step)
    np.testing.assert_allclose(
        case.geometry.affine, written_out_affine(axes, (0.8, 0.6), order * np.array(step), start), atol=1e-9
    )
    sitk = pytest.importorskip("SimpleITK")
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image).transpose(2, 1, 0), case.image[0])
    for index in [(0, 0, 0), (6, 4, 0)]:
        place = np.array(image.TransformIndexToPhysicalPoint(index)) * (-1, -1, 1)
        np.testing.assert_allclose(case.geometry.to_mm(index), place, atol=1e-6)
    if step != (0, 0.9, 2.5):  # ITK cannot hold a shear
        place = np.array(image.TransformIndexToPhysicalPoint((0, 0, 5))) * (-1, -1, 1)
        np.testing.assert_allclose(case.geometry.to_mm([0, 0, 5]), place, atol=1e-6)


def test_a_tilted_gantry_is_a_sheared_grid_and_noted(make_series):
    folder, _ = make_series(step=(0, 0.9, 2.5))
    case = read_case(folder)
    assert case.geometry.is_sheared
    # atan(0.9 / 2.5) = 19.80 degrees
    assert any("tilted by 19.80°" in note for note in case.meta["notes"])


def test_each_slice_has_its_own_slope(make_series):
    folder, pixels = make_series(RescaleSlope=lambda k: 0.5 + k, RescaleIntercept=lambda k: -10 * k)
    expected = [pixels[k] * (0.5 + k) - 10 * k for k in range(6)]
    np.testing.assert_allclose(read_case(folder).image[0], np.transpose(expected, (2, 1, 0)), rtol=1e-6)


def test_a_missing_slice_is_named_in_millimetres(make_series):
    folder, _ = make_series(skip=(3,))
    with pytest.raises(GeometryError, match=r"5 mm lie between the slices at 105.00 and 110.00 mm .* 2.5 mm"):
        read_case(folder)


@pytest.mark.parametrize("skip", [(1,), (4,), (1, 2)])
def test_gaps_are_found_wherever_they_are(make_series, skip):
    folder, _ = make_series(skip=skip)
    with pytest.raises(GeometryError, match="slices are missing"):
        read_case(folder)


def test_positions_rounded_in_the_header_are_no_gap(make_series):
    # 0.625 mm written with two decimals: 0.62, 1.25, 1.88, 2.50, …
    def place(k):
        return [-20.0, 30.0, round(0.625 * k + 1e-9, 2)]

    folder, _ = make_series(step=(0, 0, 0.625), count=12, ImagePositionPatient=place)
    assert read_case(folder).geometry.spacing[2] == pytest.approx(0.625, abs=1e-3)


@pytest.mark.parametrize(
    ("field", "values", "words"),
    [
        ("EchoTime", (10, 80), "EchoTime (10.0, 80.0)"),
        ("TemporalPositionIdentifier", (1, 2), "TemporalPositionIdentifier (1, 2)"),
        ("DiffusionBValue", (0, 1000), "DiffusionBValue (0.0, 1000.0)"),
    ],
)
def test_two_images_at_one_place_say_what_tells_them_apart(make_series, make_slice, field, values, words):
    folder, pixels = make_series(**{field: values[0]})
    for k in range(6):
        twin = make_slice(pixels[k], (-20, 30, 100 + 2.5 * k), number=50 + k, **{field: values[1]})
        twin.save_as(folder / f"twin{k}", enforce_file_format=True)
    with pytest.raises(GeometryError, match=r"12 images lie at 6 places; the 2 at 100.00 mm") as error:
        read_case(folder)
    assert words in str(error.value)


def test_copies_of_a_file_are_read_once(make_series):
    folder, pixels = make_series()
    for file in sorted(folder.iterdir())[:2]:
        shutil.copy(file, folder / f"copy_of_{file.name}")
    case = read_case(folder)
    np.testing.assert_array_equal(case.image[0], pixels.transpose(2, 1, 0))
    assert "2 copies of the same image were left out" in case.meta["notes"]


def test_several_series_are_listed_and_chosen(make_series):
    folder, first = make_series(series="1.2.3", SeriesNumber=1)
    _, second = make_series(count=4, series="1.2.9", SeriesNumber=2, Modality="MR")
    with pytest.raises(InputError) as error:
        read_case(folder)
    assert "0: CT, " in str(error.value)
    assert "1: MR, 4 images 7×5, 1.2.9" in str(error.value)
    assert "SECRET" not in str(error.value)
    for series in ("1.2.9", 1, "1"):
        np.testing.assert_array_equal(read_case(folder, series=series).image[0], second.transpose(2, 1, 0))
    with pytest.raises(InputError, match="no series 7"):
        read_case(folder, series=7)
    assert first.shape == (6, 5, 7)


@pytest.fixture
def localiser(make_series, make_slice):
    """Three axial slices and two sagittal ones in one series."""
    folder, _ = make_series(count=3)
    for k in range(2):
        image = make_slice(np.zeros((5, 7), np.int16), (k, 0, 0), axes=((0, 1, 0), (0, 0, -1)), number=90 + k)
        image.save_as(folder / f"sagittal{k}", enforce_file_format=True)
    return folder


def test_a_localiser_is_refused_with_its_orientations(localiser):
    with pytest.raises(GeometryError, match=r"differ in orientation \(3 × \[1, 0, 0, 0, 1, 0\]; 2 × \[0, 1"):
        read_case(localiser)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"spacing": lambda k: (0.8, 0.6) if k else (0.8, 0.7)}, "PixelSpacing"),
        ({"ImagePositionPatient": lambda k: [0.0, 3.0 * (k == 2), 2.0 * k]}, "straight line"),
        ({"spacing": None}, "no PixelSpacing"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "pair of unit vectors"),
        ({"ImageOrientationPatient": [2, 0, 0, 0, 1, 0]}, "pair of unit vectors"),
    ],
)
def test_impossible_series_are_geometry_errors(make_series, fields, words):
    folder, _ = make_series(**fields)
    with pytest.raises(GeometryError, match=words):
        read_case(folder)


def test_mixed_image_sizes_are_refused(make_series, make_slice):
    folder, _ = make_series()
    odd = make_slice(np.zeros((9, 9), np.int16), (-20, 30, 115), number=99)
    odd.save_as(folder / "odd", enforce_file_format=True)
    with pytest.raises(GeometryError, match=r"image size .*first odd"):
        read_case(folder)


def test_subfolders_and_foreign_files_do_not_disturb(make_series):
    folder, pixels = make_series()
    deeper = folder / "a" / "b"
    deeper.mkdir(parents=True)
    for file in [f for f in folder.iterdir() if f.is_file()][:3]:
        file.rename(deeper / file.name)
    (folder / "notes.txt").write_text("hello")
    (folder / "DICOMDIR").write_bytes(Path(get_testdata_file("DICOMDIR")).read_bytes())
    case = read_case(folder)
    np.testing.assert_array_equal(case.image[0], pixels.transpose(2, 1, 0))
    assert "1 files that are not DICOM were left out" in case.meta["notes"]


def test_folders_without_dicom_say_what_they_hold(tmp_path):
    with pytest.raises(InputError, match=r"the folder is empty"):
        read_case(tmp_path)
    (tmp_path / "scan.nii.gz").write_bytes(b"")
    with pytest.raises(InputError, match=r"none of its 1 files is DICOM \(scan.nii.gz\)"):
        read_case(tmp_path)


def test_a_report_is_no_image():
    with pytest.raises(InputError, match=r"holds DICOM, but no image .*SR"):
        read_case(get_testdata_file("reportsi.dcm"))


def test_missing_pixels_name_the_file(make_series):
    folder, _ = make_series()
    import pydicom

    broken = sorted(folder.iterdir())[2]
    dataset = pydicom.dcmread(broken)
    del dataset.PixelData
    dataset.save_as(broken)
    with pytest.raises(InputError, match=f"{broken.name}: has no pixel data"):
        read_case(folder)


def test_cut_pixels_name_the_file():
    with pytest.raises(InputError, match=r"MR_truncated\.dcm: its pixels .* may be damaged or cut short"):
        read_case(get_testdata_file("MR_truncated.dcm"))


def test_run_length_encoding_needs_nothing_more(make_series):
    import pydicom

    folder, pixels = make_series()
    for file in folder.iterdir():
        dataset = pydicom.dcmread(file)
        dataset.compress(pydicom.uid.RLELossless)
        dataset.save_as(file)
    np.testing.assert_array_equal(read_case(folder).image[0], pixels.transpose(2, 1, 0))


def test_a_missing_decoder_names_the_extra(monkeypatch):
    from pydicom.pixels.decoders import JPEG2000LosslessDecoder

    monkeypatch.setattr(JPEG2000LosslessDecoder, "_available", {})
    with pytest.raises(InputError, match=r"no decoder for JPEG 2000 .* voxplain\[dicom\]"):
        read_case(get_testdata_file("MR_small_jp2klossless.dcm"))


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm"])
def test_bundled_images_equal_pydicom_and_simpleitk(name):
    import pydicom

    path = get_testdata_file(name)
    dataset = pydicom.dcmread(path)
    case = read_case(path)
    scale = float(dataset.get("RescaleSlope", 1)), float(dataset.get("RescaleIntercept", 0))
    np.testing.assert_array_equal(case.image[0, :, :, 0], dataset.pixel_array.T * scale[0] + scale[1])
    sitk = pytest.importorskip("SimpleITK")
    image = sitk.ReadImage(path)
    for index in [(0, 0, 0), (10, 20, 0)]:
        place = np.array(image.TransformIndexToPhysicalPoint(index)) * (-1, -1, 1)
        np.testing.assert_allclose(case.geometry.to_mm(index), place, atol=1e-5)


def test_no_patient_identifier_leaves_the_reader(make_series):
    folder, _ = make_series()
    case = read_case(folder)
    text = json.dumps(dict(case.meta)) + case.id + repr(case)
    assert not any(word in text for word in ("Doe", "Jane", "SECRET", "1.2.3"))
    assert case.id.startswith("CT-")
    assert read_case(folder).id == case.id


def test_an_xray_is_a_picture_with_its_pixel_spacing(tmp_path, make_slice):
    pixels = np.arange(35, dtype=np.uint16).reshape(5, 7)
    image = make_slice(pixels, None, spacing=None, Modality="DX", ImagerPixelSpacing=[0.15, 0.14])
    image.PhotometricInterpretation = "MONOCHROME1"
    image.save_as(tmp_path / "x.dcm", enforce_file_format=True)
    with pytest.warns(UserWarning, match="MONOCHROME1"):
        case = read_case(tmp_path / "x.dcm")
    np.testing.assert_array_equal(case.image[0], pixels)  # rows, columns; values kept
    assert case.geometry is None
    assert case.meta["pixel_spacing_mm"] == [0.15, 0.14]
    assert case.meta["photometric"] == "MONOCHROME1"


def test_several_xrays_cannot_be_ordered(make_series):
    folder, _ = make_series(ImagePositionPatient=None, ImageOrientationPatient=None)
    with pytest.raises(InputError, match="6 images have no ImagePositionPatient"):
        read_case(folder)


def test_one_image_without_position_is_named(make_series):
    folder, _ = make_series(
        ImagePositionPatient=lambda k: None if k == 2 else [0.0, 0.0, 2.0 * k], shuffle=False
    )
    with pytest.raises(GeometryError, match="IM0002: has no ImagePositionPatient"):
        read_case(folder)


def test_colour_is_three_channels(tmp_path, make_slice):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    make_slice(pixels, None, Modality="OT").save_as(tmp_path / "c.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(read_case(tmp_path / "c.dcm").image, np.moveaxis(pixels, 2, 0))


def test_luminance_and_chrominance_become_rgb():
    # The same picture, stored as RGB and as YBR_FULL_422: equal up to the rounding of the conversion.
    rgb = read_case(get_testdata_file("SC_rgb_dcmtk_+eb+cr.dcm")).image
    ybr = read_case(get_testdata_file("SC_rgb_dcmtk_+eb+cy+np.dcm")).image
    assert rgb.shape == ybr.shape
    # Chrominance is halved across, so columns next to an edge differ; the flat parts do not.
    assert np.median(np.abs(rgb - ybr)) <= 1


def test_a_file_that_says_dicom_but_is_not_is_one_line(tmp_path):
    (tmp_path / "a.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 300)
    (tmp_path / "b.dcm").write_bytes(b"hello")
    for name in ("a.dcm", "b.dcm"):
        with pytest.raises(InputError) as error:
            read_case(tmp_path / name)
        assert name in str(error.value)
        assert "\n" not in str(error.value)


def test_another_programs_files_named_dcm_do_not_disturb(make_series):
    folder, pixels = make_series()
    (folder / "._IM0001.dcm").write_bytes(b"\0\x05\x16\x07\0\x02\0\0Mac OS X        " + bytes(range(256)))
    np.testing.assert_array_equal(read_case(folder).image[0], pixels.transpose(2, 1, 0))


def test_a_lone_image_without_pixel_spacing_is_a_picture(tmp_path, make_slice):
    pixels = np.arange(35, dtype=np.int16).reshape(5, 7)
    make_slice(pixels, (1, 2, 3), spacing=None).save_as(tmp_path / "a.dcm", enforce_file_format=True)
    with pytest.warns(UserWarning, match="read as a picture"):
        case = read_case(tmp_path / "a.dcm")
    np.testing.assert_array_equal(case.image[0], pixels)
    assert case.geometry is None


def test_files_that_share_one_identifier_are_told_apart_by_their_place(make_series):
    # Some anonymisers give every image the same SOPInstanceUID.
    folder, pixels = make_series(SOPInstanceUID="1.2.3.4", InstanceNumber=1)
    np.testing.assert_array_equal(read_case(folder).image[0], pixels.transpose(2, 1, 0))

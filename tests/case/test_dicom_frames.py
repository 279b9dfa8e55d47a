"""Multi-frame DICOM: places and slopes of each frame, from shared and per-frame groups."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from voxplain.case import read_case
from voxplain.errors import GeometryError, InputError


def item(**fields):
    dataset = Dataset()
    for keyword, value in fields.items():
        setattr(dataset, keyword, value)
    return dataset


@pytest.fixture
def enhanced(tmp_path, make_slice):
    """Builder of one enhanced MR file: frames at `places` (mm along z), with the echo times given."""

    def build(places, slopes=None, echoes=None):
        rng = np.random.default_rng(3)
        pixels = rng.integers(0, 900, (len(places), 5, 7)).astype(np.uint16)
        image = make_slice(pixels[0], None, spacing=None, Modality="MR")
        image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4.1"
        image.NumberOfFrames = len(places)
        image.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
        shared = item(
            PlaneOrientationSequence=[item(ImageOrientationPatient=[0, 1, 0, 0, 0, -1])],
            PixelMeasuresSequence=[item(PixelSpacing=[0.9, 0.7], SliceThickness=2)],
        )
        if slopes is None:
            shared.PixelValueTransformationSequence = [item(RescaleSlope=3, RescaleIntercept=-5)]
        image.SharedFunctionalGroupsSequence = [shared]
        groups = []
        for k, place in enumerate(places):
            group = item(PlanePositionSequence=[item(ImagePositionPatient=[-float(place), 4.0, 9.0])])
            if slopes is not None:
                group.PixelValueTransformationSequence = [item(RescaleSlope=slopes[k], RescaleIntercept=k)]
            if echoes is not None:
                group.MREchoSequence = [item(EffectiveEchoTime=float(echoes[k]))]
            groups.append(group)
        image.PerFrameFunctionalGroupsSequence = groups
        image.save_as(tmp_path / "enhanced.dcm", enforce_file_format=True)
        return tmp_path / "enhanced.dcm", pixels

    return build


def test_enhanced_frames_are_sorted_by_place_with_shared_groups(enhanced):
    # Sagittal: row direction +y, column direction −z, so the normal is (0,1,0)×(0,0,−1) = (−1,0,0): frames
    # written at x = −place lie at +place along it.
    path, pixels = enhanced([4, 0, 2, 6])
    case = read_case(path)
    order = [1, 2, 0, 3]
    np.testing.assert_array_equal(case.image[0], pixels[order].transpose(2, 1, 0) * 3.0 - 5)
    # LPS columns: y × 0.7, −z × 0.9, −x × 2; RAS negates x and y.
    expected = [[0, 0, 2, 0], [-0.7, 0, 0, -4], [0, -0.9, 0, 9], [0, 0, 0, 1]]
    np.testing.assert_allclose(case.geometry.affine, expected, atol=1e-12)
    assert case.geometry.orientation == "PIR"


def test_each_frame_has_its_own_slope(enhanced):
    path, pixels = enhanced([0, 2, 4], slopes=[1, 0.5, 7])
    expected = [pixels[0] * 1.0 + 0, pixels[1] * 0.5 + 1, pixels[2] * 7.0 + 2]
    np.testing.assert_array_equal(read_case(path).image[0], np.transpose(expected, (2, 1, 0)))


def test_echoes_at_one_place_are_named(enhanced):
    path, _ = enhanced([0, 0, 2, 2], echoes=[5, 40, 5, 40])
    with pytest.raises(GeometryError, match=r"4 images lie at 2 places.*EffectiveEchoTime \(5.0, 40.0\)"):
        read_case(path)


def test_a_gap_between_frames_is_found(enhanced):
    path, _ = enhanced([0, 2, 4, 8])
    with pytest.raises(GeometryError, match="slices are missing"):
        read_case(path)


def test_simpleitk_agrees_on_an_enhanced_file(enhanced):
    sitk = pytest.importorskip("SimpleITK")
    path, _ = enhanced([0, 2, 4, 6])
    image, case = sitk.ReadImage(str(path)), read_case(path)
    np.testing.assert_allclose(sitk.GetArrayFromImage(image).transpose(2, 1, 0), case.image[0])
    for index in [(0, 0, 0), (6, 4, 0)]:
        place = np.array(image.TransformIndexToPhysicalPoint(index)) * (-1, -1, 1)
        np.testing.assert_allclose(case.geometry.to_mm(index), place, atol=1e-6)


def test_a_segmentation_of_highdicom_lies_on_its_image(make_series, tmp_path):
    hd = pytest.importorskip("highdicom")
    import pydicom
    from pydicom.sr.codedict import codes

    folder, _ = make_series(
        StudyInstanceUID="1.2.4", FrameOfReferenceUID="1.2.5", PatientBirthDate="", PatientSex="", StudyDate="",
        StudyTime="", AccessionNumber="", StudyID="", ReferringPhysicianName="", SliceThickness=2.5,
    )  # fmt: skip
    sources = sorted((pydicom.dcmread(f) for f in folder.iterdir()), key=lambda d: d.ImagePositionPatient[2])
    mask = np.zeros((6, 5, 7), bool)
    mask[2:5, 1:3, 2:6] = True
    segment = hd.seg.SegmentDescription(
        segment_number=1,
        segment_label="a",
        segmented_property_category=codes.SCT.Organ,
        segmented_property_type=codes.SCT.Liver,
        algorithm_type="MANUAL",
    )
    seg = hd.seg.Segmentation(
        source_images=sources,
        pixel_array=mask,
        segmentation_type="BINARY",
        segment_descriptions=[segment],
        series_instance_uid="1.2.7",
        series_number=2,
        sop_instance_uid="1.2.8",
        instance_number=1,
        manufacturer="a",
        manufacturer_model_name="b",
        software_versions="1",
        device_serial_number="1",
        omit_empty_frames=False,
    )
    seg.save_as(tmp_path / "seg.dcm")
    case = read_case(folder, label=tmp_path / "seg.dcm")
    np.testing.assert_array_equal(case.label, mask.transpose(2, 1, 0))


def test_dose_planes_lie_at_their_offsets():
    import pydicom

    path = get_testdata_file("rtdose.dcm")
    dataset = pydicom.dcmread(path)
    case = read_case(path)
    np.testing.assert_allclose(
        case.image[0], dataset.pixel_array.transpose(2, 1, 0) * float(dataset.DoseGridScaling), rtol=1e-6
    )
    offsets = np.array(dataset.GridFrameOffsetVector, float)
    for k in (0, 7, 14):
        x, y, z = dataset.ImagePositionPatient
        np.testing.assert_allclose(case.geometry.to_mm([0, 0, k]), (-x, -y, z + offsets[k]), atol=1e-6)


def test_frames_without_places_are_a_stack_without_geometry():
    import pydicom

    path = get_testdata_file("SC_rgb_rle_2frame.dcm")
    with pytest.warns(UserWarning, match="2 frames have no position"):
        case = read_case(path)
    assert case.geometry is None
    np.testing.assert_array_equal(case.image, np.moveaxis(pydicom.dcmread(path).pixel_array, 3, 0))


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("PixelSpacing", [1.0], "PixelSpacing is .* not 2 finite numbers"),
        ("ImagePositionPatient", [1.0, 2.0], "ImagePositionPatient is .* not 3 finite numbers"),
    ],
)
def test_fields_of_the_wrong_length_name_file_and_field(tmp_path, make_slice, field, value, words):
    image = make_slice(np.zeros((5, 7), np.int16), (0, 0, 0))
    setattr(image, field, value)
    image.save_as(tmp_path / "bad.dcm", enforce_file_format=True)
    with pytest.raises(InputError, match=words) as error:
        read_case(tmp_path / "bad.dcm")
    assert "bad.dcm" in str(error.value)

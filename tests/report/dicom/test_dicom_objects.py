"""DICOM objects: what other readers find in them, where they find it, and what they say of the patient."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_series import AXES, ras, write_series
from dicom_tools import errors, report, volumes

from voxplain.case import Geometry, to_axes_of
from voxplain.errors import GeometryError, InputError, StorageError

hd = pytest.importorskip("highdicom")
from voxplain.report.dicom import Origin, Segment, VoxelMap, read_source, write_dicom  # noqa: E402

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ORIGIN = Origin("net", WHEN, "abc")
SHAPE = (7, 5, 6)  # columns, rows, slices
SECRETS = (b"Doe", b"Jane", b"SECRET", b"Roe", b"19500102", b"20200304", b"101112")


def at(lps):
    """A value that is another one at every place (LPS mm), and not the same turned or flipped."""
    x, y, z = np.moveaxis(np.asarray(lps), -1, 0)
    return np.sin(0.31 * x) + 0.7 * np.cos(0.23 * y + 1) + 0.01 * z + np.sin(0.11 * x * z / 10)


def places(affine, shape):
    """Positions (*shape, 3) of all voxels, in the affine's millimetres."""
    return np.stack(np.indices(shape), -1) @ affine[:3, :3].T + affine[:3, 3]


def to_lps(positions):
    return positions * np.array([-1, -1, 1])


def series_of(folder, shape=SHAPE, **how):
    """A series, its LPS affine and its source."""
    pixels = np.random.default_rng(1).integers(-1000, 1000, shape[::-1]).astype(np.int16)
    affine = write_series(folder, pixels, **how)
    return affine, read_source(folder)


def results(affine, shape=SHAPE, order=None):
    """A map and two segments that overlap, defined by where their voxels lie, in the given order of axes."""
    geometry = ras(affine, shape)
    if order is not None:
        wanted = Geometry(
            np.diag([{"R": 1, "L": -1, "A": 1, "P": -1, "S": 1, "I": -1}[c] for c in order] + [1]), shape
        )
        _, geometry = to_axes_of(np.zeros(shape), geometry, wanted)
    values = at(to_lps(places(geometry.affine, geometry.shape))).astype(np.float32)
    segments = [
        Segment("liver", values > 0.4, geometry),
        Segment("kidney_left", np.abs(values) < 0.5, geometry),
    ]
    return VoxelMap(values, geometry, "gradient", "liver", "score per voxel", {"n": 3}), segments


def files(folder):
    return sorted(folder.glob("*.dcm"))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """One export of every kind, from an axial series."""
    folder = tmp_path_factory.mktemp("dicom")
    affine, source = series_of(folder / "series")
    voxel_map, segments = results(affine)
    write_dicom(folder / "out", source, [voxel_map], segments, ORIGIN)
    return folder / "out", source, voxel_map, segments


def dcmqi_agrees(folder, voxel_map, segments):
    ((array, place),) = volumes("paramap2itkimage", folder / "out" / "pm-gradient-liver.dcm", folder / "pm")
    assert array.size == voxel_map.values.size
    np.testing.assert_allclose(array, at(to_lps(places(place, array.shape))), atol=1e-4)
    masks = volumes("segimage2itkimage", folder / "out" / "seg.dcm", folder / "seg")
    for (array, place), segment, inside in zip(
        masks, segments, (lambda v: v > 0.4, lambda v: np.abs(v) < 0.5), strict=True
    ):
        np.testing.assert_array_equal(array > 0, inside(at(to_lps(places(place, array.shape)))))
        assert (array > 0).sum() == segment.mask.sum()


@pytest.mark.parametrize(
    ("name", "downwards"), [*((name, False) for name in AXES), ("axial", True), ("oblique", True)]
)
def test_every_voxel_is_where_it_was(tmp_path, name, downwards):
    """In highdicom, in pydicom's fields, and in dcmqi, the base of 3D Slicer, which goes by the order of frames."""
    # of a study whose image had been converted, or not
    order = None if downwards else "RAS"
    affine, source = series_of(tmp_path / "series", axes=AXES[name], step=-2.5 if downwards else 2.5)
    voxel_map, segments = results(affine, order=order)
    write_dicom(tmp_path / "out", source, [voxel_map], segments, ORIGIN, kinds=["pm", "seg"])
    found = hd.imread(tmp_path / "out" / "pm-gradient-liver.dcm")
    volume = found.get_volume()
    truth = at(places(volume.affine, volume.array.shape))
    np.testing.assert_allclose(volume.array, truth, atol=1e-5)
    frames = np.frombuffer(found.FloatPixelData, "<f4").reshape(
        found.NumberOfFrames, found.Rows, found.Columns
    )
    for frame, group in zip(frames, found.PerFrameFunctionalGroupsSequence, strict=True):
        plane = np.eye(4)
        plane[:3, 0], plane[:3, 1] = AXES[name][0] * 0.6, AXES[name][1] * 0.8
        plane[:3, 3] = group.PlanePositionSequence[0].ImagePositionPatient
        np.testing.assert_allclose(frame.T, at(places(plane, (*SHAPE[:2], 1)))[..., 0], atol=1e-5)
        (reference,) = group.DerivationImageSequence[0].SourceImageSequence
        (image,) = (i for i in source.images if i.SOPInstanceUID == reference.ReferencedSOPInstanceUID)
        np.testing.assert_allclose(image.ImagePositionPatient, plane[:3, 3], atol=1e-9)
    segmented = hd.seg.segread(tmp_path / "out" / "seg.dcm").get_volume()
    truth = at(places(segmented.affine, segmented.array.shape[:3]))
    np.testing.assert_array_equal(segmented.array, np.stack([truth > 0.4, np.abs(truth) < 0.5], -1))
    assert segmented.array.sum() == sum(s.mask.sum() for s in segments)
    dcmqi_agrees(tmp_path, voxel_map, segments)


CORNERS = {  # where left, front and top lie in a picture, and what its columns and rows run towards
    "axial": ("LP", "RLAP", ("right", "top")),
    "turned": ("RA", "LRPA", ("left", "bottom")),
    "from above": ("RP", "LRAP", ("left", "top")),
    "sagittal": ("PF", "APSI", ("left", "top")),
    "coronal": ("LF", "RLSI", ("right", "top")),
}


def letter(crop):
    """Which letter is drawn in a picture's part, by its likeness to each."""
    from PIL import Image, ImageDraw

    from voxplain.report.dicom.capture import _font

    def drawn(text):
        image = Image.new("RGB", crop.shape[1::-1])
        pen = ImageDraw.Draw(image)
        pen.text((crop.shape[1] // 2, crop.shape[0] // 2), text, "#e8eaed", _font(18), anchor="mm")
        return np.asarray(image, float)

    return min("RLAPSI", key=lambda text: np.abs(drawn(text) - crop).sum())


@pytest.mark.parametrize("name", CORNERS)
def test_a_mark_on_the_left_front_and_top_is_drawn_there(tmp_path, name):
    orientation, sides, (across, down) = CORNERS[name]
    affine, source = series_of(tmp_path / "series", axes=AXES[name])
    lps = places(affine, SHAPE)
    corner = np.unravel_index((lps * [1, -1, 1]).sum(-1).argmax(), SHAPE)
    values = np.zeros(SHAPE, np.float32)
    values[corner] = 1
    voxel_map = VoxelMap(values, ras(affine, SHAPE), "gradient", "mark")
    write_dicom(tmp_path / "out", source, [voxel_map], [], ORIGIN, kinds=["sc"])
    (file,) = files(tmp_path / "out")
    picture = pydicom.dcmread(file)
    assert "".join(picture.PatientOrientation) == orientation
    (reference,) = picture.SourceImageSequence
    (shown,) = (i for i in source.images if i.SOPInstanceUID == reference.ReferencedSOPInstanceUID)
    np.testing.assert_allclose(shown.ImagePositionPatient, affine[:3, :3] @ [0, 0, corner[2]] + affine[:3, 3])
    pixels = picture.pixel_array.astype(int)
    height, width = round(5 * 0.8 * 512 / 4.2), 512
    left, top = (pixels.shape[1] - width) // 2, 58 + 28
    area = pixels[top : top + height, left : left + width]
    coloured = np.argwhere(area[..., 0] - area[..., 2] > 40)  # the map's colours are not grey
    y, x = coloured.mean(0)
    assert (x > width / 2) == (across == "right") and (y > height / 2) == (down == "bottom")
    assert len(coloured) == pytest.approx(area[..., 0].size / 35, rel=0.05)  # one voxel of 7 × 5
    middle, centre = top + height // 2, left + width // 2
    crops = [
        pixels[middle - 14 : middle + 14, left - 28 : left],
        pixels[middle - 14 : middle + 14, left + width : left + width + 28],
        pixels[top - 28 : top, centre - 14 : centre + 14],
        pixels[top + height : top + height + 28, centre - 14 : centre + 14],
    ]
    assert "".join(map(letter, crops)) == sides


def test_the_warning_is_burnt_in_and_in_the_headers(written):
    folder, *_ = written
    for file in files(folder):
        assert b"Research" in file.read_bytes(), file
    picture = pydicom.dcmread(folder / "sc-gradient-liver-1.dcm").pixel_array
    amber = (np.abs(picture[:30].astype(int) - [255, 179, 0]).sum(-1) < 60).sum()
    assert amber > 1000  # 31 letters of 20 pixels


def test_numbers_of_the_report_are_those_of_map_and_segments(written, tmp_path):
    folder, _, voxel_map, segments = written
    groups = hd.sr.srread(folder / "sr.dcm").content.get_volumetric_roi_measurement_groups()
    segmented = pydicom.dcmread(folder / "seg.dcm")
    assert [s.SegmentLabel for s in segmented.SegmentSequence] == ["liver", "kidney_left"]
    read = report(folder / "sr.dcm", tmp_path / "sr.json")["Measurements"]
    for number, (group, segment, other) in enumerate(zip(groups, segments, read, strict=True), 1):
        inside = voxel_map.values[segment.mask].astype(float)
        ml = inside.size * 0.6 * 0.8 * 2.5 / 1000
        truth = [
            ml,
            inside.mean(),
            inside.sum(),
            inside.sum() / ml,
            100 * np.abs(inside).sum() / np.abs(voxel_map.values).sum(),
        ]
        found = {m.name.meaning: (m.value, m.unit.value) for m in group.get_measurements()}
        np.testing.assert_allclose([value for value, _ in found.values()], truth, rtol=1e-5)
        assert [unit for _, unit in found.values()] == ["ml", "1", "1", "/ml", "%"]
        np.testing.assert_allclose([float(m["value"]) for m in other["measurementItems"]], truth, rtol=1e-5)
        assert group.referenced_segment.referenced_segment_numbers == [number]
        assert group.referenced_segment.referenced_sop_instance_uid == segmented.SOPInstanceUID
        assert other["segmentationSOPInstanceUID"] == segmented.SOPInstanceUID
    assert read[1]["Laterality"]["CodeMeaning"] == "Left"
    assert [g.finding_type.scheme_designator for g in groups] == ["SCT", "SCT"]


@pytest.mark.parametrize(("modality", "keep"), [("CT", True), ("MR", False)])
def test_no_object_breaks_the_standard(tmp_path, modality, keep):
    affine, source = series_of(tmp_path / "series", modality=modality, axes=AXES["oblique"])
    voxel_map, segments = results(affine)
    segments.append(Segment("Rührkuchen " * 9, segments[0].mask, segments[0].geometry))
    # values far below 1, and names longer than fields are
    voxel_map = replace(
        voxel_map, values=voxel_map.values / 1e5, method="a_method_of_a_long_name", target="Öl" * 40
    )
    write_dicom(tmp_path / "out", source, [voxel_map], segments, Origin("net", WHEN, keep_identity=keep))
    assert len(files(tmp_path / "out")) == 6
    assert [(file.name, errors(file)) for file in files(tmp_path / "out") if errors(file)] == []


def test_nothing_is_told_of_the_patient(written):
    folder, *_ = written
    for file in files(folder):
        content = file.read_bytes()
        assert [secret for secret in SECRETS if secret in content] == [], file
        dataset = pydicom.dcmread(file)
        assert dataset.PatientIdentityRemoved == "YES"
        assert str(dataset.PatientName) == dataset.PatientID == dataset.PatientBirthDate == ""


def test_the_patient_is_named_on_request_and_in_headers_alone(tmp_path, caplog, recwarn, capfd):
    caplog.set_level(logging.DEBUG)
    # a name in another character set, which libraries quote in warnings, and a code that they do not know
    affine, source = series_of(
        tmp_path / "series", SpecificCharacterSet="ISO_IR 100", PatientName="Dö", PatientSex="X"
    )
    voxel_map, segments = results(affine)
    origin = Origin("net", WHEN, keep_identity=True)
    paths = write_dicom(tmp_path / "out", source, [voxel_map], segments, origin)
    for path in paths:
        dataset = pydicom.dcmread(path)
        assert (str(dataset.PatientName), dataset.PatientID) == ("Dö", "SECRET-77")
        assert (dataset.PatientBirthDate, dataset.PatientSex) == ("19500102", "X")
        assert (dataset.StudyDate, dataset.AccessionNumber) == ("20200304", "SECRET-ACC")
        assert "PatientIdentityRemoved" not in dataset
        assert "Dö" not in path.name
        assert b"SECRET hospital" not in path.read_bytes()
    assert [str(image.PatientName) for image in source.images] == [""] * 6
    said = caplog.text + "".join(str(w.message) for w in recwarn) + "".join(capfd.readouterr())
    assert "Dö" not in said and "SECRET" not in said


def test_references_are_those_of_the_series(written):
    folder, source, *_ = written
    images = {str(image.SOPInstanceUID) for image in source.images}
    for name in ("seg.dcm", "pm-gradient-liver.dcm"):
        dataset = pydicom.dcmread(folder / name)
        assert dataset.StudyInstanceUID == source.header.text("StudyInstanceUID")
        assert dataset.FrameOfReferenceUID == source.header.text("FrameOfReferenceUID")
        (series,) = dataset.ReferencedSeriesSequence
        assert series.SeriesInstanceUID == source.series
        assert {i.ReferencedSOPInstanceUID for i in series.ReferencedInstanceSequence} == images
    meant = pydicom.dcmread(folder / "pm-gradient-liver.dcm").SharedFunctionalGroupsSequence[0]
    (mapping,) = meant.RealWorldValueMappingSequence
    assert (mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept) == (1, 0)
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "1"
    assert mapping.LUTExplanation.startswith("score per voxel")


def test_equal_results_give_equal_files_and_others_other_identifiers(written, tmp_path):
    folder, source, voxel_map, segments = written
    write_dicom(tmp_path / "again", source, [voxel_map], segments, ORIGIN)
    write_dicom(
        tmp_path / "later", source, [voxel_map], segments, Origin("net", WHEN.replace(year=2027), "abc")
    )
    write_dicom(tmp_path / "alone", source, [voxel_map], segments, ORIGIN, kinds=["sr"])
    assert [f.name for f in files(tmp_path / "alone")] == ["seg.dcm", "sr.dcm"]
    for file in files(folder):
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes(), file.name
        before, after = pydicom.dcmread(file), pydicom.dcmread(tmp_path / "later" / file.name)
        assert before.SOPInstanceUID.is_valid and before.SOPInstanceUID != after.SOPInstanceUID
        assert before.SeriesInstanceUID != after.SeriesInstanceUID
        if file.name in ("seg.dcm", "sr.dcm"):
            assert file.read_bytes() == (tmp_path / "alone" / file.name).read_bytes()
    assert len({pydicom.dcmread(f).SOPInstanceUID for f in files(folder)}) == 6


def test_a_single_slice_and_channels(tmp_path):
    shape = (7, 5, 1)
    affine, source = series_of(tmp_path / "series", shape)
    values = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    write_dicom(
        tmp_path / "out", source, [VoxelMap(values, ras(affine, shape), "a", "b")], [], ORIGIN, kinds=["pm"]
    )
    found = hd.imread(tmp_path / "out" / "pm-a-b.dcm")
    np.testing.assert_allclose(found.get_frames()[0].T, values.sum(0)[..., 0], rtol=1e-6)
    assert errors(tmp_path / "out" / "pm-a-b.dcm") == []


def test_a_single_segment_of_a_series_that_says_little(tmp_path):
    """Headers without what they may lack, and thickness that is not the distance of slices."""
    how = {"PositionReferenceIndicator": None, "SeriesNumber": None, "PatientID": None, "PatientName": None}
    for name, thickness in (("none", None), ("zero", 0), ("thick", 5)):
        affine, source = series_of(tmp_path / name, SliceThickness=thickness, **how)
        voxel_map, (segment, _) = results(affine)
        out = tmp_path / f"{name}-out"
        write_dicom(
            out, source, [voxel_map], [segment], Origin("net", WHEN, keep_identity=True), kinds=["sr", "pm"]
        )
        assert [(file.name, errors(file)) for file in files(out) if errors(file)] == []
        volume = hd.seg.segread(out / "seg.dcm").get_volume()
        truth = at(places(volume.affine, volume.array.shape[:3])) > 0.4
        np.testing.assert_array_equal(volume.array[..., 0], truth)
        (group,) = hd.sr.srread(out / "sr.dcm").content.get_volumetric_roi_measurement_groups()
        assert group.referenced_segment.referenced_segment_numbers == [1]
        assert group.referenced_segment.source_series_for_segmentation.value == source.series
        measures = pydicom.dcmread(out / "pm-gradient-liver.dcm").SharedFunctionalGroupsSequence[0]
        assert measures.PixelMeasuresSequence[0].SpacingBetweenSlices == 2.5


def refused(folder, error, words, **how):
    with pytest.raises(error, match=words) as caught:
        _, source = series_of(folder, **how)
        assert source.values is None, "it was read"
    assert "\n" not in str(caught.value) and "SECRET" not in str(caught.value)


def test_a_series_that_nothing_can_be_drawn_on_is_refused_in_a_line(tmp_path):
    refused(tmp_path / "gap", GeometryError, "slices are missing: 5 mm", skip=(3,))
    refused(tmp_path / "tilt", GeometryError, "gantry tilt", step=np.array([0, 0.9, 2.5]))
    refused(tmp_path / "nothing", InputError, "no StudyInstanceUID", StudyInstanceUID=None)
    refused(tmp_path / "pixels", InputError, "has no pixel data", PixelData=None)
    refused(tmp_path / "place", GeometryError, "no ImagePositionPatient", ImagePositionPatient=None)
    refused(tmp_path / "frames", InputError, "several frames", NumberOfFrames=2)
    write_series(tmp_path / "two", np.zeros((2, 3, 4), np.int16))
    write_series(tmp_path / "two" / "b", np.zeros((2, 3, 4), np.int16), series="1.2.3")
    with pytest.raises(InputError, match="holds 2 series; choose one"):
        read_source(tmp_path / "two")
    assert read_source(tmp_path / "two", series="1.2.3.1").series == "1.2.3.1"
    with pytest.raises(InputError, match="no such file or folder"):
        read_source(tmp_path / "none")


def test_what_does_not_fit_is_refused_and_nothing_is_left(tmp_path):
    affine, source = series_of(tmp_path / "series")
    voxel_map, segments = results(affine)
    shifted = voxel_map.geometry.affine.copy()
    shifted[0, 3] += 0.3
    nan = np.where(np.arange(6) == 3, np.nan, voxel_map.values)

    def attempt(error, words, maps, drawn=(), **how):
        with pytest.raises(error, match=words) as caught:
            write_dicom(tmp_path / "out", source, maps, drawn, ORIGIN, **how)
        assert "\n" not in str(caught.value)
        assert [p.name for p in tmp_path.iterdir()] == ["series"]

    def like(values, geometry):
        return [VoxelMap(values, geometry, "gradient", "liver")]

    attempt(
        GeometryError,
        "gradient of liver: is not on the grid .*0.3 mm",
        like(voxel_map.values, Geometry(shifted, SHAPE)),
    )
    attempt(GeometryError, "has no geometry", like(voxel_map.values, None))
    attempt(GeometryError, "2 axes", like(voxel_map.values[..., 0], Geometry(np.eye(4), SHAPE[:2])))
    attempt(InputError, "NaN or infinite in 35 of 210", like(nan, voxel_map.geometry))
    attempt(InputError, "zero in all", like(0 * voxel_map.values, voxel_map.geometry), kinds=["sc"])
    attempt(InputError, "did you mean 'seg'", [voxel_map], kinds=["sge"])
    attempt(InputError, "0 predicted classes", [voxel_map], kinds=["seg"])
    attempt(InputError, "neither a map nor", [], [Segment("a", segments[0].mask & False, voxel_map.geometry)])
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("")
    with pytest.raises(StorageError, match="not an empty folder"):
        write_dicom(tmp_path / "out", source, [voxel_map], segments, ORIGIN)


def test_a_missing_library_is_named(tmp_path, monkeypatch):
    import sys

    affine, source = series_of(tmp_path / "series")
    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(InputError, match=r"pip install 'voxplain\[dicom\]'"):
        write_dicom(Path(tmp_path / "out"), source, [results(affine)[0]], [], ORIGIN)

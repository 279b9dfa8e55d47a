"""A study of a DICOM series, and what of it comes back to the series: `voxplain dicom`."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_series import AXES, write_series

from voxplain.case import Case, read_case, write_array, write_case
from voxplain.cli.app import run
from voxplain.study import export_dicom

hd = pytest.importorskip("highdicom")

NET = '''
import torch


class Levels(torch.nn.Module):
    """Two classes and the background, by intensity alone."""

    def __init__(self):
        super().__init__()
        self.of = torch.nn.Conv3d(1, 3, 1)
        with torch.no_grad():
            self.of.weight[:, 0, 0, 0, 0] = torch.tensor([0.0, 1.0, -1.0])
            self.of.bias[:] = torch.tensor([20.0, 0.0, 0.0])

    def forward(self, x):
        return self.of(x)
'''


@dataclass(frozen=True)
class Studied:
    folder: Path

    @property
    def out(self) -> Path:
        return self.folder / "study"

    @property
    def series(self) -> Path:
        return self.folder / "series"


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    """A series with a bright cube, and a study of it."""
    folder = tmp_path_factory.mktemp("studied")
    pixels = np.random.default_rng(0).integers(-15, 15, (6, 10, 12)).astype(np.int16)
    pixels[1:4, 2:5, 3:8] += 100  # minus 3 in the values
    pixels[4:, 6:, 8:] -= 100
    write_series(folder / "series", pixels, axes=AXES["from above"], step=-2.5)
    (folder / "net.py").write_text(NET, encoding="utf-8")
    (folder / "study.yaml").write_text(
        "models: {levels: {source: 'net.py:Levels', classes: [background, liver, odd thing]}}\n"
        "cases: [{image: series, id: Jane}]\ntargets: [liver]\nmethods: [gradient, input_x_gradient]\nmetrics: []\n"
        "maps: {pictures: 0}\nrun: {workers: 1}\nout: study\n",
        encoding="utf-8",
    )
    assert run(["study", str(folder / "study.yaml")]) == 0
    return Studied(folder)


def ran(capsys, *words):
    """Exit code and the lines of both streams."""
    code = run([str(word) for word in words])
    found = capsys.readouterr()
    return code, found.out.splitlines(), found.err.splitlines()


def test_the_command_writes_what_the_study_found(studied, tmp_path, capsys):
    code, told, warned = ran(capsys, "dicom", studied.out, "--source", studied.series, "-o", tmp_path / "d")
    assert (code, warned) == (0, [])
    names = sorted(path.name for path in (tmp_path / "d").iterdir())
    assert sorted(line.rsplit("/", 1)[1] for line in told) == names
    assert names[:2] == ["pm-gradient-liver.dcm", "pm-input_x_gradient-liver.dcm"]
    # of the pixels themselves: input × gradient of a mean logit is value / voxels of the class, inside it
    images = sorted(
        (pydicom.dcmread(f) for f in studied.series.iterdir()), key=lambda i: i.ImagePositionPatient[2]
    )
    values = {str(i.SOPInstanceUID): i.pixel_array.astype(float) - 3 for i in images}
    inside = {uid: plane > 20 for uid, plane in values.items()}
    count = sum(mask.sum() for mask in inside.values())
    assert count == 3 * 3 * 5
    found = pydicom.dcmread(tmp_path / "d" / "pm-input_x_gradient-liver.dcm")
    frames = np.frombuffer(found.FloatPixelData, "<f4").reshape(6, 10, 12)
    for frame, group in zip(frames, found.PerFrameFunctionalGroupsSequence, strict=True):
        uid = str(group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID)
        np.testing.assert_allclose(frame, values[uid] * inside[uid] / count, atol=1e-6)
    segmented = hd.seg.segread(tmp_path / "d" / "seg.dcm")
    assert [s.SegmentLabel for s in segmented.SegmentSequence] == ["liver", "odd thing"]
    schemes = [
        s.SegmentedPropertyTypeCodeSequence[0].CodingSchemeDesignator for s in segmented.SegmentSequence
    ]
    assert schemes == ["SCT", "99VOXPLAIN"]
    uids = [str(i.SOPInstanceUID) for i in images]
    masks = segmented.get_pixels_by_source_instance(uids, ignore_spatial_locations=True)
    np.testing.assert_array_equal(masks[..., 0], np.stack([inside[uid] for uid in uids]))
    np.testing.assert_array_equal(masks[..., 1], np.stack([values[uid] < -20 for uid in uids]))
    groups = hd.sr.srread(tmp_path / "d" / "sr.dcm").content.get_volumetric_roi_measurement_groups()
    assert len(groups) == 4
    numbers = {m.name.meaning: m.value for m in groups[2].get_measurements()}
    assert groups[2].tracking_identifier == "liver: input_x_gradient of liver"
    assert numbers["Volume"] == pytest.approx(45 * 0.6 * 0.8 * 2.5 / 1000)
    assert numbers["share of absolute attribution"] == pytest.approx(100)
    mean = np.mean([x for uid in uids for x in values[uid][inside[uid]]])
    assert numbers["sum of attribution"] == pytest.approx(mean, rel=1e-5)


def test_the_same_results_are_the_same_files_and_a_case_name_is_in_none(studied, tmp_path):
    for out in "ab":
        export_dicom(
            studied.out,
            tmp_path / out,
            source=studied.series,
            kinds=["seg", "pm", "sr"],
            methods=["gradient"],
        )
    files = sorted((tmp_path / "a").iterdir())
    assert [f.name for f in files] == ["pm-gradient-liver.dcm", "seg.dcm", "sr.dcm"]
    journal = (studied.out / "log.jsonl").read_text(encoding="utf-8").splitlines()
    events = [e for e in map(json.loads, journal) if e["event"] == "settled" and "gradient" in e["task"]]
    settled = [e["time"][:19].replace("-", "").replace(":", "") for e in events]
    for file in files:
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()
        assert b"Jane" not in file.read_bytes() and b"SECRET" not in file.read_bytes()
        dataset = pydicom.dcmread(file)
        assert f"{dataset.ContentDate}T{dataset.ContentTime}" in settled


def test_an_explanation_of_the_series_gives_the_same_maps_and_segments(studied, tmp_path, capsys):
    words = ["--image", studied.series, "--model", studied.folder / "net.py:Levels", "--target", "1"]
    explained = (
        "explain",
        *words,
        "--method",
        "gradient",
        "--set",
        "model.classes=[background,liver,odd thing]",
    )
    judged = ("--metrics", "rounding_stability")  # leaves a unit that is no method
    explained = (*explained, *judged, "--set", "maps.figures=0", "--out", tmp_path / "explained")
    assert ran(capsys, *explained)[0] == 0
    source = ("--source", studied.series)
    assert ran(capsys, "dicom", tmp_path / "explained", *source, "-o", tmp_path / "a")[0] == 0
    export_dicom(studied.out, tmp_path / "b", source=studied.series, methods=["gradient"])
    names = sorted(file.name for file in (tmp_path / "a").iterdir())
    assert names == sorted(file.name for file in (tmp_path / "b").iterdir())
    for name in ("pm-gradient-liver.dcm", "seg.dcm"):
        a, b = (hd.imread(tmp_path / folder / name).get_volume() for folder in "ab")
        np.testing.assert_array_equal(a.array, b.array)
        np.testing.assert_array_equal(a.affine, b.affine)
    code, _, told = ran(
        capsys, "dicom", tmp_path / "explained", *source, "-o", tmp_path / "c", "--case", "Jane"
    )
    assert code and len(told) == 1 and "case: " in told[0] and "CT-" in told[0]


def copied(studied, tmp_path, image):
    """The study, as if its image had been another file."""
    shutil.copytree(studied.out, tmp_path / "copy")
    text = (tmp_path / "copy" / "study.yaml").read_text(encoding="utf-8")
    assert str(studied.series) in text
    (tmp_path / "copy" / "study.yaml").write_text(
        text.replace(str(studied.series), str(image)), encoding="utf-8"
    )
    return tmp_path / "copy"


def test_a_study_of_a_converted_image_fits_its_series(studied, tmp_path, capsys):
    """As converters write them: NIfTI, axes flipped and permuted, float32."""
    case = read_case(studied.series)
    turned = np.swapaxes(case.image[0], 0, 2)[:, ::-1]
    affine = case.geometry.affine[:, [2, 1, 0, 3]].copy()
    affine[:, 3] += affine[:, 1] * 9
    affine[:, 1] *= -1
    geometry = type(case.geometry)(affine, turned.shape)
    write_array(tmp_path / "image.nii.gz", turned, geometry)
    study = copied(studied, tmp_path, tmp_path / "image.nii.gz")
    for path in (*study.rglob("maps/**/*.nii.gz"), *study.rglob("predictions/**/*.nii.gz")):
        array = read_case(path).image[0]
        write_array(path, np.swapaxes(array, 0, 2)[:, ::-1].astype(array.dtype), geometry)
    assert (
        ran(capsys, "dicom", study, "--source", studied.series, "-o", tmp_path / "d", "--kinds", "pm,seg")[0]
        == 0
    )
    export_dicom(studied.out, tmp_path / "e", source=studied.series, kinds=["pm", "seg"])
    for name in ("pm-gradient-liver.dcm", "seg.dcm"):
        a, b = (hd.imread(tmp_path / folder / name).get_volume() for folder in "de")
        np.testing.assert_array_equal(a.array, b.array)
        np.testing.assert_allclose(a.affine, b.affine)


def test_another_patients_series_on_the_same_grid_is_refused(studied, tmp_path, capsys):
    pixels = np.random.default_rng(9).integers(-15, 15, (6, 10, 12)).astype(np.int16)
    write_series(tmp_path / "other", pixels, axes=AXES["from above"], step=-2.5, series="1.2.9")
    code, told, warned = ran(
        capsys, "dicom", studied.out, "--source", tmp_path / "other", "-o", tmp_path / "d"
    )
    assert (code, told, len(warned)) == (2, [], 1)
    assert "is another image than that of case 'Jane' (correlation" in warned[0]
    assert not (tmp_path / "d").exists()


def test_an_image_that_is_gone_is_told(studied, tmp_path, capsys):
    study = copied(studied, tmp_path, tmp_path / "gone")
    with pytest.warns(UserWarning, match="nobody has checked that the series shows it"):
        export_dicom(study, tmp_path / "d", source=studied.series, kinds=["seg"])


def test_classes_that_overlap_are_segments_and_what_has_no_map_is_told(studied, tmp_path):
    """Networks of independent classes write one channel for each."""
    study = copied(studied, tmp_path, studied.series)
    (path,) = study.glob("predictions/*/*.nii.gz")
    place = read_case(path).geometry
    masks = np.random.default_rng(0).random((3, *place.shape)) > 0.5
    write_array(path, masks.astype(np.int16), place)
    marker = next(study.glob("ledger/*/*/map-gradient.json"))
    marker.write_text(
        marker.read_text(encoding="utf-8").replace('"status": "ok",\n    "for', '"status": "zero",\n    "for')
    )
    with pytest.warns(UserWarning, match=r"nothing to write of gradient of liver \(zero\)"):
        files = export_dicom(study, tmp_path / "d", source=studied.series, kinds=["seg", "pm"])
    assert [f.name for f in files] == ["seg.dcm", "pm-input_x_gradient-liver.dcm"]
    segmented = hd.seg.segread(files[0])
    assert [s.SegmentLabel for s in segmented.SegmentSequence] == ["liver", "odd thing"]
    found = segmented.get_volume().array  # slices, rows, columns, segments
    np.testing.assert_array_equal(found[::-1].transpose(3, 2, 1, 0), masks[1:])


def test_an_image_without_a_series_can_be_given_one(studied, tmp_path, capsys):
    case = read_case(studied.series)
    write_case(tmp_path / "made", Case("a", case.image, case.geometry), format="dicom", seed=0)
    assert ran(capsys, "dicom", studied.out, "--source", tmp_path / "made", "-o", tmp_path / "d")[0] == 0
    assert len(list((tmp_path / "d").iterdir())) == 8


def test_mistakes_are_told_in_a_line(studied, tmp_path, capsys):
    out = ("-o", tmp_path / "d")
    source = ("--source", studied.series)
    for words, told in (
        ((studied.out, *out), "source: none was given, expected the folder of the DICOM series"),
        ((tmp_path, *source, *out), "holds no study.yaml"),
        ((studied.out, *source, *out, "--case", "jane"), "has no 'jane'; did you mean 'Jane'?"),
        ((studied.out, *source, *out, "--model", "x"), "model: "),
        ((studied.out, *source, *out, "--method", "gradien"), "did you mean 'gradient'"),
        ((studied.out, *source, *out, "--target", "livr"), "did you mean 'liver'"),
        ((studied.out, *source, *out, "--kinds", "rtstruct"), "kinds: found 'rtstruct'"),
        ((studied.out, "--source", tmp_path, *out), "the folder is empty"),
        ((studied.out, "--source", tmp_path / "no", *out), "no such file or folder"),
    ):
        code, _, lines = ran(capsys, "dicom", *words)
        assert (code, len(lines)) == (2, 1), lines
        assert told in lines[0]
        assert not (tmp_path / "d").exists()


def test_the_same_study_as_a_figure(studied, tmp_path, capsys):
    made = tmp_path / "f.svg"
    code, told, warned = ran(
        capsys, "figure", studied.out, "--out", made, "--plane", "axial", "--plane", "sagittal"
    )
    assert (code, warned, told[0]) == (0, [], f"wrote {made}")
    text = made.read_text(encoding="utf-8")
    assert all(
        f">{word}</text>" in text for word in ("gradient", "input_x_gradient", "Jane, liver", "prediction")
    )

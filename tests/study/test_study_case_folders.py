"""A folder stands for the cases that lie in it, as long as nobody has to guess."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from voxplain.study import load_aggregate
from voxplain.study.results.stored import case_name
from voxplain.study.settings.cases import spelled_out


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_a_file_per_case(tmp_path: Path) -> None:
    names = ("scan-10.nii.gz", "scan-1.nii", "B.NII.GZ", "about.csv", ".hidden.nii.gz", "scan-1.json")
    folder = touch(tmp_path / "scans", *names)
    found = spelled_out(str(folder))
    assert found.complaints == []
    assert found.cases == [
        {"image": str(folder / name)} for name in ("B.NII.GZ", "scan-1.nii", "scan-10.nii.gz")
    ]
    assert found.places[0] == f"cases: {folder}/B.NII.GZ"


def test_a_folder_per_case(tmp_path: Path) -> None:
    folder = touch(tmp_path / "p", "2/ct.nii.gz", "2/report.txt", "1/0.dcm", "1/1.dcm", ".git/x.nii", "a.csv")
    assert spelled_out(folder).cases == [
        {"image": str(folder / "1")},
        {"image": str(folder / "2/ct.nii.gz"), "id": "2"},
    ]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ((), "holds no NIfTI file and no folder; expected one image per case, or a table"),
        (("0.dcm", "scan.png"), "holds no NIfTI file and no folder"),
        (("a.nii", "b/x.nii"), "holds both NIfTI files (a.nii) and folders (b)"),
        (("a.nii.gz", "a_label.nii.gz"), "holds a.nii.gz and a_label.nii.gz, which may be of one case"),
        (("a.b.nii", "a.b.seg.nii"), "holds a.b.nii and a.b.seg.nii"),
        (("a/ct.nii", "a/seg.nii"), "/a holds 2 NIfTI files (ct.nii, seg.nii), expected one image"),
        (("a/deep/ct.nii",), "/a holds no image, expected a NIfTI file or a DICOM series"),
        (("a/.DS_Store",), "/a holds no image"),
    ],
)
def test_what_would_be_guessed_is_refused(tmp_path: Path, names: tuple[str, ...], says: str) -> None:
    found = spelled_out(touch(tmp_path / "scans", *names))
    assert found.cases == []
    (complaint,) = found.complaints
    assert complaint.startswith(f"cases: {tmp_path}/scans")
    assert says in complaint


def test_a_series_is_not_called_after_its_folder_and_keeps_its_name_when_it_is_gone(tmp_path: Path) -> None:
    case = {"image": str(touch(tmp_path / "p", "Doe^Jane/0.dcm") / "Doe^Jane")}
    hashed = f"DICOM-{hashlib.sha256(b'Doe^Jane').hexdigest()[:8]}"
    assert case_name(case) == case_name({"image": "elsewhere/Doe^Jane"}) == hashed
    assert case_name(case | {"id": "7"}) == "7"
    assert case_name({"image": ["a/t1.nii.gz", "a/t2.nii.gz"], "slice": "k=3"}) == "t1-k3"


def test_an_empty_folder_is_no_series(tmp_path: Path) -> None:
    folder = touch(tmp_path / "scans")
    (folder / "a").mkdir()
    assert "a holds no image" in spelled_out(folder).complaints[0]


def test_folders_are_relative_to_where_they_were_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path / "scans", "b.nii.gz", "a.nii.gz")
    monkeypatch.chdir(tmp_path)
    models = {"net": {"source": "nets.py:unet"}}
    settings = load_aggregate(None, {"cases": "scans", "models": models})
    assert [case.image[0].name for case in settings.cases] == ["a.nii.gz", "b.nii.gz"]

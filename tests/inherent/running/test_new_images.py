"""New images: however they are named, they are answered as those of the data set, and not mixed with earlier ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import nibabel
import numpy as np
import pytest
from inherent_runs import config, read_rows, spots, write_rows

from voxplain.case import Case, read_case, write_case
from voxplain.cli.app import run

ONCE = {
    "epochs": 1, "batch": 8, "augment": None, "device": "cpu", "progress": False, "duplicates": False,
}  # fmt: skip


def trained(root: Path, table: Path, **other) -> Path:
    path = config(root, table, training=ONCE, mask={"threshold": "otsu"}, **other)
    assert run(["inherent", "train", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def flat(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("flat")
    return trained(root, spots(root, 12))


@pytest.fixture(scope="module")
def channels(tmp_path_factory) -> Path:
    """Two files per image."""
    root = tmp_path_factory.mktemp("channels")
    table = spots(root, 12)
    rows = read_rows(table)
    for row in rows:
        write_case(root / f"other-{row['image']}", Case("i", -read_case(root / row["image"]).image))
    write_rows(table, [{**row, "image": f"{row['image']};other-{row['image']}"} for row in rows])
    return trained(root, table)


@pytest.fixture(scope="module")
def cut(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("cut")
    table = spots(root, 12, suffix="nii.gz")
    return trained(root, table, data={"source": table.name, "slices": {"axis": "k", "every": 2}})


def predicted(path: Path, *images: object) -> list[str]:
    """The ids, in order."""
    assert run(["inherent", "predict", str(path), *map(str, images)]) == 0
    table = path.parent / "out/prediction/new.parquet"
    return list(dict.fromkeys(row[0] for row in duckdb.sql(f"SELECT id FROM '{table}'").fetchall()))


def folders(path: Path) -> list[str]:
    return sorted(f.name for f in (path.parent / "out/prediction/cases/new").iterdir())


def refused(capsys, path: Path, *images: object) -> str:
    assert run(["inherent", "predict", str(path), *map(str, images)]) == 2
    (line,) = [x for x in capsys.readouterr().err.splitlines() if "warning" not in x]
    return line


def test_a_volume_is_cut_as_those_that_were_learned_from(cut):
    root = cut.parent
    # four slices, of which every second one is taken
    assert predicted(cut, root / "i1.nii.gz") == ["i1.nii.gz-k0", "i1.nii.gz-k2"]
    for number, name in enumerate(folders(cut)):
        file = nibabel.load(root / "out/prediction/cases/new" / name / "evidence.nii.gz")
        affine = nibabel.load(root / "i1.nii.gz").affine
        assert file.shape[:3] == (12, 12, 1)
        np.testing.assert_allclose(file.affine[:3, 3], affine[:3, 3] + 2 * number * affine[:3, 2])


def test_a_volume_that_would_be_cut_in_another_plane_is_refused(cut, capsys):
    image = nibabel.load(cut.parent / "i1.nii.gz")
    turned = image.get_fdata().transpose(2, 1, 0)
    nibabel.save(nibabel.Nifti1Image(turned, image.affine[:, [2, 1, 0, 3]]), cut.parent / "turned.nii.gz")
    line = refused(capsys, cut, cut.parent / "turned.nii.gz")
    assert (
        "turned.nii.gz is SAL, so that slices along k are sagittal, but axial ones were learned from" in line
    )


def test_the_same_slice_gets_the_same_answer_as_in_its_part(cut):
    assert run(["inherent", "predict", str(cut)]) == 0
    predicted(cut, cut.parent / "i5.nii.gz")  # case5 is of the test part
    cases = cut.parent / "out/prediction/cases"
    (old,) = (cases / "test").glob("*-case5-k2")
    (new,) = (cases / "new").glob("*k2")
    old_evidence, new_evidence = (nibabel.load(f / "evidence.nii.gz").get_fdata() for f in (old, new))
    np.testing.assert_allclose(new_evidence, old_evidence, atol=1e-5)


def test_a_picture_needs_no_cutting(cut):
    picture = cut.parent / "slice.npz"
    np.savez(picture, image=nibabel.load(cut.parent / "i1.nii.gz").get_fdata()[None, :, :, 2], spatial_dims=2)
    assert predicted(cut, picture) == ["slice.npz"]


def test_channels_in_several_files(channels, capsys):
    root = channels.parent
    assert predicted(channels, f"{root / 'i1.npz'};{root / 'other-i1.npz'}") == ["i1.npz"]
    assert "found 1 channels after preparation, expected 2" in refused(capsys, channels, root / "i1.npz")


def test_names_that_are_alike_are_told_apart_by_their_folders(flat, capsys):
    root = flat.parent
    for p in (1, 2):
        (root / f"patient{p}").mkdir(exist_ok=True)
        shutil.copy(root / f"i{p}.npz", root / f"patient{p}/scan.npz")
    two = [root / "patient1/scan.npz", root / "patient2/scan.npz"]
    assert predicted(flat, *two, root / "i3.npz") == ["patient1/scan.npz", "patient2/scan.npz", "i3.npz"]
    assert folders(flat) == ["00000-patient1-scan.npz", "00001-patient2-scan.npz", "00002-i3.npz"]
    assert "scan.npz named more than once" in refused(
        capsys, flat, two[0], root / "patient2/../patient1/scan.npz"
    )


def test_a_folder_of_images(flat):
    (flat.parent / "many").mkdir()
    for p in (1, 2):
        shutil.copy(flat.parent / f"i{p}.npz", flat.parent / f"many/i{p}.npz")
    (flat.parent / "many/notes.txt").write_text("none")
    assert predicted(flat, flat.parent / "many") == ["i1.npz", "i2.npz"]


def test_images_of_earlier_calls_are_not_mixed_in(flat, capsys):
    root = flat.parent
    predicted(flat, root / "i1.npz", root / "i2.npz")
    kept = root / "out/prediction/cases/new/00000-i1.npz/evidence.npz"
    before = kept.stat().st_mtime_ns
    capsys.readouterr()
    assert predicted(flat, root / "i1.npz") == ["i1.npz"] and folders(flat) == ["00000-i1.npz"]
    assert "removed what earlier calls left (1 images)" in capsys.readouterr().err
    assert kept.stat().st_mtime_ns == before  # what is asked again is there already


def test_the_cost_is_that_of_the_new_images(flat, capsys):
    assert run(["inherent", "predict", str(flat), str(flat.parent / "i1.npz"), "--dry-run"]) == 0
    assert "prediction: 1 images" in capsys.readouterr().out


def test_missing_files_are_told_before_anything_is_read(flat, capsys):
    assert "images: nowhere.npz does not exist" in refused(
        capsys, flat, flat.parent / "i1.npz", "nowhere.npz"
    )

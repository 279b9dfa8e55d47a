"""What the group's tests depend on: a patient is one subject, and what has changed since is never shown as if it had not."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from simulator_files import affine, config, files, read_rows, write_rows

from voxplain.case import Geometry, write_array
from voxplain.cli.app import run

LEAST = {"widths": [4, 6]}
ONCE = {"epochs": 1, "batch": 8, "device": "cpu", "progress": False}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Two images of each of four test patients, explained and tested; as few files as can be."""
    root = tmp_path_factory.mktemp("stale")
    files(root, 32)
    rows = read_rows(root / "subjects.csv")
    for row in rows:
        if row["part"] == "test":  # two visits of each
            at = int(row["id"][1:])
            row |= {"patient": f"p{at % 16}", "site": "north" if at < 16 else "south"}
        row["ward"] = "a" if row["patient"] in ("p6", "p7") else "b"
    write_rows(root / "subjects.csv", rows)
    mask = np.ones((16, 16, 1), np.uint8)
    write_array(root / "mask.nii.gz", mask, Geometry(affine(), mask.shape))
    told = {"permutations": 99, "wrong": True, "mask": "mask.nii.gz", "by": "ward"}
    explain = {"device": "cpu", "cases": 0, "files": [], "atlas": {"names": {1: "body"}}}
    path = config(root, seeds=[0], network={"parameters": LEAST}, training=ONCE, explain=explain, group=told)
    for command in ("train", "explain", "group"):
        assert run(["simulate", command, str(path)]) == 0
    return path


@pytest.fixture
def again(made, tmp_path) -> Path:
    """A copy that a test may change."""
    shutil.copytree(made.parent, tmp_path / "copy")
    return tmp_path / "copy" / made.name


def outcomes(path: Path) -> list[dict]:
    return json.loads((path.parent / "out/group/groups.json").read_text())["tests"]


def refused(capsys, path: Path, command: str = "group", *flags: str) -> str:
    capsys.readouterr()
    assert run(["simulate", command, str(path), *flags]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "warning" not in line]
    return line


def test_two_images_of_a_patient_are_one_subject_with_and_without_a_column(again, capsys):
    assert [test["subjects"] for test in outcomes(again)] == [[2], [2]]
    line = refused(capsys, again, "group", "--set", "group.by=site")
    assert "group.by: 2 patients have images of several values of site, such as p6 (north, south)" in line


def changed(path: Path, **values: str) -> None:
    """Another table: the first test subject, s6, has other values."""
    rows = read_rows(path.parent / "subjects.csv")
    write_rows(
        path.parent / "subjects.csv", [{**row, **(values if row["id"] == "s6" else {})} for row in rows]
    )


def told(path: Path) -> str:
    return " ".join(json.loads((path.parent / "out/group/groups.json").read_text())["notes"])


def test_what_tests_themselves_depend_on_is_tested_again(again):
    assert [test["voxels"] for test in outcomes(again)] == [256, 256]
    assert "healthy towards diseased: ward a minus b: 1 and 1 subjects" in told(again)
    changed(again, ward="c")
    rows = read_rows(again.parent / "subjects.csv")
    write_rows(again.parent / "subjects.csv", [{**r, "ward": "c"} if r["id"] == "s22" else r for r in rows])
    mask = np.ones((16, 16, 1), np.uint8)
    mask[:2] = 0
    write_array(again.parent / "mask.nii.gz", mask, Geometry(affine(), mask.shape))
    figure = again.parent / "out/group/healthy-towards-diseased/figure.png"
    assert run(["simulate", "group", str(again), "--set", "group.values=[a, b]"]) == 0
    assert [test["voxels"] for test in outcomes(again)] == [224, 224]
    assert "healthy towards diseased: ward a minus b: 0 and 1 subjects" in told(again)
    figure.unlink()
    assert run(["simulate", "group", str(again), "--set", "group.values=[a, b]"]) == 0
    assert figure.exists()


def test_what_was_explained_otherwise_is_refused(again, capsys):
    stale = "was explained with another classifier, simulator, image, label"
    assert stale in refused(capsys, again, "group", "--set", "explain.target=boundary")
    table = (again.parent / "subjects.csv").read_text()
    changed(again, label="diseased")
    assert stale in (line := refused(capsys, again))
    assert "(1 of 8); run `voxplain simulate explain` again" in line
    (again.parent / "subjects.csv").write_text(table)
    changed(again, patient="p30")
    assert stale in refused(capsys, again)
    (again.parent / "subjects.csv").write_text(table)
    rule = again.parent / "rule.safetensors"
    tensors = load_file(rule)
    save_file({**tensors, "gap": tensors["gap"] * 1.5}, str(rule))
    assert "(8 of 8); run `voxplain simulate explain` again" in refused(capsys, again)
    save_file(tensors, str(rule))
    assert run(["simulate", "group", str(again)]) == 0
    weights = again.parent / "out/training/seed-0/weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert stale in refused(capsys, again)
    weights.unlink()
    assert "weights.safetensors: does not exist; run `voxplain simulate train`" in refused(capsys, again)


def test_files_that_are_gone_or_damaged_are_made_again(again, capsys):
    first, second, third, fourth, *_ = sorted((again.parent / "out/explanation/seed-0/test").iterdir())
    (first / "log_jacobian.nii.gz").unlink()
    (second / "figure.png").unlink()
    cut = third / "log_jacobian.nii.gz"
    whole = gzip.decompress(cut.read_bytes())
    cut.write_bytes(cut.read_bytes()[:-50])
    line = refused(capsys, again)
    assert "files are missing or cut off (3 of 8); run `voxplain simulate explain` again" in line
    (fourth / "explanation.json").write_text('{"key": "x"}')
    assert "is not explained yet (1 of 8)" in refused(capsys, again)
    stamps = {place: (place / "frames.png").stat().st_mtime_ns for place in first.parent.iterdir()}
    assert run(["simulate", "explain", str(again)]) == 0
    made = {place for place, stamp in stamps.items() if (place / "frames.png").stat().st_mtime_ns != stamp}
    assert made == {first, second, third, fourth}
    assert gzip.decompress(cut.read_bytes()) == whole
    assert run(["simulate", "group", str(again)]) == 0


def test_new_images_do_without_the_regions_of_the_table(again, capsys):
    capsys.readouterr()
    assert run(["simulate", "explain", str(again), str(again.parent / "i4.nii.gz")]) == 0
    assert "New images have no regions" in capsys.readouterr().out
    assert "New images have no regions" in (again.parent / "out/new.html").read_text()
    assert read_rows(again.parent / "out/explanation/new_subjects.csv")[0]["part"] == "new"
    assert not (again.parent / "out/explanation/new_regions.csv").exists()


def test_a_training_whose_images_have_changed_is_not_passed_off_as_done(again, capsys):
    image = again.parent / "i0.nii.gz"  # of the training part
    image.touch()  # copied, say: another time, but the same image
    assert run(["simulate", "train", str(again)]) == 0
    shutil.copyfile(again.parent / "i2.nii.gz", image)
    for command in ("train", "explain"):
        line = refused(capsys, again, command)
        assert (
            "holds another training: 1 of 24 images of train and validation (s0) have changed since" in line
        )


def test_a_test_subject_with_another_label_is_explained_again_without_training(again):
    changed(again, label="diseased")
    weights = again.parent / "out/training/seed-0/weights.safetensors"
    before = weights.stat().st_mtime_ns
    assert run(["simulate", "explain", str(again)]) == 0
    assert weights.stat().st_mtime_ns == before
    rows = read_rows(again.parent / "out/explanation/subjects.csv")
    assert [row["id"] for row in rows if row["label"] == "diseased" and int(row["id"][1:]) % 2 == 0] == ["s6"]


def test_damaged_files_of_a_training_are_told_and_made_again(again, capsys):
    folder = again.parent / "out/training/seed-0"
    whole = {
        name: (folder / name).read_bytes() for name in ("history.json", "typical.json", "weights.safetensors")
    }
    for name, content in (("history.json", b"{"), ("typical.json", b"{}"), ("weights.safetensors", b"cut")):
        (folder / name).write_bytes(content)
        line = refused(capsys, again, "explain")
        assert name in line
        assert "; run `voxplain simulate train` again" in line
        assert run(["simulate", "train", str(again)]) == 0
        assert (folder / name).read_bytes() == whole[name]
    (folder / "weights.safetensors").unlink()
    assert run(["simulate", "train", str(again)]) == 0
    assert (folder / "weights.safetensors").read_bytes() == whole["weights.safetensors"]
    (again.parent / "out/group/groups.json").write_text("{")
    assert run(["simulate", "group", str(again)]) == 0
    assert [test["subjects"] for test in outcomes(again)] == [[2], [2]]


def test_tests_tell_how_many_subjects_reached_their_target(again, capsys):
    rows = read_rows(again.parent / "out/explanation/subjects.csv")
    missed = {row["patient"] for row in rows if row["decision"] == "healthy" and row["reached"] == "no"}
    assert outcomes(again)[0]["reached"] == [2 - len(missed), 2]
    # a target that nobody can reach
    few = ["--set", "explain.target=1e6"]
    assert run(["simulate", "explain", str(again), *few]) == 0
    capsys.readouterr()
    assert run(["simulate", "group", str(again), *few]) == 0
    told = "FEW REACH THEIR TARGET: 0 of 2 subjects reached their target in all images and trainings."
    assert f"healthy towards diseased: {told}" in capsys.readouterr().out
    assert told in (again.parent / "out/report.html").read_text()

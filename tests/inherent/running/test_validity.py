"""Predictions are used as long as weights, settings and data are those that they were made of, and no longer."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import duckdb
import numpy as np
import pytest
from inherent_runs import config, read_rows, spots, write_rows
from safetensors.numpy import load_file

from voxplain.case import read_case, write_array
from voxplain.cli.app import run
from voxplain.inherent import load_inherent, predict_inherent, prepare_task, train_inherent
from voxplain.inherent.running import predict_step

ONCE = {
    "epochs": 1, "batch": 8, "augment": None, "device": "cpu", "progress": False, "duplicates": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("run")
    path = config(root, spots(root), training=ONCE, predict={"batch": 8})
    for command in ("train", "predict"):
        assert run(["inherent", command, str(path)]) == 0
    return path


@pytest.fixture
def again(made, tmp_path) -> Path:
    shutil.copytree(made.parent, tmp_path / "copy")
    return tmp_path / "copy" / made.name


def refused(capsys, *arguments: str) -> str:
    capsys.readouterr()
    assert run(["inherent", *arguments]) == 2
    (line,) = [x for x in capsys.readouterr().err.splitlines() if "warning" not in x]
    return line


def maps(path: Path, part: str) -> dict[str, int]:
    folder = path.parent / "out/prediction/maps" / part
    return {f.name: f.stat().st_mtime_ns for f in folder.glob("*.safetensors")}


def changed(path: Path, part: str, before: dict[str, int]) -> set[str]:
    now = maps(path, part)
    return {name for name in {*now, *before} if now.get(name) != before.get(name)}


def test_what_is_as_it_was_is_evaluated_wherever_the_folder_lies(again):
    assert run(["inherent", "evaluate", str(again)]) == 0


def test_other_weights_are_told(again, capsys):
    shutil.rmtree(again.parent / "out/training")
    train_inherent(prepare_task(load_inherent(again, overrides=["training.seed=1"])))
    for arguments in (("evaluate", str(again)), ("predict", str(again), str(again.parent / "i1.npz"))):
        line = refused(capsys, *arguments)
        assert "was predicted with other weights" in line and "run `voxplain inherent predict` again" in line
    # and nothing was asked about the new image meanwhile
    assert not (again.parent / "out/prediction/maps/new").exists()
    assert run(["inherent", "predict", str(again)]) == 0
    assert run(["inherent", "evaluate", str(again)]) == 0


@pytest.mark.parametrize(
    "setting", ["prepare.scale=percentile", "network.pool=mean", "data.healthy=none", "uncertainty.mirrored=true"]
)  # fmt: skip
def test_other_settings_are_told(again, capsys, setting):
    line = refused(
        capsys, "evaluate", str(again), "--set", setting, "--set", "data.source=" + str(again.parent / "spots.csv"),
        "--set", "mask.threshold=otsu",
    )  # fmt: skip
    assert "was predicted with other settings" in line and "predict` again" in line


def test_other_files_are_for_people_and_need_no_new_maps(again):
    assert run(["inherent", "evaluate", str(again), "--set", "predict.files=[mask]"]) == 0


def test_thresholds_without_validation_images_need_none(again):
    shutil.rmtree(again.parent / "out/prediction")
    new = str(again.parent / "i1.npz")
    assert run(["inherent", "predict", str(again), new, "--set", "mask.threshold=zero"]) == 0


def test_an_interrupted_prediction_is_told(again, capsys, monkeypatch):
    shutil.rmtree(again.parent / "out/prediction/maps/test")
    write, left = predict_step._write, iter(range(13))

    def cut_off(*arguments):
        if next(left, None) is None:
            raise KeyboardInterrupt
        write(*arguments)

    monkeypatch.setattr(predict_step, "_write", cut_off)
    with pytest.raises(KeyboardInterrupt):
        predict_inherent(prepare_task(load_inherent(again)), progress=False)
    line = refused(capsys, "evaluate", str(again))
    assert "prediction was interrupted, 13 of 20 images are there" in line


def test_a_finished_part_that_is_asked_anew_is_not_finished(again, capsys, monkeypatch):
    rows = read_rows(again.parent / "spots.csv")
    rows[5]["patient"] = "another"  # the sixth image is of the test part
    write_rows(again.parent / "spots.csv", rows)

    def cut_off(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(predict_step, "_write", cut_off)
    with pytest.raises(KeyboardInterrupt):
        predict_inherent(prepare_task(load_inherent(again)), progress=False)
    assert "prediction was interrupted" in refused(capsys, "evaluate", str(again))


def edit_label(root: Path, rows: list[dict]) -> None:
    rows[4]["label"] = "spot"


def edit_patient(root: Path, rows: list[dict]) -> None:
    rows[4]["patient"] = "another"


def edit_mask(root: Path, rows: list[dict]) -> None:
    mask = np.zeros((12, 12), np.uint8)
    mask[2:5, 2:5] = 1
    (root / "m4.npz").unlink()
    write_array(root / "m4.npz", mask, None)


def drop_mask(root: Path, rows: list[dict]) -> None:
    rows[4]["mask"] = ""


def edit_image(root: Path, rows: list[dict]) -> None:
    os.utime(root / "i4.npz", ns=(1, 1))


@pytest.mark.parametrize("edit", [edit_label, edit_patient, edit_mask, drop_mask, edit_image])
def test_what_changed_of_one_image_is_told_and_that_image_alone_asked_again(again, capsys, edit):
    rows = read_rows(again.parent / "spots.csv")
    edit(again.parent, rows)
    write_rows(again.parent / "spots.csv", rows)
    assert "1 of 20 images (case4) had another" in refused(capsys, "evaluate", str(again))
    before = {part: maps(again, part) for part in ("validation", "test")}
    assert run(["inherent", "predict", str(again)]) == 0
    assert changed(again, "validation", before["validation"]) == set()
    assert changed(again, "test", before["test"]) == {"000000.safetensors"}  # case4 is the first of the part
    assert run(["inherent", "evaluate", str(again)]) == 0


def test_what_is_known_now_is_what_evaluation_reads(again):
    rows = read_rows(again.parent / "spots.csv")
    edit_mask(again.parent, rows)
    rows[4]["label"] = "spot"
    write_rows(again.parent / "spots.csv", rows)
    for command in ("predict", "evaluate"):
        assert run(["inherent", command, str(again)]) == 0
    found = duckdb.sql(
        f"SELECT * FROM '{again.parent / 'out/evaluation/images.parquet'}' WHERE id = 'case4' AND score = 'class'"
    )
    told = [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]
    assert told and all(row["truth voxels"] == 9 and row["label"] == 1 for row in told)


def test_patients_that_come_and_go_are_told_and_leave_no_files(again, capsys):
    rows, table = read_rows(again.parent / "spots.csv"), again.parent / "spots.csv"
    write_rows(table, [*rows, {**rows[5], "id": "more", "patient": "more"}])
    assert "holds 20 images, expected the 21" in refused(capsys, "evaluate", str(again))
    before = maps(again, "test")
    assert run(["inherent", "predict", str(again)]) == 0
    assert changed(again, "test", before) == {"000020.safetensors"}
    cases = again.parent / "out/prediction/cases/test"
    assert (cases / "00020-more/evidence.npz").exists()
    write_rows(table, rows)
    assert "holds 21 images, expected the 20" in refused(capsys, "evaluate", str(again))
    assert run(["inherent", "predict", str(again)]) == 0
    assert maps(again, "test") == before and not (cases / "00020-more").exists()
    assert run(["inherent", "evaluate", str(again)]) == 0


def test_what_went_on_ends_with_the_same_bits(again, monkeypatch):
    """Also where what is missing would fill other batches."""
    folder = again.parent / "out/prediction/maps/test"
    whole = {f.name: load_file(f) for f in folder.glob("*.safetensors")}
    written = again.parent / "out/prediction/cases"
    kept = {f: f.read_bytes() for f in written.rglob("*.npz")}
    gone = [1, 3, 4, 10, 17]
    for i in gone:
        (folder / f"{i:06d}.safetensors").unlink()
    asked, ask = [], predict_step.predict

    def counted(network, samples, **other):
        asked.append(len(samples))
        return ask(network, samples, **other)

    monkeypatch.setattr(predict_step, "predict", counted)
    predict_inherent(prepare_task(load_inherent(again)), progress=False)
    assert asked == [8, 8, 4]  # whole batches of the part
    for name, arrays in whole.items():
        found = load_file(folder / name)
        assert {k: v.tobytes() for k, v in found.items()} == {k: v.tobytes() for k, v in arrays.items()}
    assert {f: f.read_bytes() for f in written.rglob("*.npz")} == kept


def test_a_part_that_is_empty_is_told(tmp_path, capsys):
    rows = [r for r in read_rows(spots(tmp_path)) if r["part"] != "test"]
    write_rows(tmp_path / "spots.csv", rows)
    path = config(tmp_path, tmp_path / "spots.csv", training=ONCE, predict={"parts": ["validation"]})
    for command in ("train", "predict"):
        assert run(["inherent", command, str(path)]) == 0
    assert "split: the test part is empty, but evaluation needs it" in refused(capsys, "evaluate", str(path))


def test_volumes_are_read_once_though_their_slices_are_asked_in_several_batches(tmp_path, monkeypatch):
    settings = config(
        tmp_path, spots(tmp_path, 12, suffix="nii.gz"), training=ONCE, mask={"threshold": "otsu"},
        data={"source": "spots.csv", "slices": {"axis": "k"}}, predict={"batch": 1, "parts": ["test"]},
    )  # fmt: skip
    task = prepare_task(load_inherent(settings))
    train_inherent(task)
    read = []
    monkeypatch.setattr(
        "voxplain.inherent.data.reading.read_case", lambda paths: read.append(paths) or read_case(paths)
    )
    predict_inherent(task, progress=False)
    assert len(read) == 4  # volumes of four slices each


def test_patients_that_were_learned_from_are_not_judged(tmp_path, capsys):
    """Another seed of the split, as more rows in the table, brings them to other parts."""
    table = spots(tmp_path)
    write_rows(table, [{k: v for k, v in r.items() if k != "part"} for r in read_rows(table)])
    path = config(tmp_path, table, training=ONCE)
    for command in ("train", "predict"):
        assert run(["inherent", command, str(path)]) == 0
    for command in ("predict", "evaluate"):
        line = refused(capsys, command, str(path), "--set", "split.seed=1")
        assert "are of patients that the network was trained on" in line
    # another image of a patient, too, though the one that was learned from is now of the test part
    task, rows = prepare_task(load_inherent(path)), read_rows(table)
    of = {i: part for part, indices in task.split.parts().items() for i in indices}
    rows = [{**r, "part": of[i]} for i, r in enumerate(rows)]
    moved = task.split.train[0]
    rows[moved]["part"] = "test"
    write_rows(table, [*rows, {**rows[moved], "id": "a second"}])
    assert f"2 images of validation and test ({rows[moved]['id']}, a second)" in refused(
        capsys, "evaluate", str(path)
    )

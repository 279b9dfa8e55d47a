"""Images without classes train a generator and are explained; other commands still need classes."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from counterfactual_files import config
from simulator_files import read_rows, write_rows

from voxplain.cli.app import run
from voxplain.errors import InputError
from voxplain.inherent.data import read_csv, read_folders, read_npz, split_samples
from voxplain.inherent.data.sample import UNKNOWN


@pytest.fixture
def folder(trained, tmp_path) -> Path:
    for n in range(24):
        (tmp_path / "images").mkdir(exist_ok=True)
        shutil.copy(trained / f"i{n}.nii.gz", tmp_path / f"images/p{n // 2}_{n}.nii.gz")
    return tmp_path / "images"


def test_a_folder_of_images_is_all_that_is_needed(trained, folder, tmp_path):
    told = {"data": str(folder), "out": str(tmp_path / "out")}
    few = {"device": "cpu", "most": 2, "cases": 1, "files": []}
    path = config(trained, **told, explain=few)
    assert run(["counterfactual", "train", str(path)]) == 0
    assert run(["counterfactual", "explain", str(path)]) == 0
    rows = read_rows(tmp_path / "out/explanation/images.csv")
    assert len(rows) == 2 and all(row["label"] == row["right"] == "" and row["decision"] for row in rows)
    assert "no image has a class" in (tmp_path / "out/report.html").read_text()


@pytest.mark.filterwarnings("ignore:patient. guessed")
def test_folders_without_classes(folder):
    with pytest.raises(InputError, match="holds no images in folders"):
        read_folders(folder)
    samples = read_folders(folder, labelled=False)
    assert len(samples) == 24 and samples.classes == () and {s.label for s in samples} == {UNKNOWN}
    split = split_samples(samples, {"train": 0.5, "validation": 0.25, "test": 0.25}, labelled=False)
    groups = [{samples[i].group for i in part} for part in split.parts().values()]
    assert [len(g) for g in groups] == [6, 3, 3] and not groups[0] & groups[1] and not groups[1] & groups[2]
    assert split != split_samples(
        samples, {"train": 0.5, "validation": 0.25, "test": 0.25}, labelled=False, seed=1
    )
    (folder / "normal").mkdir()
    (folder / "p0_0.nii.gz").rename(folder / "normal/p0_0.nii.gz")
    mixed = read_folders(folder, labelled=False)
    assert len(mixed) == 24 and [s.id for s in mixed if s.label == 0] == ["normal/p0_0"]
    (folder / "normal").rename(folder.parent / "train")
    shutil.move(folder, folder.parent / "test")
    parts = read_folders(folder.parent, labelled=False)
    assert sorted(parts.parts) == ["test"] * 23 + ["train"]


def test_tables_without_classes(trained):
    rows = [{k: v for k, v in row.items() if k != "label"} for row in read_rows(trained / "subjects.csv")]
    write_rows(trained / "bare.csv", rows)
    with pytest.raises(InputError, match="label"):
        read_csv(trained / "bare.csv")
    bare = read_csv(trained / "bare.csv", labelled=False)
    assert len(bare) == 32 and bare.classes == () and bare.parts is not None
    for n, row in enumerate(rows):
        row["label"] = "" if n % 2 else "ill"
    write_rows(trained / "half.csv", rows)
    with pytest.raises(InputError, match="label is empty"):
        read_csv(trained / "half.csv")
    half = read_csv(trained / "half.csv", labelled=False)
    assert [s.label for s in half] == [0, UNKNOWN] * 16


def test_arrays_without_classes(tmp_path):
    np.savez(tmp_path / "images.npz", image=np.random.default_rng(0).normal(size=(6, 8, 8)))
    with pytest.raises(InputError, match="has no array label"):
        read_npz(tmp_path / "images.npz")
    assert [s.label for s in read_npz(tmp_path / "images.npz", labelled=False)] == [UNKNOWN] * 6

"""A folder holds one training: other networks, images or preparations are refused by every command, not mixed into it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from inherent_runs import config, read_rows, spots

from voxplain.case import Case, read_case, write_case
from voxplain.cli.app import run

ONCE = {"epochs": 2, "batch": 8, "augment": None, "device": "cpu", "progress": False, "duplicates": False}


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("one")
    path = config(root, spots(root, 24), training=ONCE, mask={"threshold": "otsu"})
    assert run(["inherent", "train", str(path)]) == 0
    return path


@pytest.fixture
def again(trained, tmp_path) -> Path:
    shutil.copytree(trained.parent, tmp_path / "copy")
    return tmp_path / "copy" / trained.name


def state(path: Path) -> dict[str, bytes]:
    files = (p for p in (path.parent / "out").rglob("*") if p.is_file())
    return {str(p.relative_to(path.parent)): p.read_bytes() for p in files}


def line(capsys) -> str:
    (found,) = [x for x in capsys.readouterr().err.splitlines() if "warning" not in x.casefold()]
    return found


OTHERS = [
    ("network.pool=max", "pool"), ("network.pool_at=before", "pool_at"), ("network.seed=7", "seed"),
    ("network.parameters={widths: [8, 16], norm: batch, dropout: 0.5}", "parameters"),
    ("prepare.scale=minmax", "preparation"),
]  # fmt: skip


@pytest.mark.parametrize(("other", "names"), OTHERS)
def test_train_refuses_another_network_and_leaves_what_is_there(trained, capsys, other, names):
    before = state(trained)
    assert run(["inherent", "train", str(trained), "--set", other]) == 2
    told = line(capsys)
    assert "holds another training" in told and names in told
    assert state(trained) == before


@pytest.mark.parametrize(("other", "names"), [o for o in OTHERS if o[1] != "seed"])
def test_predict_refuses_to_ask_otherwise_than_was_trained(trained, capsys, other, names):
    assert run(["inherent", "predict", str(trained), "--set", other]) == 2
    told = line(capsys)
    assert "was trained with" in told and (names in told or "prepare" in told)
    assert not (trained.parent / "out/prediction").exists()


def test_train_notices_other_images_under_the_same_names(again, capsys):
    rows = read_rows(again.parent / "spots.csv")
    image = next(again.parent / r["image"] for r in rows if r["part"] == "train")
    case = read_case(image)
    write_case(image, Case(case.id, case.image + np.float32(0.001), case.geometry))
    assert run(["inherent", "train", str(again)]) == 2
    assert "holds another training" in (told := line(capsys)) and "images" in told


def test_what_was_only_copied_or_touched_is_the_same(again):
    before = state(again)["out/training/weights.safetensors"]
    for image in again.parent.glob("i*.npz"):
        image.touch()
    test = next(
        again.parent / r["image"] for r in read_rows(again.parent / "spots.csv") if r["part"] == "test"
    )
    case = read_case(test)
    write_case(test, Case(case.id, case.image + 1, case.geometry))  # nobody learned from it
    assert run(["inherent", "train", str(again)]) == 0
    assert state(again)["out/training/weights.safetensors"] == before

"""What an output folder holds: one case, the files of finished methods, and no surprises."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

BASE = ("explain", "--model", "nets.py:linear", "--out", "out", "--target", "1", "--target", "0")
FAST = ("--set", "maps.figures=0")
SCAN = ("--image", "scan.nii.gz")


def contents() -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in Path("out").rglob("*") if p.is_file()}


def other_scan(path: str) -> None:
    values = np.random.default_rng(9).normal(size=(12, 10, 8)).astype(np.float32)
    nib.save(nib.Nifti1Image(values, nib.load("scan.nii.gz").affine), path)


@pytest.mark.parametrize("name", ["second.nii.gz", "b/scan.nii.gz"])
@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_a_second_case_is_refused_and_the_first_stays(
    folder: Path, voxplain: Callable[..., Any], name: str, dry: tuple[str, ...]
) -> None:
    """Also where both files have the same name, and so the same id."""
    Path("b").mkdir()
    other_scan(name)
    voxplain(*BASE, *FAST, *SCAN)
    before = contents()
    ran = voxplain(*BASE, *FAST, "--image", name, *dry)
    assert ran.code == 2
    (line,) = ran.complaints
    assert "holds the results of case 'scan'" in line
    assert "choose another folder" in line
    assert contents() == before


def test_the_same_image_in_another_place_is_no_second_case(
    folder: Path, voxplain: Callable[..., Any]
) -> None:
    voxplain(*BASE, *FAST, *SCAN)
    Path("b").mkdir()
    shutil.copy("scan.nii.gz", "b/scan.nii.gz")
    ran = voxplain(*BASE, *FAST, "--image", "b/scan.nii.gz")
    assert ran.code == 0, ran.err
    assert "gradient: done by an earlier run" in ran.out


@pytest.fixture
def second_map_fails(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Let the second map of every method fail to be written."""

    def prepare(error: BaseException) -> None:
        from voxplain.study.explaining import unit

        original, calls = unit._save, []

        def failing(*args: Any) -> Path:
            calls.append(args)
            if len(calls) == 2:
                raise error
            return original(*args)

        monkeypatch.setattr(unit, "_save", failing)

    return prepare


def test_a_method_that_fails_leaves_no_half_of_its_maps(
    folder: Path,
    voxplain: Callable[..., Any],
    second_map_fails: Callable[[BaseException], None],
) -> None:
    second_map_fails(RuntimeError("broken"))
    ran = voxplain(*BASE, *SCAN)
    assert ran.code == 1
    assert not list(Path("out/maps").rglob("*.nii.gz"))
    assert not list(Path("out/figures").rglob("*.png"))
    assert not Path("out/ledger/gradient.json").exists()
    with Path("out/table.csv").open(encoding="utf-8") as file:
        assert {row["status"] for row in csv.DictReader(file)} == {"failed"}


def test_maps_of_a_killed_method_go_when_it_is_asked_something_else(
    folder: Path,
    voxplain: Callable[..., Any],
    second_map_fails: Callable[[BaseException], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What lay there when the run was killed is known to the next one."""
    with monkeypatch.context():
        second_map_fails(KeyboardInterrupt())
        assert voxplain(*BASE, *SCAN, *FAST).code == 130
    assert [p.name for p in Path("out/maps/scan/gradient").iterdir()] == ["class-1.nii.gz"]
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    ran = voxplain(*BASE[:5], *SCAN, *FAST, "--target", "0")
    assert ran.code == 0, ran.err
    assert [p.name for p in Path("out/maps/scan/gradient").iterdir()] == ["class-0.nii.gz"]


def test_methods_that_are_no_longer_asked_for_are_named(folder: Path, voxplain: Callable[..., Any]) -> None:
    both = ("--method", "gradient", "--method", "smoothgrad:draws=2")
    voxplain(*BASE, *SCAN, *FAST, *both)
    ran = voxplain(*BASE, *SCAN, *FAST, *both[:2])
    assert ran.code == 0, ran.err
    assert "older results of smoothgrad stay in" in ran.out
    with Path("out/table.csv").open(encoding="utf-8") as file:
        assert {row["method"] for row in csv.DictReader(file)} == {"gradient"}
    assert len(list(Path("out/maps/scan/smoothgrad").iterdir())) == 2
    events = [json.loads(line) for line in Path("out/log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [e["methods"] for e in events if e["event"] == "older results"] == [["smoothgrad"]]


def test_a_long_name_in_other_letters_is_no_trouble(folder: Path, voxplain: Callable[..., Any]) -> None:
    """400 bytes are more than a file name holds; names that differ only in such letters stay apart."""
    names = ["左" * 150, "右"]
    Path("classes.json").write_text(json.dumps(names), encoding="utf-8")
    ran = voxplain(*BASE, *SCAN, "--classes", "classes.json")
    assert ran.code == 0, ran.err
    for kind in ("maps", "figures"):
        found = {p.name[0] for p in Path(f"out/{kind}/scan/gradient").iterdir()}
        assert found == {"左", "右"}


@pytest.mark.parametrize("name", ["../theirs", "/theirs"])
def test_a_ledger_cannot_reach_outside_its_folder(tmp_path: Path, name: str) -> None:
    """A ledger that came with somebody's results may hold anything."""
    from voxplain.study.ledger.ledger import Ledger

    theirs = tmp_path / "theirs"
    theirs.write_text("mine", encoding="utf-8")
    reached = {"key": None, "files": {name.replace("/theirs", str(theirs)) if name[0] == "/" else name: None}}
    (tmp_path / "out" / "ledger").mkdir(parents=True)
    marker = tmp_path / "out" / "ledger" / "unit.json"
    marker.write_text(json.dumps({**reached, "result": {}}), encoding="utf-8")
    Ledger(tmp_path / "out").drop("unit")
    assert theirs.exists()
    assert not marker.exists()

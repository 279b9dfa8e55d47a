"""A run that was cut off goes on where it was; what changed is done again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

import voxplain as package
from voxplain.study.ledger import Ledger

BASE = (
    "explain",
    "--model",
    "nets.py:linear",
    "--image",
    "scan.nii.gz",
    "--out",
    "out",
    "--set",
    "maps.figures=0",
)
BOTH = ("--method", "gradient", "--method", "smoothgrad:draws=2")


@pytest.fixture
def attributed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the methods that really run."""
    from voxplain.attribution.method import Method

    names: list[str] = []
    original = Method.attribute

    def counted(self: Method, problem: Any) -> Any:
        names.append(self.name)
        return original(self, problem)

    monkeypatch.setattr(Method, "attribute", counted)
    return names


def test_finished_work_is_not_done_twice(
    folder: Path, voxplain: Callable[..., Any], attributed: list[str]
) -> None:
    voxplain(*BASE, *BOTH)
    table = Path("out/table.csv").read_bytes()
    ran = voxplain(*BASE, *BOTH)
    assert ran.code == 0
    assert attributed == ["gradient", "smoothgrad"]
    assert ran.out.count("done by an earlier run") == 2
    assert Path("out/table.csv").read_bytes() == table


def test_a_killed_run_repeats_only_what_was_not_whole(
    folder: Path, voxplain: Callable[..., Any], attributed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from voxplain.attribution.gradient import SmoothGrad

    def interrupted(self: SmoothGrad, problem: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SmoothGrad, "compute", interrupted)
        assert voxplain(*BASE, *BOTH).code == 130
    assert not Path("out/table.csv").exists()
    assert voxplain(*BASE, *BOTH).code == 0
    assert attributed == ["gradient", "smoothgrad", "smoothgrad"]


@pytest.mark.parametrize(
    "change",
    [("--seed", "1"), ("--scale", "zscore"), ("--target", "0"), ("--set", "model.arguments={scale: 3.0}")],
)
def test_other_settings_are_other_work(
    folder: Path, voxplain: Callable[..., Any], attributed: list[str], change: tuple[str, str]
) -> None:
    voxplain(*BASE)
    voxplain(*BASE, *change)
    assert attributed == ["gradient", "gradient"]


def test_another_image_under_the_same_name_is_other_work(
    folder: Path, voxplain: Callable[..., Any], attributed: list[str]
) -> None:
    voxplain(*BASE)
    scan = nib.load("scan.nii.gz")
    changed = np.asarray(scan.dataobj) + 1
    nib.save(nib.Nifti1Image(changed, scan.affine), "scan.nii.gz")
    voxplain(*BASE)
    assert attributed == ["gradient", "gradient"]


def test_device_and_batch_and_folder_names_are_no_other_work(
    folder: Path, voxplain: Callable[..., Any], attributed: list[str]
) -> None:
    voxplain(*BASE)
    voxplain(*BASE, "--device", "cpu", "--batch", "1")
    assert attributed == ["gradient"]


def test_a_damaged_map_is_made_again(
    folder: Path, voxplain: Callable[..., Any], attributed: list[str]
) -> None:
    voxplain(*BASE, "--target", "1")
    path = Path("out/maps/scan/gradient/class-1.nii.gz")
    before = nib.load(path).get_fdata()
    path.write_bytes(path.read_bytes()[:50])
    voxplain(*BASE, "--target", "1")
    assert attributed == ["gradient", "gradient"]
    np.testing.assert_array_equal(nib.load(path).get_fdata(), before)


def test_maps_of_an_older_question_do_not_stay_behind(folder: Path, voxplain: Callable[..., Any]) -> None:
    voxplain(*BASE, "--target", "1")
    voxplain(*BASE, "--target", "0")
    assert [p.name for p in Path("out/maps/scan/gradient").iterdir()] == ["class-0.nii.gz"]


def test_a_file_that_somebody_changed_is_not_removed(tmp_path: Path) -> None:
    ledger, file = Ledger(tmp_path), tmp_path / "map.nii"
    file.write_text("ours", encoding="utf-8")
    ledger.finish("unit", "old", [file], {})
    file.write_text("theirs", encoding="utf-8")
    ledger.finish("unit", "new", [], {})
    assert file.read_text(encoding="utf-8") == "theirs"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"key": "k"}'])
def test_a_marker_that_is_not_whole_counts_as_not_done(tmp_path: Path, content: str) -> None:
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger" / "unit.json").write_text(content, encoding="utf-8")
    assert Ledger(tmp_path).done("unit", "k") is None


def test_another_version_is_other_work(
    folder: Path, voxplain: Callable[..., Any], attributed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    voxplain(*BASE)
    monkeypatch.setattr(package, "__version__", "99")
    voxplain(*BASE)
    assert attributed == ["gradient", "gradient"]


def test_markers_are_plain_json(folder: Path, voxplain: Callable[..., Any]) -> None:
    voxplain(*BASE, "--target", "1")
    marker = json.loads(Path("out/ledger/gradient.json").read_text(encoding="utf-8"))
    assert set(marker["files"]) == {"maps/scan/gradient/class-1.nii.gz"}
    assert marker["result"]["rows"][0]["status"] == "ok"

"""A run that was cut off goes on where it was; what changed is done again."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

import voxplain as package
from voxplain.study.ledger.ledger import Ledger

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
    from voxplain.attribution.gradient.smoothgrad import SmoothGrad

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


def label(path: str, edge: int) -> None:
    """A label image on the scan's grid: 1 below ``edge`` along the first axis, 2 beyond."""
    values = np.where(np.arange(12)[:, None, None] < edge, 1, 2) * np.ones((12, 10, 8))
    nib.save(nib.Nifti1Image(values.astype(np.uint8), nib.load("scan.nii.gz").affine), path)


def half(path: str, edge: int) -> None:
    """A mask on the scan's grid: set below ``edge`` along the first axis."""
    values = (np.arange(12)[:, None, None] < edge) * np.ones((12, 10, 8))
    nib.save(nib.Nifti1Image(values.astype(np.uint8), nib.load("scan.nii.gz").affine), path)


def other(path: str, seed: int) -> None:
    """Another image on the scan's grid."""
    values = np.random.default_rng(seed).normal(size=(12, 10, 8)).astype(np.float32)
    nib.save(nib.Nifti1Image(values, nib.load("scan.nii.gz").affine), path)


FILES = {
    "mask of a target": (half, "m.nii", ("--target", "mask:1:m.nii")),
    "mask of a target with a score": (half, "m.nii", ("--target", "mask:1:m.nii@margin")),
    "mask in a mapping": (half, "m.nii", ("--set", "targets=[{kind: mask, class: 1, file: m.nii}]")),
    "mask of all targets": (half, "m.nii", ("--target", "mask:1", "--mask", "m.nii")),
    "regions": (label, "r.nii", ("--method", "occlusion:regions=r.nii")),
    "baseline": (other, "b.nii", ("--method", "integrated-gradients:nodes=2,baseline=case:b.nii")),
}


@pytest.mark.parametrize("what", FILES)
def test_another_file_under_a_name_in_the_settings_is_other_work(
    folder: Path, voxplain: Callable[..., Any], attributed: list[str], what: str
) -> None:
    write, name, words = FILES[what]
    for content in (4, 4, 7):
        write(name, content)
        ran = voxplain(*BASE, *words)
        assert ran.code == 0, ran.err
    assert len(attributed) == 2  # first run and changed file, but not the equal one between


def test_other_names_of_classes_are_in_the_next_table(folder: Path, voxplain: Callable[..., Any]) -> None:
    for name in ("liver", "kidney"):
        Path("classes.json").write_text(json.dumps(["rest", name]), encoding="utf-8")
        voxplain(*BASE, "--classes", "classes.json", "--target", "1")
        assert f",{name},1," in Path("out/table.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize("source", ["outer.py:net", "outer:net"])
def test_a_changed_file_beside_the_factory_is_other_work(
    folder: Path,
    voxplain: Callable[..., Any],
    attributed: list[str],
    monkeypatch: pytest.MonkeyPatch,
    source: str,
) -> None:
    """outer.py takes its layer from blocks.py, whose forward uses a function of steps.py."""
    for module in ("outer", "blocks", "steps"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    Path("steps.py").write_text("def step(x):\n    return x\n", encoding="utf-8")
    Path("blocks.py").write_text(
        "from torch import nn\nfrom steps import step\n\n\nclass Block(nn.Conv3d):\n"
        "    def forward(self, x):\n        return step(super().forward(x))\n",
        encoding="utf-8",
    )
    Path("outer.py").write_text(
        "import torch\nfrom blocks import Block\n\n\ndef net():\n    torch.manual_seed(0)\n"
        "    return Block(1, 2, 1)\n",
        encoding="utf-8",
    )
    words = ("explain", "--model", source, "--image", "scan.nii.gz", "--out", "out", *BASE[-2:])
    for changed, runs in ((None, 1), (None, 1), ("steps.py", 2), ("blocks.py", 3), ("outer.py", 4)):
        if changed:
            with Path(changed).open("a", encoding="utf-8") as file:
                file.write("# changed\n")
        ran = voxplain(*words)
        assert ran.code == 0, ran.err
        assert len(attributed) == runs
    for module in ("outer", "blocks", "steps"):
        monkeypatch.delitem(sys.modules, module, raising=False)


def test_every_map_is_read_once_per_run(
    folder: Path, voxplain: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from voxplain.study.ledger import ledger

    read: list[str] = []
    original = ledger.digest

    def counted(path: Path) -> str:
        read.append(path.name)
        return original(path)

    monkeypatch.setattr(ledger, "digest", counted)
    for _ in range(2):
        read.clear()
        assert voxplain(*BASE, "--target", "1").code == 0
        assert sorted(read) == ["class-1.nii.gz", "prediction.nii.gz"]


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


def test_other_software_is_other_work(
    folder: Path, voxplain: Callable[..., Any], attributed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch and MONAI compute and resample; their versions count."""
    from voxplain.study.ledger import fingerprint

    voxplain(*BASE)
    monkeypatch.setattr(fingerprint, "versions", lambda: {"torch": "99", "monai": "99"})
    voxplain(*BASE)
    assert attributed == ["gradient", "gradient"]
    monkeypatch.undo()
    assert {"torch", "monai", "voxplain"} <= set(fingerprint.versions())


def test_markers_are_plain_json(folder: Path, voxplain: Callable[..., Any]) -> None:
    voxplain(*BASE, "--target", "1")
    marker = json.loads(Path("out/ledger/gradient.json").read_text(encoding="utf-8"))
    assert set(marker["files"]) == {"maps/scan/gradient/class-1.nii.gz"}
    assert marker["result"]["rows"][0]["status"] == "ok"

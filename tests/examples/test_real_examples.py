"""The examples on real scans: what their make.py writes, and that their studies can be begun with it."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from abdomen import make as abdomen
from abdomen.networks import CLASSES, LABELS, unet
from heads import make as heads

from voxplain.case.label_names import label_names
from voxplain.study.settings.load import load_study


def test_labels_become_the_networks_classes(data: Path) -> None:
    names = label_names(data / "ct/example_seg.nii.gz")
    labels = np.array([0, *names])
    for label, index in zip(labels.tolist(), abdomen.classes_of(labels).tolist(), strict=True):
        assert label in LABELS.get(CLASSES[index], ()) or not any(label in own for own in LABELS.values())
    assert {names[v] for v in LABELS["vertebrae"]} >= {"vertebrae_L1", "vertebrae_T12", "vertebrae_S1"}
    assert {names[v] for v in LABELS["lungs"]} == {n for n in names.values() if n.startswith("lung_")}
    assert [names[v] for v in (1, 2, 3, 4, 5, 6, 52)] == [
        "spleen", "kidney_right", "kidney_left", "gallbladder", "liver", "stomach", "aorta"
    ]  # fmt: skip


def test_dice_is_of_the_scan_whatever_its_size() -> None:
    class Threshold(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            assert all(n % 8 == 0 for n in x.shape[2:])
            return torch.cat([0.5 - x, x - 0.5, *[x * 0 - 9] * (len(CLASSES) - 2)], dim=1)

    image = (torch.arange(7 * 9 * 3).reshape(7, 9, 3) % 4 == 0).float()
    classes = (torch.arange(7 * 9 * 3).reshape(7, 9, 3) % 2 == 0).long()
    found = abdomen.dice(Threshold(), image, classes)
    own, true = int(image.sum()), int(classes.sum())
    assert found["spleen"] == round(2 * own / (own + true), 3)
    assert found["liver"] == 0


def test_the_abdomen_can_be_studied(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(abdomen, "DATA", data)
    example = Path(abdomen.__file__).parent
    for name in ("aggregate.yaml", "networks.py"):
        shutil.copyfile(example / name, tmp_path / name)
    abdomen.main(["--out", str(tmp_path / "made"), "--steps", "2"])
    assert set(json.loads((tmp_path / "made/made.json").read_text())["dice"]) == set(LABELS)
    found = load_study(tmp_path / "aggregate.yaml")
    assert tuple(found.models["unet"].classes) == CLASSES
    assert found.regions is not None
    names = set(label_names(tmp_path / "made/organs.nii.gz").values())
    assert {member for group in found.regions.merge.values() for member in group} <= names
    assert unet().eval()(torch.zeros(1, 1, 8, 8, 8)).shape[1] == len(CLASSES)


@pytest.mark.parametrize("classes", [18, 104])
def test_the_heads_can_be_studied(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, classes: int
) -> None:
    shutil.copyfile(Path(heads.__file__).parent / f"meshnet{classes}.yaml", tmp_path / "study.yaml")
    for _ in range(2):  # again, over what is there
        heads.main(["--out", str(tmp_path / "made")])
    rows = list(csv.DictReader((tmp_path / "made/cases.csv").open(encoding="utf-8")))
    assert [row["id"] for row in rows] == ["head", "mni152", "ms07", "ms19"]
    assert all(np.asanyarray(nib.load(row["image"]).dataobj).min() == 0 for row in rows)
    found = load_study(tmp_path / "study.yaml")
    assert len(found.cases) == (4 if classes == 18 else 2)
    box, whole = nib.load(tmp_path / "made/brain.nii.gz"), nib.load(heads.HEADS["head"][0])
    inner = np.asanyarray(whole.dataobj)[heads.BOX]
    assert np.array_equal(np.asanyarray(box.dataobj), inner)
    corner = [edge.start for edge in heads.BOX]
    assert np.allclose(box.affine[:3, 3], (whole.affine @ [*corner, 1])[:3])
    model = found.models[f"meshnet{classes}"]
    assert Path(str(model.source).split(":")[0]).is_file()
    assert Path(str(model.weights)).is_file()

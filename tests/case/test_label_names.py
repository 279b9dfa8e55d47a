"""Names that a label image brings of its own."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from networks import random_case, smooth_segmenter

from voxplain.aggregate.partition import from_labels
from voxplain.case.label_names import label_names
from voxplain.engine import Problem
from voxplain.model import Model
from voxplain.target import AllClasses

TABLE = (
    '<?xml version="1.0" encoding="UTF-8"?> <CaretExtension><VolumeInformation Index="0"><LabelTable>\n{}'
    "</LabelTable></VolumeInformation></CaretExtension>\n   "
)


def entry(key: object, name: str) -> str:
    return f'<Label Key="{key}" Red="0" Green="1" Blue="0" Alpha="1"><![CDATA[{name}]]></Label>\n'


def write(path: Path, content: str | bytes, code: object = 0) -> Path:
    image = nib.Nifti1Image(np.arange(48, dtype=np.int16).reshape(6, 4, 2) % 3, np.eye(4))
    raw = content if isinstance(content, bytes) else content.encode()
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"first, something else"))
    image.header.extensions.append(nib.nifti1.Nifti1Extension(code, raw))
    nib.save(image, path)
    return path


def test_names_are_those_of_the_table(tmp_path: Path) -> None:
    labels = entry(0, "???") + entry(-1, "no") + entry(2, "Ä & <b>") + entry(1, "spleen") + entry(7, " ")
    found = label_names(write(tmp_path / "a.nii.gz", TABLE.format(labels)))
    assert found == {2: "Ä & <b>", 1: "spleen"}


@pytest.mark.parametrize("code", [0, 30, "comment"])
def test_a_table_is_found_by_what_it_holds(tmp_path: Path, code: object) -> None:
    path = write(tmp_path / "a.nii", TABLE.format(entry(1, "spleen")), code)
    assert label_names(path) == {1: "spleen"}


def test_a_name_that_is_there_twice_has_its_value_beside_it(tmp_path: Path) -> None:
    found = label_names(write(tmp_path / "a.nii.gz", TABLE.format(entry(1, "rib") + entry(4, "rib"))))
    assert found == {1: "rib", 4: "rib (4)"}


@pytest.mark.parametrize(
    "content",
    [
        TABLE.format(entry("one", "spleen")),
        TABLE.format("<Label>spleen</Label>"),
        TABLE.format(entry(1, "spleen"))[:120],
        "<!DOCTYPE a [<!ENTITY b 'spleen'>]>" + TABLE.format('<Label Key="1">&b;</Label>'),
        b"\xff\xfe<LabelTable\x00",
    ],
)
def test_what_is_no_table_gives_no_names(tmp_path: Path, content: str | bytes) -> None:
    assert label_names(write(tmp_path / "a.nii.gz", content)) == {}


def test_other_files_have_none(tmp_path: Path) -> None:
    nib.save(nib.MGHImage(np.zeros((2, 2, 2), np.float32), np.eye(4)), tmp_path / "a.mgz")
    assert label_names(tmp_path / "a.mgz") == {}
    assert label_names(tmp_path / "a.png") == {}


def test_regions_have_the_names_of_the_file_unless_others_are_given(tmp_path: Path) -> None:
    path = write(tmp_path / "organs.nii.gz", TABLE.format(entry(2, "liver") + entry(9, "spleen")))
    case = random_case((6, 4, 2))
    problem = Problem(
        Model(smooth_segmenter(3, classes=2), spatial_dims=3), case, AllClasses(background=True)
    )
    found = from_labels(problem, path)
    # 9 is known of, and not there; 1 is there, and has no name
    assert found.regions == ("outside", "1", "liver", "spleen")
    assert found.counts.tolist() == [16, 16, 16, 0]
    assert from_labels(problem, path, regions={1: "heart"}).regions == ("outside", "heart", "2")


def test_totalsegmentator_names_its_labels(data: Path) -> None:
    found = label_names(data / "ct/example_seg.nii.gz")
    assert len(found) == 117
    assert (found[5], found[117]) == ("liver", "costal_cartilages")

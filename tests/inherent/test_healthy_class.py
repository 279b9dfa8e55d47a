"""Which class is without a finding: by its name or as told, said aloud, and never a benign lesion."""

from __future__ import annotations

import numpy as np
import pytest
from inherent_runs import config, findings, read_rows, spots, write_rows

from voxplain.case import Geometry, write_array
from voxplain.cli.app import run
from voxplain.errors import InputError
from voxplain.inherent import load_inherent, prepare_task
from voxplain.inherent.data.healthy import is_healthy


@pytest.mark.parametrize(
    "name",
    [
        "Healthy", "normal", "no", "none", "negative", "no tumour", "no_tumor", "notumor", "No-Tumors", "no lesion",
        "no_lesions", "healthy control", "healthy_controls", "Control", "controls", "normal control", "No Finding",
        "no findings", "no disease", "unremarkable", "absent", "CN", "hc",
    ],
)  # fmt: skip
def test_names_of_the_class_without_a_finding(name):
    assert is_healthy(name)


@pytest.mark.parametrize("name", ["benign", "Benign", "malignant", "no1", "0", "nodule", "noise", "", "cnv"])
def test_names_of_findings(name):
    assert not is_healthy(name)


def renamed(tmp_path, first: str, second: str = "malignant", **data):
    table = spots(tmp_path, 12)
    names = {"healthy": first, "spot": second}
    write_rows(table, [{**row, "label": names[row["label"]]} for row in read_rows(table)])
    return config(tmp_path, table, data={"source": table.name, **data}, mask={"threshold": "otsu"})


def said(path, capsys) -> str:
    assert run(["inherent", "train", str(path), "--dry-run"]) == 0
    (line,) = [s for s in capsys.readouterr().out.splitlines() if s.startswith("healthy: ")]
    return line.removeprefix("healthy: ")


def test_benign_lesions_are_not_healthy_and_the_terminal_says_how_to_name_one(tmp_path, capsys):
    path = renamed(tmp_path, "benign")
    assert prepare_task(load_inherent(path)).healthy is None
    assert said(path, capsys) == "none of benign, malignant is called healthy; data.healthy: NAME names one"


def test_the_class_that_is_taken_is_said_with_the_reason(tmp_path, capsys):
    assert said(renamed(tmp_path, "no tumour"), capsys).startswith("no tumour, by its name")
    assert said(renamed(tmp_path, "benign", healthy="benign"), capsys) == "benign, as data.healthy says"
    assert said(renamed(tmp_path, "healthy", healthy="none"), capsys) == "none, as data.healthy says"


@pytest.mark.parametrize(
    ("names", "told", "expected"),
    [
        (("zero", "a spot"), "zero", 1),  # wherever it is in the order
        (("0", "1"), None, None),
        (("0", "1"), 0, 0),
        (("healthy", "spot"), "None", None),
        (("none", "a lesion"), "none", 0),  # a class of that name is meant, which the names put first
    ],
)
def test_the_class_that_is_told(tmp_path, names, told, expected):
    path = renamed(tmp_path, *names, **({} if told is None else {"healthy": told}))
    assert prepare_task(load_inherent(path)).healthy == expected


def test_an_order_that_is_given_does_not_hide_the_healthy_class(tmp_path):
    path = renamed(tmp_path, "normal", classes=["malignant", "normal"])
    assert prepare_task(load_inherent(path)).healthy == 1


@pytest.mark.parametrize(
    ("names", "data", "says"),
    [
        (
            ("normal", "spot"),
            {"healthy": "nrmal"},
            "data.healthy: found 'nrmal', which is no class; did you mean 'normal'",
        ),
        (
            ("no", "spot"),
            {"healthy": False},
            "data.healthy: found false, expected a class's name; put it in quotes",
        ),
        (("control", "normal"), {}, "data.healthy: 'control' and 'normal' are all called healthy"),
    ],
)
def test_what_cannot_be_told_is_one_line(tmp_path, capsys, names, data, says):
    assert run(["inherent", "train", str(renamed(tmp_path, *names, **data)), "--dry-run"]) == 2
    (line,) = [x for x in capsys.readouterr().err.splitlines() if "warning" not in x]
    assert says in line


def test_independent_labels_have_no_such_class(tmp_path):
    table = findings(tmp_path, 12)
    path = config(tmp_path, table, data={"source": table.name, "multi_label": True, "healthy": "spot"})
    with pytest.raises(InputError, match="labels are independent"):
        prepare_task(load_inherent(path))


@pytest.mark.parametrize(
    ("classes", "told", "expected"),
    [(None, "clear", "clear"), (["mass", "clear"], "clear", "clear"), (None, None, "healthy")],
)
def test_slices_beside_a_finding_have_the_class_that_is_told(tmp_path, classes, told, expected):
    """Two volumes with a finding in their second slice; of three slices each, two have none."""
    rng, rows = np.random.default_rng(0), []
    for p in range(9):
        geometry = Geometry(np.eye(4), (8, 8, 3))
        write_array(tmp_path / f"i{p}.nii.gz", rng.normal(size=(8, 8, 3)).astype(np.float32), geometry)
        mask = np.zeros((8, 8, 3), np.uint8)
        mask[2:4, 2:4, 1] = p % 3 > 0
        write_array(tmp_path / f"m{p}.nii.gz", mask, geometry)
        rows.append({"image": f"i{p}.nii.gz", "mask": f"m{p}.nii.gz", "label": "mass" if p % 3 else "clear",
                     "patient": f"p{p}"})  # fmt: skip
    write_rows(tmp_path / "volumes.csv", rows)
    data = {"source": "volumes.csv", "slices": {"axis": "k", "labels_from_masks": True}, "classes": classes}
    path = config(tmp_path, tmp_path / "volumes.csv", data=data | ({"healthy": told} if told else {}))
    task = prepare_task(load_inherent(path))
    assert task.healthy is not None and task.samples.classes[task.healthy] == expected
    assert set(task.samples.classes) == {"mass", expected}  # no class without a slice
    for sample in task.samples:
        beside = task.samples.classes[sample.label]
        assert beside == ("mass" if sample.slice[1] == 1 and int(sample.group[1:]) % 3 else beside)
        if int(sample.group[1:]) % 3:
            assert beside == ("mass" if sample.slice[1] == 1 else expected)

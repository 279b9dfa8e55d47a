"""`voxplain view`: what ends by itself, and the folder of `voxplain explain`."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml
from viewing.conftest import client_of
from viewing_folder import LPS, METHODS, SHAPE, TARGETS, ViewedStudy, voxels

import voxplain
from voxplain.case import Geometry, write_array
from voxplain.cli.app import run
from voxplain.viewing import Note, study_agreement
from voxplain.viewing.folder import opened
from voxplain.viewing.notes import NoteBook
from voxplain.viewing.server.plain import VOLUME_HEADER


def rate(study: ViewedStudy) -> None:
    book = NoteBook(opened(study.out).out)
    for reader, given in (("Anna", (5, 4, 2)), ("Bob", (4, 4, 1))):
        for case in range(4):
            for method, stars in zip(METHODS, given, strict=True):
                book.add(Note("net", f"c{case}", method, reader, stars, 6 - stars, "=1", "A"))


def test_agreement_is_printed(own_study: ViewedStudy, capsys, monkeypatch):
    rate(own_study)
    monkeypatch.setitem(study_agreement.__kwdefaults__, "draws", 50)
    assert run(["view", str(own_study.out), "--agreement"]) == 0
    out = capsys.readouterr().out
    assert "usefulness: 2 readers, 4 cases, 12 units" in out
    for words in (
        "Krippendorff's alpha (ordinal)",
        "ICC(2,1)",
        "weighted kappa: Anna, Bob",
        "gradient  8 ratings of 4 cases",
    ):
        assert words in out
    found = voxplain.study_agreement(own_study.out, draws=10)
    assert f"{found[0].alpha.value:.2f}" in out and found[0].methods[0].mean.value == 4.5


def test_notes_are_exported(own_study: ViewedStudy, capsys, tmp_path):
    rate(own_study)
    assert run(["view", str(own_study.out), "--export", str(tmp_path / "n.csv")]) == 0
    assert str(tmp_path / "n.csv") in capsys.readouterr().out
    text = (tmp_path / "n.csv").read_text()
    assert text.count("'=1") == 24 and "lrp,A,Anna,4,2" in text
    assert len(voxplain.read_notes(own_study.out)) == 24


@pytest.mark.parametrize("what", [["--agreement"], ["--export", "n.csv"]])
def test_without_notes_there_is_one_line(own_study: ViewedStudy, capsys, what):
    assert run(["view", str(own_study.out), *what]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_seed_that_is_none_is_told(own_study: ViewedStudy, capsys):
    assert run(["view", str(own_study.out), "--agreement", "--seed", "-1"]) == 2
    assert "--seed" in capsys.readouterr().err


def test_what_is_no_study_is_refused(capsys, tmp_path):
    for given in (str(tmp_path), str(tmp_path / "none")):
        assert run(["view", given]) == 2
        assert capsys.readouterr().err.startswith(f"voxplain: {given}: ")


@pytest.fixture
def explained(tmp_path):
    """What `voxplain explain` leaves of two methods, one of which has no map of the spleen."""
    out = tmp_path / "out"
    out.mkdir()
    geometry = Geometry(LPS, SHAPE)
    write_array(tmp_path / "scan.nii.gz", np.arange(np.prod(SHAPE)).reshape(SHAPE).astype(np.int16), geometry)
    settings = {
        "image": [str(tmp_path / "scan.nii.gz")],
        "model": {"source": "nets.py:unet"},
        "methods": list(METHODS[:2]),
    }
    (out / "explain.yaml").write_text(yaml.safe_dump(settings))
    write_array(out / "prediction.nii.gz", np.ones(SHAPE, np.uint8), geometry)
    ledger = {
        "prediction": {"case": "scan", "model": "net", "targets": [], "predicted": []},
        "metric-deletion": {"rows": [{"target": TARGETS[0], "metric": "deletion", "value": 0.5}]},
    }
    for m, method in enumerate(METHODS[:2]):
        rows = [
            {"target": t, "method": method, "class": t, "class_index": n + 1, "status": "ok", "score": 2.5,
             "completeness_gap": 0.5 * m}
            for n, t in enumerate(TARGETS)
        ]  # fmt: skip
        rows[1]["status"] = "ok" if m == 0 else "zero"
        levels = [{"level": "good"}, {"level": "bad"}][: m + 1]
        ledger[method] = {"rows": rows, "sections": [{"findings": levels}]}
        for t, row in enumerate(rows):
            if row["status"] == "ok":
                path = out / "maps" / "scan" / method / f"{row['target']}.nii.gz"
                path.parent.mkdir(parents=True, exist_ok=True)
                write_array(path, voxels(0, m, t), geometry)
    judged = {"target": TARGETS[0], "method": METHODS[0], "metric": "deletion", "value": 0.4}
    ledger["metric-deletion"] = {"rows": [judged]}
    (out / "ledger").mkdir()
    for unit, result in ledger.items():
        marker = {"key": "k", "files": {}, "seen": {}, "result": result}
        (out / "ledger" / f"{unit}.json").write_text(json.dumps(marker))
    return out


def test_the_folder_of_explain_is_served_alike(explained):
    client = client_of(explained)
    assert [i["name"] for i in client.get("/api/study").json()["items"]] == ["scan"]
    found = client.get("/api/items/0").json()
    shown = {t["name"]: [m["method"] for m in t["maps"]] for t in found["targets"]}
    assert shown == {"liver": ["gradient", "lrp"], "spleen": ["gradient"]}
    assert [m["light"] for m in found["targets"][0]["maps"]] == ["good", "bad"]
    assert "lrp, spleen: zero" in found["notes"]
    answer = client.get("/api/items/0/maps/0/1")
    values = np.frombuffer(answer.body, json.loads(answer.headers[VOLUME_HEADER])["type"]).reshape(
        SHAPE, order="F"
    )
    np.testing.assert_array_equal(values, voxels(0, 1, 0)[::-1, ::-1])
    row = client.get("/api/figures").json()["items"][0]
    assert row["scores"] == {"liver": 2.5, "spleen": 2.5} and row["worst"] == "bad"
    assert row["metrics"]["completeness_gap"] == {"gradient": 0.0, "lrp": 0.5}
    assert found["labels"][0]["outlined"][0]["name"] == "liver"


def test_metrics_of_an_explanation_decide_its_lights(explained):
    """The light of the page, not "not checked", where `voxplain explain --metrics` judged the maps."""
    settings = yaml.safe_load((explained / "explain.yaml").read_text())
    (explained / "explain.yaml").write_text(yaml.safe_dump({**settings, "metrics": ["mprt_absolute"]}))
    row = {
        "case": "scan", "model": "net", "target": TARGETS[0], "method": METHODS[0], "metric": "mprt_absolute",
        "family": "randomisation", "better": "lower", "value": 0.99, "null_gradient": 0.2, "excess": 0.99,
        "tells": None, "note": "",
    }  # fmt: skip
    marker = {"key": "k", "files": {}, "seen": {}, "result": {"rows": [row]}}
    (explained / "ledger" / "metric-deletion.json").unlink()
    (explained / "ledger" / "metric-mprt_absolute.json").write_text(json.dumps(marker))
    found = client_of(explained).get("/api/items/0").json()["targets"][0]["maps"]
    assert (found[0]["light"], found[0]["verdict"]) == ("bad", "do not rely on it")


def test_an_explanation_that_was_cut_off_is_told(explained, capsys):
    (explained / "ledger" / "prediction.json").unlink()
    assert run(["view", str(explained)]) == 2
    assert "nothing was predicted yet" in capsys.readouterr().err

"""Bad input is one line that names the field, what was found and what would work."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import yaml
from safetensors.torch import load_file, save_file
from simulator_files import config, files, read_rows, write_rows

from voxplain.case import Geometry, read_case, write_array
from voxplain.cli.app import run
from voxplain.errors import InputError
from voxplain.simulator.running import prepare_task
from voxplain.simulator.settings import SimulatorSettings, load_simulator, simulator_template


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    files(root, 16)
    return root


@pytest.fixture
def root(source, tmp_path):
    shutil.copytree(source, tmp_path / "data")
    return tmp_path / "data"


def told(capsys, path, command="train", *flags: str) -> str:
    capsys.readouterr()
    assert run(["simulate", command, str(path), *flags]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def quick(root, **other):
    return config(
        root,
        **({"seeds": [0], "training": {"epochs": 1, "batch": 8, "device": "cpu", "progress": False}} | other),
    )


def classifier(**other):
    told = {"source": "nets.py:rule", "weights": "rule.safetensors", "classes": ["healthy", "diseased"]}
    return {**told, "spatial_dims": 2, **other}


def test_a_factory_without_weights(root, capsys):
    line = told(capsys, quick(root, classifier={"source": "nets.py:rule"}))
    assert "classifier.weights: found none for" in line
    assert "own_weights: true" in line


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (
            {"classes": ["healthy", "sick"]},
            "data: has no class 'sick', which the classifier tells apart; found healthy, diseased",
        ),
        ({"classes": ["a", "b", "c"]}, "classifier.classes: found a, b, c, expected 2 names"),
        ({"diseased": "ill"}, "classifier.diseased: found 'ill'"),
        ({"classes": ["one", "two"]}, "classifier.healthy: not given, and of one, two 0 are called healthy"),
        ({"source": "nets.py:sure"}, "gives probabilities, expected logits: whatever the image"),
        ({"source": "nets.py:each"}, "gives probabilities, expected logits: whatever the image"),
    ],
)
def test_classes_that_are_not_there(root, capsys, changed, says):
    if "source" in changed:
        changed = changed | {"weights": None, "own_weights": True}
    assert says in told(capsys, quick(root, classifier=classifier(**changed)))


def test_a_function_does_not_tell_its_axes(root, capsys):
    box = {"source": "nets.py:rule", "black_box": True, "classes": ["healthy", "diseased"]}
    line = told(capsys, quick(root, classifier=box))
    assert "classifier.spatial_dims: found none" in line
    assert "give 2 or 3" in line


def test_a_classifier_that_is_often_wrong_is_told_of(root, capsys, monkeypatch):
    path = quick(root)
    assert run(["simulate", "train", str(path)]) == 0
    assert "the classifier decides only" not in capsys.readouterr().out
    monkeypatch.setattr("voxplain.simulator.page.report.DOUBTFUL", 1.01)
    assert run(["simulate", "train", str(path)]) == 0
    assert "the classifier decides only 8 of 8 training images rightly" in capsys.readouterr().out


def test_nobody_rightly_classified(root, capsys):
    line = told(capsys, quick(root, classifier=classifier(classes=["diseased", "healthy"])))
    assert "classifier: of 4 images of class 'healthy' in train it gets none right" in line


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("network.name=velocityy", "network.name: found 'velocityy'"),
        ("network.routing=fil", "network.routing: found 'fil'"),
        ("network.parameters.width=[3]", "network.parameters: unknown key 'width'; did you mean 'widths'"),
        ("training.epoch=3", "training.epoch: unknown key; did you mean 'epochs'"),
        ("training.seed=3", "training.seed: found 3; write it as seeds: [3]"),
        ("seeds=[1, 1]", "seeds: found [1, 1], expected different numbers"),
        ("split.train=0.9", "shares that add up to 1.3"),
        ("data.source=nowhere.csv", "nowhere.csv does not exist"),
        ("group.by=sites", "group.by: found 'sites'; did you mean 'site'"),
        ("group={by: site, values: [north, sout]}", "group.values: found 'sout'; did you mean 'south'"),
        ("group.values=[north]", "group.values: found north, expected two that differ"),
        ("classifier.weights=none.pt", "none.pt does not exist"),
    ],
)
def test_settings(root, override, says):
    with pytest.raises(InputError) as error:
        prepare_task(load_simulator(quick(root, data={"source": "subjects.csv"}), overrides=[override]))
    assert says in str(error.value)


def test_nothing_is_explained_before_training(root, capsys):
    line = told(capsys, quick(root), "explain", "--set", "out=elsewhere")
    assert "holds no finished training; run `voxplain simulate train`" in line
    assert "is not explained yet (4 of 4); run `voxplain simulate explain`" in told(
        capsys, quick(root), "group"
    )


def test_atlases_and_columns_that_do_not_fit(root, capsys):
    path = quick(root)
    assert run(["simulate", "train", str(path)]) == 0
    first = read_case(root / "i6.nii.gz")
    small = np.ones((8, 8, 1), np.uint8)
    write_array(root / "other.nii.gz", small, Geometry(first.geometry.affine, small.shape))
    line = told(capsys, path, "explain", "--set", f"explain.atlas={root / 'other.nii.gz'}")
    assert "other.nii.gz is not on the grid of case 's6': the shapes are (8, 8, 1) and (16, 16, 1)" in line
    rows = read_rows(root / "subjects.csv")
    write_rows(root / "subjects.csv", [{**row, "atlas": ""} for row in rows])
    assert "explain.atlas: no source, and s6 has nothing in the column atlas" in told(capsys, path, "explain")
    plain = ["--set", "explain.atlas=null"]
    assert run(["simulate", "explain", str(path), *plain]) == 0
    assert "group.by: found 'sex'" in told(capsys, path, "group", *plain, "--set", "group.by=sex")
    assert "group.values: found 'west'" in told(
        capsys, path, "group", *plain, "--set", "group.values=[north, west]"
    )


def test_folded_maps_are_not_published_but_said(root, capsys):
    network = {"name": "published"}
    path = quick(root, network=network, group={})
    assert run(["simulate", "train", str(path)]) == 0
    weights = root / "out/training/seed-0/weights.safetensors"
    tensors = load_file(weights)
    (last,) = [name for name in tensors if name.endswith("last.weight")]
    tensors[last] = tensors[last] * 3e3
    save_file(tensors, str(weights))
    assert run(["simulate", "explain", str(path)]) == 0
    places = sorted((root / "out/explanation/seed-0/test").iterdir())
    records = [json.loads((place / "explanation.json").read_text()) for place in places]
    folded = [i for i, record in enumerate(records) if record["withheld"]]
    assert folded, "the weights were meant to fold"
    for i in folded:
        names = {file.name for file in places[i].iterdir()}
        assert not names & {"jacobian.nii.gz", "log_jacobian.nii.gz"}
        assert {"warp_itk.nii.gz", "frames.nii.gz", "figure.png"} <= names
        assert records[i]["regions"] == []
    page = (root / "out/report.html").read_text()
    assert f"The maps of {len(folded)} of 4 images fold space: their volumes are not published." in page
    assert "Volumes are not published: the map folds space in" in page
    if len(folded) == len(records):
        assert "group: found no image whose map can be used; 4 of 4 images are left out" in told(
            capsys, path, "group"
        )


def test_a_dry_run_tells_the_cost_and_writes_nothing(root, capsys):
    assert run(["simulate", "train", str(quick(root)), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "16 images (8 train, 4 validation, 4 test), healthy or diseased" in said
    assert "1 × 1 steps" in said
    assert not (root / "out").exists()


def test_the_template_is_settings_with_every_default(root):
    told = yaml.safe_load(simulator_template())
    told["data"]["source"] = str(root / "subjects.csv")
    found = load_simulator(settings=told)
    for name in ("split", "prepare", "network", "training", "seeds", "explain", "group"):
        default = SimulatorSettings.model_fields[name].get_default(call_default_factory=True)
        assert getattr(found, name) == default, name

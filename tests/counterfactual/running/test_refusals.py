"""Bad input is one line that names the field, what was found and what would work."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import yaml
from counterfactual_files import CLASSIFIER, config, made

from voxplain.case import Case, write_case
from voxplain.cli.app import run
from voxplain.counterfactual.running.judging import collapse
from voxplain.counterfactual.settings import counterfactual_template, load_counterfactual
from voxplain.errors import InputError


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    root = made(tmp_path_factory.mktemp("data"), 32)
    assert run(["counterfactual", "train", str(config(root))]) == 0
    return root


@pytest.fixture
def root(source, tmp_path):
    shutil.copytree(source, tmp_path / "data")
    return tmp_path / "data"


def said(capsys, path, command="explain", *words: str) -> str:
    capsys.readouterr()
    assert run(["counterfactual", command, str(path), *words]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "warning" not in line]
    return line


def test_images_that_the_generator_does_not_make(root, capsys):
    write_case(root / "small.npz", Case("small", np.zeros((1, 8, 8), np.float32)))
    write_case(root / "colour.npz", Case("colour", np.zeros((3, 16, 16), np.float32)))
    plain = config(root, prepare={})
    assert run(["counterfactual", "train", str(plain), "--set", f"out={root / 'plain'}"]) == 0
    line = said(capsys, plain, "explain", str(root / "colour.npz"), "--set", f"out={root / 'plain'}")
    assert "image of colour.npz: has 3 channels after preparation, the generator makes images of 1" in line
    line = said(capsys, plain, "explain", str(root / "small.npz"), "--set", f"out={root / 'plain'}")
    assert (
        "image of small.npz: has the size (8, 8) after preparation, the generator makes images of (16, 16)"
        in line
    )


@pytest.mark.parametrize(
    ("classifier", "says"),
    [
        (
            {"source": "nets.py:sure", "weights": None, "own_weights": True},
            "gives probabilities, expected logits",
        ),
        (
            {"source": "nets.py:sigmoid", "weights": None, "own_weights": True},
            "gives probabilities, expected logits",
        ),
        (
            {"source": "nets.py:noise", "weights": None, "own_weights": True},
            "of the variance of the scores (R²)",
        ),
        ({"weights": None}, "classifier.weights: found none for"),
    ],
)
def test_classifiers_that_cannot_be_explained(root, capsys, classifier, says):
    assert says in said(capsys, config(root, classifier={**CLASSIFIER, **classifier}))


def test_what_is_missing(root, capsys):
    path = config(root)
    assert "run `voxplain counterfactual train` with these settings first" in said(
        capsys, path, "explain", "--set", "out=elsewhere"
    )
    assert "holds a generator of other settings" in said(
        capsys, path, "explain", "--set", "generator.parameters={components: 3}"
    )
    assert "none.nii.gz does not exist" in said(capsys, path, "explain", str(root / "none.nii.gz"))
    assert "classifier: found none" in said(capsys, config(root, classifier=None))


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("generator.family=gan", "generator.family: found 'gan'"),
        (
            "generator.parameters={component: 3}",
            "generator.parameters: unknown key 'component' of pca; did you mean",
        ),
        ("generator.parameters={components: 400}", "components: found 400, expected 1 …"),
        ("direction.kind=rigde", "direction.kind: found 'rigde'"),
        ("split.train=0.9", "shares that add up to 1.3"),
        ("data.source=nowhere.csv", "nowhere.csv does not exist"),
    ],
)
def test_settings(root, capsys, override, says):
    path = config(root, data={"source": "subjects.csv"})
    assert says in said(capsys, path, "train", "--set", override)


def test_a_black_box_has_no_gradient(root):
    box = {"source": "nets.py:box", "black_box": True}
    with pytest.raises(InputError, match="found gradient for a black box"):
        load_counterfactual(config(root, classifier=box, direction="gradient"))


def test_a_collapse_is_told():
    assert collapse({"diversity": 0.5, "distinctness": 0.5}) is None
    assert "every sample has a double" in str(collapse({"diversity": 0.9, "distinctness": 0.02}))
    assert "the generator has collapsed: its samples differ 0.10 times" in str(collapse({"diversity": 0.1}))


def test_the_template_is_settings_with_every_default(root):
    told = yaml.safe_load(counterfactual_template())
    told["data"]["source"] = str(root / "subjects.csv")
    found, plain = load_counterfactual(settings=told), load_counterfactual(settings={"data": told["data"]})
    assert found.model_dump(exclude={"out"}) == plain.model_dump(exclude={"out"})

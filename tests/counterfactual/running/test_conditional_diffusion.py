"""A diffusion of an endpoint from one YAML to the page: asked as often as was told, never twice, refused where needed."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from counterfactual_files import config, made
from logit_server import served
from safetensors.torch import load_file

from voxplain.case import read_case, read_mask
from voxplain.cli.app import run
from voxplain.counterfactual.running import conditions

PARAMETERS = {"widths": [8, 8], "attention": False, "conditional": True, "steps": 4, "depth": 0.5, "scan": 2}
TRAINING = {"device": "cpu", "progress": False, "steps": 4, "round": 2, "batch": 8, "judged": 8}
EXPLAIN = {
    "device": "cpu", "cases": 1, "most": 1, "mask": "atlas", "files": ["difference"], "guidance": "classifier-free",
}  # fmt: skip


def box(images):
    return 20 * (images[:, 0, 4:8, 4:8].mean((1, 2))[:, None] - 0.5) * [[-1.0, 1.0]]


def settings(root, source, **other):
    told = {
        "classifier": {"source": source, "classes": ["healthy", "diseased"], "spatial_dims": 2},
        "generator": {"family": "diffusion", "parameters": PARAMETERS}, "training": TRAINING,
        "direction": {"images": 20, "nulls": 2}, "explain": EXPLAIN,
    } | other  # fmt: skip
    return str(config(root, **told))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return made(tmp_path_factory.mktemp("conditional"))


def numbers(pattern, said):
    return [int(n.replace(",", "")) for n in re.search(pattern, said).groups()]


def test_an_endpoint_is_asked_as_often_as_was_told_and_never_twice(root, capsys, monkeypatch):
    monkeypatch.setattr(conditions, "_BATCH", 5)
    with served(box) as server:
        path = settings(root, server.url)
        server.most = 25  # then it dies
        assert run(["counterfactual", "train", path]) == 2
        said, told = capsys.readouterr().out, load_file(root / "out/generator/answers.safetensors")["outputs"]
        parts, kept = sum(numbers(r"\((\d+) train, (\d+) validation", said)), len(told)
        assert numbers(r"is asked about (\d+) images, once", said) == [parts] and 5 <= kept <= 25
        server.asked, server.most = 0, None
        assert run(["counterfactual", "train", path]) == 0
        assert numbers(r"is asked about (\d+) images, once", capsys.readouterr().out) == [parts - kept]
        assert parts - kept <= server.asked < parts - kept + 40  # those that try it out
        found = load_file(root / "out/generator/answers.safetensors")["outputs"]
        assert len(found) == parts and found[:kept].equal(told)
        before = server.asked
        assert run(["counterfactual", "train", path, "--set", "training.steps=6"]) == 0
        assert server.asked < before + 40 and "is asked about" not in capsys.readouterr().out
        before, more = server.asked, ["--set", "training.steps=6"]
        assert run(["counterfactual", "explain", path, *more]) == 0
        said = capsys.readouterr().out
        most, first, each = numbers(
            r"at most ([\d,]+) images, ([\d,]+) for the direction and ([\d,]+) for each", said
        )
        total, now = numbers(r"about ([\d,]+) images for this \(([\d,]+) now", said)
        assert most == first + each and first == 20 and total == most
        assert now == server.asked - before and now - total < 40
        before = server.asked
        assert run(["counterfactual", "explain", path, *more]) == 0
        assert (
            server.asked < before + 40
            and f"images, 0 for the direction and {each}" in capsys.readouterr().out
        )
    for place in sorted((root / "out/explanation/test").iterdir()):
        facts = json.loads((place / "explanation.json").read_text())
        assert facts["direction"] == "classifier-free guidance" and 0 <= facts["random flips"] <= 1
        number = facts["id"][1:]
        inside = read_mask(root / f"a{number}.nii.gz", read_case(root / f"i{number}.nii.gz")) > 0
        with np.load(place / "generator_grid.npz") as stored:
            moved = stored["after"] != stored["before"]
        assert facts["edited share"] == pytest.approx(inside.mean()) and int(moved.sum()) <= int(inside.sum())
    page = (root / "out/report.html").read_text()
    assert "classifier-free guidance" in page and "R²" not in page


@pytest.mark.parametrize(
    ("parameters", "explain", "message"),
    [
        ({"conditional": False}, {}, "explain.guidance: found classifier-free for a denoiser that is trained without"),
        ({}, {"guidance": "gradient"}, "a black box gives no gradient"),
        ({"conditional": "yes"}, {}, "generator.parameters.conditional: found 'yes', expected true or false"),
        ({"dropped": 0}, {}, "generator.parameters.dropped: found 0, expected a share between 0 and 1"),
    ],
)  # fmt: skip
def test_what_it_cannot_do_is_told(root, capsys, parameters, explain, message):
    told = {"family": "diffusion", "parameters": PARAMETERS | parameters}
    path = settings(root, "http://127.0.0.1:1/", generator=told, explain=EXPLAIN | explain)
    assert run(["counterfactual", "train", path]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_conditions_need_a_classifier_and_guidance_a_diffusion(root, capsys):
    path = settings(root, "nets.py:box", classifier=None)
    assert run(["counterfactual", "train", path]) == 2
    assert "found true without a classifier" in " ".join(capsys.readouterr().err.split())
    path = settings(root, "nets.py:box", generator={"family": "pca"}, explain={"guidance": "classifier-free"})
    assert run(["counterfactual", "train", path]) == 2
    assert "found classifier-free for pca" in " ".join(capsys.readouterr().err.split())


def test_another_classifier_needs_another_training(root, capsys):
    path = settings(
        root,
        "nets.py:box",
        out="another",
        classifier={"source": "nets.py:box", "black_box": True, "spatial_dims": 2},
    )
    assert run(["counterfactual", "train", path]) == 0
    with (root / "nets.py").open("a") as file:
        file.write("\n\ndef other(images):\n    return -box(images)\n")
    other = settings(
        root,
        "nets.py:other",
        out="another",
        classifier={"source": "nets.py:other", "black_box": True, "spatial_dims": 2},
    )
    capsys.readouterr()
    assert run(["counterfactual", "explain", other]) == 2
    assert "holds a generator of other settings" in " ".join(capsys.readouterr().err.split())

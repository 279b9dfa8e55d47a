"""Generators and features of the user's own, and StyleGANs that are refined and tuned, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from counterfactual_files import config, made
from safetensors.torch import load_file, save_file
from simulator_files import read_rows

from voxplain.case import read_case
from voxplain.cli.app import run

NETS = """

def linear(components=9):
    import torch
    from torch import nn

    class Linear(nn.Module):
        def __init__(self):
            super().__init__()
            self.mean, self.components = (nn.Parameter(torch.zeros(s)) for s in ((1, 16, 16), (components, 1, 16, 16)))
        def encode(self, images):
            return (images - self.mean).flatten(1) @ self.components.flatten(1).T
        def decode(self, codes):
            return self.mean + (codes @ self.components.flatten(1)).reshape(-1, 1, 16, 16)
    return Linear()

def constant():
    made = linear(1)
    made.encode = lambda images: images.flatten(1).mean(1, keepdim=True)
    made.decode = lambda codes: 0.3 + 1e-4 * codes.reshape(-1, 1, 1, 1).expand(-1, 1, 16, 16)
    return made

def rolled(components=9):
    import torch
    made = linear(components)
    plain = made.decode
    made.decode = lambda codes: torch.roll(plain(codes), (8, 8), (-1, -2))
    return made

def broken():
    made = linear(1)
    made.decode = lambda codes: codes
    return made

def quarters():
    from torch import nn
    return nn.Sequential(nn.AvgPool2d(8), nn.Flatten())
"""
COMPONENTS = {"components": 9}
SHORT = {"device": "cpu", "progress": False, "batch": 4, "steps": 8, "round": 4, "judged": 16}
ANY = {"samples": 30, "images": 20, "nulls": 1, "least_r2": -1e9, "least_agreement": -1, "least_pattern": -1}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    folder = made(tmp_path_factory.mktemp("own"), 48)
    with (folder / "nets.py").open("a") as file:
        file.write(NETS)
    (folder / "pca").mkdir()
    path = config(folder, generator={"family": "pca", "parameters": COMPONENTS}, out="pca")
    assert run(["counterfactual", "train", str(path)]) == 0
    stored = load_file(folder / "pca/generator/generator.safetensors")
    save_file({k: stored[k] for k in ("mean", "components")}, folder / "linear.safetensors")
    return folder


def own(name: str, **other) -> dict:
    return {"family": "module", "source": f"nets.py:{name}", **other}


def test_a_module_explains_as_the_family_that_it_copies(root):
    """Principal components as somebody's own network: statistics are fitted, and everything else is the same."""
    for out, generator in (
        ("pca", {"family": "pca", "parameters": COMPONENTS}),
        ("own", own("linear", weights="linear.safetensors", parameters=COMPONENTS)),
    ):
        path = config(root, generator=generator, out=out)
        assert run(["counterfactual", "train", str(path)]) == 0
        assert run(["counterfactual", "explain", str(path), "--set", "direction.samples=0"]) == 0
    first, second = (read_rows(root / out / "explanation/images.csv") for out in ("pca", "own"))
    assert [r["id"] for r in first] == [r["id"] for r in second]
    for a, b in zip(first, second, strict=True):
        for name in ("dose", "logit after", "change", "distance after", "typical distance"):
            assert float(a[name]) == pytest.approx(float(b[name]), rel=1e-2, abs=1e-3)


def test_other_weights_of_a_module_are_another_generator(root, capsys):
    weights = load_file(root / "linear.safetensors")
    save_file({k: v * (2 if k == "mean" else 1) for k, v in weights.items()}, root / "other.safetensors")
    path = config(
        root, generator=own("linear", weights="linear.safetensors", parameters=COMPONENTS), out="own"
    )
    assert run(["counterfactual", "train", str(path)]) == 0
    words = ["--set", f"generator.weights={root / 'other.safetensors'}"]
    capsys.readouterr()
    assert run(["counterfactual", "explain", str(path), *words]) == 2
    assert "holds a generator of other settings" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("generator", "says"),
    [
        (own("broken"), "generator .*nets.py:broken: decode(encode(x)) of images"),
        (own("nothing"), "there is no 'nothing'"),
        (own("linear", weights="rule.safetensors"), "they do not fit Linear"),
        (own("box", weights="linear.safetensors"), "raised TypeError"),
        ({"family": "module"}, "source: found none for family module"),
        ({"family": "pca", "source": "nets.py:linear"}, "for family pca, expected family: module"),
        ({"family": "pca", "features": "nets.py:linear"}, "features"),
        ({"family": "pca", "features": {"weights": "linear.safetensors"}}, "source: found none for weights"),
        ({"family": "stylegan", "parameters": {"space": "z"}}, "parameters.space: found 'z', expected w or w+"),
        ({"family": "stylegan", "parameters": {"pivot": -1}}, "parameters.pivot: found -1, expected a whole number from 0"),
        ({"family": "stylegan", "parameters": {"refine": "much"}}, "parameters.refine: found 'much'"),
    ],
)  # fmt: skip
def test_what_is_refused(root, capsys, generator, says):
    path = config(root, generator=generator, out="refused")
    capsys.readouterr()
    assert run(["counterfactual", "train", str(path)]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "warning" not in line]
    assert all(part in line for part in says.split(".*"))


def test_a_generator_that_makes_one_image_again_and_again_is_told(root, capsys):
    path = config(root, generator=own("constant"), out="constant", direction=ANY)
    capsys.readouterr()
    assert run(["counterfactual", "train", str(path)]) == 0
    said = "the generator has collapsed: its samples differ 0.00 times"
    assert said in capsys.readouterr().err
    words = ["--set", "explain.most=1", "--set", "explain.files=[]"]
    assert run(["counterfactual", "explain", str(path), *words]) == 0
    assert said in (root / "constant/report.html").read_text()


def test_a_generator_that_puts_what_decides_elsewhere_is_refused_and_shown_when_it_is_asked_for(root, capsys):
    """Copies are shifted by half their size, so that the classifier answers to what lies there."""
    source = own("rolled", weights="linear.safetensors", parameters=COMPONENTS)
    told = {"samples": 200, "images": 40, "nulls": 1, "least_r2": -1e9, "least_agreement": -1}
    path = config(root, generator=source, out="rolled", direction=told)
    assert run(["counterfactual", "train", str(path)]) == 0
    capsys.readouterr()
    assert run(["counterfactual", "explain", str(path)]) == 2
    said = "generator: the logit goes together with other voxels of its samples"
    assert said in capsys.readouterr().err
    words = ["--set", "direction.least_pattern=-1", "--set", "explain.most=1", "--set", "explain.files=[]"]
    assert run(["counterfactual", "explain", str(path), *words]) == 0
    (warning,) = (root / "rolled/explanation").glob("summary.json")
    found = json.loads(warning.read_text())["patterns"]["samples"]
    assert found["agreement"] < 0.5 < found["limit"]
    assert "In the generator&#39;s samples, the voxels" in (root / "rolled/report.html").read_text()


def test_features_of_ones_own_are_what_rounds_are_measured_by(root):
    """KID with the means of quarters, written out over all pairs."""
    features = {"features": "nets.py:quarters"}
    path = config(root, generator={"family": "pca", "parameters": COMPONENTS, **features}, out="features")
    assert run(["counterfactual", "train", str(path)]) == 0
    row = json.loads((root / "features/generator/history.json").read_text())[-1]
    stored = {k: v.double().numpy() for k, v in load_file(root / "linear.safetensors").items()}
    deviations = load_file(root / "features/generator/generator.safetensors")["deviations"]
    held = [r for r in read_rows(root / "subjects.csv") if r["part"] == "validation"]
    real = np.stack([read_case(root / r["image"]).image[:, ::-1, ::-1, 0] for r in held])
    drawn = torch.randn(len(real), 9, generator=torch.Generator().manual_seed(0)) * deviations
    fake = stored["mean"] + np.tensordot(drawn.double().numpy(), stored["components"], 1)
    a, b = (x.reshape(-1, 2, 8, 2, 8).mean((2, 4)).reshape(-1, 4) for x in (real, fake))
    a, b = ((x - a.mean(0)) / a.std(0, ddof=1) for x in (a, b))
    pairs = [[(x @ y / 4 + 1) ** 3 for x in s for y in t] for s, t in ((a, a), (b, b), (a, b))]
    n = len(a)
    same = [sum((x @ x / 4 + 1) ** 3 for x in s) for s in (a, b)]
    within = [(sum(pairs[k]) - same[k]) / (n * (n - 1)) for k in (0, 1)]
    assert row["kid"] == pytest.approx(sum(within) - 2 * np.mean(pairs[2]), rel=1e-3)
    assert row["fid features"] == 4 and row["fid images"] == n


def test_refinement_and_tuning_copy_better_and_train_nothing_anew(root):
    """An encoder to w+ is another one of the same StyleGAN."""
    errors, sizes, plus = {}, {"width": 4, "most": 8, "styles": 6}, {"space": "w+"}
    cases = {
        "w": {},
        "plain": plus,
        "refined": {**plus, "refine": 20},
        "tuned": {**plus, "refine": 20, "pivot": 30},
    }
    for name, more in cases.items():
        generator = {"family": "stylegan", "parameters": {**sizes, **more}, "folder": "styles"}
        path = config(
            root, generator=generator, warm={"steps": 0}, training={**SHORT, "copies": 0}, encoder=SHORT, out=name,
            direction=ANY, explain={"device": "cpu", "most": 1, "cases": 1, "files": []},
        )  # fmt: skip
        if name == "refined":  # nobody measured it with these yet
            assert run(["counterfactual", "explain", str(path)]) == 2
        trained = {p: p.stat().st_mtime_ns for p in (root / "styles").rglob("kept.safetensors")}
        assert run(["counterfactual", "train", str(path)]) == 0
        assert {p: p.stat().st_mtime_ns for p in trained} == trained and (trained or name == "w")
        if name == "w":
            continue
        assert run(["counterfactual", "explain", str(path)]) == 0
        errors[name] = [
            float(r["error of the copy"]) for r in read_rows(root / name / "explanation/images.csv")
        ]
    assert np.all(np.array(errors["refined"]) < 0.95 * np.array(errors["plain"]))
    assert np.all(np.array(errors["tuned"]) < 0.95 * np.array(errors["refined"]))
    told = [
        json.loads(p.read_text())
        for p in sorted((root / "tuned/explanation/test").glob("*/explanation.json"))
    ]
    before = [record["error of the copy before tuning"] for record in told]
    assert before == pytest.approx(errors["refined"], rel=1e-4)
    assert all(abs(record["cosine with the direction before tuning"]) < 1 - 1e-6 for record in told)
    assert "The generator was tuned to this image" in (root / "tuned/report.html").read_text()

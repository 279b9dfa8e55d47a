"""A diffusion from one YAML to the page: trained, bound to masks, at its cost, and refused where it cannot be."""

from __future__ import annotations

import json

import numpy as np
import pytest
from counterfactual_files import CLASSIFIER, config, made

from voxplain.case import read_case, read_mask
from voxplain.cli.app import run
from voxplain.counterfactual.diffusion import Denoiser

GENERATOR = {
    "family": "diffusion", "parameters": {"widths": [8, 8], "attention": False, "steps": 4, "depth": 0.5, "scan": 2},
}  # fmt: skip
TRAINING = {"device": "cpu", "progress": False, "steps": 4, "round": 2, "batch": 8, "judged": 8}


def settings(root, **other):
    told = {
        "generator": GENERATOR, "training": TRAINING, "direction": {"images": 40, "nulls": 2},
        "explain": {"device": "cpu", "cases": 2, "most": 2, "mask": "atlas", "files": ["frames", "difference"]},
    } | other  # fmt: skip
    return str(config(root, **told))


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    root = made(tmp_path_factory.mktemp("diffusion"))
    path = settings(root)
    assert run(["counterfactual", "train", path]) == 0
    return root, path


def places(root):
    return sorted((root / "out/explanation/test").iterdir())


def told(place):
    return json.loads((place / "explanation.json").read_text())


def test_it_changes_images_inside_of_their_own_masks_alone(done, capsys, monkeypatch):
    root, path = done
    passed, forward = [], Denoiser.forward

    def counted(self, x, time):
        passed.append(len(x))
        return forward(self, x, time)

    monkeypatch.setattr(Denoiser, "forward", counted)
    assert run(["counterfactual", "explain", path]) == 0
    said = capsys.readouterr().out
    # 2 + 1 doses, 5 halvings and 7 frames; 2 random goals at 5 doses; a way back; of 2 steps each,
    # inversions and copies beside
    assert (
        "at most 80 forward and 72 backward passes" in said and "and 96 for copies of training images" in said
    )
    assert 2 * (80 - 2 * 5) + 96 <= sum(passed) <= 2 * 80 + 96
    assert len(places(root)) == 2
    for place in places(root):
        facts = told(place)
        number = facts["id"][1:]
        image = read_case(root / f"i{number}.nii.gz")
        inside = read_mask(root / f"a{number}.nii.gz", image) > 0
        frames = read_case(place / "frames.nii.gz").image
        assert np.array_equal(
            frames[:, ~inside], np.broadcast_to(image.image[:, ~inside], frames[:, ~inside].shape)
        )
        assert not np.array_equal(frames[4, inside], image.image[0, inside])
        assert facts["edited share"] == pytest.approx(inside.mean()) and facts["direction"] == "guidance"
    page = (root / "out/report.html").read_text()
    assert "guidance" in page and "R²" not in page
    before = {place: (place / "explanation.json").stat().st_mtime_ns for place in places(root)}
    assert run(["counterfactual", "explain", path]) == 0
    assert before == {place: (place / "explanation.json").stat().st_mtime_ns for place in places(root)}


def test_another_depth_needs_no_other_training(done, capsys):
    root, path = done
    steps = sorted((root / "out/generator/training/checkpoints").iterdir())
    written = [step.stat().st_mtime_ns for step in steps]
    deeper = ["--set", "generator.parameters.depth=1.0"]
    assert run(["counterfactual", "explain", path, *deeper]) == 2
    assert "run `voxplain counterfactual train`" in " ".join(capsys.readouterr().err.split())
    assert run(["counterfactual", "train", path, *deeper]) == 0
    assert [step.stat().st_mtime_ns for step in steps] == written
    assert run(["counterfactual", "train", path, "--set", "generator.parameters.widths=[8, 16]"]) == 2


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            {"classifier": {"source": "nets.py:box", "black_box": True, "spatial_dims": 2}},
            "a black box gives no gradient",
        ),
        ({"direction": {"kind": "labels"}}, "direction.kind: found labels for a diffusion"),
        ({"attributes": {"most": 3}}, "attributes.most: found 3 for a diffusion"),
        ({"explain": {"controls": True}}, "explain.controls: found True for a diffusion"),
        ({"generator": {"family": "pca"}, "explain": {"mask": "auto"}}, "explain.mask: found auto for pca"),
        (
            {"generator": {"family": "diffusion", "parameters": {"depht": 1}}},
            "unknown key 'depht' of diffusion",
        ),
        ({"explain": {"mask": "mask", "device": "cpu"}}, "explain.mask: s"),
        ({"explain": {"mask": "lesion", "device": "cpu"}}, "has nothing in a column 'lesion'"),
    ],
)
def test_what_it_cannot_do_is_told(done, capsys, other, message):
    root, _ = done
    path = settings(root, **({"classifier": CLASSIFIER} | other))
    assert run(["counterfactual", "train", str(path)]) in (0, 2)
    assert run(["counterfactual", "explain", str(path)]) == 2
    assert message in " ".join(capsys.readouterr().err.split())

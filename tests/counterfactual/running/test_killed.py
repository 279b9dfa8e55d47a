"""Every family trains from the command line, and a training that was killed ends with the same bits."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from counterfactual_files import config, made
from safetensors.torch import load_file

from voxplain.cli.app import run

LIMIT = 300  # seconds after which something hangs
SHORT = {"device": "cpu", "progress": False, "batch": 4, "steps": 12, "round": 4, "judged": 16}


def settings(root: Path, family: str, out: str) -> Path:
    parameters = {
        "autoencoder": {"widths": [4, 4], "latent": 1},
        "stylegan": {"width": 4, "most": 8, "styles": 6},
    }
    return config(
        root,
        generator={"family": family, "parameters": parameters[family]},
        training=SHORT,
        warm=SHORT,
        encoder=SHORT,
        out=out,
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return made(tmp_path_factory.mktemp("data"), 32)


@pytest.mark.parametrize("family", ["autoencoder", "stylegan"])
def test_a_killed_training_ends_with_the_same_bits(root, family):
    whole = settings(root, family, f"{family}-whole")
    assert run(["counterfactual", "train", str(whole)]) == 0
    killed = settings(root, family, f"{family}-killed")
    command = "import sys; from voxplain.cli.app import run; run(sys.argv[1:])"
    process = subprocess.Popen(
        [sys.executable, "-c", command, "counterfactual", "train", str(killed)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    training, end = root / f"{family}-killed/generator/training", time.monotonic() + LIMIT
    while not (training / "last.json").exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.002)
    process.kill()  # SIGKILL: nothing can be tidied up
    process.wait()
    assert (training / "last.json").exists()
    assert not (root / f"{family}-killed/generator/done.json").exists()
    assert run(["counterfactual", "train", str(killed)]) == 0
    expected, found = (
        load_file(root / f"{family}-{name}/generator/generator.safetensors") for name in ("whole", "killed")
    )
    assert expected.keys() == found.keys() and all(expected[k].equal(found[k]) for k in expected)
    generator = root / f"{family}-killed/generator"
    rows = json.loads((generator / "history.json").read_text())
    assert [row["step"] for row in rows[:-1]] == [4, 8, 12]
    assert {"kid", "diversity", "copy error"} <= rows[-1].keys()
    assert (generator / "curves.png").exists()
    assert (generator / "training/samples/step-0000012.png").exists()


def test_another_number_of_warm_steps_is_refused_before_the_start_of_a_training_changes(root, capsys):
    """Rates of the warm start follow its steps, so that a longer one is another start; the one that is there stays."""
    asked = str(settings(root, "stylegan", "stylegan-cut-off"))
    few = [f"{part}.steps=4" for part in ("training", "warm", "encoder")]
    few = [text for told in few for text in ("--set", told)]
    assert run(["counterfactual", "train", asked, *few]) == 0
    generator = root / "stylegan-cut-off/generator"
    (generator / "done.json").unlink()  # as if it had been cut off at the end
    weights = (generator / "generator.safetensors").read_bytes()
    capsys.readouterr()
    assert run(["counterfactual", "train", asked, *few, "--set", "warm.steps=8"]) != 0
    assert "warm holds another training (steps was 4, is 8)" in capsys.readouterr().err
    assert run(["counterfactual", "train", asked, *few]) == 0
    assert (generator / "generator.safetensors").read_bytes() == weights


def test_fewer_steps_than_were_taken_are_said_to_have_been_taken(root, capsys):
    """Learning cannot be undone: the weights are the same, and the command says so each time."""
    path = settings(root, "autoencoder", "longer")
    assert run(["counterfactual", "train", str(path)]) == 0
    weights = (root / "longer/generator/generator.safetensors").read_bytes()
    capsys.readouterr()
    for _ in range(2):
        assert run(["counterfactual", "train", str(path), "--set", "training.steps=4"]) == 0
        said = capsys.readouterr().err
        assert "warning: training.steps: found 4, but 12 were taken and stay" in said
    assert (root / "longer/generator/generator.safetensors").read_bytes() == weights

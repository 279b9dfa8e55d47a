"""The other commands: what they print."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import voxplain as package
from voxplain.cli.inspect_command import kind_of


@pytest.mark.parametrize("words", [["--help"], ["explain", "--help"], ["--version"]])
def test_help_loads_no_heavy_library(words: list[str]) -> None:
    code = (
        f"from voxplain.cli.app import run; code = run({words!r}); import sys\n"
        "heavy = {'torch', 'monai', 'numpy', 'scipy', 'matplotlib', 'nibabel'} & set(sys.modules)\n"
        "assert not heavy, heavy\nsys.exit(code)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_version(voxplain: Callable[..., Any]) -> None:
    assert voxplain("--version").out.strip() == package.__version__


def test_the_package_runs_as_a_module() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "voxplain", "--version"], capture_output=True, text=True, check=False
    )
    assert ran.stdout.strip() == package.__version__


def test_every_method_is_listed_with_its_source(voxplain: Callable[..., Any]) -> None:
    from voxplain.attribution.method import methods

    lines = voxplain("methods").out.splitlines()
    for name, method in methods().items():
        (line,) = [line for line in lines if line.split()[:1] == [name]]
        assert method.family in line
        assert method.source in line
        assert ("any" if "probability" in method.scores else "logit") in line


def test_one_method_in_full(voxplain: Callable[..., Any]) -> None:
    shown = voxplain("methods", "integrated-gradients").out
    assert "Sundararajan" in shown
    assert "nodes=32" in shown


def test_inspect_prints_what_the_header_says(folder: Path, voxplain: Callable[..., Any]) -> None:
    ran = voxplain("inspect", "scan.nii.gz")
    assert ran.code == 0, ran.err
    for part in ("12 × 10 × 8", "2 × 2 × 2 mm", "24 × 20 × 16 mm", "LAS", "channels     1"):
        assert part in ran.out


def test_inspect_stacks_channels_and_counts_labels(folder: Path, voxplain: Callable[..., Any]) -> None:
    import nibabel as nib

    label = np.zeros((12, 10, 8), np.uint8)
    label[:2] = 3
    nib.save(nib.Nifti1Image(label, nib.load("scan.nii.gz").affine), "seg.nii.gz")
    ran = voxplain("inspect", "scan.nii.gz", "scan.nii.gz", "--label", "seg.nii.gz")
    assert ran.code == 0, ran.err
    assert "channels     2" in ran.out
    assert f"2 values: 0 ({10 * 10 * 8}), 3 ({2 * 10 * 8})" in ran.out


def test_inspect_lists_the_layers_that_can_be_named(folder: Path, voxplain: Callable[..., Any]) -> None:
    """4·27 + 4 weights of the first convolution and 3·4 + 3 of the second make 127 parameters."""
    ran = voxplain("inspect", "nets.py:unet")
    assert ran.code == 0, ran.err
    assert "127" in ran.out
    assert "segmentation" in ran.out
    rows = [line.split() for line in ran.out.splitlines()]
    assert ["0", "Conv3d"] in [row[:2] for row in rows]
    assert ["2", "Conv3d"] in [row[:2] for row in rows]


def test_inspect_tells_weights_from_networks(folder: Path, voxplain: Callable[..., Any]) -> None:
    torch.save({"state_dict": {"conv.weight": torch.zeros(2, 3)}}, "w.pt")
    ran = voxplain("inspect", "w.pt")
    assert ran.code == 0, ran.err
    assert "1 with 6 numbers" in ran.out
    assert "conv.weight" in ran.out
    assert "2 × 3" in ran.out
    torch.jit.trace(torch.nn.Conv3d(1, 2, 1), torch.zeros(1, 1, 4, 4, 4)).save("t.pt")
    assert kind_of("t.pt") == "model"
    network = voxplain("inspect", "t.pt")
    assert network.code == 0, network.err
    facts = {line.split()[0]: line.split()[1:] for line in network.out.splitlines()}
    assert facts["parameters"][0] == "4,"  # two weights and two biases
    assert facts["task"] == ["segmentation"]
    assert facts["output"] == ["softmax,", "2", "channels"]


def test_config_writes_a_file_once(folder: Path, voxplain: Callable[..., Any]) -> None:
    assert voxplain("config", "e.yaml").code == 0
    assert Path("e.yaml").read_text(encoding="utf-8") == voxplain("config").out
    again = voxplain("config", "e.yaml")
    assert again.code == 2
    assert "exists already" in again.err

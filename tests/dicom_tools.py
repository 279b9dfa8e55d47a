"""Independent readers of DICOM: dcmqi, on which 3D Slicer is built, and dciodvfy, which holds files against the standard."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray


def tool(name: str, where: str) -> str:
    """Path of a program; a test that needs it is skipped where it is not installed."""
    found = shutil.which(name)
    spec = importlib.util.find_spec("dcmqi")
    if found is None and spec is not None and spec.origin is not None:
        found = shutil.which(name, path=str(Path(spec.origin).parent / "bin"))
    if found is None:
        pytest.skip(f"{name} is not installed ({where})")
    return found


def _dcmqi(name: str, *words: object) -> None:
    done = subprocess.run(
        [tool(name, "pip install dcmqi"), *map(str, words)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def volumes(name: str, file: Path, folder: Path) -> list[tuple[NDArray[Any], NDArray[np.float64]]]:
    """Arrays and RAS affines of what dcmqi makes of a Segmentation or a Parametric Map, in its order."""
    folder.mkdir()
    _dcmqi(name, "--inputDICOM", file, "--outputDirectory", folder, "--outputType", "nii")
    images = [nib.load(path) for path in sorted(folder.glob("*.nii.gz"))]
    return [(np.asarray(image.dataobj), image.affine) for image in images]


def report(file: Path, out: Path) -> dict[str, Any]:
    """What dcmqi reads of a structured report."""
    _dcmqi("tid1500reader", "--inputDICOM", file, "--outputMetadata", out)
    return json.loads(out.read_text(encoding="utf-8"))


def errors(file: Path) -> list[str]:
    """Lines of dciodvfy that say what the standard forbids."""
    done = subprocess.run(
        [tool("dciodvfy", "Debian: apt install dicom3tools"), str(file)],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=60,
    )
    lines = (done.stdout + done.stderr).splitlines()
    assert any(line.startswith("Warning") for line in lines), lines  # codes of our own are always worth one
    return [line for line in lines if line.startswith(("Error", "Abort"))]

"""`explain` killed in the middle goes on where it was, and ends with the same bits."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from simulator_files import config, files

from voxplain.cli.app import run

LIMIT = 300  # seconds after which something hangs


def finished(root: Path) -> list[Path]:
    return sorted((root / "out/explanation").rglob("explanation.json"))


def content(path: Path) -> bytes:
    # a gzip header has the time of writing
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def contents(root: Path) -> dict[str, bytes]:
    folder = root / "out/explanation"
    kept = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".parquet")
    return {str(path.relative_to(folder)): content(path) for path in kept}


@pytest.fixture
def trained(tmp_path) -> Path:
    root = tmp_path / "first"
    files(root, 40)
    training = {"epochs": 1, "batch": 8, "device": "cpu", "progress": False}
    assert run(["simulate", "train", str(config(root, seeds=[0], training=training))]) == 0
    return root


def test_a_killed_explanation_goes_on_where_it_was(trained, tmp_path):
    killed = tmp_path / "killed"
    shutil.copytree(trained, killed)
    assert run(["simulate", "explain", str(trained / "settings.yaml")]) == 0

    command = "import sys; from voxplain.cli.app import run; run(sys.argv[1:])"
    process = subprocess.Popen(
        [sys.executable, "-c", command, "simulate", "explain", str(killed / "settings.yaml")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    end = time.monotonic() + LIMIT
    while len(finished(killed)) < 3 and process.poll() is None and time.monotonic() < end:
        time.sleep(0.002)
    process.kill()  # SIGKILL: nothing can be tidied up
    process.wait()
    done = finished(killed)
    assert 3 <= len(done) < 10, "it was meant to be killed in the middle"
    assert not (killed / "out/explanation/subjects.csv").exists()

    stamps = {path: path.stat().st_mtime_ns for place in done for path in place.parent.iterdir()}
    assert run(["simulate", "explain", str(killed / "settings.yaml")]) == 0
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())  # nothing was done twice
    assert contents(killed) == contents(trained)
    assert len(finished(killed)) == 10

"""A full disk ends a run with one line, leaves nothing half, and the same command goes on when there is room."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
from counterfactual_files import config
from safetensors import SafetensorError

from voxplain.case.atomic import whole
from voxplain.cli.app import run
from voxplain.errors import StorageError


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        SafetensorError("I/O error: No space left on device (os error 28)"),
        RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 60800 vs 60692"),
    ],
)
def test_whoever_writes_a_full_disk_is_told_in_the_same_words(tmp_path, error):
    says = r"weights.bin: cannot be written: .*(No space left|is the disk full)"
    with pytest.raises(StorageError, match=says), whole(tmp_path / "weights.bin") as temporary:
        temporary.write_bytes(b"half")
        raise error
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(RuntimeError, match="other"), whole(tmp_path / "weights.bin"):
        raise RuntimeError("other")


def test_a_full_disk_ends_with_one_line_and_the_rest_is_done_later(trained, tmp_path, capsys, monkeypatch):
    few = {"device": "cpu", "most": 3, "cases": 0, "files": ["animation"]}
    path = config(trained, generator={"folder": "out/generator"}, out=str(tmp_path / "out"), explain=few)
    write, written = Path.write_bytes, []

    def full(self: Path, content: bytes) -> int:
        written.append(self)
        if len(written) > 5:  # in the middle of the second image
            write(self, content[: len(content) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    capsys.readouterr()
    assert run(["counterfactual", "explain", str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(": cannot be written: No space left on device") and "explanation/test/00001" in line
    monkeypatch.undo()
    first, second = sorted((tmp_path / "out/explanation/test").iterdir())
    assert not list((tmp_path / "out").rglob(".*"))  # no half of a file
    assert (first / "explanation.json").exists() and not (second / "explanation.json").exists()
    before = (first / "explanation.json").stat().st_mtime_ns
    assert run(["counterfactual", "explain", str(path)]) == 0
    assert (first / "explanation.json").stat().st_mtime_ns == before
    assert json.loads((tmp_path / "out/explanation/summary.json").read_text())["images"] == 3

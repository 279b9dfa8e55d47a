"""An MP4 shows what the GIF shows; that there is no ffmpeg is told before anything is asked."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from counterfactual_files import config
from PIL import Image, ImageSequence

from voxplain.cli.app import run
from voxplain.counterfactual.running.video import ffmpeg, write_video
from voxplain.errors import InputError, VoxplainError


def there() -> bool:
    try:
        return bool(ffmpeg())
    except VoxplainError:
        return False


needs_ffmpeg = pytest.mark.skipif(not there(), reason="no ffmpeg, of imageio-ffmpeg or the system")


def read(path, tmp_path) -> list[np.ndarray]:
    """Frames as ffmpeg decodes them."""
    import subprocess

    subprocess.run([ffmpeg(), "-loglevel", "error", "-i", str(path), str(tmp_path / "f%03d.png")], check=True)
    return [np.asarray(Image.open(file).convert("L")) for file in sorted(tmp_path.glob("f*.png"))]


@needs_ffmpeg
def test_the_video_shows_what_the_gif_shows(trained, tmp_path):
    kinds = ["animation", "video"]
    told = {"generator": {"folder": "out/generator"}, "out": str(tmp_path / "out")}
    path = config(trained, **told, explain={"device": "cpu", "most": 1, "cases": 0, "files": kinds})
    assert run(["counterfactual", "explain", str(path)]) == 0
    (place,) = (tmp_path / "out/explanation/test").iterdir()
    found = read(place / "animation.mp4", tmp_path)
    with Image.open(place / "animation.gif") as moving:
        frames = [(f.info["duration"], np.asarray(f.convert("L"))) for f in ImageSequence.Iterator(moving)]
    wanted = [frame for duration, frame in frames for _ in range(duration // 250)]
    assert len(found) == len(wanted) == 7 + 5 + 2 * 2  # both ends stay three times as long
    for one, other in zip(found, wanted, strict=True):
        height, width = other.shape
        assert np.abs(one[:height, :width].astype(float) - other).mean() < 4


@needs_ffmpeg
def test_odd_sizes_are_filled(tmp_path):
    pictures = [np.full((21, 33), value, np.uint8) for value in (40, 200)]
    write_video(tmp_path / "odd.mp4", pictures, [2, 1])
    found = read(tmp_path / "odd.mp4", tmp_path)
    assert [f.shape for f in found] == [(22, 34)] * 3
    assert [round(float(f[4:16, 4:28].mean()), -1) for f in found] == [40, 40, 200]


def test_without_ffmpeg_nothing_is_asked(trained, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="which ffmpeg encodes, but there is none"):
        ffmpeg()
    told = {"generator": {"folder": "out/generator"}, "out": str(tmp_path / "out")}
    path = config(trained, **told, explain={"device": "cpu", "most": 1, "files": ["video"]})
    capsys.readouterr()
    assert run(["counterfactual", "explain", str(path)]) == 2
    assert "pip install 'voxplain[video]'" in capsys.readouterr().err
    assert not (tmp_path / "out/explanation").exists()

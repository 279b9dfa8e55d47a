"""Pictures as an MP4 file, encoded by ffmpeg: that of imageio-ffmpeg, or the system's."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voxplain.case.atomic import whole
from voxplain.errors import InputError

RATE = 4  # frames per second


def ffmpeg() -> str:
    """The program.

    Raises:
        InputError: neither is there.
    """
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return str(get_ffmpeg_exe())
    except (ImportError, RuntimeError):  # installed without its program
        found = shutil.which("ffmpeg")
    if found is None:
        raise InputError(
            "explain.files: found video, which ffmpeg encodes, but there is none; pip install 'voxplain[video]', install "
            "ffmpeg, or leave video out (animation is a GIF)"
        )
    return found


def write_video(path: Path, pictures: Sequence[NDArray[np.uint8]], repeats: Sequence[int]) -> Path:
    """Grey pictures (H, W) of one size, four per second.

    Args:
        path: of the file.
        pictures: in order.
        repeats: how many frames each stays.

    Raises:
        InputError: no ffmpeg, or one that fails.
        StorageError: it cannot be written.
    """
    # encoders take even sizes alone
    height, width = (size + size % 2 for size in pictures[0].shape)
    frames = [np.pad(p, ((0, height - p.shape[0]), (0, width - p.shape[1]))) for p in pictures]
    raw = b"".join(frame.tobytes() * count for frame, count in zip(frames, repeats, strict=True))
    with whole(path) as temporary:
        command = [
            ffmpeg(), "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{width}x{height}",
            "-r", str(RATE), "-i", "-", "-pix_fmt", "yuv420p", "-movflags", "+faststart", "-f", "mp4", str(temporary),
        ]  # fmt: skip
        done = subprocess.run(command, input=raw, capture_output=True, check=False)
        if done.returncode:
            said = " ".join(done.stderr.decode(errors="replace").split())[:200]
            raise InputError(f"{path}: ffmpeg could not encode it: {said or f'status {done.returncode}'}")
    return path

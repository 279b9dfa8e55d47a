"""The files of one image: maps on its own grid, NIfTI where there is a geometry, else npz; and an animation."""

from __future__ import annotations

import io
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from voxplain.case import Case, write_case
from voxplain.case.atomic import whole, write_whole
from voxplain.counterfactual.page.scenery import Floats, widest
from voxplain.counterfactual.path import CounterfactualPath
from voxplain.counterfactual.running.video import RATE, write_video
from voxplain.model import Prepared
from voxplain.report import Scene

if TYPE_CHECKING:
    from PIL.Image import Image

RECORD, GRID = "explanation.json", "generator_grid.npz"
_SMALLEST, _LAST = 256, 3  # pixels of an animation's longer side; how much longer its ends stay


def emptied(place: Path) -> Path:
    """A folder for new files; what another explanation has left there goes."""
    if place.exists():
        (place / RECORD).unlink(missing_ok=True)  # first, so that a killed run leaves no half of both
        shutil.rmtree(place)
    place.mkdir(parents=True)
    return place


def at_dose(path: CounterfactualPath) -> int:
    """The index of the frame at the calibrated dose; of a dose of 0 the last of these."""
    return int(np.flatnonzero(np.isclose(path.doses.cpu(), path.dose))[-1])


def write_map(place: Path, name: str, values: Floats, ready: Prepared) -> None:
    """(C', *case spatial)."""
    suffix = ".npz" if ready.case.geometry is None else ".nii.gz"
    write_case(place / f"{name}{suffix}", Case(name, values, ready.case.geometry))


def write_grid(place: Path, before: Floats, after: Floats) -> None:
    """Both on the generator's grid, which is one for all images."""
    with whole(place / GRID) as temporary:
        np.savez_compressed(temporary, before=before, after=after)


def write_animation(
    place: Path,
    frames: Floats,
    doses: Sequence[float],
    scores: Sequence[float],
    base: Scene,
    kinds: Collection[str],
) -> None:
    """There and back, with dose and logit below each picture: ``animation.gif`` and, of the kind "video", ``.mp4``.

    Args:
        place: the folder.
        frames: (F, *S) on the case's grid.
        doses, scores: of each.
        base: says how they are turned, and of volumes the slice.
        kinds: "animation", "video", both or neither.
    """
    if not {"animation", "video"} & set(kinds):
        return
    plane, index = widest(base)
    shown = np.stack([plane.cut(base.view.display(frame), index) for frame in frames])
    low, high = np.quantile(shown, [0.005, 0.995])
    grey = (np.clip((shown - low) / max(float(high - low), 1e-12), 0, 1) * 255).astype(np.uint8)
    pictures = [
        _titled(g, f"dose {d:.2f}   logit {s:+.2f}") for g, d, s in zip(grey, doses, scores, strict=True)
    ]
    order = [*range(len(pictures)), *range(len(pictures) - 2, 0, -1)]
    repeats = [_LAST if n in (0, len(pictures) - 1) else 1 for n in order]
    if "animation" in kinds:
        _write_gif(place / "animation.gif", [pictures[n] for n in order], repeats)
    if "video" in kinds:
        write_video(place / "animation.mp4", [np.asarray(pictures[n]) for n in order], repeats)


def _write_gif(path: Path, pictures: Sequence[Image], repeats: Sequence[int]) -> None:
    buffer = io.BytesIO()
    durations = [1000 // RATE * count for count in repeats]
    pictures[0].save(
        buffer, format="GIF", save_all=True, append_images=pictures[1:], duration=durations, loop=0
    )
    write_whole(path, buffer.getvalue())


def _titled(grey: NDArray[np.uint8], text: str) -> Image:
    from PIL import Image as Pictures, ImageDraw

    scale = max(1, -(-_SMALLEST // max(grey.shape)))
    picture = Pictures.fromarray(grey).resize(
        (grey.shape[1] * scale, grey.shape[0] * scale), Pictures.Resampling.NEAREST
    )
    out = Pictures.new("L", (picture.width, picture.height + 16))
    out.paste(picture)
    ImageDraw.Draw(out).text((4, picture.height + 2), text, fill=230)
    return out

"""The words under a figure: nothing that was done to the numbers is left unsaid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from voxplain.report.canvas import signed

if TYPE_CHECKING:
    from voxplain.report.scene import Scene


def place(scene: Scene, shown: tuple[int, int, int]) -> str:
    """Where a display index is: RAS millimetres and the voxel index of the original array."""
    index = ", ".join(str(i) for i in scene.view.original(shown))
    voxel = f"{'pixel' if scene.view.ndim == 2 else 'voxel'} ({index})"
    position = scene.view.position(shown)
    if position is None:
        return f"{voxel}, no orientation known"
    return f"RAS ({', '.join(_mm(x) for x in position)}) mm · {voxel}"


def strength(scenes: Sequence[Scene], shown: tuple[int, int, int]) -> str:
    """The map's value at a display index, in every scene."""
    return "value " + ", ".join(signed(float(scene.values[shown])) for scene in scenes)


def legend(scene: Scene) -> list[tuple[str, str, bool]]:
    """Entries (name, colour, dashed) of the labels that occur in the scene."""
    entries = []
    if scene.prediction is not None:
        present = [o for o in scene.outlined if (scene.prediction == o.label).any()]
        entries += [(o.name, o.colour, False) for o in present]
    if scene.truth is not None and any((scene.truth == o.label).any() for o in scene.outlined):
        entries.append(("ground truth", "#ffffff", True))
    return entries


def reading(scenes: Sequence[Scene], ground: str | None = None) -> str:
    """Sentences on colours, range, background (the scene's own by default), outlines and orientation."""
    scene = scenes[0]
    scale = scene.scale
    if scale.beyond:
        beyond = f"; {100 * scale.beyond:.2g} % of the non-zero voxels lie beyond and have the end colours"
    else:
        beyond = ""
    parts = [
        "Red to yellow: positive; blue to cyan: negative; weak values are transparent.",
        f"Colours end at ±{scale.limit:.3g} ({scale.percentile:g}th percentile of |value| over non-zero "
        f"voxels); the map runs from {signed(scale.low)} to {signed(scale.high)}{beyond}.",
        scene.ground if ground is None else ground,
        *dict.fromkeys(note for s in scenes for note in s.notes),
    ]
    if scene.outlined and scene.prediction is not None:
        parts.append("Solid outlines: prediction.")
    if scene.outlined and scene.truth is not None:
        parts.append("Dashed outlines: ground truth.")
    parts.append(orientation(scene))
    return " ".join(parts)


def orientation(scene: Scene) -> str:
    """Which way the pictures are turned, in sentences."""
    view = scene.view
    if view.affine is None:
        return "No orientation known: drawn as the array is stored."
    text = "Radiological convention: the patient's left is on the right."
    if view.tilt > 1:
        text += f" The grid is oblique by up to {view.tilt:.0f}°; planes follow the voxels."
    if view.sheared:
        text += " The grid is sheared, so angles in the pictures are not true."
    return text


def _mm(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−").replace("−0.0", "0.0").replace("+0.0", "0.0")

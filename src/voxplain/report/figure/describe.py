"""The caption: nothing that was done to the numbers is left unsaid."""

from __future__ import annotations

from collections.abc import Sequence

from voxplain.report.canvas import signed
from voxplain.report.caption import orientation
from voxplain.report.figure.row import Drawn
from voxplain.report.figure.scaling import Shared

_SHARED = {
    "method": "Maps of a method share one colour range",
    "row": "Maps of a row share one colour range",
    "all": "All maps share one colour range",
}


def caption(
    rows: Sequence[Drawn], lines: Sequence[tuple[Drawn, str]], names: Sequence[str], shared: Shared
) -> tuple[str, str]:
    """Sentences on what is where, colours, windows, outlines, orientation; and a text for those who cannot see it."""
    where = "; ".join(f"{row.row.name}: {place}" for row, place in lines if place)
    scenes = [(row, name, scene) for row in rows for name, scene in row.scenes.items()]
    parts = [
        f"Columns: image, {', '.join(names)}." if names else "",
        f"Slices: {where}." if where else "",
        "Red to yellow: positive; blue to cyan: negative; weak values are transparent." if scenes else "",
    ]
    if scenes:
        percentile = scenes[0][2].scale.percentile
        parts.append(f"{_SHARED[shared]}, symmetric about zero. {_ends(rows, names, shared, percentile)}")
    grounds = dict.fromkeys(row.base.ground for row in rows)
    if len(grounds) == 1:
        parts.append(next(iter(grounds)))
    else:
        parts.append("Grey levels of each image: from its 0.5th to its 99.5th percentile.")
    parts += dict.fromkeys(note for _, _, scene in scenes for note in scene.notes)
    parts += _outlines(rows)
    parts += dict.fromkeys(orientation(row.base) for row in rows)
    alt = f"{len(rows)} rows of images, each beside the maps of {', '.join(names) or 'no method'}."
    return " ".join(part for part in parts if part), alt


def _ends(rows: Sequence[Drawn], names: Sequence[str], shared: Shared, percentile: float) -> str:
    found: dict[str, str] = {}
    for row in rows:
        for name, scene in row.scenes.items():
            key = {"method": name, "row": row.row.name, "all": ""}[shared]
            scale = scene.scale
            found[key] = f"±{scale.limit:.3g} (values from {signed(scale.low)} to {signed(scale.high)})"
    order = [*names, *found] if shared == "method" else list(found)
    told = "; ".join(
        f"{key}: {found[key]}" if key else found[key] for key in dict.fromkeys(order) if key in found
    )
    return f"Colours end at the {percentile:g}th percentile of |value| over non-zero voxels, {told}."


def _outlines(rows: Sequence[Drawn]) -> list[str]:
    parts = []
    if any(row.base.outlined and row.base.prediction is not None for row in rows):
        parts.append("Solid outlines: prediction.")
    if any(row.base.outlined and row.base.truth is not None for row in rows):
        parts.append("Dashed outlines: ground truth.")
    return parts

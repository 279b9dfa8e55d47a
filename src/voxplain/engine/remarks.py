"""What is doubtful about a prediction, before anything is explained."""

from __future__ import annotations

from math import prod

from voxplain.engine.layout import Layout
from voxplain.target.prediction import Prediction

# Share of the common foreground about which overlapping windows may disagree before it is said.
DISAGREEMENT = 0.15
# Voxels with padding per voxel of the image from which on it is said.
PADDED = 4.0


def remarks(prediction: Prediction, layout: Layout | None) -> list[str]:
    """One line for each doubt; none for a classifier, which has no windows."""
    if layout is None:
        return []
    return [*_padding(layout), *_disagreement(prediction, layout)]


def _padding(layout: Layout) -> list[str]:
    """Windows much larger than the image cost passes over padding."""
    more = prod(layout.padded) / prod(layout.shape)
    if more < PADDED:
        return []
    return [
        f"windows of {_by(layout.roi)} voxels are larger than the image of {_by(layout.shape)}, so that "
        f"{1 - 1 / more:.0%} of what the network sees is padding; use a smaller roi"
    ]


def _disagreement(prediction: Prediction, layout: Layout) -> list[str]:
    share = prediction.disagreement
    if not share > DISAGREEMENT:
        return []
    return [
        f"overlapping windows disagree about {share:.0%} of the foreground that they share: windows of "
        f"{_by(layout.roi)} voxels may be too small for what this network looks at; "
        "use a larger roi or the whole image, else this is an explanation of a prediction that is itself doubtful"
    ]


def _by(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))

"""What the HTML page says, as plain data: the command line fills it, the template shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from voxplain.report.identity import Identity

if TYPE_CHECKING:
    from voxplain.case import Geometry
    from voxplain.report.canvas import Drawing
    from voxplain.report.regions import Regions
    from voxplain.report.trust import Trust
    from voxplain.report.viewer.pack import Packed

Level = Literal["good", "warn", "bad", "info"]
LEVEL_WORDS: Mapping[Level, str] = {
    "good": "good",
    "warn": "look closer",
    "bad": "do not rely on it",
    "info": "not checked",
}
"""Of all checks of a map together."""
WORST_FIRST: tuple[Level, ...] = ("bad", "warn", "info", "good")


@dataclass(frozen=True)
class Finding:
    """One check in plain words: its traffic light, its number, and what that means."""

    name: str
    value: str
    level: Level
    text: str = ""


@dataclass(frozen=True)
class Picture:
    """A PNG file (or its bytes) with its caption and a text for those who cannot see it."""

    png: bytes | Path
    alt: str
    caption: str = ""


@dataclass(frozen=True)
class Predicted:
    """A class of the prediction and how much of the image it takes; None is what is not known.

    Attributes:
        probability: of a classifier's class.
        inside: mean probability of a segmentation's class over its voxels.
        doubtful: of the voxels where it ends, the share of which the network is not sure.
        pieces: connected ones, corners included.
    """

    name: str
    voxels: int
    millilitres: float | None = None
    probability: float | None = None
    inside: float | None = None
    doubtful: float | None = None
    pieces: int | None = None


@dataclass(frozen=True)
class MethodCard:
    """A method that was run: its parameters, what it does in a sentence or two, and where it comes from.

    Attributes:
        key: the name under which its card is found (see `voxplain.report.cards`).
        title: in words.
    """

    name: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    text: str = ""
    source: str = ""
    key: str = ""
    title: str = ""


@dataclass(frozen=True)
class Section:
    """One method's answer for one target.

    `row` is its line of the table (score, status, passes, ...), `tile` a small picture for the comparison.
    """

    method: str
    target: str
    row: Mapping[str, object] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    pictures: tuple[Picture, ...] = ()
    notes: tuple[str, ...] = ()
    tile: Picture | None = None

    @property
    def level(self) -> Level:
        """The worst of the findings."""
        order: tuple[Level, ...] = ("bad", "warn", "good")
        return next((level for level in order if any(f.level == level for f in self.findings)), "info")


def light_of(section: Section, tested: Mapping[str, Level]) -> tuple[Level, str]:
    """A map's light and its word: the method's where it was tested; a map with a fault of its own keeps that.

    Args:
        tested: the light of every method that has a panel of tests.
    """
    light = tested.get(section.method)
    level = section.level if light is None or section.level == "bad" else light
    return level, "not tested enough" if level == "info" and light is not None else LEVEL_WORDS[level]


@dataclass(frozen=True)
class Page:
    """Everything on the page. Nothing in it needs to be escaped: the template does that.

    Args:
        case: the case's id.
        model: the model's name.
        image: facts about the image (shape, spacing, orientation ...).
        targets: what was asked, in words.
        score: which score was explained.
        methods: those that were run.
        predicted: classes of the prediction.
        sections: one per method and target.
        notes: warnings that hold for the whole run.
        settings: the resolved configuration, seed included.
        versions: of the software.
        command: the command line that makes this page again.
        viewer: volumes to walk through, where there are any.
        identity: hashes, date, intended use.
        confidence: how sure the prediction is, in sentences.
        regions: of every method and target, where its map lies.
        trust: a panel per method.
        limits: what the page cannot tell.
        paragraph: for a paper's methods section.
    """

    case: str
    model: str
    image: Mapping[str, object] = field(default_factory=dict)
    targets: tuple[str, ...] = ()
    score: str = ""
    methods: tuple[MethodCard, ...] = ()
    predicted: tuple[Predicted, ...] = ()
    sections: tuple[Section, ...] = ()
    notes: tuple[str, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    viewer: Packed | None = None
    identity: Identity = field(default_factory=Identity)
    confidence: tuple[str, ...] = ()
    regions: tuple[Regions, ...] = ()
    trust: tuple[Trust, ...] = ()
    limits: tuple[str, ...] = ()
    paragraph: str = ""

    @property
    def compared(self) -> dict[str, list[tuple[int, Section]]]:
        """Targets with several methods' tiles: the sections' numbers on the page, and the sections."""
        found: dict[str, list[tuple[int, Section]]] = {}
        for number, section in enumerate(self.sections, start=1):
            if section.tile is not None:
                found.setdefault(section.target, []).append((number, section))
        return {target: tiles for target, tiles in found.items() if len(tiles) > 1}


def pictures(paths: Mapping[str, Path], drawings: Mapping[str, Drawing]) -> tuple[Picture, ...]:
    """The saved figures (see `save_figures`) with the captions of their drawings, for a section."""
    return tuple(Picture(paths[name], drawing.alt, drawing.caption) for name, drawing in drawings.items())


def predicted_classes(
    prediction: NDArray[Any],
    names: Sequence[str],
    geometry: Geometry | None,
    background: Iterable[int] = (0,),
) -> tuple[Predicted, ...]:
    """The classes that occur in a label map (*spatial), largest first, without the background.

    Volumes are voxels times the volume of one voxel, in millilitres; None for pictures.
    """
    labels, counts = np.unique(prediction, return_counts=True)
    millilitres = None
    if geometry is not None and prediction.ndim == 3:
        millilitres = abs(float(np.linalg.det(geometry.affine[:3, :3]))) / 1000
    skipped = set(background)
    rows = [
        Predicted(
            names[label] if 0 <= label < len(names) else f"label {label}",
            count,
            None if millilitres is None else count * millilitres,
        )
        for label, count in zip(labels.tolist(), counts.tolist(), strict=True)
        if label not in skipped
    ]
    return tuple(sorted(rows, key=lambda row: -row.voxels))

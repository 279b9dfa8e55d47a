"""What the page of a study says, as plain data: the study fills it, the template shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from voxplain.metric.comparison import Comparison, Verdict
from voxplain.report.identity import Identity
from voxplain.report.page import MethodCard, Picture, Predicted
from voxplain.report.regions import Regions
from voxplain.report.trust import Trust
from voxplain.report.viewer import Packed

Numbers = NDArray[np.float64]
Facts = Mapping[str, object]


@dataclass(frozen=True)
class Null:
    """A metric's figure for maps that know nothing of the network, or another line to compare with.

    Args:
        name: ``zero``, ``constant``, ``random``, ``edges``, ``gradient`` …
        mean: over cases.
        values: one per case, in the order of the comparison's cases, NaN where missing; empty where only the mean is known.
        floor: whether a map must beat it to mean anything. Not so for the stability of a map that ignores the image, which
            is perfect, nor for the gradient, which knows the network.
    """

    name: str
    mean: float
    values: tuple[float, ...] = ()
    floor: bool = True


@dataclass(frozen=True, eq=False)
class MetricResult:
    """One metric on one model.

    Args:
        name: in settings and tables.
        family: see `voxplain.metric.metric.FAMILIES`.
        reads: how to read it, in a sentence.
        comparison: of the methods; which direction is better stands in its table.
    """

    name: str
    title: str
    family: str
    reads: str
    comparison: Comparison
    source: str = ""
    nulls: tuple[Null, ...] = ()
    parameters: Facts = field(default_factory=dict)

    @property
    def better(self) -> str:
        """``higher``, ``lower`` or ``neither``."""
        return self.comparison.table.better

    @property
    def cases(self) -> int:
        """Cases in which any method has a figure."""
        return int(np.isfinite(self.comparison.table.values).any(1).sum())

    @property
    def ranked(self) -> bool:
        """Whether ranks are over several cases, and thus say more than the figures themselves."""
        return self.better != "neither" and len(self.comparison.table.complete) > 1

    def column(self, method: str) -> Numbers:
        """A method's figures, one per case; all NaN where it has none."""
        table = self.comparison.table
        if method not in table.methods:
            return np.full(len(table.cases), np.nan)
        return table.values[:, table.methods.index(method)]


@dataclass(frozen=True, eq=False)
class AgreementMatrix:
    """How alike the methods' maps are, mean over cases and targets.

    Args:
        kind: of likeness, such as ``spearman_absolute``.
        matrix: (M, M), symmetric; NaN where two maps were never compared.
    """

    names: tuple[str, ...]
    kind: str
    matrix: Numbers


@dataclass(frozen=True)
class Curve:
    """One line of a figure, mean over cases; NaN where a point is missing.

    Args:
        null: whether it is a reference, such as edges or the gradient, and no method of the study.
    """

    name: str
    values: tuple[float, ...]
    null: bool = False


@dataclass(frozen=True)
class CurveSet:
    """Lines over the same points.

    Args:
        points: names of the points, drawn at equal distances, such as ``0.1 %`` or ``stage 3``.
        x: what the points are.
        y: what the values are.
        reads: how to read it, in a sentence.
    """

    title: str
    points: tuple[str, ...]
    x: str
    y: str
    curves: tuple[Curve, ...]
    reads: str = ""


@dataclass(frozen=True)
class Tile:
    """A method's map as a small picture, or why there is none."""

    method: str
    picture: Picture | None = None
    note: str = ""


@dataclass(frozen=True)
class TileRow:
    """All methods' maps of one target in one case."""

    case: str
    target: str
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class TaskRow:
    """One piece of work.

    Args:
        who: a method, or a group of metrics.
        kind: ``map``: a method's maps; ``metric``: figures of metrics; ``regions``: what depends on what.
        status: ``ok``, ``absent``, ``zero``, ``refused``, ``failed``, ``out-of-memory``, ``timeout``, ``not done`` …
        forward, backward: passes.
        reason: where it is not ok.
    """

    case: str
    who: str
    kind: Literal["map", "metric", "regions"]
    status: str
    seconds: float = float("nan")
    forward: int = 0
    backward: int = 0
    peak_mb: float = float("nan")
    reason: str = ""


@dataclass(frozen=True)
class CasePrediction:
    """What a model found in one case, and how sure it is."""

    case: str
    rows: tuple[Predicted, ...]
    confidence: tuple[str, ...] = ()


@dataclass(frozen=True)
class CaseRegions:
    """Where the maps of one case lie."""

    case: str
    regions: tuple[Regions, ...]


@dataclass(frozen=True)
class Unusual:
    """What a case has of a region that the others do not."""

    case: str
    method: str
    target: str
    text: str


@dataclass(frozen=True, eq=False)
class ModelComparison:
    """All that was found for one model.

    Args:
        predictions: one per case.
        regions: of the cases that have pictures.
        unusual: regions of any case whose share is unusual among the cases.
        trust: a panel per method.
        randomisation: likeness of the map to those of redrawn networks, stage by stage.
        curves: such as deletion and insertion.
    """

    name: str
    verdicts: tuple[Verdict, ...] = ()
    metrics: tuple[MetricResult, ...] = ()
    agreement: AgreementMatrix | None = None
    randomisation: CurveSet | None = None
    curves: tuple[CurveSet, ...] = ()
    tiles: tuple[TileRow, ...] = ()
    tasks: tuple[TaskRow, ...] = ()
    facts: Facts = field(default_factory=dict)
    predictions: tuple[CasePrediction, ...] = ()
    regions: tuple[CaseRegions, ...] = ()
    unusual: tuple[Unusual, ...] = ()
    trust: tuple[Trust, ...] = ()

    @property
    def methods(self) -> tuple[str, ...]:
        """All methods that were judged or tried, in order of appearance."""
        judged = [v.method for v in self.verdicts]
        compared = [m for result in self.metrics for m in result.comparison.table.methods]
        tried = [t.who for t in self.tasks if t.kind == "map"]
        return tuple(dict.fromkeys([*judged, *compared, *tried]))

    def verdict(self, method: str) -> Verdict | None:
        """A method's verdict, where it has one."""
        return next((v for v in self.verdicts if v.method == method), None)


@dataclass(frozen=True, eq=False)
class StudyPage:
    """Everything on the page. Nothing in it needs to be escaped: the template does that.

    Args:
        description: what the study asks.
        facts: what it is made of, such as numbers of models and cases, and the seed.
        cases: per case its facts.
        targets: what was explained, in words.
        notes: what a reader must know first.
        missing: what the study lacks, such as "3 of 480 tasks failed".
        methods: those that were run.
        settings: the resolved configuration, as a mapping or as the text of its file.
        versions: of the software.
        command: the command line that makes this page again.
        viewer: volumes to walk through, where there are any.
        identity: hashes, date, intended use.
        limits: what the page cannot tell.
        paragraph: for a paper's methods section.
        cohort: the file beside this page that tells what each segment depends on; "" where nobody asked.
    """

    title: str
    models: tuple[ModelComparison, ...]
    description: str = ""
    facts: Facts = field(default_factory=dict)
    cases: Mapping[str, Facts] = field(default_factory=dict)
    targets: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    methods: tuple[MethodCard, ...] = ()
    settings: Facts | str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    viewer: Packed | None = None
    identity: Identity = field(default_factory=Identity)
    limits: tuple[str, ...] = ()
    paragraph: str = ""
    cohort: str = ""

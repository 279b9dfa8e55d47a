"""What the page of a cohort says, as plain data: `cohort_page` fills it from tables, the template shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from voxplain.aggregate.cohort import (
    Beaten,
    Expected,
    Graph,
    GroupComparison,
    Matrix,
    Metadata,
    Outliers,
    RadiusCurves,
    Relations,
    Signed,
    Summary,
    Tree,
)
from voxplain.aggregate.faithfulness import Faithfulness
from voxplain.report.page import MethodCard, Picture

Numbers = NDArray[np.float64]
Facts = Mapping[str, object]
SELF = "itself"


@dataclass(frozen=True, eq=False)
class Groups:
    """Cases compared by one column of the metadata.

    Args:
        within: by group, its cases alone against the nulls; groups that are too small are left out. What only some patients
            show need not stand out among all.
    """

    column: str
    comparison: GroupComparison
    within: Mapping[str, Beaten] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Lens:
    """All that was found of one model by one method over the regions of one partition.

    Args:
        mass: shares of each target's attribution.
        shares: their summary over cases.
        ratios: log₂ of density, or of the share where nobody counted voxels; shares of 0 replaced. What is compared.
        levels: their summary.
        density: share over share of voxels, and its summary; None where nobody counted voxels.
        expected: what the nulls expect of ``mass``.
        beaten: None without nulls.
        tree: of the targets; None for fewer than three.
        radius: None without shells; ``unit`` of its edges, ``open_end`` whether the last shell has no end.
        entries, scores: relations with the metadata; None without metadata.
        notes: what could not be done, and why.
    """

    method: str
    partition: str
    mass: Matrix
    shares: Summary
    ratios: Matrix
    levels: Summary
    density: Matrix | None
    densities: Summary | None
    expected: Expected
    beaten: Beaten | None
    graph: Graph
    tree: Tree | None = None
    radius: RadiusCurves | None = None
    unit: str = ""
    open_end: bool = False
    outliers: Outliers | None = None
    entries: Relations | None = None
    scores: Relations | None = None
    groups: tuple[Groups, ...] = ()
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def tested(self) -> bool:
        """Whether there are nulls, and enough cases to beat them."""
        return self.beaten is not None and not self.beaten.note

    @property
    def coloured(self) -> NDArray[np.bool_]:
        """(targets, regions) worth a colour: what beats the nulls; all that is known where nothing is tested."""
        if self.beaten is not None and self.tested:
            return self.beaten.mask
        return ~np.isnan(self.shares.mean)

    @property
    def name(self) -> str:
        """As headings call it."""
        return f"{self.method} over {self.partition} regions"


@dataclass(frozen=True, eq=False)
class Pair:
    """Two regions that are worth more (or less) together than apart.

    Args:
        mean, low, high: Shapley interaction index over cases.
    """

    target: str
    pair: str
    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, eq=False)
class Spread:
    """How a region's effect lies in its parts: parts of different cases are not the same, but their spread compares.

    Args:
        effect: mean share of the sizes of the target's effects that lie in the region.
        parts: mean number.
        middle, low, high: quartiles over cases of the largest part's share in the region; 1 / ``parts`` where it is even.
    """

    target: str
    region: str
    effect: float
    parts: float
    middle: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, eq=False)
class Game:
    """What taking regions away does, against one baseline.

    Args:
        statistic: ``shapley``, ``occlusion``, ``alone``, or ``interaction`` where nothing but pairs was asked for.
        summary: of effects over the sum of their sizes within the target; None of interactions. ``signed`` its test.
        pairs: interactions, the largest first.
        warnings: of the baseline's plausibility.
        parts: from Owen values, regions with the largest effects first.
    """

    method: str
    statistic: str
    partition: str
    summary: Summary | None
    signed: Signed | None = None
    pairs: tuple[Pair, ...] = ()
    warnings: tuple[str, ...] = ()
    parts: tuple[Spread, ...] = ()


@dataclass(frozen=True, eq=False)
class Faithful:
    """How one method's table goes with measured effects, case by case.

    Args:
        statistic: of the method that was compared, ``net`` or ``absolute``.
        effect: what it was compared with.
        reference: whether it is a null: the method on redrawn weights.
        cases: that have both.
        found: one per case.
    """

    method: str
    statistic: str
    effect: str
    partition: str
    targets: tuple[str, ...]
    reference: bool
    cases: tuple[str, ...]
    found: tuple[Faithfulness, ...]

    def of(self, name: str, cases: Sequence[str]) -> Numbers:
        """(cases, targets) one of `Faithfulness`'s numbers; NaN for cases that it has not."""
        known = dict(zip(self.cases, self.found, strict=True))
        nothing = np.full(len(self.targets), np.nan)
        return np.stack(
            [np.asarray(getattr(known[c], name) if c in known else nothing, dtype=np.float64) for c in cases]
        )

    def mean(self, name: str) -> tuple[Numbers, NDArray[np.int64]]:
        """Over cases, of one of `Faithfulness`'s numbers: mean and cases, (targets,)."""
        values = np.stack([np.asarray(getattr(f, name), dtype=np.float64) for f in self.found])
        known = (~np.isnan(values)).sum(0)
        return np.nansum(values, 0) / np.where(known > 0, known, np.nan), known


@dataclass(frozen=True)
class Failure:
    """What lacks on this page, and why."""

    case: str
    task: str
    reason: str
    status: str = "failed"


@dataclass(frozen=True, eq=False)
class ModelCohort:
    """All that was found of one model.

    Args:
        lenses: the first is shown whole and its findings come first, the others folded.
        metadata: what is known of the cases.
        pictures: by case, shown in its local view.
        facts: of the model, such as its cost.
    """

    name: str
    cases: tuple[str, ...]
    lenses: tuple[Lens, ...] = ()
    games: tuple[Game, ...] = ()
    faithful: tuple[Faithful, ...] = ()
    metadata: Metadata | None = None
    pictures: Mapping[str, tuple[Picture, ...]] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    facts: Facts = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class CohortPage:
    """Everything on the page. Nothing in it needs to be escaped: the template does that.

    Args:
        level: share of false alarms (q) at which something is called found.
        drawn_cases: local views with figures, per model; the others are told as text.
        facts: what the cohort is made of, such as cost.
        notes: warnings that a reader must know first.
        missing: what the page lacks.
        methods: those that were run.
        settings: the resolved configuration, as a mapping or as the text of its file.
        command: the command line that makes this page again.
    """

    title: str
    models: tuple[ModelCohort, ...]
    description: str = ""
    level: float = 0.05
    drawn_cases: int = 8
    facts: Facts = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    methods: tuple[MethodCard, ...] = ()
    settings: Facts | str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    command: str = ""

"""All that the page shows of one model, drawn and put in order."""

from __future__ import annotations

from dataclasses import dataclass

from voxplain.report.canvas import Drawing
from voxplain.report.cohort.drawings import case_grid, game_grid, level_grid, share_grid
from voxplain.report.cohort.figures.agree import agree
from voxplain.report.cohort.figures.circle import circle
from voxplain.report.cohort.figures.dendrogram import dendrogram
from voxplain.report.cohort.figures.differences import differences
from voxplain.report.cohort.figures.grid import MIDDLE
from voxplain.report.cohort.figures.hover import Hovered
from voxplain.report.cohort.figures.reach import FEWEST, radii, reach
from voxplain.report.cohort.figures.scatter import scatter
from voxplain.report.cohort.figures.scores import scores
from voxplain.report.cohort.figures.shares import shares
from voxplain.report.cohort.page import CohortPage, Game, Groups, Lens, ModelCohort
from voxplain.report.cohort.shown.compared import DRAWN, TOLD, Compared, compared, correction
from voxplain.report.cohort.shown.entries import Entry, order_told, own, strongest
from voxplain.report.cohort.shown.faithful import Truthful, answer, truthful
from voxplain.report.cohort.shown.findings import findings
from voxplain.report.cohort.shown.limits import score_limits
from voxplain.report.cohort.shown.lines import Findings
from voxplain.report.cohort.shown.local import Local, local_views
from voxplain.report.cohort.shown.orders import Order, order_of
from voxplain.report.cohort.shown.relations import Related, panels, related

TABLE = 30  # entries told as text


@dataclass(frozen=True)
class TargetPart:
    """A target's fold-out."""

    target: str
    cases: int
    own: Entry | None
    shares: Drawing
    reach: Drawing | None
    radius: float


@dataclass(frozen=True)
class GroupPart:
    """A column's comparison.

    ``total``: entries that were compared, of which ``called`` are, ``by`` which correction; ``possible``: whether any could
    be.
    """

    groups: Groups
    by: str
    possible: bool
    figure: Drawing | None
    rows: tuple[Compared, ...]
    called: int
    total: int


@dataclass(frozen=True)
class LocalPart:
    """A case with its figure, where it has one."""

    local: Local
    figure: Hovered | None


@dataclass(frozen=True, eq=False)
class LensPart:
    """One lens.

    Attributes:
        number: from 1.
        limits: by target, the score from which on a case is called.
        quiet: cases without a figure of their own.
        ordered: by what the strongest entries are.
    """

    number: int
    lens: Lens
    findings: tuple[Findings, ...]
    levels: Hovered
    shares: Hovered
    strongest: tuple[Entry, ...]
    ordered: str
    total: int
    graph: Drawing
    tree: Drawing | None
    radii: Drawing | None
    targets: tuple[TargetPart, ...]
    scores: Drawing | None
    limits: dict[str, float]
    score_rows: tuple[Related, ...]
    entry_rows: tuple[Related, ...]
    scatter: Drawing | None
    groups: tuple[GroupPart, ...]
    cases: tuple[LocalPart, ...]

    @property
    def banded(self) -> bool:
        """Whether any target's curve has a band."""
        return self.lens.radius is not None and bool((self.lens.radius.n >= FEWEST).any())


@dataclass(frozen=True)
class GamePart:
    """A game's matrix, beside the table of the lens that has the same regions."""

    game: Game
    figure: Hovered | None
    beside: Hovered | None
    beside_name: str


@dataclass(frozen=True)
class FaithfulPart:
    """Methods against one measured truth."""

    name: str
    figure: Drawing | None
    rows: tuple[Truthful, ...]
    answer: str


@dataclass(frozen=True, eq=False)
class Chapter:
    """One model's part of the page; ``number`` from 1, ``places`` the addresses of cases' local views."""

    number: int
    model: ModelCohort
    first: LensPart | None
    others: tuple[LensPart, ...]
    games: tuple[GamePart, ...]
    faithful: tuple[FaithfulPart, ...]
    places: dict[str, str]


def chapter(number: int, model: ModelCohort, page: CohortPage) -> Chapter:
    """Draw and order everything of a model."""
    lenses = [
        _lens(k, model, lens, page.level, page.drawn_cases if k == 1 else 0)
        for k, lens in enumerate(model.lenses, start=1)
    ]
    return Chapter(
        number,
        model,
        lenses[0] if lenses else None,
        tuple(lenses[1:]),
        tuple(_game(g, model) for g in model.games),
        tuple(
            FaithfulPart(name, agree(rows), rows, answer(rows, page.level))
            for name, rows in truthful(model.faithful)
        ),
        {c.local.case: f"case-{number}-{c.local.number}" for part in lenses[:1] for c in part.cases},
    )


def _lens(number: int, model: ModelCohort, lens: Lens, level: float, drawn: int) -> LensPart:
    order = order_of(lens)
    found = strongest(lens)
    limits = None if lens.outliers is None else score_limits(lens.outliers, level)
    score_rows, entry_rows = (related(r, lens.left_out) for r in (lens.scores, lens.entries))
    plotted = panels(lens, score_rows, entry_rows, level)
    first = number == 1
    return LensPart(
        number=number,
        lens=lens,
        findings=findings(lens, level, _divisions(model) if first else ()),
        levels=level_grid(lens, order),
        shares=share_grid(lens, order),
        strongest=tuple(found[:TABLE]),
        ordered=order_told(found),
        total=len(found),
        graph=circle(lens.graph, _names(lens, order), tested=lens.tested),
        tree=None if lens.tree is None else dendrogram(lens.tree),
        radii=radii(lens),
        targets=_targets(lens, order) if first else (),
        scores=None if lens.outliers is None or limits is None else scores(lens.outliers, limits, level),
        limits={} if limits is None else dict(zip(lens.mass.targets, limits.tolist(), strict=True)),
        score_rows=score_rows,
        entry_rows=entry_rows,
        scatter=scatter(plotted, model.metadata) if plotted and model.metadata is not None else None,
        groups=tuple(_group(g, lens, level) for g in lens.groups),
        cases=_cases(model, lens, order, level, drawn) if first else (),
    )


def _divisions(model: ModelCohort) -> tuple[Lens, ...]:
    """One lens of each partition, in their order: which regions a case lacks depends on no method."""
    first: dict[str, Lens] = {}
    for lens in model.lenses:
        first.setdefault(lens.partition, lens)
    return tuple(first.values())


def _names(lens: Lens, order: Order) -> list[str]:
    """Names around the circle: targets in their order, then the other regions."""
    targets = [lens.mass.targets[i] for i in order.targets]
    return list(dict.fromkeys([*targets, *(lens.mass.regions[i] for i in order.regions)]))


def _targets(lens: Lens, order: Order) -> tuple[TargetPart, ...]:
    """Targets that any case has."""
    alone = {e.target: e for e in own(lens)}
    made = []
    for t in order.targets:
        cases = int(lens.mass.answered[:, t].sum())
        if cases:
            name = lens.mass.targets[t]
            radius = float("nan") if lens.radius is None else float(lens.radius.radius_quartiles[1][t])
            made.append(TargetPart(name, cases, alone.get(name), shares(lens, t), reach(lens, t), radius))
    return tuple(made)


def _group(groups: Groups, lens: Lens, level: float) -> GroupPart:
    c = groups.comparison
    by = correction(c, level)
    rows = compared(groups, lens.left_out, level, None)
    figure = differences(rows[:DRAWN], c.statistic, groups.column, by.name, level)
    return GroupPart(
        groups, by.name, by.possible, figure, rows[:TOLD], sum(r.called for r in rows), len(rows)
    )


def _cases(model: ModelCohort, lens: Lens, order: Order, level: float, drawn: int) -> tuple[LocalPart, ...]:
    return tuple(
        LocalPart(v, case_grid(lens, v.case, v.z, order) if v.drawn else None)
        for v in local_views(model, lens, level, drawn)
    )


def _game(game: Game, model: ModelCohort) -> GamePart:
    """Beside the first lens over the same regions, where the same lens does not stand beside an earlier game."""
    first = game is next(g for g in model.games if g.partition == game.partition)
    lens = next((k for k in model.lenses if k.partition == game.partition), None)
    order = None if lens is None else order_of(lens)
    beside = None
    if first and game.summary is not None and lens is not None and order is not None:
        beside = share_grid(lens, order, MIDDLE)
    return GamePart(game, game_grid(game, lens, order), beside, "" if lens is None else lens.name)

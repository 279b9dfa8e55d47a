"""Faithfulness at region level, put together for one measured truth: every method beside its nulls, and which does best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from voxplain.aggregate.cohort.inventory import redrawn_of
from voxplain.aggregate.cohort.multiplicity import false_discovery
from voxplain.aggregate.cohort.networks import WEIGHTS
from voxplain.aggregate.cohort.truthful import Trial, difference, trial
from voxplain.report.cohort.page import Faithful, Numbers
from voxplain.report.cohort.shown.words import equal, listed
from voxplain.report.study.words import count, number


@dataclass(frozen=True, eq=False)
class Truthful:
    """One method; arrays are (targets,), means over cases.

    Attributes:
        null: what 95 % of shufflings of the regions stay below.
        volume: what regions' sizes alone get.
        redrawn: what the method gets on networks with redrawn weights; NaN where none was run.
        beyond: partial correlation given the regions' sizes.
        n: cases.
        trial: against all of these; None for a null.
        q: the trial's p, corrected over the methods.
        agreement: (cases, targets) correlations, of the same cases for all methods.
        kin: of the game that it is compared with: each Shapley value has the region's removal among its passes.
    """

    label: str
    effect: str
    partition: str
    targets: tuple[str, ...]
    reference: bool
    spearman: Numbers
    null: Numbers
    volume: Numbers
    redrawn: Numbers
    beyond: Numbers
    n: NDArray[np.int64]
    agreement: Numbers
    kin: bool
    trial: Trial | None = None
    q: float = float("nan")

    @property
    def overall(self) -> float:
        """Mean over targets."""
        return _mean(self.spearman)

    @property
    def above(self) -> tuple[int, int]:
        """Targets above chance, sizes alone and redrawn weights, and all that can be judged."""
        judged = ~np.isnan(self.spearman) & ~np.isnan(self.null)
        floor = np.fmax(np.fmax(self.null, self.volume), self.redrawn)
        return int((self.spearman[judged] > floor[judged]).sum()), int(judged.sum())

    def means(self) -> dict[str, float]:
        """Over targets."""
        names = ("spearman", "null", "volume", "redrawn", "beyond")
        return {name: _mean(getattr(self, name)) for name in names}

    def verdict(self, level: float) -> str:
        """In words; nothing for a null."""
        if self.trial is None:
            return ""
        told = self.trial.hardest
        if np.isnan(self.q):
            return f"cannot tell: {count(self.trial.cases, 'case')}" + (
                f", too few {told}" if told == WEIGHTS else ""
            )
        if self.q <= level:
            return f"beats {listed(list(self.trial.p))} ({equal('q', self.q)})"
        return f"does not beat {told} ({equal('q', self.q)})"


def truthful(found: tuple[Faithful, ...]) -> tuple[tuple[str, tuple[Truthful, ...]], ...]:
    """By what they are compared with."""
    made: dict[tuple[str, tuple[str, ...]], list[Faithful]] = {}
    for f in found:
        # methods that answer for other targets are a figure of their own
        made.setdefault((f"{f.effect}, {f.partition} regions", f.targets), []).append(f)
    return tuple((name, _rows(v)) for (name, _), v in made.items())


def answer(rows: Sequence[Truthful], level: float) -> str:
    """Which method agrees best with what taking regions away does, and whether that is more than nothing."""
    every = [r for r in rows if r.trial is not None and not np.isnan(r.overall)]
    kin = [f"{r.label} ({number(r.overall, 2)})" for r in every if r.kin]
    beside = f" Of the same game, which shares its passes and does not compete: {listed(kin)}." if kin else ""
    return _best([r for r in every if not r.kin], level) + beside


def _best(own: Sequence[Truthful], level: float) -> str:
    if not own:
        return "Cannot tell: no target has four regions with effects that differ."
    if all(np.isnan(r.q) for r in own):
        first = max(own, key=lambda r: r.overall)
        return f"Cannot tell: {_told(first)}, agrees best, but there are too few cases, or redrawn networks, to test it."
    told = [r for r in own if r.q <= level]
    if not told:
        first = max(own, key=lambda r: r.overall)
        return (
            f"No method is shown to agree with the effects. Closest: {_told(first)}, {first.verdict(level)}."
        )
    best, *others = sorted(told, key=lambda r: -r.overall)
    text = f"Best: {_told(best)}, {best.verdict(level)}."
    steps = [(r, *difference(best.agreement, r.agreement)) for r in others]
    less = [f"{r.label} (by {number(d, 2)}, {equal('p', p)})" for r, d, p, _ in steps if p <= level]
    same = [f"{r.label} ({equal('p', p)})" for r, _, p, _ in steps if not p <= level]
    failed = [f"{r.label} {r.verdict(level)}" for r in own if r not in told]
    if less:
        text += f" Less than that: {listed(less)}."
    if same:
        text += f" Not told apart from it: {listed(same)}."
    if failed:
        text += f" Not shown to agree: {listed(failed)}."
    return text


def _told(row: Truthful) -> str:
    cases = row.trial.cases if row.trial is not None else 0
    return f"{row.label}, {number(row.overall, 2)} in the mean over {count(cases, 'case')}"


def _rows(found: Sequence[Faithful]) -> tuple[Truthful, ...]:
    cases = tuple(dict.fromkeys(c for f in found for c in f.cases))
    rows = [_row(f, found, cases) for f in found]
    qs = false_discovery(np.array([float("nan") if r.trial is None else r.trial.worst for r in rows]))
    return tuple(replace(r, q=float(q)) for r, q in zip(rows, qs, strict=True))


def _row(f: Faithful, found: Sequence[Faithful], cases: Sequence[str]) -> Truthful:
    spearman, n = f.mean("spearman")
    others = [o for o in found if redrawn_of(o.method) == f.method and o.statistic == f.statistic]
    again = [o.of("spearman", cases) for o in others]
    with np.errstate(invalid="ignore"):
        known = [~np.isnan(a) for a in again]
        total = sum(
            (np.where(k, a, 0).sum(0) for k, a in zip(known, again, strict=True)), np.zeros(len(f.targets))
        )
        redrawn = total / sum((k.sum(0) for k in known), np.zeros(len(f.targets)))
    own, chance, size = (f.of(name, cases) for name in ("spearman", "spearman_null", "volume_spearman"))
    return Truthful(
        label=f"{f.method}, {f.statistic}",
        effect=f.effect,
        partition=f.partition,
        targets=f.targets,
        reference=f.reference,
        spearman=spearman,
        null=f.mean("spearman_null")[0],
        volume=f.mean("volume_spearman")[0],
        redrawn=redrawn,
        beyond=f.mean("spearman_beyond_volume")[0],
        n=n,
        agreement=own,
        kin=f.effect.endswith(f" of {f.method}"),
        trial=None if f.reference else trial(own, chance, size, again),
    )


def _mean(values: Numbers) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")

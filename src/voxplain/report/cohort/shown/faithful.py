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
        below: mean over cases by which it agrees less than the best, with its two-sided ``below_p``; NaN of the best.
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
    trial: Trial | None = None
    q: float = float("nan")
    below: float = float("nan")
    below_p: float = float("nan")

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
    own = [r for r in rows if r.trial is not None and not np.isnan(r.overall)]
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
    less = [
        f"{r.label} (by {number(r.below, 2)}, {equal('p', r.below_p)})" for r in others if r.below_p <= level
    ]
    same = [f"{r.label} ({equal('p', r.below_p)})" for r in others if not r.below_p <= level]
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
    rows = [replace(r, q=float(q)) for r, q in zip(rows, qs, strict=True)]
    own = [k for k, r in enumerate(rows) if r.trial is not None and not np.isnan(r.overall)]
    if not own:
        return tuple(rows)
    best = max(own, key=lambda k: rows[k].overall)
    for k in own:
        if k != best:
            less, p, _ = difference(found[best].of("spearman", cases), found[k].of("spearman", cases))
            rows[k] = replace(rows[k], below=less, below_p=p)
    return tuple(rows)


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
        trial=None if f.reference else trial(own, chance, size, again),
    )


def _mean(values: Numbers) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")

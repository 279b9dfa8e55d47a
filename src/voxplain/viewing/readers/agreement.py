"""From notes to agreement between readers, and to what they think of each method."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from voxplain.errors import InputError
from voxplain.inherent.bootstrap import Interval, intervals
from voxplain.viewing.notes.book import latest
from voxplain.viewing.notes.note import Note
from voxplain.viewing.readers.coefficients import icc, krippendorff, weighted_kappa

Numbers = NDArray[np.float64]
Question = Literal["usefulness", "agreement"]
QUESTIONS: tuple[Question, ...] = ("usefulness", "agreement")
DRAWS = 1000
WHOLE = "the case"


@dataclass(frozen=True)
class PairAgreement:
    """Two readers.

    Attributes:
        units: rated by both.
        kappa: Cohen's, with quadratic weights.
    """

    first: str
    second: str
    units: int
    kappa: Interval


@dataclass(frozen=True)
class MethodMean:
    """What readers gave a method: per case the mean of its readers, then over cases.

    Attributes:
        ratings: how many there are.
    """

    method: str
    cases: int
    ratings: int
    mean: Interval


@dataclass(frozen=True)
class Agreement:
    """One question's answers. All intervals are percentiles of a bootstrap over cases, 95 %.

    Attributes:
        units: case and method, rated by anybody; shared: by two readers or more; whole: by all.
        alpha: Krippendorff's, ordinal.
        icc: ICC(2,1), of the whole units.
    """

    question: Question
    readers: tuple[str, ...]
    cases: int
    units: int
    shared: int
    whole: int
    alpha: Interval
    icc: Interval
    pairs: tuple[PairAgreement, ...]
    methods: tuple[MethodMean, ...]


def reader_agreement(notes: Sequence[Note], *, draws: int = DRAWS, seed: int = 0) -> list[Agreement]:
    """How far readers agree, for both questions.

    Ratings of a blinded study are taken where there are any, else those of whole cases; of several versions the last one.

    Args:
        draws: of cases with all their methods and readers, for the intervals.
        seed: of the draws.

    Raises:
        InputError: nobody has rated anything.
    """
    found = latest(list(notes))
    blinded = [n for n in found if n.letter]
    counted = blinded or found
    out = [
        _of_question(rated, question, draws, seed)
        for question in QUESTIONS
        if (rated := [n for n in counted if getattr(n, question) is not None])
    ]
    if not out:
        raise InputError("notes: nobody has rated anything yet")
    return out


def _of_question(notes: list[Note], question: Question, draws: int, seed: int) -> Agreement:
    readers = tuple(sorted({n.author for n in notes}))
    units = sorted({(n.model, n.case, n.method) for n in notes})
    at = {unit: i for i, unit in enumerate(units)}
    ratings = np.full((len(units), len(readers)), np.nan)
    for n in notes:
        ratings[at[n.model, n.case, n.method], readers.index(n.author)] = getattr(n, question)
    cases = [case for _, case, _ in units]

    def spread(statistic: Callable[[Numbers], list[float]]) -> list[Interval]:
        return intervals(
            lambda counts: np.array(statistic(counts.astype(np.float64))), cases, draws=draws, seed=seed
        )

    pairs = list(itertools.combinations(range(len(readers)), 2))
    alpha, icc21, *kappas = spread(
        lambda w: [
            krippendorff(ratings, w),
            icc(ratings, w),
            *(weighted_kappa(ratings[:, i], ratings[:, j], w) for i, j in pairs),
        ]
    )
    count = np.isfinite(ratings).sum(1)
    return Agreement(
        question,
        readers,
        len(set(cases)),
        len(units),
        int((count > 1).sum()),
        int((count == len(readers)).sum()),
        alpha,
        icc21,
        tuple(
            PairAgreement(
                readers[i], readers[j], int(np.isfinite(ratings[:, i] + ratings[:, j]).sum()), kappa
            )
            for (i, j), kappa in zip(pairs, kappas, strict=True)
        ),
        tuple(_means(units, ratings, draws, seed)),
    )


def _means(units: list[tuple[str, str, str]], ratings: Numbers, draws: int, seed: int) -> list[MethodMean]:
    """Of each method of each model; the same draws of cases for all that have the same cases."""
    found = []
    several = len({model for model, _, _ in units}) > 1
    for model, method in dict.fromkeys((model, method) for model, _, method in units):
        rows = [i for i, (m, _, name) in enumerate(units) if (m, name) == (model, method)]
        means = np.nanmean(ratings[rows], axis=1)
        cases = [units[i][1] for i in rows]
        mean = intervals(_weighted(means), cases, draws=draws, seed=seed)[0]
        name = method or WHOLE
        count = int(np.isfinite(ratings[rows]).sum())
        found.append(MethodMean(f"{name} – {model}" if several else name, len(set(cases)), count, mean))
    return sorted(found, key=lambda one: -one.mean.value)


def _weighted(means: Numbers) -> Callable[[NDArray[np.int64]], Numbers]:
    return lambda counts: np.array([(means * counts).sum() / counts.sum() if counts.sum() else np.nan])

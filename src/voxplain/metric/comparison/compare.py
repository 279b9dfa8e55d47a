"""One metric over cases: means with intervals, ranks, and every pair of methods tested."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
import scipy
from numpy.typing import NDArray

from voxplain.errors import InputError
from voxplain.metric.comparison.paired import holm, sign_flip, signed_rank
from voxplain.metric.comparison.ranking import Ranking, ranking
from voxplain.metric.comparison.table import Row, Table, gather

Numbers = NDArray[np.float64]
Test = Literal["signed_rank", "sign_flip"]
NAN = float("nan")
RESAMPLES = 2000
LEAST_RESAMPLED = 3


@dataclass(frozen=True)
class Summary:
    """A method's mean over cases, with 95 % intervals for the mean of cases like these.

    Attributes:
        cases: with a figure.
        low, high: Student's t; NaN for one case.
        boot_low, boot_high: bootstrap over cases (percentiles); NaN for fewer than three.
        rank: mean rank over the cases in which every ranked method has a figure, 1 is the best; NaN where none is better,
            and for methods that are not ranked.
        note: why it is not ranked.
    """

    method: str
    cases: int
    mean: float
    low: float
    high: float
    boot_low: float
    boot_high: float
    rank: float
    note: str = ""


@dataclass(frozen=True)
class Pair:
    """Two methods over the cases in which both have a figure, in each over the targets that both have.

    Attributes:
        difference: mean of first − second; ``low`` and ``high`` are its t interval, not corrected for many pairs.
        p: of a paired test over cases.
        p_holm: p, corrected for all pairs of the comparison.
        note: what stands against reading it.
    """

    first: str
    second: str
    cases: int
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    note: str = ""


@dataclass(frozen=True, eq=False)
class Comparison:
    """All methods under one metric.

    Attributes:
        ranking: of the methods ``table.ranked``, in that order; none where no direction is better, or for fewer than three
            methods or two complete cases.
    """

    table: Table
    summaries: tuple[Summary, ...]
    pairs: tuple[Pair, ...]
    ranking: Ranking | None

    def rows(self) -> list[dict[str, Any]]:
        """One flat row per method."""
        shared = {"metric": self.table.metric, "better": self.table.better}
        return [{**shared, **asdict(s)} for s in self.summaries]

    def pair_rows(self) -> list[dict[str, Any]]:
        """One flat row per pair of methods."""
        return [{"metric": self.table.metric, **asdict(p)} for p in self.pairs]


def compare(
    rows: Iterable[Row],
    metric: str,
    *,
    test: Test = "signed_rank",
    alpha: float = 0.05,
    seed: int = 0,
) -> Comparison:
    """Compare methods under one metric over cases.

    Args:
        rows: a long table (see `voxplain.metric.comparison.gather`).
        test: of pairs: Wilcoxon's ``signed_rank``, or ``sign_flip``, a permutation test of the mean.
        alpha: level of the critical difference and of the notes.
        seed: of the bootstrap and of permutations.

    Raises:
        InputError: unknown metric or test, several models.
    """
    if test not in ("signed_rank", "sign_flip"):
        raise InputError(f"test: found {test!r}, expected 'signed_rank' or 'sign_flip'")
    if not 0 < alpha < 1:
        raise InputError(f"alpha: found {alpha}, expected a level between 0 and 1")
    table = gather(rows, metric)
    ranks = _ranks(table)
    summaries = [
        _summary(method, table.values[:, j], ranks.get(method, NAN), seed, table.note(method))
        for j, method in enumerate(table.methods)
    ]
    found = None
    if table.better != "neither":
        found = ranking(table.complete, higher=table.better == "higher", alpha=alpha, seed=seed)
    return Comparison(table, tuple(summaries), _pairs(table, test, alpha, seed), found)


def t_interval(values: Numbers) -> tuple[float, float]:
    """Student's 95 % interval of a mean; NaN for one value.

    >>> [round(v, 3) for v in t_interval(np.array([1.0, 2.0, 3.0]))]  # 2 ± 4.303 / √3
    [-0.484, 4.484]
    """
    n = len(values)
    if n < 2:
        return NAN, NAN
    half = float(scipy.stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n))
    return float(values.mean()) - half, float(values.mean()) + half


def _summary(method: str, column: Numbers, rank: float, seed: int, note: str) -> Summary:
    values = column[np.isfinite(column)]
    n = len(values)
    boot = (NAN, NAN)
    if n >= LEAST_RESAMPLED:
        drawn = np.random.default_rng([seed, 0xCA5E]).integers(n, size=(RESAMPLES, n))
        low, high = np.quantile(values[drawn].mean(1), [0.025, 0.975])
        boot = float(low), float(high)
    mean = float(values.mean()) if n else NAN
    return Summary(method, n, mean, *t_interval(values), *boot, rank, note)


def _ranks(table: Table) -> dict[str, float]:
    values = table.complete
    if table.better == "neither" or not values.size:
        return {}
    found = scipy.stats.rankdata(-values if table.better == "higher" else values, axis=1).mean(0)
    return dict(zip(table.ranked, found.tolist(), strict=True))


def _pairs(table: Table, test: Test, alpha: float, seed: int) -> tuple[Pair, ...]:
    made = []
    for a, b in combinations(table.methods, 2):
        difference = table.differences(a, b)
        p = signed_rank(difference) if test == "signed_rank" else sign_flip(difference, seed=seed)
        made.append((a, b, difference, p if len(difference) else NAN))
    tests = sum(np.isfinite(p) for *_, p in made)
    out = []
    for (a, b, difference, p), adjusted in zip(made, holm([p for *_, p in made]), strict=True):
        n = len(difference)
        mean = float(difference.mean()) if n else NAN
        note = _note(n, int(np.count_nonzero(difference)), tests, alpha)
        out.append(Pair(a, b, n, mean, *t_interval(difference), p, float(adjusted), note))
    return tuple(out)


def _note(cases: int, differing: int, tests: int, alpha: float) -> str:
    """Whether any outcome at all could have been told from chance.

    Cases without a difference bring no sign that could be either way: the smallest two-sided p is 2 / 2ⁿ of the others.
    """
    if not cases:
        return "no target of any case of which both have a figure"
    if not differing:
        return "no case in which they differ"
    if 2.0 ** (1 - differing) * tests <= alpha:
        return ""
    needed = int(np.ceil(1 + np.log2(tests / alpha)))
    found = f"{cases} cases" if differing == cases else f"they differ in {differing} of {cases} cases"
    return f"cannot tell: {found}, and {tests} tests at level {alpha:g} need at least {needed}"

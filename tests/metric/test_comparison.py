"""Statistics over cases against SciPy, brute force over signs, and the example of Demšar (2006)."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from networks import classifier, random_case
from scipy import stats

from voxplain.attribution import Gradient, InputXGradient
from voxplain.case import Case
from voxplain.engine import Problem
from voxplain.errors import InputError
from voxplain.metric import Rules, compare, evaluate, verdicts
from voxplain.metric.comparison import critical_difference, gather, holm, ranking, sign_flip, signed_rank
from voxplain.metric.comparison.ranking import PERMUTATIONS
from voxplain.model import Model
from voxplain.target import ClassScore

# Demšar 2006, table 6: ranks of the AUC of C4.5, with -m, with -cf, and with both, on 14 data sets.
DEMSAR = np.array(
    [
        [4, 3, 2, 1],
        [1, 2, 3, 4],
        [4, 1, 2, 3],
        [4, 1, 3, 2],
        [4, 2, 3, 1],
        [1, 2.5, 4, 2.5],
        [3, 2, 4, 1],
        [2.5, 2.5, 4, 1],
        [4, 3, 2, 1],
        [2.5, 2.5, 2.5, 2.5],
        [4, 2.5, 1, 2.5],
        [3, 2, 4, 1],
        [4, 1, 2, 3],
        [3, 1, 4, 2],
    ]
)


def row(case, method, value, target="t", metric="m", family="faithfulness", better="higher", **extra):
    names = {"case": case, "model": "net", "target": target, "method": method, "metric": metric}
    return {**names, "family": family, "better": better, "value": value, **extra}


def long(values: np.ndarray, **extra) -> list[dict]:
    """(cases, methods) as rows."""
    return [row(f"c{i}", f"m{j}", float(v), **extra) for (i, j), v in np.ndenumerate(values)]


# ---- tests of paired differences -------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [5, 8, 12, 30])
@pytest.mark.parametrize("alternative", ["two-sided", "greater"])
def test_signed_ranks_without_ties_are_scipy_s(n, alternative):
    d = np.random.default_rng(n).normal(0.3, size=n)
    truth = stats.wilcoxon(d, alternative=alternative, method="exact").pvalue
    assert signed_rank(d, alternative) == pytest.approx(truth, rel=1e-9)


def every_sign(statistic, sizes):
    return np.array(
        [statistic(np.array(s) * sizes) for s in itertools.product([-1.0, 1.0], repeat=len(sizes))]
    )


@pytest.mark.parametrize("alternative", ["two-sided", "greater"])
def test_signed_ranks_with_ties_and_zeros_count_all_signs(alternative):
    d = np.array([0.1, 0.3 - 0.2, -0.2, 0.5, 0.0, -0.1, 0.7, 0.2])  # 0.3 − 0.2 ties with 0.1 but for rounding
    kept = d[d != 0]
    ranks = stats.rankdata(np.round(np.abs(kept), 9))
    assert len(set(ranks)) == 4

    def positive(signed):
        return ranks[signed > 0].sum()

    sums, found = every_sign(positive, np.ones(len(kept))), positive(kept)
    above, below = (sums >= found).mean(), (sums <= found).mean()
    truth = above if alternative == "greater" else min(2 * min(above, below), 1)
    assert signed_rank(d, alternative) == pytest.approx(truth, rel=1e-12)


def test_signed_ranks_of_many_cases_meet_the_approximation():
    d = np.random.default_rng(1).normal(0.08, size=600)
    assert signed_rank(d) == pytest.approx(stats.wilcoxon(d, method="approx").pvalue)
    assert signed_rank(d[:500]) == pytest.approx(stats.wilcoxon(d[:500], method="approx").pvalue, rel=0.02)


@pytest.mark.parametrize("alternative", ["two-sided", "greater"])
def test_sign_flips_count_all_signs(alternative):
    d = np.array([0.4, -0.1, 0.9, 0.3, 0.25, -0.35, 0.0, 0.7])
    sums, found = every_sign(np.sum, np.abs(d)), d.sum()
    extreme = sums >= found - 1e-12 if alternative == "greater" else np.abs(sums) >= abs(found) - 1e-12
    assert sign_flip(d, alternative) == pytest.approx(extreme.mean(), rel=1e-12)


def test_sign_flips_of_more_cases_are_drawn_with_the_seed():
    d = np.random.default_rng(0).normal(0.4, size=30)
    p = sign_flip(d, seed=3)
    assert p == sign_flip(d, seed=3) != sign_flip(d, seed=4)
    assert p == pytest.approx(stats.ttest_1samp(d, 0).pvalue, abs=0.01)
    assert sign_flip(np.full(40, 1.0)) > 0  # a p of nought would claim more than was drawn


def test_no_difference_is_no_difference():
    for test in (signed_rank, sign_flip):
        assert test([0.0, 0.0, 0.0]) == 1.0 == test([]) == test([], "greater")
        assert test([1.0, -1.0]) == 1.0


def test_holm_by_hand():
    # 0.01 0.02 0.03 0.04 → ×4 0.04, ×3 0.06, ×2 0.06, ×1 0.04 which may not be less than 0.06 before it
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([0.02]) == pytest.approx([0.02])
    # what was not tested does not count: ×2, ×1
    found = holm([0.03, math.nan, 0.01])
    assert found[[0, 2]] == pytest.approx([0.03, 0.02]) and math.isnan(found[1])


# ---- ranks -----------------------------------------------------------------------------------------------------------


def test_demsar_s_example():
    found = ranking(-DEMSAR, higher=True)
    assert found.average == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=5e-4)
    # The paper leaves out the correction for ties: 9.28. Ties take 1 − Σ (t³ − t) / (N M (M² − 1)) of it, here two tied
    # three times and four once: 1 − (3·6 + 60) / (14·4·15)
    assert found.chi2 * (1 - 78 / 840) == pytest.approx(9.28, abs=0.005)
    truth = stats.friedmanchisquare(*DEMSAR.T).statistic
    assert found.chi2 == pytest.approx(truth)
    assert found.f == pytest.approx(13 * truth / (14 * 3 - truth))
    # section 3.2.4: q = 2.569 and a critical difference of 1.25 at 0.05; 2.291 and 1.12 at 0.10
    assert found.critical == pytest.approx(2.569 * math.sqrt(4 * 5 / (6 * 14)), abs=2e-3)
    assert round(critical_difference(4, 14, 0.10), 2) == 1.12
    # the largest difference is 3.143 − 1.964 = 1.179: nothing differs at 0.05; at 0.10 C4.5 is worse than -m and than
    # both, and -cf belongs to either group, as the paper says
    assert found.alike == [(3, 1, 2, 0)]
    assert ranking(-DEMSAR, higher=True, alpha=0.1).alike == [(3, 1, 2), (2, 0)]


@pytest.mark.parametrize("higher", [True, False])
def test_ranks_follow_the_direction(higher):
    values = np.array([[1.0, 2.0, 3.0], [2.0, 2.0, 5.0], [1.0, 4.0, 9.0]])
    ranks = ranking(values, higher=higher).average
    expected = np.array([8.5 / 3, 6.5 / 3, 1.0])  # 3 + 2.5 + 3, 2 + 2.5 + 2, 1 + 1 + 1
    assert ranks == pytest.approx(expected if higher else 4 - expected)


def test_few_cases_are_permuted_and_many_follow_f():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3, 3)) + np.array([0, 0.5, 1])
    found = ranking(values, higher=True)
    orders = list(itertools.permutations(range(3)))
    ranks = stats.rankdata(-values, axis=1)
    spread = [
        (sum(r[list(o)] for r, o in zip(ranks, chosen, strict=True)) ** 2).sum()
        for chosen in itertools.product(orders, repeat=3)
    ]
    exact = np.mean(np.array(spread) >= (ranks.sum(0) ** 2).sum() - 1e-9)
    assert found.p == pytest.approx(exact, abs=4 * math.sqrt(exact / PERMUTATIONS))
    many = ranking(rng.normal(size=(40, 5)), higher=True)
    assert many.p == pytest.approx(stats.f.sf(many.f, 4, 4 * 39))
    same = ranking(np.tile([1.0, 2.0, 3.0], (4, 1)), higher=True)
    # all cases agree: of 6⁴ orders 6 do
    assert same.f == math.inf and same.p == pytest.approx(6 / 6**4, abs=0.003)
    tied = ranking(np.ones((4, 3)), higher=True)
    assert tied.chi2 == 0 and tied.p == 1.0
    assert ranking(values[:1], higher=True) is None and ranking(values[:, :2], higher=True) is None


# ---- tables ----------------------------------------------------------------------------------------------------------


def test_a_case_counts_once_however_many_targets_it_has():
    rows = [row("a", "x", 1.0, "t1"), row("a", "x", 3.0, "t2"), row("b", "x", 10.0, "t1")]
    found = compare(rows, "m").summaries[0]
    assert (found.cases, found.mean) == (2, 6.0)
    # the mean of 2 and 10 ± 12.706 · 4 √2 / √2
    assert (found.low, found.high) == pytest.approx((6 - 12.7062 * 4, 6 + 12.7062 * 4), abs=1e-3)
    # repetitions are averaged before targets are
    rows.append(row("a", "x", 5.0, "t2"))
    assert compare(rows, "m").summaries[0].mean == pytest.approx(((1 + 4) / 2 + 10) / 2)


def test_methods_are_judged_by_the_same_targets():
    nan = math.nan
    rows = [
        row("a", "x", 1.0, "easy"),
        row("a", "x", 9.0, "hard"),
        row("a", "y", 2.0, "easy"),
        row("a", "y", nan, "hard"),
        row("b", "x", 4.0, "easy"),
        row("b", "y", nan, "easy"),
        row("c", "x", 5.0, "easy"),
        row("c", "y", 8.0, "easy"),
        row("a", "never", nan, "easy"),
    ]
    table = gather(rows, "m")
    assert table.methods == ("x", "y") == table.ranked and table.cases == ("a", "b", "c")
    assert np.array_equal(table.values, [[1.0, 2.0], [4.0, nan], [5.0, 8.0]], equal_nan=True)
    assert len(table.complete) == 2
    (pair,) = compare(rows, "m").pairs
    assert (pair.cases, pair.difference) == (2, -2.0)


def test_a_method_with_few_figures_does_not_empty_everybody_s_table():
    """Three methods on four targets of two cases, a fourth on one target that nobody else has, and one that all have."""
    rows = [
        row(c, m, v + k, t)
        for c in "ab"
        for k, t in enumerate(("t0", "t1", "t2", "t3"))
        for m, v in (("x", 1.0), ("y", 2.0), ("z", 4.0))
    ]
    rows += [row("a", "odd", 7.0, "else"), row("a", "odd", 0.5, "t1")]
    table = gather(rows, "m")
    assert table.ranked == ("x", "y", "z") and table.methods == ("x", "y", "z", "odd")
    means = [v + 1.5 for v in (1.0, 2.0, 4.0)]
    nan = math.nan
    assert np.array_equal(table.values, [[*means, 3.75], [*means, nan]], equal_nan=True)
    found = compare(rows, "m")
    assert [s.rank for s in found.summaries[:3]] == [3.0, 2.0, 1.0] and math.isnan(found.summaries[3].rank)
    assert "not ranked: figures on 2 of 9 targets" in found.summaries[3].note
    assert not any(s.note for s in found.summaries[:3])
    assert found.ranking.average.tolist() == [3.0, 2.0, 1.0]
    # each pair over its own targets: t1 of case a, where x has 2, y 3 and z 5
    pairs = {(p.first, p.second): (p.cases, p.difference) for p in found.pairs}
    assert pairs["x", "odd"] == (1, 1.5) and pairs["z", "odd"] == (1, 4.5) and pairs["x", "y"] == (2, -1.0)


def test_a_pair_is_compared_on_the_targets_that_both_have():
    """y lacks t0, z lacks t3: the means are over t1 and t2, each pair over three or two."""
    figures = {"x": (1.0, 2.0, 3.0, 4.0), "y": (None, 0.0, 0.0, 9.0), "z": (5.0, 5.0, 6.0, None)}
    rows = [
        row("a", m, v, f"t{k}")
        for m, values in figures.items()
        for k, v in enumerate(values)
        if v is not None
    ]
    found = compare(rows, "m")
    assert found.table.values.tolist() == [[2.5, 0.0, 5.5]]
    pairs = {(p.first, p.second): p.difference for p in found.pairs}
    # (2 + 3 − 5) / 3, (−4 − 3 − 3) / 3, (−5 − 6) / 2
    assert pairs == {
        ("x", "y"): pytest.approx(0.0),
        ("x", "z"): pytest.approx(-10 / 3),
        ("y", "z"): pytest.approx(-5.5),
    }


def test_of_methods_that_share_no_target_the_odd_one_is_not_ranked():
    rows = [row("a", m, 1.0, t) for m in "xy" for t in ("t1", "t2")]
    rows += [row("a", "odd", 1.0, t) for t in ("t3", "t4")]
    table = gather(rows, "m")
    assert table.ranked == ("x", "y") and table.values.tolist() == [[1.0, 1.0, 1.0]]


def test_cases_without_a_difference_do_not_count_for_the_note():
    """Seven cases would do for three pairs, but x and y differ in six of them, and y and z in none."""
    values = np.array([0.0, 1.0, 1.0]) + np.linspace(0, 1, 7)[:, None]
    values[3, 0] = values[3, 1]
    first, second, third = compare(long(values), "m").pairs
    assert "they differ in 6 of 7 cases" in first.note and "need at least 7" in first.note
    assert second.note == first.note and third.note == "no case in which they differ"


def test_what_is_not_comparable_is_refused():
    rows = [row("a", "x", 1.0)]
    with pytest.raises(InputError, match="not in the table"):
        compare(rows, "n")
    with pytest.raises(InputError, match="models 'net', 'other'"):
        compare([*rows, {**rows[0], "model": "other"}], "m")
    with pytest.raises(InputError, match="higher and lower"):
        compare([*rows, {**rows[0], "better": "lower"}], "m")
    with pytest.raises(InputError, match="signed_rank"):
        compare(rows, "m", test="t")
    with pytest.raises(InputError, match="alpha"):
        compare(rows, "m", alpha=0.0)


def test_summaries_and_pairs_against_scipy():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(12, 3)) + np.array([0.0, 0.4, 1.5])
    found = compare(long(values), "m")
    for j, summary in enumerate(found.summaries):
        low, high = stats.t.interval(0.95, 11, values[:, j].mean(), stats.sem(values[:, j]))
        assert (summary.low, summary.high) == pytest.approx((low, high))
        boot = stats.bootstrap((values[:, j],), np.mean, method="percentile", n_resamples=5000, rng=rng)
        width = high - low
        assert summary.boot_low == pytest.approx(boot.confidence_interval.low, abs=0.05 * width)
        assert summary.boot_high == pytest.approx(boot.confidence_interval.high, abs=0.05 * width)
        assert summary.rank == found.ranking.average[j] == stats.rankdata(-values, axis=1).mean(0)[j]
    ps = [
        stats.wilcoxon(values[:, a], values[:, b], method="exact").pvalue for a, b in [(0, 1), (0, 2), (1, 2)]
    ]
    assert [p.p for p in found.pairs] == pytest.approx(ps)
    assert [p.p_holm for p in found.pairs] == pytest.approx(list(holm(ps)))
    assert [(p.first, p.second) for p in found.pairs] == [("m0", "m1"), ("m0", "m2"), ("m1", "m2")]
    assert not any(p.note for p in found.pairs)
    assert found.rows()[2]["mean"] == pytest.approx(values[:, 2].mean()) and len(found.pair_rows()) == 3
    again = compare(long(values), "m")
    assert again.summaries == found.summaries and again.pairs == found.pairs


def test_few_cases_say_that_nothing_can_be_told():
    # three pairs: 2 / 2ⁿ · 3 ≤ 0.05 from n = 7 on
    values = np.array([0.0, 1.0, 2.0]) + np.linspace(0, 1, 7)[:, None] ** 2 * [1, 2, 3]
    assert all("need at least 7" in p.note for p in compare(long(values[:6]), "m").pairs)
    enough = compare(long(values), "m").pairs
    assert all(not p.note and p.p_holm < 0.05 for p in enough)
    one = compare(long(values[:1]), "m")
    assert one.ranking is None and all(math.isnan(s.low) and math.isnan(s.boot_low) for s in one.summaries)


def test_what_only_describes_has_no_ranks():
    found = compare(long(np.random.default_rng(0).normal(size=(8, 3)), better="neither"), "m")
    assert found.ranking is None and all(math.isnan(s.rank) for s in found.summaries)


# ---- verdicts --------------------------------------------------------------------------------------------------------


def judged(n: int, gain: float, better: str = "higher", likeness: float | None = 0.1) -> list[dict]:
    """A method, "x", that beats edges by about ``gain`` on two metrics, and zeros and noise by far."""
    rng = np.random.default_rng(7)
    sign = 1 if better == "higher" else -1
    rows = []
    for i in range(n):
        for metric in ("one", "two"):
            edges = rng.normal()
            value = edges + sign * (gain + 0.1 * rng.normal())
            nulls = {"null_zero": edges - sign * 9, "null_random": edges - sign * 8, "null_edges": edges}
            rows.append(row(f"c{i}", "x", value, metric=metric, better=better, **nulls))
        if likeness is not None:
            value = likeness + 0.01 * rng.normal()
            rows.append(
                row(f"c{i}", "x", value, metric="mprt_absolute", family="randomisation", better="lower")
            )
    return rows


@pytest.mark.parametrize("better", ["higher", "lower"])
def test_a_verdict_for_every_outcome(better):
    def of(rows, **rules):
        (found,) = verdicts(rows, Rules(**rules))
        return found.level, found.text

    assert of(judged(12, 1.0, better)) == ("holds", "holds in these tests (12 cases)")
    level, text = of(judged(12, 1.0, better, likeness=None))
    assert level == "holds" and "not tested by randomisation" in text
    level, text = of(judged(12, -1.0, better))
    assert level == "fails" and text == "no better than edges on faithfulness (12 cases)"
    level, text = of(judged(12, 1.0, better, likeness=0.9))
    assert level == "fails" and text.startswith(
        "fails randomisation on this model: do not trust (mprt_absolute 0.90 > 0.5"
    )
    assert of(judged(12, 1.0, better, likeness=0.9), randomised=0.95)[0] == "holds"
    level, text = of(judged(12, 1.0, better, likeness=0.5))
    assert level == "partly" and "randomisation is open (mprt_absolute)" in text
    level, text = of(judged(3, 1.0, better, likeness=0.9))
    assert level == "cannot tell" and text == (
        "cannot tell beyond these cases (3 cases, 6 are needed); on them: better than its nulls on 2 of 2 faithfulness "
        "metrics, fails randomisation (mprt_absolute 0.90 > 0.5)"
    )
    mixed = [r for r in judged(12, 1.0, better) if r["metric"] != "two"]
    mixed += [r for r in judged(12, -1.0, better) if r["metric"] == "two"]
    level, text = of(mixed)
    assert level == "partly" and "on 1 of 2 faithfulness metrics" in text
    randomised = [r for r in judged(12, 1.0) if r["metric"] == "mprt_absolute"]
    assert of(randomised) == ("cannot tell", "cannot tell: not tested for faithfulness (12 cases)")
    assert "no test" in of([{**r, "value": math.nan} for r in randomised])[1]


def test_rows_that_were_read_back_from_a_table_have_the_same_verdict():
    """Parquet and SQL fill what a row has no value for with None."""
    rows = [*judged(12, 1.0), row("c0", "x", math.nan, metric="one", better="higher")]
    columns = dict.fromkeys(key for r in rows for key in r)
    read = [
        {c: None if isinstance(v := r.get(c), float) and math.isnan(v) else v for c in columns} for r in rows
    ]
    assert any(v is None for r in read for v in r.values())
    assert verdicts(read) == verdicts(rows)
    assert compare(read, "one").rows() == compare(rows, "one").rows()


def with_gradient(rows: list[dict], gradient: float) -> list[dict]:
    """The same, the gradient's likeness beside every randomised one."""
    out = []
    for r in rows:
        if r["family"] == "randomisation":
            beside = {"null_gradient": gradient, "excess": (r["value"] - gradient) / (1 - gradient)}
            out.append({**r, **beside})
        else:
            out.append(r)
    return out


@pytest.mark.parametrize(
    ("likeness", "gradient", "level"),
    [
        (0.6, 0.55, "holds"),  # excess 0.11, though the likeness is above a half
        (0.41, 0.41, "holds"),
        (0.9, 0.41, "fails"),  # 0.83
        (0.4, -0.4, "fails"),  # 0.57, though the likeness is below a half
        (0.7, 0.4, "partly"),  # 0.5 within a hundredth
    ],
)
def test_randomisation_is_read_from_the_excess_over_the_gradient(likeness, gradient, level):
    rows = with_gradient(judged(12, 1.0, likeness=likeness), gradient)
    (found,) = verdicts(rows)
    assert found.level == level
    values = [max(r["excess"], 0) for r in rows if r["family"] == "randomisation"]
    if level == "fails":
        truth = stats.t.interval(0.95, 11, np.mean(values), stats.sem(values))
        assert truth[0] > 0.5
        mean = np.mean([r["value"] for r in rows if r["family"] == "randomisation"])
        assert f"(likeness {mean:.2f} where the gradient has {gradient:.2f}, 12 cases)" in found.text
    assert f"excess {np.mean(values):.2f} over the gradient's" in found.reasons[2]


def test_a_case_counts_once_for_the_excess_too():
    """Case a: (0 + 1) / 2; cases b … g: 0.9 each. One target without a gradient beside it does not count."""
    rows = judged(12, 1.0, likeness=None)
    cells = [("c0", "t0", 0.0), ("c0", "t1", 1.0), ("c0", "t2", math.nan)] + [
        (f"c{i}", "t0", 0.9) for i in range(1, 12)
    ]
    for case, target, excess in cells:
        extra = {"family": "randomisation", "better": "lower", "metric": "mprt_absolute", "excess": excess}
        rows.append(row(case, "x", 0.2, target, null_gradient=0.1, **extra))
    (found,) = verdicts(rows)
    assert f"excess {(0.5 + 11 * 0.9) / 12:.2f}" in found.reasons[2] and found.level == "fails"


def test_one_case_far_less_alike_than_the_gradient_does_not_make_up_for_the_rest():
    extra = {"family": "randomisation", "better": "lower", "metric": "mprt_absolute", "null_gradient": 0.8}
    rows = judged(12, 1.0, likeness=None)
    rows += [row(f"c{i}", "x", 0.9, excess=-5.0 if i == 0 else 0.9, **extra) for i in range(12)]
    (found,) = verdicts(rows)
    assert found.level == "fails" and f"excess {11 * 0.9 / 12:.2f}" in found.reasons[2]


def rounded(*values: float) -> list[dict]:
    return [
        row(f"c{i}", "x", v, metric="rounding_stability", family="robustness") for i, v in enumerate(values)
    ]


def test_a_map_whose_digits_mean_nothing_fails():
    good = judged(12, 1.0)
    (found,) = verdicts([*good, *rounded(*np.linspace(0.0, 0.4, 12))])
    assert (found.level, found.here) == ("fails", "fails")
    assert found.text == "fails: its digits mean nothing (rounding_stability 0.20 < 0.5, 12 cases)"
    assert "rounding_stability: fails (0.20, limit 0.5, 12 cases)" in found.reasons
    # one case is enough, where it is the only one; two whose interval reaches a half are not
    (one,) = verdicts([*judged(1, 1.0), *rounded(0.1)])
    assert one.level == "fails" and "1 case)" in one.text
    (alone,) = verdicts(rounded(0.1))
    assert (alone.level, alone.cases) == ("fails", 1)
    (two,) = verdicts([*judged(2, 1.0), *rounded(0.1, 0.3)])
    assert two.level == "cannot tell" and "rounding_stability: open" in two.reasons[-1]
    (stable,) = verdicts([*good, *rounded(*np.full(12, 0.99))])
    assert stable.level == "holds" and "rounding_stability: passes" in stable.reasons[-1]
    assert verdicts([*good, *rounded(*np.full(12, 0.4))], Rules(stable=0.3))[0].level == "holds"


def test_few_cases_still_say_what_is_true_of_them():
    def of(told: list[bool | None], likeness=None, gradient=0.41, cases=1):
        rows = [
            row(f"c{i}", "x", 1.0, metric=f"m{k}", tells=t, null_edges=0.5, null_random=2.0)
            for i in range(cases)
            for k, t in enumerate(told)
        ]
        if likeness is not None:
            rows += with_gradient(
                [row("c0", "x", likeness, metric="mprt_absolute", family="randomisation", better="lower")],
                gradient,
            )
        (found,) = verdicts(rows)
        return found.here, found.text

    here, text = of([True] * 7 + [False] * 3, likeness=0.83)
    assert here == "fails" and text == (
        "cannot tell beyond this case (1 case, 8 are needed); on it: better than its nulls on 7 of 10 faithfulness "
        "metrics, fails randomisation (likeness 0.83 where the gradient has 0.41)"
    )
    here, text = of([True, True], likeness=0.45)
    assert here == "holds" and text.endswith(
        "passes randomisation (likeness 0.45 where the gradient has 0.41)"
    )
    here, text = of([True, False, None], cases=2)
    assert (
        here == "partly" and "these cases (2 cases" in text and text.endswith("not tested by randomisation")
    )
    # worse than noise by most metrics: noise is named
    here, text = of([False, False])
    assert here == "fails" and "on it: no better than a random map on faithfulness" in text
    (only,) = verdicts(with_gradient([r for r in judged(3, 1.0) if r["family"] == "randomisation"], 0.05))
    assert only.here == "nothing" and "not tested for faithfulness, passes randomisation" in only.text
    # most targets of a case, and most cases
    rows = [row("c0", "x", 1.0, f"t{k}", tells=k < 2, null_edges=0.5) for k in range(3)]
    assert verdicts(rows)[0].here == "holds"
    assert verdicts([{**r, "tells": not r["tells"]} for r in rows])[0].here == "fails"


def test_many_targets_do_not_make_many_cases():
    rows = []
    for target in range(40):
        rows += [{**r, "target": f"t{target}"} for r in judged(3, 1.0)]
    assert verdicts(rows)[0].level == "cannot tell"


def test_the_verdict_s_tests_are_signed_ranks_after_holm():
    rows = judged(9, 0.05)
    by_metric = {m: [r for r in rows if r["metric"] == m] for m in ("one", "two")}
    worst = [
        max(
            stats.wilcoxon([r["value"] - r[n] for r in found], alternative="greater", method="exact").pvalue
            for n in ("null_zero", "null_random", "null_edges")
        )
        for found in by_metric.values()
    ]
    (found,) = verdicts(rows)
    for reason, p in zip(found.reasons, holm(worst), strict=False):
        assert f"corrected p {p:.2g}" in reason
    assert len(found.reasons) == 3 and found.cases == 9
    # many methods at once need more cases: 2⁻ⁿ · 20 ≤ 0.05 from n = 9 on
    crowd = [{**r, "method": f"x{k}"} for k in range(10) for r in judged(8, 1.0, likeness=None)]
    assert all("9 are needed" in v.text for v in verdicts(crowd))
    crowd = [{**r, "method": f"x{k}"} for k in range(10) for r in judged(9, 1.0, likeness=None)]
    assert all(v.level == "holds" for v in verdicts(crowd))


def test_rows_of_evaluations_can_be_compared():
    model = Model(classifier(2), spatial_dims=2, task="classification")
    rows = []
    for seed in range(3):
        case = Case(id=f"c{seed}", image=random_case((7, 7), seed=seed).image, geometry=None, label=None)
        problem = Problem(model, case, [ClassScore(0), ClassScore(1)])
        maps = [m.attribute(problem) for m in (Gradient(), InputXGradient())]
        rows += evaluate(problem, maps, ["faithfulness_correlation", "sparseness"]).rows()
    for metric in ("faithfulness_correlation", "sparseness"):
        found = compare(rows, metric)
        assert found.table.values.shape == (3, 2) and np.isfinite(found.table.values).all()
    assert [v.level for v in verdicts(rows)] == ["cannot tell"] * 2
    with pytest.raises(InputError, match="models"):
        verdicts([*rows, {**rows[0], "model": "other"}])


def test_rules_must_make_sense():
    for parameters in ({"alpha": 1.0}, {"least_cases": 1}):
        with pytest.raises(InputError, match="rules"):
            Rules(**parameters)


@pytest.mark.parametrize("column", ["parameters", "network"])
def test_settings_and_networks_are_not_averaged(column):
    rows = [row(f"c{i}", m, 0.1 * i) | {column: str(i % 2)} for i in range(4) for m in "ab"]
    with pytest.raises(InputError, match="several"):
        gather(rows, rows[0]["metric"])


def test_different_images_of_one_name_are_no_repetitions():
    """Every patient's folder holds a FLAIR.nii.gz."""
    rows = [row("FLAIR", m, 0.1 * i) | {"image": str(i)} for i in range(4) for m in "ab"]
    with pytest.raises(InputError, match=r"'FLAIR'.*4 different images"):
        gather(rows, rows[0]["metric"])


def test_a_map_that_turned_its_sign_or_a_black_background_decides_no_verdict():
    """Signed likeness of −0.95 is no pass, and SSIM of 0.98 no failure."""
    rows = [r for r in judged(12, 1.0) if r["family"] != "randomisation"]
    for i in range(12):
        for name, value in (("mprt", -0.95), ("mprt_ssim", 0.98)):
            rows.append(row(f"c{i}", "x", value, metric=name, family="randomisation", better="lower"))
    (found,) = [v for v in verdicts(rows) if v.method == "x"]
    assert "not tested by randomisation" in found.text

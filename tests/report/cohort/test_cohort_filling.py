"""From tables to the page's content: what was planted is found, what was not is not, and numbers are those of the tables."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from report.cohort.cohorts import FAST, GAME, METHOD, Made, filled, read
from scipy.stats import spearmanr

from voxplain.aggregate.cohort import Outliers, false_discovery
from voxplain.aggregate.cohort.expected import VOLUME, WEIGHTS
from voxplain.aggregate.cohort.inventory import Inventory
from voxplain.aggregate.faithfulness import Faithfulness
from voxplain.aggregate.long_table import JOINER
from voxplain.aggregate.tables.make import RADIUS
from voxplain.errors import InputError
from voxplain.report.cohort import Asked, Faithful
from voxplain.report.cohort.drawings import game_grid
from voxplain.report.cohort.filling.compared import group_columns
from voxplain.report.cohort.shown.compared import compared, correction
from voxplain.report.cohort.shown.entries import own, strongest
from voxplain.report.cohort.shown.faithful import answer, truthful
from voxplain.report.cohort.shown.limits import score_limits
from voxplain.report.cohort.shown.local import local_views
from voxplain.report.cohort.shown.orders import order_of

TARGETS = ("liver", "spleen", "kidney", "stomach")
REGIONS = ("background", *TARGETS, "spine")
ITSELF = {(t, t): 4.0 for t in TARGETS}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """14 cases with a dependence, a shortcut of the south, an odd case, and a case without a spleen."""
    made = Made(
        14,
        TARGETS,
        REGIONS,
        uses={**ITSELF, ("liver", "spine"): 3.0},
        south={("kidney", "stomach"): 6.0},
        odd={(3, "stomach", "liver"): 20.0},
        lacks=[(5, "spleen")],
    )
    made.tables().games()
    known = {
        "site": made.site,
        "age": [50 + (7 * c) % 13 for c in range(14)],
        "sex": ["f", "m"] * 7,
        "id": [f"p{c}" for c in range(14)],
    }
    cohort = made.write(tmp_path_factory.mktemp("whole"), known)
    return cohort, made, filled(cohort).models[0]


def entries(lens) -> set[tuple[str, str]]:
    return {(e.target, e.region) for e in strongest(lens)}


# ---- nulls and entries -----------------------------------------------------------------------------------------------


def test_density_is_that_of_the_tables(whole):
    cohort, _, model = whole
    told = cohort.matrix("density_ratio", method=METHOD)
    lens = model.lenses[0]
    np.testing.assert_allclose(lens.density.values, told.values, rtol=1e-12)
    np.testing.assert_allclose(
        lens.ratios.values, np.log2(told.values), atol=1e-4
    )  # a share of 0 is replaced
    np.testing.assert_allclose(lens.densities.mean, np.nanmean(told.values, axis=0))


def test_planted_dependences_beat_the_nulls_and_nothing_else_does(whole):
    lens = whole[2].lenses[0]
    assert set(lens.beaten.nulls) == {VOLUME, WEIGHTS}
    assert entries(lens) == {("liver", "spine")}  # the shortcut of the south does not stand out among all
    (strong, *_) = strongest(lens)
    assert (strong.target, strong.region) == ("liver", "spine")
    assert strong.beats and strong.nulls == (VOLUME, WEIGHTS) and strong.hardest in strong.nulls
    assert strong.low < strong.density < strong.high and strong.n == 14 and strong.q <= 0.05
    assert [e.beats for e in own(lens)] == [True] * 4


def test_what_redrawn_weights_give_too_is_no_finding(tmp_path):
    uses = {("liver", "spine"): 3.0, ("spleen", "spine"): 3.0}
    made = Made(10, TARGETS, REGIONS, uses=uses, blind={("liver", "spine"): 4.0}).tables()
    assert entries(filled(made.write(tmp_path)).models[0].lenses[0]) == {("spleen", "spine")}


def test_what_distance_explains_is_no_finding(tmp_path):
    """The inner shell, of which the spine is all, has 40 % of the liver's attribution."""
    uses = {("liver", "spine"): 1.5, ("spleen", "spine"): 3.0}
    made = Made(10, TARGETS, REGIONS, uses=uses, noise=0.05).tables()
    without = filled(made.write(tmp_path / "a")).models[0].lenses[0]
    assert entries(without) == {("liver", "spine"), ("spleen", "spine")}
    lens = filled(made.near("liver", "spine").write(tmp_path / "b")).models[0].lenses[0]
    assert "distance" in lens.expected.nulls and entries(lens) == {("spleen", "spine")}
    assert any(n.startswith("no null of distance") for n in without.notes)
    assert not any("distance" in n for n in lens.notes)


def test_what_lacks_is_noted_and_does_not_stop_the_rest(tmp_path):
    made = Made(9, TARGETS, REGIONS).tables()
    made.rows = [r for r in made.rows if r[3][0] == "mass" and r[1][0] == METHOD and r[2][0] == "predicted"]
    lens = filled(made.write(tmp_path)).models[0].lenses[0]
    notes = " ".join(lens.notes)
    for told in ("null of volume", "null of distance", "redrawn weights", "no context radius", "metadata"):
        assert told in notes
    assert lens.beaten is None and lens.density is None and lens.radius is None and not lens.tested
    assert lens.ratios.statistic == "log₂ share" and lens.coloured.all()
    np.testing.assert_allclose(lens.ratios.values, np.log2(lens.mass.values), atol=1e-4)


# ---- groups and relations --------------------------------------------------------------------------------------------


def test_the_shortcut_is_singled_out_and_other_columns_stay_silent(whole):
    lens = whole[2].lenses[0]
    groups = {g.column: g for g in lens.groups}
    assert set(groups) == {"site", "sex"}  # ids are no groups, and age has too many values
    called = {
        k: [(r.target, r.region) for r in compared(g, (), 0.05, None) if r.called] for k, g in groups.items()
    }
    assert called == {"site": [("kidney", "stomach")], "sex": []}
    (row, *_) = compared(groups["site"], (), 0.05)
    values, south = lens.ratios.entry("kidney", "stomach"), np.array(whole[1].site) == "south"
    assert (row.first, row.second) == ("north", "south")
    assert row.difference == pytest.approx(values[south].mean() - values[~south].mean())
    assert row.low < row.difference < row.high
    # in the seven cases of the south alone it beats the nulls
    assert row.more == "south" and row.beats
    within = groups["site"].within
    kidney = TARGETS.index("kidney"), REGIONS.index("stomach")
    assert set(within) == {"north", "south"}
    assert within["south"].p[kidney] <= 0.05 < within["north"].p[kidney]
    assert compared(groups["site"], ("stomach",), 0.05)[0].region != "stomach"


@pytest.mark.parametrize(("least", "name"), [(0.002, "q"), (0.0025, "corrected p"), (0.2, "corrected p")])
def test_the_correction_follows_from_the_design_alone(whole, least, name):
    """24 tests: 24 · 0.002 < 0.05 < 24 · 0.0025."""
    comparison = whole[2].lenses[0].groups[0].comparison
    rng = np.random.default_rng(0)
    for p in (rng.random(comparison.p.shape), np.full(comparison.p.shape, least)):
        made = dataclasses.replace(
            comparison, least=least, p=p, q=false_discovery(p), p_any=np.minimum(p * 7, 1)
        )
        by = correction(made, 0.05)
        assert by.name == name and by.possible == (least <= 0.05)
        np.testing.assert_array_equal(by.called, (made.q if name == "q" else made.p_any) <= 0.05)


def test_columns_are_those_asked_for(whole):
    metadata = whole[0].metadata
    assert group_columns(metadata, FAST) == ["site", "sex"]
    assert group_columns(metadata, Asked(groups=("age",))) == ["age"]
    with pytest.raises(InputError, match="hospital"):
        group_columns(metadata, Asked(groups=("hospital",)))


def test_a_number_with_few_values_divides_into_groups_and_is_a_number(tmp_path):
    """A grade is both; of two values, the groups' comparison says it all; words have no order."""
    made = Made(12, TARGETS, REGIONS, odd={(c, "liver", "spine"): 3.0 ** (c % 3) for c in range(12)}).tables()
    known = {"grade": [1 + c % 3 for c in range(12)], "arm": [0, 1] * 6, "stage": ["i", "ii", "iii"] * 4}
    enough = Asked(
        permutations=249, resamples=50
    )  # to relate all entries, not only those that beat the nulls
    lens = filled(made.write(tmp_path, known), asked=enough).models[0].lenses[0]
    assert [g.column for g in lens.groups] == ["grade", "arm", "stage"]
    assert lens.entries.columns == ("grade",)
    at = 0, TARGETS.index("liver"), REGIONS.index("spine")
    values = lens.ratios.entry("liver", "spine")
    assert lens.entries.effect[at] == pytest.approx(spearmanr(values, known["grade"]).statistic)
    assert lens.entries.effect[at] > 0.9 and lens.entries.n[at] == 12


def test_cases_that_were_not_divided_are_unknown_and_lack_nothing(tmp_path):
    """Three cases of the south have no ground truth: who has an organ at all does not differ by site for that."""
    made = Made(12, TARGETS, REGIONS, uses=ITSELF).tables().tables(partition="label")
    for k, (_, _, partition, _, cases, *_) in enumerate(made.rows):
        if partition[0] == "label":
            kept = ~np.isin(cases, made.cases[9:])
            made.rows[k] = tuple(column[kept] for column in made.rows[k])
    model = filled(made.write(tmp_path, {"site": made.site})).models[0]
    whole, divided = model.lenses
    assert (whole.partition, divided.partition) == ("predicted", "label")
    assert [lens.groups[0].comparison.sizes for lens in model.lenses] == [(6, 6), (6, 3)]
    for lens in model.lenses:
        assert np.isnan(lens.groups[0].comparison.presence_p).all()
        np.testing.assert_array_equal(lens.shares.n, 12 if lens is whole else 9)
    told = "3 of 12 cases have no row of label regions: case-09, case-10 and case-11"
    assert told in divided.notes and not any("no row" in n for n in whole.notes)
    assert len(local_views(model, divided, 0.05, drawn=2)) == 12  # nobody is dropped from the cohort


def test_of_too_many_entries_those_that_beat_the_nulls_are_related(whole):
    """199 permutations of labels, 399 of relations: 0.05 · 400 = 20 tests could be told apart, and there are 24."""
    lens = whole[2].lenses[0]
    tested = ~np.isnan(lens.entries.p[lens.entries.columns.index("age")])
    np.testing.assert_array_equal(tested, lens.coloured)
    assert any("24 relations" in n for n in lens.notes)
    more = filled(whole[0], asked=Asked(permutations=249, resamples=50)).models[0].lenses[0]
    assert (~np.isnan(more.entries.p)).sum() == 24


# ---- cases -----------------------------------------------------------------------------------------------------------


def test_the_odd_case_comes_first_with_its_cause_and_the_lacking_one_next(whole):
    model = whole[2]
    views = local_views(model, model.lenses[0], 0.05, drawn=2)
    assert [v.case for v in views[:2]] == ["case-03", "case-05"]
    assert [v.drawn for v in views] == [True] * 2 + [False] * 12 and len(views) == 14
    (call,) = views[0].calls
    assert call["target"] == "stomach" and call["regions"][0]["region"] == "liver"
    first = views[0].deviations[0]
    assert (first.target, first.region) == ("stomach", "liver") and first.z > 3
    assert first.percentile == pytest.approx(100 * 13.5 / 14)  # above all 13 others, and half of itself
    assert first.share == pytest.approx(model.lenses[0].mass.entry("stomach", "liver")[3])
    assert views[1].missing == ("spleen",) and views[0].known["age"] == str(50 + 21 % 13)


def test_limits_separate_exactly_what_is_called():
    rng = np.random.default_rng(1)
    for odd in (0.0, 0.0, 6.0):
        score = rng.normal(size=(20, 3))
        score[0, 1] += odd
        score[7:, 2] = np.nan
        made = scored(score)
        limits = score_limits(made, 0.05)
        called = made.q <= 0.05
        assert called.any() == (odd > 0)
        with np.errstate(invalid="ignore"):
            np.testing.assert_array_equal(score >= limits, called)
    assert np.isnan(score_limits(scored(np.full((4, 2), np.nan)), 0.05)).all()


def test_limits_are_where_the_last_one_is_called():
    """Beside one that is sure, a second is called from the limit of two on, and not below it."""
    score = np.random.default_rng(2).normal(0, 0.5, size=(15, 2))
    score[0, 0] = 9.0
    score[1, 1] = 8.0
    both = score_limits(scored(score), 0.05)
    for just, called in ((1 + 1e-6, 2), (1 - 1e-6, 1)):
        score[1, 1] = both[1] * just
        made = scored(score)
        assert (made.q <= 0.05).sum() == called
    assert score_limits(made, 0.05)[1] > both[1]  # of one alone


def scored(score: np.ndarray) -> Outliers:
    """Outliers of these scores, with p as `voxplain.aggregate.cohort.outliers` has it."""
    from scipy import stats

    n = (~np.isnan(score)).sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = stats.t.sf(score / np.sqrt(1 + np.pi / (2 * n)), 0.82 * (n - 1))
    shape = (*score.shape, 1)
    names = tuple(map(str, range(score.shape[0]))), tuple(map(str, range(score.shape[1]))), ("r",)
    nothing = np.zeros((score.shape[0], 1), dtype=bool)
    return Outliers(
        *names, score, p, false_discovery(p), np.zeros(shape), np.zeros(shape), nothing, nothing, np.ones(1)
    )


def test_clusters_stand_together(whole):
    lens = whole[2].lenses[0]
    order = order_of(lens)
    assert sorted(order.targets) == [0, 1, 2, 3] and sorted(order.regions) == list(range(6))
    names = [lens.mass.targets[t] for t in order.targets]
    assert tuple(names) == lens.tree.order
    assert [
        lens.mass.regions[r] for r in order.regions[:4]
    ] == names  # regions that are targets come in the same order
    clusters = [lens.tree.cluster_of()[n] for n in names]
    assert order.row_breaks == tuple(i for i in range(1, 4) if clusters[i] != clusters[i - 1])


# ---- games and faithfulness ------------------------------------------------------------------------------------------


def test_effects_are_shares_and_pairs_are_told(whole):
    _, made, model = whole
    shapley, occlusion = model.games
    assert (shapley.method, shapley.statistic, occlusion.statistic) == (GAME, "shapley", "occlusion")
    t = TARGETS.index("kidney")
    effects = np.where(made.voxels[:, None] > 0, made.absolute, np.nan)[:, t]
    expected = effects / np.nansum(np.abs(effects), 1, keepdims=True)
    np.testing.assert_allclose(occlusion.summary.mean[t], np.nanmean(expected, 0))
    assert len(shapley.pairs) == 4 and not occlusion.pairs
    sizes = [abs(p.mean) for p in shapley.pairs]
    assert sizes == sorted(sizes, reverse=True)
    assert {p.pair for p in shapley.pairs} == {"background × liver"}
    found = next(p for p in shapley.pairs if p.target == "kidney")
    assert found.mean == pytest.approx(np.mean(made.absolute[:, t, 0] / 1000 + 5)) and found.n == 14


def test_interactions_alone_are_told_too(tmp_path):
    made = Made(3, TARGETS, REGIONS).tables().games()
    made.rows = [r for r in made.rows if r[3][0] not in ("shapley", "occlusion")]
    (game,) = filled(made.write(tmp_path)).models[0].games
    assert game.statistic == "interaction" and game.summary is None and len(game.pairs) == 4


def test_a_region_alone_and_the_spread_over_its_parts_are_told(tmp_path):
    """Cases cut their regions into other parts; in half of them the liver's effect on itself is even over its four."""
    made = Made(4, TARGETS, REGIONS).tables().games()
    shape = (4, len(TARGETS), 1)
    made._add(
        "net", GAME, "predicted", REGIONS, "alone", 2 * made.absolute, np.ones((*shape[:2], len(REGIONS)))
    )
    for name, of_even, of_odd in (
        ("liver · 1", 2.0, -6.0), ("liver · 2", 2.0, 1.0), ("liver · 3", 2.0, 1.0), ("liver · 4", -2.0, np.nan),
        ("spine · 1", 1.0, 1.0), ("spine · 2", 3.0, 3.0), ("stomach · 1", 4.0, 4.0), ("spleen", np.nan, np.nan),
    ):  # fmt: skip
        values = np.broadcast_to(np.array([of_even, of_odd] * 2)[:, None, None], shape)
        made._add("net", GAME, "predicted", [name], "owen", values, np.ones(shape))
    page = filled(made.write(tmp_path))
    shapley, occlusion, alone = page.models[0].games
    assert alone.statistic == "alone" and "the region alone" in game_grid(alone, None, None).caption
    np.testing.assert_allclose(alone.summary.mean, occlusion.summary.mean)  # as shares of twice as much
    assert not occlusion.parts and not alone.parts
    assert [(p.target, p.region) for p in shapley.parts] == [
        (t, r) for r in ("liver", "spine") for t in sorted(TARGETS)
    ]  # a stomach of one part has no spread, nor has a spleen of none
    liver, spine = shapley.parts[0], shapley.parts[4]
    assert (liver.effect, liver.parts, liver.n) == (0.5, 3.5, 4)
    assert (liver.low, liver.middle, liver.high) == (0.25, 0.5, 0.75)
    assert (spine.effect, spine.parts, spine.middle) == (0.25, 2.0, 0.75)
    shown = read(page)
    (at,) = (k for k, c in enumerate(shown.captions) if c.startswith("How effects lie in the parts"))
    row = [" ".join(cell.split()) for cell in shown.tables[at][1]]
    assert row == ["kidney", "liver", "50 %", "3.5", "50 %", "25 % to 75 %", "4"]


def test_faithfulness_is_rank_correlation_case_by_case(whole):
    cohort, _, model = whole
    found = {(f.method, f.statistic): f for f in model.faithful}
    assert set(found) == {(m, s) for m in (METHOD, f"{METHOD}~redrawn-1") for s in ("net", "absolute")} | {
        (GAME, "shapley")
    }
    assert [found[METHOD, "net"].reference, found[f"{METHOD}~redrawn-1", "net"].reference] == [False, True]
    mean, n = found[METHOD, "absolute"].mean("spearman")
    np.testing.assert_allclose(mean, 1.0)  # effects are the absolute sums themselves
    np.testing.assert_array_equal(n, [14, 13, 14, 14])
    effect = cohort.matrix("occlusion", method=GAME)
    blind = cohort.matrix("absolute", method=f"{METHOD}~redrawn-1")
    each = [
        spearmanr(blind.values[c, 0], effect.values[c, 0], nan_policy="omit").statistic for c in range(14)
    ]
    assert found[f"{METHOD}~redrawn-1", "absolute"].mean("spearman")[0][0] == pytest.approx(np.mean(each))


def test_absolute_sums_are_compared_with_sizes_and_net_sums_with_signs(tmp_path):
    made = Made(3, TARGETS, REGIONS).tables().games(against=["spine", "stomach"])
    cohort = made.write(tmp_path)
    found = {(f.method, f.statistic): f for f in filled(cohort).models[0].faithful}
    np.testing.assert_allclose(found[METHOD, "absolute"].mean("spearman")[0], 1.0)
    net, effect = cohort.matrix("net", method=METHOD), cohort.matrix("occlusion", method=GAME)
    each = [spearmanr(net.values[c, 2], effect.values[c, 2]).statistic for c in range(3)]
    assert found[METHOD, "net"].mean("spearman")[0][2] == pytest.approx(np.mean(each)) and np.mean(each) < 0.9


def test_a_table_is_faithful_where_it_beats_chance_and_size():
    def one(*values):
        return Faithfulness(*(np.array(v) for v in values), np.array([6] * 4), ("ok",) * 4)

    nothing = [np.nan] * 4
    spearman, null, volume = [0.8, 0.8, 0.3, np.nan], [0.5, 0.9, 0.5, np.nan], [0.9, 0.2, 0.1, 0.1]
    cases = [
        one(nothing, s, nothing, nothing, nothing, null, nothing, volume, nothing, nothing)
        for s in (spearman, [0.7, 1.0, np.nan, np.nan])
    ]
    ((name, (row,)),) = truthful(
        (Faithful("m", "net", "occlusion", "p", ("a", "b", "c", "d"), False, ("x", "y"), tuple(cases)),)
    )
    assert name == "occlusion, p regions"
    np.testing.assert_allclose(row.spearman, [0.75, 0.9, 0.3, np.nan])
    np.testing.assert_array_equal(row.n, [2, 2, 1, 0])
    # a beats chance, but not size; b meets chance and does not beat it; c beats size only
    assert row.above == (0, 3) and row.means()["spearman"] == pytest.approx((0.75 + 0.9 + 0.3) / 3)


def test_the_best_is_of_those_that_are_shown_to_agree_and_others_are_compared_with_it():
    """A agrees best, but redrawn weights as well; C is 0.1 below B, not 0.2 below A; the game itself does not compete."""
    steps = 0.01 * np.random.default_rng(0).normal(size=10)

    def rows(method, level, reference=False):
        nothing = np.full(1, np.nan)
        each = [
            Faithfulness(nothing, np.array([level + x]), nothing, nothing, nothing, np.array([0.3]), nothing,
                         np.array([0.2]), nothing, nothing, np.array([6]), ("ok",))
            for x in (np.roll(steps, 3) if reference else steps)
        ]  # fmt: skip
        return Faithful(
            method, "net", "occlusion of g", "p", ("t",), reference, tuple("abcdefghij"), tuple(each)
        )

    found = [
        *(rows(m, level) for m, level in (("A", 0.9), ("B", 0.8), ("C", 0.7), ("g", 0.99))),
        *(rows(f"{m}~redrawn-1", level, True) for m, level in (("A", 0.9), ("B", 0.1), ("C", 0.1))),
    ]
    # other sums of a redrawn network are another question
    found.append(dataclasses.replace(rows("B~redrawn-1", 0.95, True), statistic="absolute"))
    ((_, made),) = truthful(tuple(found))
    told = answer(made, 0.05)
    assert told.startswith(
        "Best: B, net, 0.8 in the mean over 10 cases, beats chance, sizes alone and redrawn weights"
    )
    assert "Less than that: C, net (by 0.1, p = 0.002)" in told
    assert "Not shown to agree: A, net does not beat redrawn weights" in told
    assert told.endswith("Of the same game, which shares its passes and does not compete: g, net (0.99).")


# ---- what there is ---------------------------------------------------------------------------------------------------


def test_methods_games_and_redrawn_networks_are_told_apart():
    rows = [(m, "predicted", "mass") for m in ("a", "a~redrawn-2", "a~redrawn-10", "b:x=1")]
    rows += [("game(blur)", "predicted", "shapley"), ("a", "distance", "mass"), ("a", "label", "mass")]
    rows += [("a", f"predicted{JOINER}distance", "mass"), ("a", RADIUS, "radius")]
    rows += [("b:x=1", "predicted", "volume_ml")]
    known = Inventory("net", frozenset(rows))
    assert known.methods == ("a", "b:x=1") and known.games == ("game(blur)",)
    assert known.redrawn("a") == ("a~redrawn-2", "a~redrawn-10") and known.redrawn("b:x=1") == ()
    assert known.partitions("a") == ("predicted", "label")
    assert known.size("predicted", "a") == ("b:x=1", "volume_ml") and known.size("label", "a") is None


def test_models_methods_and_partitions_come_as_asked(tmp_path):
    made = Made(3, TARGETS, REGIONS)
    made.tables("a").tables("b").tables("a", "label").tables("a", model="other")
    cohort = made.write(tmp_path)
    page = filled(cohort)
    assert [m.name for m in page.models] == ["net", "other"]
    pairs = [(k.method, k.partition) for k in page.models[0].lenses]
    assert pairs == [("a", "predicted"), ("a", "label"), ("b", "predicted")]
    page = filled(cohort, models=["other", "net"], methods=["b", "a"], partitions=["predicted"])
    assert [[k.method for k in m.lenses] for m in page.models] == [["a"], ["b", "a"]]
    assert "no table of b" in page.models[0].notes
    with pytest.raises(InputError, match="nobody"):
        filled(cohort, models=["nobody"])


def test_models_may_have_cohorts_of_their_own(tmp_path):
    one = Made(4, TARGETS, REGIONS).tables().write(tmp_path / "a", {"dice:liver": [0.1, 0.2, 0.3, 0.4]})
    two = Made(3, TARGETS, REGIONS).tables(model="two").write(tmp_path / "b")
    page = filled({"net": one, "two": two})
    assert [(m.name, len(m.cases), m.metadata is None) for m in page.models] == [
        ("net", 4, False),
        ("two", 3, True),
    ]


def test_the_same_seed_gives_the_same_numbers(whole):
    again = filled(whole[0]).models[0].lenses[0]
    first = whole[2].lenses[0]
    np.testing.assert_array_equal(first.densities.low, again.densities.low)
    np.testing.assert_array_equal(first.groups[0].comparison.p, again.groups[0].comparison.p)
    other = filled(whole[0], asked=dataclasses.replace(FAST, seed=1)).models[0].lenses[0]
    assert (first.densities.low != other.densities.low).any()

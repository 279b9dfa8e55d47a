"""The page of a study: verdicts first, values of the comparison, nulls told, everything escaped, nothing loaded."""

from __future__ import annotations

import base64
import dataclasses
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from report.study_pages import METHODS, PNG, long, page, read, results, row

from voxplain.errors import InputError
from voxplain.metric import compare, verdicts
from voxplain.report import MethodCard, Picture
from voxplain.report.study import (
    AgreementMatrix,
    Curve,
    CurveSet,
    ModelComparison,
    Null,
    StudyPage,
    TaskRow,
    Tile,
    TileRow,
    render_study,
    write_study_page,
)
from voxplain.report.study.marks import mark
from voxplain.report.study.words import number

EVIL = "<b>x</b>\"'><script>alert(1)</script>{{ 7*7 }}$\\frac"


def evil_page() -> StudyPage:
    rows = [{**r, "method": EVIL if r["method"] == "good" else r["method"], "model": EVIL} for r in long(9)]
    made = tuple(
        dataclasses.replace(m, title=EVIL, reads=EVIL, source=EVIL, parameters={EVIL: EVIL})
        for m in results(rows)
    )
    found = tuple(dataclasses.replace(v, text=EVIL, reasons=(EVIL,)) for v in verdicts(rows))
    curves = CurveSet(
        EVIL, (EVIL, EVIL), EVIL, EVIL, (Curve(EVIL, (1.0, 0.5)), Curve(EVIL, (1.0, 0.9), True)), EVIL
    )
    model = ModelComparison(
        EVIL, found, made, AgreementMatrix((EVIL, EVIL + "2"), EVIL, np.ones((2, 2))), curves, (curves,),
        (TileRow(EVIL, EVIL, (Tile(EVIL, Picture(PNG, EVIL)), Tile(EVIL, None, EVIL))),),
        (TaskRow(EVIL, EVIL, "map", EVIL, reason=EVIL),), {EVIL: EVIL},
    )  # fmt: skip
    return StudyPage(
        EVIL, (model, dataclasses.replace(model, name=EVIL + "2")), EVIL, {EVIL: EVIL}, {EVIL: {EVIL: EVIL}}, (EVIL,),
        (EVIL,), (EVIL,), (MethodCard(EVIL, {EVIL: EVIL}, EVIL, EVIL),), EVIL, {EVIL: EVIL}, EVIL,
    )  # fmt: skip


# ---- the answer ------------------------------------------------------------------------------------------------------


def test_every_method_s_verdict_comes_first_with_symbol_and_word():
    made = page()
    reader = read(made)
    lines = reader.table("Verdicts")
    assert {line[0] for line in lines[1:]} == set(METHODS)
    for verdict in made.models[0].verdicts:
        (line,) = [line for line in lines if line[0] == verdict.method]
        assert verdict.text in line[1].replace(f"{verdict.level}: ", "") and line[1].startswith(verdict.level)
        assert all(reason in line[1] for reason in verdict.reasons)
        assert line[-1] == str(verdict.cases)
    levels = [
        a["class"].split()[1] for t, a in reader.tags if t == "span" and "light" in (a.get("class") or "")
    ]
    assert levels[:3] == ["good", "good", "bad"]  # the poor one last
    assert lines[-1][0] == "poor" and "no better than edges" in lines[-1][1]
    order = [reader.words.index(w) for w in ("Research use only", "The answer", "Maps side by side", "All metrics",
             "Metric by metric", "Agreement of", "Randomised weights, stage", "Deletion and insertion", "Failures, refusals",
             "Methods, with parameters", "How to make this again")]  # fmt: skip
    assert "Of 3 methods: 2 hold in these tests, 1 fails." in reader.words
    assert order[0] == 0 or order[0] < order[1]
    text = render_study(made)
    places = [text.index(f'<section id="{name}') for name in ("answer", "maps-1", "table-1", "metrics-1", "agreement-1",
              "randomisation-1", "curves-1", "work-1", "used", "again")]  # fmt: skip
    assert places == sorted(places)


def test_ranks_likeness_and_stability_stand_beside_the_verdict():
    made = page()
    metrics = {m.name: m for m in made.models[0].metrics}
    ranks = [
        np.mean([metrics[m].comparison.summaries[k].rank for m in ("deletion", "insertion")])
        for k in range(3)
    ]
    likeness = metrics["mprt_absolute"].comparison.summaries
    lines = {line[0]: line for line in read(made).table("Verdicts")}
    for k, method in enumerate(METHODS):
        assert lines[method][2] == f"{number(ranks[k], 2)} on 2 metrics"
        assert lines[method][3] == f"{number(likeness[k].mean, 2)} gradient 0.12"
        assert lines[method][4] == "0.25"


def test_several_models_are_compared_in_one_table():
    one, two = page(name="first").models[0], page(methods=("good", "other"), name="second").models[0]
    reader = read(page(models=(one, two)))
    rows = {
        line[0]: line[1:] for line in reader.table("Verdicts, one row per method and one column per model")
    }
    assert rows["Method"] == ["first", "second"]
    assert rows["poor"] == ["fails", "–"] and rows["other"][0] == "–"
    names = [a["id"] for _, a in reader.tags if a.get("id")]
    assert len(names) == len(set(names))
    links = [a["href"] for t, a in reader.tags if t == "a"]
    assert links and {link[1:] for link in links} <= set(names)


# ---- the table -------------------------------------------------------------------------------------------------------


def cells(made: StudyPage) -> dict[tuple[str, str], str]:
    lines = read(made).table("Methods × metrics")
    heads = [re.sub(r"^Title of | [↑↓]$", "", h) for h in lines[1]]
    return {(line[0], h): cell for line in lines[2:] for h, cell in zip(heads[1:], line[1:], strict=True)}


def test_cells_hold_the_means_intervals_and_ranks_of_the_comparison():
    made = page()
    found = cells(made)
    for result in made.models[0].metrics:
        for s in result.comparison.summaries:
            cell = found[s.method, result.name]
            assert cell.startswith(f"{number(s.mean)} [{number(s.low)}, {number(s.high)}]")
            assert (f"rank {number(s.rank, 2)}" in cell) == (result.better != "neither")
        for null in result.nulls:
            label = {"edges": "edges", "random": "random map", "zero": "zeros", "gradient": "gradient"}[
                null.name
            ]
            kind = "reference" if null.name == "gradient" or label == "zeros" else "null"
            assert found[f"{kind}: {label}", result.name].startswith(number(null.mean))


def test_cells_no_better_than_a_null_say_so():
    found = cells(page())
    assert found["poor", "insertion"].endswith("worse than edges")
    assert found["poor", "deletion"].endswith("worse than edges")
    for cell in (("good", "insertion"), ("good", "deletion"), ("middling", "insertion"), ("poor", "mprt_absolute"),
                 ("good", "sensitivity_average"), ("good", "sparseness")):  # fmt: skip
        assert "edges" not in found[cell] and "zeros" not in found[cell]
    rows = long(9)
    for i, r in enumerate(r for r in rows if r["method"] == "good" and r["metric"] == "insertion"):
        r["value"] = 0.001 * (i // 2) + (0.5 if i % 2 else -0.4)  # above and below edges
    made = page(models=(ModelComparison("net", tuple(verdicts(rows)), results(rows)),))
    assert cells(made)["good", "insertion"].endswith("≈ edges")


def test_a_null_s_mean_is_over_the_targets_that_methods_share():
    nan, rows = float("nan"), []
    for case, edges in (("a", 1.0), ("b", 5.0)):
        for target, more in (("easy", 0.0), ("hard", 100.0)):
            for method in ("x", "y"):
                lost = method == "y" and target == "hard" and case == "a"
                value = nan if lost else 7.0
                rows.append(row(case, method, value, target=target, null_edges=edges + more, null_zero=nan))
    (result,) = results(rows)
    (null,) = result.nulls  # zeros have no figure
    # case a: both methods have the easy target only; case b: both targets, 5 and 105
    assert (null.name, null.values, null.mean) == ("edges", (1.0, 55.0), 28.0)


def test_what_a_map_need_not_beat_is_a_reference():
    for result in results(long(2)):
        floors = {null.name: null.floor for null in result.nulls}
        if result.name == "mprt_absolute":
            assert floors == {"edges": True, "gradient": False}
        elif result.family == "robustness":  # a map that ignores the image is stable
            assert not any(floors.values())
        else:
            assert all(floors.values())


def test_without_a_null_s_cases_its_mean_decides():
    (result,) = results(long(6, metrics=("insertion",)))
    for mean, text in ((0.9, None), (1.1, "worse than edges")):
        alone = dataclasses.replace(result, nulls=(Null("edges", mean),))
        found = mark(alone, "good")
        assert (found and found.text) == text


def test_a_method_with_few_figures_is_not_ranked_and_the_page_says_why():
    rows = long(9, ("rare", *METHODS), ("insertion",))
    for r in rows:
        if r["method"] == "rare" and r["case"] != "c0":
            r["value"] = float("nan")
    model = ModelComparison("net", tuple(verdicts(rows)), results(rows))
    reader = read(page(models=(model,)))
    (line,) = [line for line in reader.table("Methods × metrics") if line[0] == "rare"]
    assert line[1] and "rank" not in line[1]
    assert "rare: not ranked" in reader.words
    (diagram,) = [a["alt"] for t, a in reader.tags if t == "img" and a["alt"].startswith("Mean ranks")]
    assert "good" in diagram and "rare" not in diagram


# ---- fold-outs -------------------------------------------------------------------------------------------------------


def test_pairs_are_those_of_the_comparison():
    made = page()
    reader = read(made)
    lines = reader.table("Pairs under Title of insertion")
    (result,) = [m for m in made.models[0].metrics if m.name == "insertion"]
    assert len(lines) == 1 + 3
    for pair in result.comparison.pairs:
        (line,) = [line for line in lines if line[:2] == [pair.first, pair.second]]
        assert line[2:4] == [number(pair.difference), f"[{number(pair.low)}, {number(pair.high)}]"]
        assert line[4] == number(pair.p, 2) and line[5] == number(pair.p_holm, 2)
    assert "How insertion reads. Higher is better." in reader.words


def test_of_many_methods_only_pairs_that_differ_are_listed_and_the_rest_counted():
    methods = tuple(f"m{k}" for k in range(9))
    rows = long(14, methods, ("insertion",))
    model = ModelComparison("net", metrics=results(rows))
    reader = read(page(models=(model,)))
    every = compare(rows, "insertion").pairs
    told = [p for p in every if p.p_holm <= 0.05]
    assert 0 < len(told) < 36
    assert f"{len(told)} of 36 pairs of methods can be told apart" in reader.words
    lines = reader.table("Pairs under Title of insertion: those that can be told apart")
    assert len(lines) == 1 + min(len(told), 30)
    assert {tuple(line[:2]) for line in lines[1:]} <= {(p.first, p.second) for p in told}


# ---- few, none, many -------------------------------------------------------------------------------------------------


def test_one_case_has_no_intervals_and_no_ranks():
    made = page(cases=1)
    reader = read(made)
    assert "One case: each cell is that case’s figure." in reader.words
    table = str(reader.table("Methods × metrics"))
    assert "rank" not in table and "%" not in table and "[0" not in table
    assert "Mean rank" not in reader.words and "nan" not in reader.words
    lines = reader.table("Verdicts")
    assert all(line[1].startswith("cannot tell") for line in lines[1:])
    assert (
        "on this case alone: fails" in {line[0]: line[1] for line in lines}["poor"] and lines[-1][0] == "poor"
    )
    assert "critical difference" not in "".join(a.get("alt") or "" for _, a in reader.tags)
    assert "need at least" in reader.words


def test_a_single_method_is_a_page():
    reader = read(page(methods=("good",)))
    assert "Agreement of the methods" not in reader.words and "Pairs under" not in reader.words
    assert len(reader.table("Methods × metrics")) > 2


def test_nothing_at_all_is_a_page():
    assert "no method was judged" in read(StudyPage("t", (ModelComparison("m"),))).words
    assert "t" in read(StudyPage("t", ())).words


def test_missing_figures_are_dashes():
    rows = long(9)
    for r in rows:
        if r["method"] == "poor" and r["metric"] == "insertion":
            r["value"] = float("nan")
        if r["metric"] == "sparseness":
            r["value"] = float("nan")
    nan = float("nan")
    model = ModelComparison(
        "net", tuple(verdicts(rows)), results(rows),
        AgreementMatrix(METHODS, "ssim", np.full((3, 3), nan)),
        CurveSet("r", ("0", "1"), "x", "y", (Curve("good", (nan, nan)), Curve("poor", (nan, 1.0)))),
        (CurveSet("none", (), "x", "y", ()),), tasks=(TaskRow("c", "good", "map", "ok"),),
    )  # fmt: skip
    made = page(models=(model,))
    found = cells(made)
    assert found["poor", "insertion"] == "–" and found["good", "sparseness"] == "–"
    assert not re.search(r"\bnan\b", read(made).words)
    assert read(made).table("Cost per method")[1] == ["good", "1 of 1", "–", "0", "0", "–"]


def test_a_large_study_stays_small():
    methods = tuple(f"a method with quite a long name, number {k}" for k in range(47))
    rows = long(8, methods, ("deletion", "insertion"))
    rng = np.random.default_rng(0)
    matrix = np.corrcoef(rng.normal(size=(47, 30)))
    model = ModelComparison(
        "net", tuple(verdicts(rows)), results(rows), AgreementMatrix(methods, "pearson", matrix)
    )
    size = len(render_study(page(models=(model,))))
    assert size < 600_000  # two metrics' figures, the matrix, and the tables


# ---- work ------------------------------------------------------------------------------------------------------------


def test_failures_come_before_refusals_and_before_cost():
    tasks = (
        TaskRow("c0", "rise", "map", "refused", reason="not for this network"),
        TaskRow("c0", "lrp", "map", "ok", 2.0, 10, 0, 100.0),
        TaskRow("c1", "lrp", "map", "ok", 4.0, 20, 2, 300.0),
        TaskRow("c2", "lrp", "map", "timeout", 99.0, reason="took too long"),
        TaskRow("c3", "lrp", "map", "timeout", 99.0, reason="took too long"),
        TaskRow("c0", "axiom", "metric", "ok", 7.0),
    )
    reader = read(page(models=(ModelComparison("net", tasks=tasks),)))
    assert reader.table("What failed")[1:] == [
        ["lrp", "timeout", "took too long", "2: c2, c3"],
        ["rise", "refused", "not for this network", "1: c0"],
    ]
    costs = reader.table("Cost per method")
    assert costs[1:] == [["rise", "0 of 1", "–", "–", "–", "–"], ["lrp", "2 of 4", "3", "15", "1", "300"]]
    assert reader.table("Cost per group of metrics")[1][:3] == ["axiom", "1 of 1", "7"]
    captions = " ".join(reader.captions)
    assert captions.index("What failed") < captions.index("Cost per method")


# ---- the file --------------------------------------------------------------------------------------------------------


def test_every_text_is_escaped():
    reader = read(evil_page())
    assert {"script", "frac"}.isdisjoint({tag for tag, _ in reader.tags})
    words = "".join(reader.text)
    assert words.count(EVIL) >= 60
    assert "49" not in words.replace(EVIL, "") or "{{ 7*7 }}" in words
    assert "<script" not in render_study(evil_page()) and "7*7" in words


def test_nothing_is_loaded_and_figures_are_whole():
    made = evil_page()
    text = render_study(made)
    assert not re.search(r"https?://|url\(|@import|<script|<link|\son\w+=", text)
    reader = read(made)
    addresses = [a[name] for _, a in reader.tags for name in ("src", "href") if name in a]
    assert all(re.match(r"data:image/(png|svg\+xml);base64,|#", address) for address in addresses)
    policy = [a["content"] for t, a in reader.tags if t == "meta" and a.get("http-equiv")]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    drawn = [a["src"].split(",")[1] for t, a in reader.tags if t == "img" and "svg" in a["src"]]
    assert len(drawn) > 10
    for figure in drawn:
        root = ElementTree.fromstring(base64.b64decode(figure))  # well-formed, whatever the names
        assert root.tag.endswith("svg") and not list(root.iter("{http://www.w3.org/2000/svg}script"))
        links = {v for e in root.iter() for k, v in e.attrib.items() if k.endswith("href")}
        assert all(link.startswith("#") for link in links)


def test_images_and_tables_can_be_read_aloud():
    reader = read(page())
    images = [a for t, a in reader.tags if t == "img"]
    assert len(images) > 8 and all(a["alt"] for a in images)
    heads = [a for t, a in reader.tags if t == "th"]
    assert all(a.get("scope") in ("row", "col", "colgroup") for a in heads)
    assert sum(t == "table" for t, _ in reader.tags) == sum(t == "caption" for t, _ in reader.tags)
    assert sum(t == "h1" for t, _ in reader.tags) == 1


def test_the_same_page_is_the_same_file(tmp_path):
    path = write_study_page(tmp_path / "out" / "study.html", page())
    assert path.read_text(encoding="utf-8") == render_study(page())
    assert [p.name for p in path.parent.iterdir()] == ["study.html"]


def test_a_tile_that_is_missing_is_named(tmp_path):
    tiles = (TileRow("c", "t", (Tile("m", Picture(tmp_path / "gone.png", "a")),)),)
    with pytest.raises(InputError, match=r"gone\.png"):
        render_study(page(models=(ModelComparison("net", tiles=tiles),)))


@pytest.mark.parametrize("settings", ["seed: 3\nout: here", {"seed": 3, "out": "here"}])
def test_settings_are_spelled_out(settings):
    words = read(page(settings=settings, command="voxplain study", versions={"torch": "2.6"})).words
    assert "voxplain study" in words and "seed" in words and "here" in words and "torch" in words


def test_the_cohort_s_page_is_linked_where_there_is_one():
    link = '<a href="cohort.html">What each segment depends on'
    assert link in render_study(page(cohort="cohort.html")) and link not in render_study(page())

"""The page of a cohort: findings first and in plain words, every number a table's, everything escaped, nothing loaded."""

from __future__ import annotations

import base64
import dataclasses
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from accessible import faults_of, needs_axe
from report.cohort.cohorts import FAST, GAME, METHOD, Made, filled, parsed, read
from report.study_pages import PNG

from voxplain.errors import InputError
from voxplain.report import MethodCard, Picture
from voxplain.report.cohort import CohortPage, Failure, ModelCohort, render_cohort, write_cohort_page
from voxplain.report.cohort.chapter import chapter
from voxplain.report.cohort.shown.compared import Compared
from voxplain.report.cohort.shown.findings import findings
from voxplain.report.cohort.shown.suspects import shared
from voxplain.report.study.words import number

EVIL = "<b>x</b>\"'><script>alert(1)</script>{{ 7*7 }}$\\frac"
TARGETS = ("liver", "spleen", "kidney", "stomach")
REGIONS = ("background", *TARGETS, "spine")


def made(cases: int = 12, **more) -> Made:
    return Made(
        cases,
        TARGETS,
        REGIONS,
        uses={("liver", "spine"): 3.0, **{(t, t): 4.0 for t in TARGETS}},
        south={("kidney", "stomach"): 6.0},
        odd={(3, "stomach", "liver"): 20.0} if cases > 3 else {},
        lacks=[(5, "spleen")] if cases > 5 else [],
        **more,
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    planted = made()
    planted.tables().games().tables("gradient")
    known = {"site": planted.site, "age": [50 + (7 * c) % 13 for c in range(12)], "scanner": ["a", "b"] * 6}
    known["dice:liver"] = [0.9 + c / 1000 for c in range(12)]
    return filled(
        planted.write(tmp_path_factory.mktemp("page"), known),
        methods=[METHOD, "gradient"],
        failures={"net": [Failure("case-07", "table of lrp", "no rule", "refused")]},
        baselines={"net": {GAME: ["implausible in 1 of 6 regions"]}},
        pictures={"net": {"case-03": [Picture(PNG, "a slice of case-03", "slice")]}},
        model_facts={"net": {"seconds": 12}},
        facts={"seed": 0},
        notes=["labels were shuffled"],
        missing=["3 of 20 tasks"],
        cards=[MethodCard("smoothgrad", {"draws": 8}, "adds noise", "Smilkov 2017")],
        versions={"torch": "2.6"},
        command="voxplain study study.yaml",
        settings="seed: 0",
        drawn_cases=2,
    )


@pytest.fixture(scope="module")
def text(page):
    return render_cohort(page)


@pytest.fixture(scope="module")
def reader(text):
    return parsed(text)


def first(shown, caption: str) -> list[list[str]]:
    """The first table whose caption begins so: that of the first method."""
    at = next(k for k, c in enumerate(shown.captions) if c.startswith(caption))
    return [[" ".join(cell.split()) for cell in line] for line in shown.tables[at]]


def lines(found, title: str) -> list[str]:
    (kind,) = [f for f in found if f.title == title]
    return [line.text for line in kind.lines]


# ---- findings --------------------------------------------------------------------------------------------------------


def test_sections_come_in_their_order(text):
    names = ("about", "findings-1", "facts-1", "matrix-1-1", "graph-1-1", "targets-1", "outliers-1-1", "groups-1-1",
             "games-1", "faithful-1", "cases-1", "others-1", "matrix-1-2", "again")  # fmt: skip
    places = [text.index(f'<section id="{name}"') for name in names]
    assert places == sorted(places)


@needs_axe
def test_the_page_can_be_read_by_everybody(page, tmp_path):
    assert faults_of(write_cohort_page(tmp_path / "report.html", page), tmp_path) == []


def test_findings_say_what_was_planted_with_numbers_and_tests(page):
    lens = page.models[0].lenses[0]
    found = findings(lens, 0.05)
    depends = lines(found, "What depends on what")
    t, r = TARGETS.index("liver"), REGIONS.index("spine")
    d = lens.densities
    told = f"density {number(d.mean[t, r], 2)} (95 % CI {number(d.low[t, r])} to {number(d.high[t, r])})"
    assert depends[0].startswith(f"liver depends on spine: {told}, ")
    assert "beats volume and redrawn weights" in depends[0] and depends[0].endswith("12 cases)")
    assert "4 of 4 targets depend on their own region" in depends[-1]
    suspects = lines(found, "Shortcut suspects: site")
    assert suspects[0].startswith(
        "kidney’s dependence on stomach differs between north and south (site): more in south, "
    )
    assert "in south alone more than the nulls expect (p = 0.016)" in suspects[0]  # 1/2⁶
    assert lines(found, "Shortcut suspects: scanner")[0].startswith(
        "nothing found: no entry differs between a (6) and b (6)"
    )
    (outlier,) = lines(found, "Outlier cases")
    assert outlier.startswith("case-03, stomach: score ") and "because of more from liver (z " in outlier
    assert lines(found, "Missing and unusual regions") == ["case-05 lacks spleen"]
    assert lines(found, "What it goes with")  # a finding, or that there is none


def test_what_only_shrinks_since_another_grows_comes_after_it(page):
    (kind,) = [f for f in findings(page.models[0].lenses[0], 0.05) if f.title == "Shortcut suspects: site"]
    levels = [line.level for line in kind.lines if line.word == "differs"]
    assert levels[0] == "warn" and levels == sorted(levels, reverse=True)


def compared_row(target: str, region: str, difference: float, called: bool = True) -> Compared:
    return Compared(target, region, "a", "b", difference, -1, 1, 2.0, 0.5, 0.001, 0.01, called, 0.001, True)


def test_a_region_that_differs_for_most_targets_is_told_once():
    """2 of 4 are not most, 3 of 4 are; 3 of 4 that go two ways are not; 2 of 2 are too few."""
    rows = [compared_row(t, "half", 1.0, t in "ab") for t in "abcd"]
    rows += [compared_row(t, "most", -d, t != "d") for t, d in zip("abcd", (1.0, 3.0, 2.0, 4.0), strict=True)]
    rows += [compared_row(t, "ways", 1.0 if t == "a" else -1.0, t != "d") for t in "abcd"]
    rows += [compared_row(t, "few", 1.0) for t in "ab"]
    (found,) = shared(tuple(rows))
    assert [(r.target, r.region) for r in found] == [("b", "most"), ("c", "most"), ("a", "most")]


def test_a_region_that_one_site_images_otherwise_is_no_crowd_of_suspects(tmp_path):
    """All targets depend more on the spine in the south, and the kidney on the stomach."""
    south = {**{(t, "spine"): 4.0 for t in TARGETS}, ("kidney", "stomach"): 6.0}
    planted = Made(16, TARGETS, REGIONS, south=south, noise=0.1)
    lens = filled(planted.tables().write(tmp_path, {"site": planted.site})).models[0].lenses[0]
    (kind,) = [f for f in findings(lens, 0.05) if f.title == "Shortcut suspects: site"]
    assert kind.lines[0].text.startswith("kidney’s dependence on stomach")
    (told,) = [line.text for line in kind.lines if line.word == "region" and "spine" in line.text]
    assert told.startswith("4 of 4 targets depend more on spine in south than in north (site): ")
    assert not any("dependence on spine" in line.text for line in kind.lines)


def test_nothing_found_is_said_plainly(tmp_path):
    quiet = Made(12, TARGETS, REGIONS, noise=0.1, seed=1)
    cohort = quiet.tables().write(tmp_path, {"site": quiet.site, "age": list(range(12))})
    found = findings(filled(cohort).models[0].lenses[0], 0.05)
    depends = lines(found, "What depends on what")
    assert (
        depends[0]
        == "nothing found: no dependence of a target on another region beats volume and redrawn weights in 12 cases"
    )
    assert "not: liver, spleen, kidney and stomach" in depends[1]
    for title, words in {
        "Shortcut suspects: site": "nothing found: no entry differs between north (6) and south (6); ",
        "Outlier cases": "nothing found: none of 48 pairs",
        "Missing and unusual regions": "nothing found: every case has the usual regions",
        "What it goes with": "nothing found: neither outlier scores nor entries go with site and age",
    }.items():
        (only,) = lines(found, title)
        assert only.startswith(words)


# ---- tables ----------------------------------------------------------------------------------------------------------


def test_tables_hold_the_statistics_numbers(page, reader):
    lens = page.models[0].lenses[0]
    row = first(reader, "Outliers, the surest first")[1]
    (flag, *_) = lens.outliers.flagged()
    assert row[:3] == ["case-03", "stomach", number(flag["score"])]
    assert row[5].startswith("liver (z ")
    groups = first(reader, "Differences by site in log₂ density")
    assert groups[1][:3] == ["kidney", "stomach", "north → south"]
    comparison = lens.groups[0].comparison
    t, r = TARGETS.index("kidney"), REGIONS.index("stomach")
    assert groups[1][3] == number(float(comparison.differences[0].difference[t, r]))
    assert reader.table("What failed")[1:] == [["case-07", "table of lrp", "refused", "no rule"]]
    pairs = reader.table("Pairs of regions")
    assert len(pairs) == 1 + 4 and pairs[1][1] == "background × liver"
    faithful = {line[0]: line[1:] for line in reader.table(f"Rank correlations with occlusion of {GAME}")}
    assert faithful[f"{METHOD}, absolute"][0] == "1" and faithful[f"{METHOD}, absolute"][5] == "4 of 4"
    assert faithful[f"{METHOD}, absolute"][6].startswith("beats chance, sizes alone and redrawn weights (q ")
    assert faithful[f"{METHOD}~redrawn-1, absolute null"][6] == "–"
    assert f"{METHOD}~redrawn-1, absolute null" in faithful
    words = reader.words
    for told in ("labels were shuffled", "3 of 20 tasks", "implausible in 1 of 6 regions", "Smilkov 2017",
                 "voxplain study study.yaml", "torch", "seconds", "not show causes", "no null of distance"):  # fmt: skip
        assert told in words


def test_the_strongest_entries_are_a_table(page, reader):
    found = reader.captions
    assert sum("Dependences on other regions that beat the nulls" in c for c in found) == 2  # two methods
    lens = page.models[0].lenses[0]
    row = first(reader, "Dependences on other")[1]
    t, r = TARGETS.index("liver"), REGIONS.index("spine")
    assert row[:3] == ["liver", "spine", number(float(lens.densities.mean[t, r]))]
    assert row[5] == "beats volume and redrawn weights" and row[7] == "12"


def test_local_views_come_outliers_first_and_few_have_figures(text, reader):
    whole = text[text.index('<section id="cases-1"') :]
    whole = whole[: whole.index("</section>")]
    names = re.findall(r"<summary><b>(case-\d+)</b>", whole)
    assert names[:2] == ["case-03", "case-05"] and len(names) == 12
    assert whole.count("data:image/svg") == 2 and whole.count("data:image/png") == 1
    assert whole.index('alt="a slice of case-03"') < whole.index("case-05")
    local = reader.table("case-03: entries farthest")
    assert local[1][:2] == ["stomach", "liver"]
    links = [a["href"] for tag, a in reader.tags if tag == "a"]
    assert "#case-1-1" in links
    assert all(reader.table(f"{name}: entries") for name in names)


# ---- few, none, many -------------------------------------------------------------------------------------------------


def test_one_case_has_no_distribution_and_the_page_says_so(tmp_path):
    planted = made(1)
    cohort = planted.tables().games().write(tmp_path, {"site": planted.site, "age": [50]})
    shown = read(filled(cohort))
    assert shown.words.count("one case: no distribution") >= 2 and "One case: no distribution." in shown.words
    assert not re.search(r"\bnan\b|\binf\b|beats volume", shown.words)
    assert "Largest entries on other regions, untested" in " ".join(shown.captions)
    assert "cannot tell" in shown.words and "Not tested: one case" in shown.words


@pytest.mark.parametrize("cases", [2, 6])
def test_few_cases_are_not_overinterpreted(tmp_path, cases):
    planted = made(cases)
    shown = read(filled(planted.tables().write(tmp_path, {"site": planted.site})))
    assert ("cannot tell" in shown.words) and not re.search(r"\bnan\b", shown.words)


@pytest.mark.parametrize("cases", [1, 2])
def test_what_was_not_tested_has_no_q(tmp_path, cases):
    rows = read(filled(made(cases).tables().write(tmp_path))).table("Largest entries on other regions")
    head, *entries = rows
    assert entries and {(row[head.index("Nulls")], row[head.index("q")]) for row in entries} == {
        ("not tested", "–")
    }


def test_one_class_one_region_and_nothing_known(tmp_path):
    lone = Made(9, ["organ"], ["background", "organ"], uses={("organ", "organ"): 3.0}).tables()
    shown = read(filled(lone.write(tmp_path / "a")))
    assert "No dendrogram" in shown.words and "1 of 1 target depend on their own region" in shown.words
    single = Made(9, ["organ"], ["organ"]).tables()
    assert "expected at least 2 parts" in read(filled(single.write(tmp_path / "b"))).words


def test_regions_and_targets_that_nobody_has(tmp_path):
    gone = made(12)
    gone.voxels[:, 3] = 0  # a target, too
    gone.voxels[:, 5] = 0
    gone.absolute[:, TARGETS.index("kidney")] = np.nan
    text = render_cohort(filled(gone.tables().games().write(tmp_path, {"site": gone.site})))
    shown = parsed(text)
    assert "in no case: kidney and spine" in shown.words
    assert not re.search(r"\bnan\b", shown.words)
    assert "kidney ← liver: in no case" in text


def test_missing_regions_of_every_division_are_told_first(tmp_path):
    both = made(12)
    both.tables()
    both.voxels[4, REGIONS.index("spine")] = 0
    both.voxels[:, 0] = 0
    both.tables(partition="organs")
    model = filled(both.write(tmp_path)).models[0]
    assert [lens.partition for lens in model.lenses] == ["predicted", "organs"]
    (kind,) = [f for f in chapter(1, model, CohortPage("t", (model,))).first.findings if "Missing" in f.title]
    told = [line.text for line in kind.lines]
    assert told[0] == f"in no case (organs regions): {both.regions[0]}"
    assert "case-04 lacks spine (organs regions)" in told
    # of one division nothing has to be named
    (alone,) = [f for f in findings(model.lenses[1], 0.05) if "Missing" in f.title]
    assert "case-04 lacks spine" in [line.text for line in alone.lines]


@pytest.mark.parametrize(("cases", "has"), [(1, False), (12, True)])
def test_intervals_are_promised_only_where_there_are_any(tmp_path, cases, has):
    planted = made(cases)
    shown = read(filled(planted.tables().write(tmp_path, {"site": planted.site})))
    (caption,) = [c for c in shown.captions if "on other regions" in c]
    rows = shown.table(caption[:20])[1:]
    assert (
        ("by the lower end of the density’s interval" in caption) == has == any("[" in row[3] for row in rows)
    )
    assert ("the band is the middle half" in shown.words) == has
    assert ("lines: middle half of the cases" in shown.words) == has


def test_what_is_called_is_told_in_plain_words(tmp_path):
    planted = made(12)
    few = filled(planted.tables().write(tmp_path, {"site": planted.site}))
    words = read(few).words
    assert "corrected p" in words and "p of any" not in words


def test_long_names_stay_whole_in_tables(tmp_path):
    name = "a_region_with_a_name_of_sixty_letters_which_no_figure_can_hold"
    long = Made(12, [name, "b", "c"], [name, "b", "c"], uses={("b", name): 3.0}).tables()
    shown = read(filled(long.write(tmp_path)))
    assert f"b depends on {name}" in shown.words
    assert any(name in cell for table in shown.tables for row in table for cell in row)


def test_no_model_and_no_table_are_pages():
    assert "No model has a table" in read(CohortPage("t", ())).words
    empty = read(CohortPage("t", (ModelCohort("net", ("c",), failures=(Failure("c", "x", "y"),)),)))
    assert "No table of attributions" in empty.words and empty.table("What failed")[1][0] == "c"


def test_several_models_have_places_of_their_own(tmp_path):
    both = Made(8, TARGETS[:2], REGIONS[:3], odd={(3, "liver", "spleen"): 30.0})
    both.tables().tables(model="two")
    shown = read(filled(both.write(tmp_path, {"site": both.site})))
    names = [a["id"] for _, a in shown.tags if a.get("id")]
    assert len(names) == len(set(names)) and {"findings-1", "findings-2"} <= set(names)
    links = {a["href"][1:] for tag, a in shown.tags if tag == "a"}
    assert links <= set(names)


# ---- the file --------------------------------------------------------------------------------------------------------


def evil_page(tmp_path) -> CohortPage:
    targets = [EVIL, "b", "c"]
    planted = Made(
        10, targets, targets, uses={("b", EVIL): 3.0}, odd={(3, "b", "c"): 30.0}, lacks=[(4, EVIL)]
    )
    planted.site = [EVIL if s == "north" else "south" for s in planted.site]
    planted.cases = [f"{c}{EVIL}" for c in planted.cases]
    planted.tables(EVIL, model=EVIL).games(f"game({EVIL})", model=EVIL)
    cohort = planted.write(tmp_path, {EVIL: planted.site, "age": [40 + c for c in range(10)]})
    found = filled(
        cohort,
        title=EVIL,
        description=EVIL,
        facts={EVIL: EVIL},
        notes=[EVIL],
        missing=[EVIL],
        cards=[MethodCard(EVIL, {EVIL: EVIL}, EVIL, EVIL)],
        settings=EVIL,
        versions={EVIL: EVIL},
        command=EVIL,
        failures={EVIL: [Failure(EVIL, EVIL, EVIL, EVIL)]},
        baselines={EVIL: {f"game({EVIL})": [EVIL]}},
        pictures={EVIL: {planted.cases[0]: [Picture(PNG, EVIL, EVIL)]}},
        model_facts={EVIL: {EVIL: EVIL}},
    )
    return dataclasses.replace(found, drawn_cases=1)


def test_every_text_is_escaped_and_nothing_is_loaded(tmp_path):
    text = render_cohort(evil_page(tmp_path))
    shown = parsed(text)
    assert {"script", "frac"}.isdisjoint({tag for tag, _ in shown.tags})
    assert "".join(shown.text).count(EVIL) >= 60
    assert "7*7" in shown.words and "<script" not in text
    bare = re.sub(r'xmlns(:\w+)?="[^"]*"', "", text)
    assert not re.search(r"https?://|url\(|@import|<script|<link|\son\w+=", bare)
    addresses = [a[name] for _, a in shown.tags for name in ("src", "href") if name in a]
    assert all(re.match(r"data:image/(png|svg\+xml);base64,|#", address) for address in addresses)
    policy = [a["content"] for t, a in shown.tags if t == "meta" and a.get("http-equiv")]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    for figure in (a["src"].split(",")[1] for t, a in shown.tags if t == "img" and "svg" in a["src"]):
        ElementTree.fromstring(base64.b64decode(figure))  # well-formed, whatever the names
    for figure in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        ElementTree.fromstring(figure)


def test_figures_and_tables_can_be_read_aloud(reader):
    images = [a for t, a in reader.tags if t == "img"]
    assert len(images) > 8 and all(a["alt"] for a in images)
    drawn = [a for t, a in reader.tags if t == "svg"]
    assert len(drawn) >= 5 and all(a["role"] == "img" and len(a["aria-label"]) > 20 for a in drawn)
    heads = [a for t, a in reader.tags if t == "th"]
    assert all(a.get("scope") in ("row", "col") for a in heads)
    assert sum(t == "table" for t, _ in reader.tags) == sum(t == "caption" for t, _ in reader.tags)
    assert sum(t == "h1" for t, _ in reader.tags) == 1


def test_the_same_page_is_the_same_file(tmp_path, page, text):
    path = write_cohort_page(tmp_path / "out" / "cohort.html", page)
    assert path.read_text(encoding="utf-8") == text and len(text) < 1_500_000
    assert [p.name for p in path.parent.iterdir()] == ["cohort.html"]


def test_a_picture_that_is_missing_is_named(tmp_path):
    planted = made(2)
    gone = {"net": {"case-00": [Picture(tmp_path / "gone.png", "a")]}}
    with pytest.raises(InputError, match=r"gone\.png"):
        render_cohort(filled(planted.tables().write(tmp_path), asked=FAST, pictures=gone))


def test_what_so_few_cases_could_not_have_found_is_said(tmp_path):
    """Five cases and 20 entries on other regions: one alone would need p ≤ 0.05 / 20, which is 1/2⁹."""
    quiet = Made(5, TARGETS, REGIONS, noise=0.1, seed=1)
    (line, *_) = lines(
        findings(filled(quiet.tables().write(tmp_path)).models[0].lenses[0], 0.05), "What depends on what"
    )
    assert (
        line.startswith("nothing found") and "a single dependence among 20 entries would need 9 cases" in line
    )

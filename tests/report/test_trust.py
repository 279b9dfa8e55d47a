"""Lights: the worst decides, none is green without evidence, and what was not measured is said."""

from __future__ import annotations

import pytest

from voxplain.metric.comparison import Verdict
from voxplain.report import Finding, Page, Section, render
from voxplain.report.page import light_of as light_of_map
from voxplain.report.study import ModelComparison
from voxplain.report.trust import HARDLY, RANDOMISED, REFERENCE, Asked, Trust, panels
from voxplain.study.results.shown import light_of

NAN = float("nan")
NEAR = (0.7, 0.99, 0.8, 0.98, 0.85, 0.97, 0.95, 0.86)  # some above 0.88, some below


def faithful(
    value: float = 0.9,
    case: str = "a",
    *,
    tells: bool | None = True,
    metric: str = "faithfulness_correlation",
) -> dict:
    return {
        "case": case, "model": "m", "target": "t", "method": "gradient", "metric": metric, "family": "faithfulness",
        "better": "higher", "value": value, "null_zero": 0.0, "null_random": 0.1, "null_edges": -0.2,
        "excess": NAN, "tells": tells, "note": "",
    }  # fmt: skip


def randomised(excess: float, case: str = "a") -> dict:
    likeness = 0.2 + excess * 0.8
    return {
        "case": case, "model": "m", "target": "t", "method": "gradient", "metric": "mprt_absolute",
        "family": "randomisation", "better": "lower", "value": likeness, "null_gradient": 0.2, "null_edges": 1.0,
        "excess": excess, "tells": None, "note": "",
    }  # fmt: skip


def rounded(value: float, case: str = "a") -> dict:
    return {
        "case": case, "model": "m", "target": "t", "method": "gradient", "metric": "rounding_stability",
        "family": "robustness", "better": "higher", "value": value, "excess": NAN, "tells": None, "note": "",
    }  # fmt: skip


def asked(checks: dict | None = None, outside: tuple[float, float] | None = None) -> Asked:
    return Asked(
        "run again", {"gradient": checks or {}}, {"gradient": outside} if outside is not None else {}
    )


def panel(rows: list[dict], how: Asked | None = None, **more) -> Trust:
    (found,) = panels(["gradient"], rows, how or asked(), **more)
    return found


def test_nothing_measured_is_no_light_and_says_how_to_find_out() -> None:
    found = panel([], asked({"completeness_gap": [0.001], "agreement": [0.99]}, (0.0, 0.4)))
    assert found.level == "info"
    assert "randomisation and faithfulness not measured" in found.text
    assert [c.reason for c in found.missing if c.kind == "randomisation"] == ["run again"]
    assert {c.kind for c in found.checks} == {
        "randomisation", "faithfulness", "repeatability", "completeness", "outside", "agreement"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "level"),
    [
        ([faithful()], "info"),
        ([randomised(0.1)], "info"),
        ([faithful(), randomised(0.1)], "good"),
        ([faithful(), randomised(0.6)], "bad"),
        ([faithful(0.05, tells=False), randomised(0.1)], "bad"),  # below the random map
        ([faithful(0.3, tells=False), randomised(0.1)], "warn"),  # above, but not by more than chance
        ([faithful(), faithful(0.05, tells=False, metric="deletion"), randomised(0.1)], "warn"),
        ([faithful(), randomised(0.1), rounded(0.3)], "bad"),
        ([faithful(), randomised(0.1), rounded(0.7)], "warn"),
        ([faithful(), randomised(0.1), rounded(0.99)], "good"),
    ],
)
def test_the_worst_test_decides(rows: list[dict], level: str) -> None:
    assert panel(rows).level == level


def test_the_reason_is_said_in_words() -> None:
    assert panel([faithful(), randomised(0.99)]).text == RANDOMISED
    assert panel([faithful(), randomised(0.6)]).text == HARDLY
    assert "does not change when the model's weights are randomised: do not trust it" in RANDOMISED
    told = panel([faithful(0.05, tells=False), randomised(0.1)]).text
    assert told == "no better than a random map: the map may not show what the model uses"


@pytest.mark.parametrize(("likeness", "level"), [(0.2, "good"), (0.7, "warn")])
def test_the_plain_gradient_is_not_measured_by_itself(likeness, level):
    own = randomised(0.0) | {"value": likeness, "null_gradient": likeness}
    found = panel([faithful(), own])
    assert found.level == level
    assert (found.text == REFERENCE) == (level == "warn")


@pytest.mark.parametrize(
    ("checks", "outside", "level"),
    [
        ({"completeness_gap": [0.01]}, (0.01, 0.5), "good"),
        ({"completeness_gap": [0.1]}, None, "warn"),
        ({"completeness_gap": [0.4, 0.2]}, None, "bad"),
        ({"agreement": [0.8]}, None, "warn"),
        ({}, (0.3, 0.5), "warn"),
    ],
)
def test_checks_that_came_with_the_map_count(checks: dict, outside: tuple | None, level: str) -> None:
    assert panel([faithful(), randomised(0.1)], asked(checks, outside)).level == level


def test_a_verdict_over_cases_is_never_bettered() -> None:
    verdict = Verdict("gradient", "cannot tell", "cannot tell beyond", 2, (), "holds")
    found = panel(
        [r for c in "ab" for r in (faithful(case=c), randomised(0.1 if c == "a" else 0.12, c))],
        verdicts=[verdict],
    )
    assert found.level == "info"
    assert "6 are needed" in found.text
    enough = [r for c in "abcdefgh" for r in (faithful(0.9 + ord(c) / 1e4, c), randomised(ord(c) / 1e3, c))]
    held = Verdict("gradient", "holds", "holds in these tests (8 cases)", 8, (), "holds")
    assert panel(enough, verdicts=[held]).level == "good"
    partly = Verdict("gradient", "partly", "better than its nulls on 1 of 2", 8, (), "partly")
    assert panel(enough, verdicts=[partly]).level == "warn"
    beside = [
        faithful(v, c, tells=False) | {"null_edges": 0.88} for c, v in zip("abcdefgh", NEAR, strict=True)
    ]
    fails = Verdict("gradient", "fails", "no better than edges on faithfulness (8 cases)", 8, (), "fails")
    near = panel([r for row in beside for r in (row, randomised(0.1, row["case"]))], verdicts=[fails])
    assert [c.level for c in near.checks if c.kind == "faithfulness"] == ["warn"]  # no test alone is red
    assert (near.level, near.text) == ("bad", fails.text)


def test_what_was_asked_for_and_has_no_figure_says_why() -> None:
    """ "Run again with --metrics quick" helps nobody who did."""
    why = "no removal changed the score: larger parts or another baseline"
    found = panel([faithful(NAN, tells=None) | {"note": why}, randomised(NAN) | {"note": "the map is zero"}])
    assert {c.kind: c.reason for c in found.checks}["faithfulness"] == why
    assert found.level == "info"
    assert found.text == f"cannot tell: randomisation and faithfulness not measured (the map is zero; {why})"


def test_the_page_shows_the_light_beside_the_map_and_never_green_by_a_gap_alone() -> None:
    section = Section("gradient", "t")
    page = Page("c", "m", sections=(section,), trust=(panel([faithful(), randomised(0.99)]),))
    text = render(page)
    assert "This map does not change when the model&#39;s weights are randomised: do not trust it" in text
    assert '<span class="light bad">do not rely on it</span>' in text
    nothing = render(
        Page("c", "m", sections=(section,), trust=(panel([], asked({"completeness_gap": [0.0]})),))
    )
    assert (
        nothing.count("not tested enough") >= 3
    )  # in short, in the panel, in the table: one word for one light
    assert "not checked" not in nothing
    assert "not measured" in nothing
    assert "not checked" in render(Page("c", "m", sections=(section,)))


def test_every_place_of_a_page_has_the_same_light() -> None:
    """A map without a finding of its own has its method's light; a fault of its own is stronger."""
    plain = Section("gradient", "t", findings=(Finding("Status", "ok", "info"),))
    assert light_of_map(plain, {"gradient": "good"}) == ("good", "good")
    assert light_of_map(plain, {"gradient": "info"}) == ("info", "not tested enough")
    assert light_of_map(plain, {}) == ("info", "not checked")
    faulty = Section("gradient", "t", findings=(Finding("Status", "zero", "bad"),))
    assert light_of_map(faulty, {"gradient": "good"})[0] == "bad"


@pytest.mark.parametrize(
    ("verdict", "gap", "shown"),
    [
        ("holds", 0.01, ("good", "holds")),
        ("holds", 0.5, ("bad", "do not rely on it")),  # a gap that verdicts do not look at
        ("fails", 0.01, ("bad", "fails")),
        ("cannot tell", 0.01, ("info", "cannot tell")),
        ("cannot tell", 0.2, ("warn", "look closer")),
    ],
)
def test_the_viewer_s_light_is_the_worst_of_verdict_and_panel(
    verdict: str, gap: float, shown: tuple[str, str]
) -> None:
    told = Verdict("gradient", verdict, verdict, 8, (), "holds")
    rows = [r for c in "abcdefgh" for r in (faithful(0.9 + ord(c) / 1e4, c), randomised(ord(c) / 1e3, c))]
    trust = panel(rows, asked({"completeness_gap": [gap]}), verdicts=[told])
    assert light_of(ModelComparison("m", verdicts=(told,), trust=(trust,)), "gradient") == shown

"""What the page of a study says of its cases and methods beside the figures: predictions, regions, trust, limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from voxplain.report import Predicted
from voxplain.report.identity import Identity
from voxplain.report.limits import Ran, limits
from voxplain.report.methods_text import Described, paragraph
from voxplain.report.prediction import of_classes, sentences
from voxplain.report.regions import Regions, from_plain, with_cohort
from voxplain.report.study import CasePrediction, CaseRegions, Unusual
from voxplain.report.trust import Asked, Trust, panels
from voxplain.study.explaining.page import CHECKED, metrics_told, outside_of, small
from voxplain.study.prepared_words import prepared_words, windows_words
from voxplain.study.provenance import now

if TYPE_CHECKING:
    from voxplain.metric import Rules, Verdict
    from voxplain.study.planning.plan import Plan
    from voxplain.study.results.rows import Judged
    from voxplain.study.running.board import Board

HOW = "not among the metrics of this study; run it again with metrics: [quick] to find out"
Rows = Sequence[Mapping[str, Any]]


def predictions(board: Board, model: str, found: Sequence[Judged]) -> tuple[CasePrediction, ...]:
    """What the model found in every case."""
    temperature = board.plan.settings.report.temperature
    classes = board.models.get(model, {}).get("classes", ())
    out = []
    for one in found:
        asked, kind = one.asked, one.asked.get("kind", "")
        if asked.get("output") is not None and classes:
            rows = of_classes(classes, asked["output"], kind, temperature)
        else:
            rows = tuple(Predicted(**row) for row in asked.get("predicted", ()))
        told = sentences(
            rows, kind, temperature=temperature, disagreement=asked.get("disagreement", float("nan"))
        )
        out.append(CasePrediction(one.case, rows, told))
    return tuple(out)


def case_regions(
    found: Sequence[Judged], shown: Sequence[tuple[str, str]]
) -> tuple[tuple[CaseRegions, ...], tuple[Unusual, ...], list[Regions]]:
    """Regions of the cases and targets that are shown, what is unusual in any case, and the tables of all cases."""
    every: dict[tuple[str, str, str], list[tuple[str, Regions]]] = {}
    for one in found:
        for made in one.maps.values():
            for plain in made.get("regions", ()):
                table = from_plain(plain)
                key = (table.method, table.target, table.division)
                every.setdefault(key, []).append((one.case, table))
    compared = [
        (case, table)
        for listed in every.values()
        for (case, _), table in zip(listed, with_cohort([t for _, t in listed]), strict=True)
    ]
    wanted = set(shown)
    cases = dict.fromkeys(case for case, _ in shown)
    chosen = tuple(
        CaseRegions(case, tuple(t for c, t in compared if c == case and (case, t.target) in wanted))
        for case in cases
    )
    unusual = tuple(
        Unusual(case, table.method, table.target, line) for case, table in compared for line in table.unusual
    )
    return tuple(c for c in chosen if c.regions), unusual, [table for _, table in compared]


def trusted(
    plan: Plan, found: Sequence[Judged], regions: Sequence[Regions], verdicts: Sequence[Verdict], rules: Rules
) -> tuple[Trust, ...]:
    """A panel per method that has maps."""
    rows = [row for one in found for row in one.rows]
    checks: dict[str, dict[str, list[float]]] = {}
    for row in (row for one in found for made in one.maps.values() for row in made["rows"]):
        for name in CHECKED:
            if row.get(name) is not None and row["status"] == "ok":
                checks.setdefault(row["method"], {}).setdefault(name, []).append(row[name])
    there = [m for m in plan.methods if any(m in one.maps for one in found)]
    asked = Asked(HOW, checks, outside_of(regions))
    return panels(there, rows, asked, rules=rules, verdicts=verdicts)


def identity(board: Board, found: Sequence[Judged], software: Mapping[str, str]) -> Identity:
    """What the study rests on."""
    models = {name: board.models.get(name, {}).get("identity", {}) for name in board.plan.settings.models}
    files: dict[str, list[dict[str, Any]]] = {}
    for one in found:
        files.setdefault(one.case, [{"case": one.case, **f} for f in one.asked.get("files", ())])
    data = [file for listed in files.values() for file in listed]
    return Identity(now(), board.plan.settings.report.intended_use, models, data, software)


def study_limits(board: Board, found: Sequence[Judged]) -> tuple[str, ...]:
    """What the page cannot tell."""
    plan = board.plan
    tiny: dict[str, str] = {}
    for one in found:
        for target, size in small(one.asked.get("asked", ())).items():
            tiny.setdefault(target, f"{size} in {one.case}")
    meanings = {name: made.get("meaning", "") for one in found for name, made in one.maps.items()}
    return limits(
        Ran(
            methods={name: asked.method.parameters() for name, asked in plan.methods.items()},
            small=tiny,
            meanings=meanings,
            resampled=any(one.asked.get("resampled") for one in found),
            windows=max((one.asked.get("windows", 0) for one in found), default=0),
            cases=len(plan.case_ids),
            judged=bool(plan.metrics),
            classifier=any(one.asked.get("output") is not None for one in found),
        )
    )


def study_paragraph(
    board: Board,
    found: Sequence[Judged],
    who: Identity,
    titles: Iterable[tuple[str, Mapping[str, object], str]],
) -> str:
    """For a methods section."""
    settings = board.plan.settings
    sliding = dict.fromkeys(filter(None, (windows_words(m.windows) for m in settings.models.values())))
    return paragraph(
        Described(
            models=who.models,
            prepare={name: prepared_words(m.prepare) for name, m in settings.models.items()},
            windows=" or ".join(sliding),
            targets=list(dict.fromkeys(t["name"] for one in found for t in one.asked["targets"])),
            score=settings.score,
            methods=list(titles),
            metrics=metrics_told([a.spec for a in board.plan.metrics.values()], settings.nulls),
            seed=settings.seed,
            versions=who.software,
            cases=len(board.plan.case_ids),
            rule=compared_words(board.plan),
        )
    )


def compared_words(plan: Plan) -> str:
    """How methods were compared over cases, as far as they were."""
    how, cases = plan.settings.compare, len(plan.case_ids)
    families = {asked.metric.family for asked in plan.metrics.values()}
    if cases < how.least_cases:
        return (
            f"{cases} case{'' if cases == 1 else 's'} gave no verdict; {how.least_cases} are the least."
            if families
            else ""
        )
    told = []
    if "faithfulness" in families:
        told.append(
            "On every metric of faithfulness each method was compared with each null over cases by one-sided Wilcoxon "
            f"signed-rank tests at a level of {how.alpha:g} after Holm's correction."
        )
    if "mprt_absolute" in plan.metrics:
        told.append(
            "A method failed the randomisation test where the likeness of its maps to those of networks with randomised "
            f"weights lay, with its whole 95 % interval, more than {how.randomised:g} of the way from the plain gradient's "
            "likeness to sameness."
        )
    return " ".join(told)

"""The page of a run, from what its units left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from voxplain.metric.metric import metrics as known_metrics
from voxplain.report import Finding, MethodCard, Page, Picture, Predicted, Section
from voxplain.report.identity import DICOM, Identity, without_folders, without_series
from voxplain.report.limits import SMALL_ML, SMALL_VOXELS, Ran, limits
from voxplain.report.methods_text import Described, paragraph
from voxplain.report.prediction import of_classes, sentences
from voxplain.report.regions import Regions, from_plain
from voxplain.report.trust import Asked, Trust, panels
from voxplain.study.ledger.journal import versions
from voxplain.study.make import make_metric
from voxplain.study.prepared_words import prepared_words, windows_words
from voxplain.study.provenance import now

if TYPE_CHECKING:
    from voxplain.study.settings.config import ExplainSettings

HOW = "run again with --metrics quick to find out"
CHECKED = ("completeness_gap", "agreement")
Result = Mapping[str, Any]
Row = Mapping[str, Any]


def page_of(
    settings: ExplainSettings, overview: Result, results: Sequence[Result], judged: Sequence[Row] = ()
) -> Page:
    """Everything on the page.

    Args:
        judged: the metrics' long table.
    """
    plain = yaml.safe_load((settings.out / "explain.yaml").read_text(encoding="utf-8"))
    files = overview.get("files", ())
    shown = without_folders(without_series(plain, [f["image"] == DICOM for f in files]))
    sections = tuple(_section(s, settings.out) for r in results for s in r["sections"])
    limit = settings.maps.figures
    undrawn = (
        [f"figures of the {limit} largest targets only"]
        if any(len(r["sections"]) > limit for r in results)
        else []
    )
    failed = [f"{row['method']}: {row['note']}" for r in results if not r["sections"] for row in r["rows"]]
    cards = tuple(MethodCard(**r["card"]) for r in results if "card" in r)
    regions = tuple(from_plain(one) for r in results for one in r.get("regions", ()))
    kind, temperature = overview.get("kind", ""), settings.report.temperature
    predicted = tuple(Predicted(**row) for row in overview["predicted"])
    if overview.get("output") is not None:
        predicted = of_classes(overview["classes"], overview["output"], kind, temperature)
    told = sentences(
        predicted, kind, temperature=temperature, disagreement=overview.get("disagreement", float("nan"))
    )
    software = versions()
    models = {overview["model"]: overview.get("network", {})}
    return Page(
        case=overview["case"],
        model=overview["model"],
        image=overview["image"],
        targets=tuple(overview["targets"]),
        score=settings.score,
        methods=cards,
        predicted=predicted,
        sections=sections,
        notes=tuple(dict.fromkeys([*overview["notes"], *failed, *undrawn])),
        settings=shown,
        versions=software,
        command="voxplain explain --config explain.yaml",
        identity=Identity(now(), settings.report.intended_use, models, files, software),
        confidence=told,
        regions=regions,
        trust=tested([c.name for c in cards], results, judged),
        limits=limits(_ran(settings, overview, results, cards)),
        paragraph=paragraph(_described(settings, overview, cards, models, software)),
    )


def tested(
    methods: Sequence[str], results: Sequence[Result], judged: Sequence[Mapping[str, Any]]
) -> tuple[Trust, ...]:
    """A panel of tests per method, from what the methods left and the rows of metrics."""
    regions = tuple(from_plain(one) for r in results for one in r.get("regions", ()))
    return panels(methods, judged, _trusted(results, regions))


def _trusted(results: Sequence[Result], regions: Sequence[Regions]) -> Asked:
    """Checks that came with the maps, and what lies outside of the body, as means over targets."""
    checks: dict[str, dict[str, list[float]]] = {}
    for row in (row for r in results if "card" in r for row in r["rows"]):
        for name in CHECKED:
            if row.get(name) is not None and row["status"] == "ok":
                checks.setdefault(row["method"], {}).setdefault(name, []).append(row[name])
    return Asked(HOW, checks, outside_of(regions))


def outside_of(regions: Sequence[Regions]) -> dict[str, tuple[float, float]]:
    """Method -> shares of its maps, and of the image, outside of the body: means over its tables.

    A map of zeros lies nowhere: nothing is said of it.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    for one in (r for r in regions if any(row.absolute for row in r.rows)):
        row = one.outside
        if row is not None:
            voxels = sum(r.voxels for r in one.rows)
            found.setdefault(one.method, []).append((row.mass, row.voxels / voxels))
        elif any(r.name.startswith("elsewhere in the body") for r in one.rows):
            found.setdefault(one.method, []).append((0.0, 0.0))
    return {m: (_mean(s for s, _ in pairs), _mean(v for _, v in pairs)) for m, pairs in found.items()}


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)


def _ran(
    settings: ExplainSettings, overview: Result, results: Sequence[Result], cards: Sequence[MethodCard]
) -> Ran:
    return Ran(
        methods={c.name: c.parameters for c in cards},
        small=small(overview.get("asked", ())),
        meanings={r["card"]["name"]: r.get("meaning", "") for r in results if "card" in r},
        resampled=bool(overview.get("resampled")),
        windows=overview.get("windows", 1),
        judged=bool(settings.metrics),
        classifier=overview.get("output") is not None and not settings.regions,
    )


def small(asked: Sequence[Row]) -> dict[str, str]:
    """Targets whose region is small, with its size."""
    found = {}
    for target in asked:
        ml, voxels = target.get("millilitres"), target.get("voxels")
        if ml is not None and 0 < ml < SMALL_ML:
            found[target["name"]] = f"{ml:.2g} ml"
        elif voxels and voxels < SMALL_VOXELS:
            found[target["name"]] = f"{voxels} voxels"
    return found


def _described(
    settings: ExplainSettings,
    overview: Result,
    cards: Sequence[MethodCard],
    models: Mapping[str, Mapping[str, object]],
    software: Mapping[str, str],
) -> Described:
    return Described(
        models=models,
        prepare={overview["model"]: prepared_words(settings.prepare)},
        windows=windows_words(settings.windows),
        targets=[t["name"] for t in overview.get("asked", ())] or list(overview["targets"]),
        score=settings.score,
        methods=[(c.title or c.name, c.parameters, c.source) for c in cards],
        metrics=metrics_told(settings.metrics, settings.nulls),
        seed=settings.seed,
        versions=software,
    )


def metrics_told(asked: Sequence[Any], nulls: int) -> list[tuple[str, Mapping[str, object], str, list[str]]]:
    """Title, parameters, source and nulls of each metric."""
    told: list[tuple[str, Mapping[str, object], str, list[str]]] = []
    for spec in asked:
        if spec.name == "all":
            told += [(m.title, {}, m.source, beside(m.nulls, nulls)) for m in known_metrics().values()]
            continue
        metric = make_metric(spec)
        told.append((metric.title, metric.parameters(), metric.source, beside(metric.nulls, nulls)))
    return told


def beside(names: Sequence[str], draws: int) -> list[str]:
    """Nulls in words."""
    words = {
        "zero": "a map of zeros",
        "random": f"{draws} random maps",
        "edges": "the image's edges",
        "constant": "a constant map",
    }
    return [words.get(name, f"the {name}") for name in names]


def _section(plain: Result, out: Path) -> Section:
    found = dict(plain)
    found["findings"] = tuple(Finding(**f) for f in plain["findings"])
    found["pictures"] = tuple(Picture(**{**p, "png": out / p["png"]}) for p in plain["pictures"])
    found["notes"] = tuple(plain["notes"])
    if plain.get("tile"):
        found["tile"] = Picture(**{**plain["tile"], "png": out / plain["tile"]["png"]})
    return Section(**found)

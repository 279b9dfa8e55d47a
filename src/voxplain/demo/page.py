"""The demo's page, which joins two subjects and two networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voxplain.demo.run import Part
    from voxplain.report import Page, Predicted, Section
    from voxplain.report.page import Level
    from voxplain.report.regions import Regions
    from voxplain.report.trust import Trust
    from voxplain.report.viewer import ShownCase, ShownMap

VIEWER_MB = 4
SCORE = "the mean logit over the target's region"
NOT_TESTED = "the demo tests the vessel network's maps alone"


def page_of(parts: Sequence[Part], judged: Sequence[Mapping[str, Any]], seed: int) -> Page:
    """Everything on the page.

    Args:
        parts: the subjects, explained; the first one's maps were judged.
        judged: the long table of metrics.
    """
    from voxplain.demo.judged import regions
    from voxplain.report import Page
    from voxplain.report.viewer import MB, pack
    from voxplain.study.ledger.journal import versions

    tables = tuple(table for part in parts for table in regions(part))
    software = versions()
    trust = trusted(parts, judged, tables)
    return Page(
        case=" and ".join(part.subject.title for part in parts),
        model=" and ".join(part.subject.model.name for part in parts),
        image={part.subject.title: _facts(part) for part in parts},
        targets=tuple(section.target for section in _first_method(parts)),
        score=SCORE,
        methods=tuple(card for part in parts for card in part.cards),
        predicted=tuple(row for part in parts for row in _predicted(part)),
        sections=tuple(section for part in parts for section in part.sections),
        notes=tuple(note for part in parts for note in (*part.subject.notes, f"{part.measured}.")),
        settings={"seed": seed},
        versions=software,
        command=f"voxplain demo --seed {seed}",
        viewer=pack([partial(_shown, part, trust) for part in parts], len(parts), VIEWER_MB * MB),
        regions=tables,
        trust=trust,
        **_words(parts, software, seed),
    )


def trusted(
    parts: Sequence[Part], judged: Sequence[Mapping[str, Any]], tables: Sequence[Regions]
) -> tuple[Trust, ...]:
    """A panel for each method of each subject."""
    from voxplain.report.trust import Asked, panels
    from voxplain.study.explaining.page import CHECKED, outside_of

    checks: dict[str, dict[str, list[float]]] = {}
    for part in parts:
        for method, attribution in part.attributions.items():
            for row in attribution.rows():
                for name in CHECKED:
                    if row.get(name) is not None and row["status"] == "ok":
                        checks.setdefault(method, {}).setdefault(name, []).append(row[name])
    methods = [card.name for part in parts for card in part.cards]
    return panels(methods, judged, Asked(NOT_TESTED, checks, outside_of(tables)))


def _predicted(part: Part) -> list[Predicted]:
    from voxplain.report import predicted_classes
    from voxplain.report.prediction import with_certainty

    labels, names = part.found.astype("int32"), part.subject.model.classes
    sure = part.problem.prediction.certainty
    rows = with_certainty(
        predicted_classes(labels, names, part.subject.case.geometry),
        names,
        None if sure is None else sure.tolist(),
        labels,
    )
    return [replace(row, name=part.called(row.name)) for row in rows]


def _words(parts: Sequence[Part], software: Mapping[str, str], seed: int) -> dict[str, Any]:
    """Identity, confidence, limits and the paragraph."""
    from voxplain.metric.candidate import meaning_of
    from voxplain.metric.nulls import DRAWS
    from voxplain.report.identity import Identity
    from voxplain.report.limits import Ran, limits
    from voxplain.report.methods_text import Described, paragraph
    from voxplain.report.prediction import sentences
    from voxplain.study.explaining.page import metrics_told
    from voxplain.study.provenance import now
    from voxplain.study.settings.quick_metrics import quick_specs

    models = {part.subject.model.name: _network(part) for part in parts}
    cards = [card for part in parts for card in part.cards]
    meanings = {m: meaning_of(a) for part in parts for m, a in part.attributions.items()}
    quick = metrics_told(quick_specs(), DRAWS)
    described = Described(
        models=models,
        prepare={},
        targets=[t for part in parts for t in map(part.called, part.subject.targets)],
        score=SCORE,
        methods=[(c.title, c.parameters, c.source) for c in cards],
        metrics=quick,
        seed=seed,
        versions=software,
        cases=len(parts),
    )
    ran = Ran(
        methods={c.name: c.parameters for c in cards},
        meanings=meanings,
        resampled=False,
        judged=True,
        cases=1,
    )
    rows = [row for part in parts for row in _predicted(part)]
    return {
        "identity": Identity(now(), models=models, data=[_data(part) for part in parts], software=software),
        "confidence": tuple(sentences(rows, "softmax")),
        "limits": limits(ran),
        "paragraph": paragraph(described),
    }


def _network(part: Part) -> dict[str, object]:
    module = part.subject.model.module
    weights = sha256()
    for name, value in sorted(module.state_dict().items()):
        weights.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return {
        "network": type(module).__name__,
        "weights SHA-256": weights.hexdigest(),
        "parameters": sum(p.numel() for p in module.parameters()),
        "about": part.subject.notes[-1],
    }


def _data(part: Part) -> dict[str, object]:
    image = part.subject.case.image
    return {"image": part.subject.title, "voxels' SHA-256": sha256(image.tobytes()).hexdigest()}


def _shown(part: Part, trust: Sequence[Trust]) -> ShownCase:
    """What the page's viewer shows of a subject."""
    import numpy as np

    from voxplain.report.viewer import ShownCase, ShownLabels, ShownTarget

    lights = {panel.method: panel.level for panel in trust}
    targets = tuple(
        ShownTarget(name, tuple(_lit(part, one, lights) for one in maps)) for name, maps in part.maps.items()
    )
    case, names = part.subject.case, dict(enumerate(part.subject.model.classes))
    return ShownCase(
        part.subject.title,
        case.image[0],
        targets,
        case.geometry,
        (
            ShownLabels("prediction", np.asarray(part.found, np.int32), names),
            ShownLabels("ground truth", part.truth, names, dashed=True),
        ),
    )


def _lit(part: Part, shown: ShownMap, lights: Mapping[str, Level]) -> ShownMap:
    """The map with the light of its method's tests, where that is the worse one."""
    from voxplain.report.page import LEVEL_WORDS, WORST_FIRST

    level = min(shown.light, lights.get(part.called(shown.method), "info"), key=WORST_FIRST.index)
    return replace(shown, light=level, verdict=LEVEL_WORDS[level])


def _first_method(parts: Sequence[Part]) -> list[Section]:
    """Of each part the sections of its first method: one per target."""
    return [section for part in parts for section in part.sections[: len(part.problem.targets)]]


def _facts(part: Part) -> dict[str, object]:
    case = part.subject.case
    place = case.geometry
    facts: dict[str, object] = {"shape": list(case.spatial_shape)}
    if place is not None:
        facts |= {"spacing (mm)": list(place.spacing), "orientation": place.orientation}
    return facts

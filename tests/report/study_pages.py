"""Long tables and pages of studies, made up but whole, and a reader of what a browser would see."""

from __future__ import annotations

import base64
from html.parser import HTMLParser

import numpy as np

from voxplain.metric import compare, verdicts
from voxplain.report import MethodCard, Picture
from voxplain.report.study import (
    AgreementMatrix,
    Curve,
    CurveSet,
    ModelComparison,
    StudyPage,
    TaskRow,
    Tile,
    TileRow,
    metric_result,
    render_study,
)

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
METHODS = ("good", "middling", "poor")
GAINS = {"good": 1.0, "middling": 0.4, "poor": -0.5}
FAMILIES = {
    "deletion": ("faithfulness", "lower"),
    "insertion": ("faithfulness", "higher"),
    "sensitivity_average": ("robustness", "lower"),
    "mprt_absolute": ("randomisation", "lower"),
    "sparseness": ("complexity", "neither"),
}


def row(case, method, value, metric="insertion", target="t", **extra):
    family, better = FAMILIES[metric]
    names = {"case": case, "model": "net", "target": target, "method": method, "metric": metric}
    return {**names, "family": family, "better": better, "value": value, **extra}


def long(cases: int, methods=METHODS, metrics=tuple(FAMILIES), seed: int = 0) -> list[dict]:
    """Methods that beat edges by their gains; edges are 0, noise is −1 (or +1 where lower is better)."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(cases):
        for metric in metrics:
            family, better = FAMILIES[metric]
            sign = {"higher": 1.0, "lower": -1.0, "neither": 0.0}[better]
            for k, method in enumerate(methods):
                value = sign * (GAINS.get(method, 0.05 * k) + 0.05 * rng.normal())
                nulls = {"null_edges": 0.001 * i, "null_random": -sign}
                if family == "randomisation":
                    value = abs(value) / 4
                    nulls = {"null_edges": 1.0, "null_gradient": 0.125, "null_zero": float("nan")}
                if family == "robustness":
                    value, nulls = 0.25, {"null_zero": 0.0, "null_edges": 0.0}
                if family == "complexity":
                    nulls = {}
                rows.append(row(f"c{i}", method, value, metric, **nulls))
    return rows


def results(rows):
    metrics = dict.fromkeys(r["metric"] for r in rows)
    return tuple(
        metric_result(rows, compare(rows, m), title=f"Title of {m}", reads=f"how {m} reads") for m in metrics
    )


def page(cases: int = 9, methods=METHODS, name: str = "net", **parts) -> StudyPage:
    rows = long(cases, methods)
    points = ("0 %", "1 %", "100 %")
    curves = tuple(Curve(m, (1.0, 0.5 / (k + 1), 0.0)) for k, m in enumerate(methods))
    falling = CurveSet(
        "Deletion", points, "share removed", "score", (*curves, Curve("edges", (1.0, 0.9, 0.0), True))
    )
    tile = Tile(methods[0], Picture(PNG, f"{methods[0]} in c0"))
    model = ModelComparison(
        name=name,
        verdicts=tuple(verdicts(rows)),
        metrics=results(rows),
        agreement=AgreementMatrix(tuple(methods), "spearman_absolute", np.eye(len(methods))),
        randomisation=CurveSet("Randomised weights", ("own", "1", "all"), "stages", "likeness", curves),
        curves=(falling,),
        tiles=(TileRow("c0", "t", (tile, *(Tile(m, None, "refused") for m in methods[1:]))),),
        tasks=(
            TaskRow("c0", methods[0], "map", "ok", 2.0, 3, 4, 100.0),
            TaskRow("c1", methods[0], "map", "failed", reason="it broke"),
        ),
    )
    whole = {"title": "A study", "models": (model,), "methods": tuple(MethodCard(m) for m in methods)}
    return StudyPage(**(whole | parts))


class Reader(HTMLParser):
    """Collects tags, text, and tables as rows of cells' texts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.captions: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
            self.captions.append("")
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")
        if tag == "i" and self.tables:
            self.handle_data(" ")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag  # well-formed: every tag is closed in its turn

    def handle_data(self, data):
        self.text.append(data)
        if "style" in self.open:
            return
        if "caption" in self.open:
            self.captions[-1] += data
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data

    def table(self, caption: str) -> list[list[str]]:
        """The rows of the table whose caption begins so."""
        (found,) = [t for c, t in zip(self.captions, self.tables, strict=True) if c.startswith(caption)]
        return [[" ".join(cell.split()) for cell in line] for line in found]

    @property
    def words(self) -> str:
        return " ".join("".join(self.text).split())


def read(found: StudyPage) -> Reader:
    reader = Reader()
    reader.feed(render_study(found))
    reader.close()
    assert reader.open == []
    return reader

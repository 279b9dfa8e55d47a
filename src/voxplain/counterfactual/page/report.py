"""The page as one HTML file: pictures and animations inside, no script, nothing loaded from anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import voxplain
from voxplain.case.atomic import write_whole
from voxplain.counterfactual.page.remark import Remark
from voxplain.counterfactual.page.words import ALIKE, remarks
from voxplain.inherent.page.numbers import Table
from voxplain.report import Picture
from voxplain.report.templating import templates

if TYPE_CHECKING:
    from voxplain.counterfactual.running.attributes_step import AttributeShown
    from voxplain.counterfactual.running.global_view import MeanShown
    from voxplain.counterfactual.running.summary import Summary
    from voxplain.counterfactual.running.task import CounterfactualTask

Record = dict[str, Any]


@dataclass(frozen=True)
class ImageShown:
    """One image of the page.

    Attributes:
        id, way: which, and from which decision to which.
        figure, strip: before, copy, after and difference; the series.
        animation: None where there is none.
        remarks: whether to believe it.
    """

    id: str
    way: str
    figure: Picture
    strip: Picture
    animation: Picture | None
    remarks: tuple[Remark, ...]


def write_page(
    task: CounterfactualTask, summary: Summary, records: Sequence[tuple[Path, Record]], means: Sequence[MeanShown],
    lone: Sequence[AttributeShown], prefix: str,
) -> Path:  # fmt: skip
    """Write ``report.html`` (``new.html`` of new images), whole or not at all."""
    names, told = task.asked.names, task.settings
    chosen = _chosen([record for _, record in records], told.explain.cases)
    text = templates("voxplain.counterfactual.page", "voxplain.report").get_template("counterfactual.html.j2").render(
        title=f"How images would look if the classifier said something else: {names[1]} or {names[0]}",
        subtitle=f"{task.asked.source}, explained in a family of images ({told.generator.family})",
        sentence=summary.sentence,
        warnings=summary.warnings,
        notes=task.samples.notes,
        facts=_facts(task),
        checks=_checks(summary.facts),
        controls=_controls(summary.facts["controls"], summary.controls),
        confounders=_confounders(summary.facts["confounders"]),
        means=[(mean.title, Picture(mean.file, mean.alt, mean.caption)) for mean in means],
        metrics=_metrics([record for _, record in records]),
        realism=_realism(summary.facts["realism"]),
        attributes=_attributes(lone),
        lone=[(_coordinate(a.facts), Picture(a.file, a.alt, a.caption)) for a in lone],
        overview=_overview([record for _, record in records]),
        images=[_shown(*records[n]) for n in chosen],
        generator=_generator(task),
        versions={"voxplain": voxplain.__version__},
    )  # fmt: skip
    return write_whole(task.places.page(prefix), text.encode())


def _facts(task: CounterfactualTask) -> dict[str, object]:
    told = task.settings
    parts = {name: f"{len(part)} images" for name, part in task.split.parts().items()}
    way = f"{told.explain.guidance} guidance" if told.generator.family == "diffusion" else told.direction.kind
    return {
        "data": str(told.data.source), **parts, "image": " × ".join(str(n) for n in task.shape),
        "decision": f"{task.asked.names[1]} above 0, {task.asked.names[0]} below",
        "generator": told.generator.family, "parameters": told.generator.parameters, "direction": way,
        "target": told.explain.target, "limit (standard deviations)": told.explain.limit,
    }  # fmt: skip


def _checks(facts: dict[str, Any]) -> Table:
    def share(name: str) -> str:
        return f"{100 * facts[name]:.0f} %"

    low, high = (f"{logit:.2f}".replace("-", "−") for logit in facts["typical logits"])
    rows = (
        ("images whose decision changes at the calibrated dose", share("flip rate")),
        ("the same by random directions of the same dose", share("random flip rate")),
        ("the same by random directions of any dose up to the limit", share("random flip rate at any dose")),
        *(() if facts["r2"] is None else _linear(facts)),
        ("queries", f"{facts['queries']:,}"),
        ("training images whose copies keep their decision", share("copies that keep their decision")),
        ("typical logits", f"{low}, {high}"),
        ("error of copies, held-out images", f"{facts['copy error']:.3g}"),
        ("KID of samples to held-out images", f"{facts['kid']:.3g}".replace("-", "−", 1)),
        *_frechet(facts),
        ("diversity of samples, share of real", f"{facts['diversity']:.2f}"),
    )
    return Table("Whether to believe it", ("check", "found"), (*rows, *_oracle(facts["oracle"])))


def _oracle(found: dict[str, Any] | None) -> tuple[tuple[str, str], ...]:
    if found is None:
        return ()
    share = "–" if found["agreement"] is None else f"{100 * found['agreement']:.0f} % of {found['images']}"
    return (
        ("decisions that the oracle sees change, too", share),
        (
            "correlation of the oracle’s changes of the logit with the classifier’s",
            _number(found["correlation"]),
        ),
    )


def _realism(found: Sequence[dict[str, Any]]) -> Table | None:
    if not found:
        return None
    rows = tuple(
        (
            row["towards"], str(row["images"]), f"{row['real images']} by {row['by']}",
            *(f"{row[name]:.3g}".replace("-", "−", 1) for name in ("kid before", "kid", "null")),
        )
        for row in found
    )  # fmt: skip
    head = (
        "towards",
        "images",
        "real ones of that class",
        "KID before",
        "KID after",
        "real to real (95 % quantile)",
    )
    return Table("Do the ends look like held-out images of their new class?", head, rows)


def _metrics(records: Sequence[Record]) -> Table:
    lines = []
    for way in dict.fromkeys((r["decision"], r["towards"]) for r in records):
        mine = [r for r in records if (r["decision"], r["towards"]) == way]
        medians = [
            f"{float(np.median([r[name] for r in mine])):.2g}".replace("-", "−", 1)
            for name in ("change", "l2", "sparsity", "cout", "composition", "reversibility", "identity")
        ]
        lines.append(
            (f"{way[0]} towards {way[1]}", *medians, f"{sum(r['own nearest'] for r in mine)} of {len(mine)}")
        )
    head = (
        "way", "change (L1)", "L2", "share of voxels", "COUT", "composition", "reversibility", "identity",
        "nearest to its own",
    )  # fmt: skip
    return Table("Metrics of counterfactuals, medians", head, tuple(lines))


def _controls(found: Sequence[dict[str, Any]], sentences: Sequence[str]) -> tuple[Remark, ...]:
    """A line of each, with a light."""
    out = []
    for control, text in zip(found, sentences, strict=True):
        known = control["r"] is not None
        light, word = ("bad", "alike") if known and control["r"] >= ALIKE else ("good", "differs")
        out.append(Remark(light, word, text) if known else Remark("info", "not known", text))
    return tuple(out)


def _confounders(found: Sequence[dict[str, Any]]) -> Table | None:
    """What the direction holds of each; None where none was asked for."""
    if not found:
        return None
    rows = tuple(
        (c["name"], _number(c["r2"]), _number(c["before"]), _number(c["after"]), str(c["images"]))
        for c in found
    )
    head = (
        "confounder",
        "R² in the family",
        "carried before",
        "carried after it was taken out",
        "held-out images",
    )
    caption = "Confounders: correlation with the place of held-out images along the direction"
    return Table(caption, head, rows)


def _attributes(lone: Sequence[AttributeShown]) -> Table | None:
    if not lone:
        return None
    rows = tuple(
        (
            _coordinate(a.facts),
            f"{_number(a.facts['effect'])} [{_number(a.facts['low'])}, {_number(a.facts['high'])}]",
            f"{100 * a.facts['share']:.0f} %",
        )
        for a in lone
    )
    caption = "Coordinates that change the logit, each moved by itself (mean over images, 95 % over patients)"
    return Table(caption, ("coordinate", "rise of the logit", "images in which it rises clearly"), rows)


def _coordinate(facts: dict[str, Any]) -> str:
    place = f" ({facts['place']})" if facts["place"] else ""
    return f"{facts['coordinate']}{place}, {facts['sense']}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("-", "−")


def _linear(facts: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Of directions, which guidance has none of."""
    same = "–" if facts["cosine with ridge"] is None else f"{facts['cosine with ridge']:.2f}"
    return (
        ("R² of a linear model of the logits, of queries left out", f"{facts['r2']:.2f}"),
        ("agreement of ridge with itself, queries drawn again (2.5 % quantile)", f"{facts['agreement']:.2f}"),
        ("cosine of the direction with ridge", same),
    )


def _frechet(facts: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """FID, and that it is too high where it is of few images; families that were measured before there was one have none."""
    if "fid" not in facts:
        return ()
    images, features = int(facts["fid images"]), int(facts["fid features"])
    few = (
        f"; too high, since images are fewer than {features} features: compare KID"
        if images <= features
        else ""
    )
    return ((f"FID of as many samples as held-out images ({images})", f"{facts['fid']:.3g}{few}"),)


def _overview(records: Sequence[Record]) -> Table:
    lines = []
    for way in dict.fromkeys((r["decision"], r["towards"]) for r in records):
        mine = [r for r in records if (r["decision"], r["towards"]) == way]
        counts = [
            str(sum(bool(r[k]) for r in mine))
            for k in ("right", "flipped", "reached", "monotone", "withheld")
        ]
        medians = [
            f"{float(np.median([r[k] for r in mine])):.2g}".replace("-", "−")
            for k in ("dose", "change", "distance ratio", "cout", "random flips")
        ]
        lines.append((f"{way[0]} towards {way[1]}", str(len(mine)), *counts, *medians))
    head = (
        "way", "images", "rightly decided", "flipped", "target reached", "monotone", "withheld", "median dose", "change",
        "typical distances", "COUT", "random flips",
    )  # fmt: skip
    return Table("All images that were explained", head, tuple(lines))


def _chosen(records: Sequence[Record], count: int) -> list[int]:
    """As many of each decision as of the other, spread over their doses."""
    decisions = list(dict.fromkeys(record["decision"] for record in records))
    each = -(-count // max(len(decisions), 1))
    found: list[int] = []
    for decision in decisions:
        mine = [i for i, record in enumerate(records) if record["decision"] == decision]
        mine.sort(key=lambda i: (not records[i]["reached"], records[i]["dose"]))
        spots = np.linspace(0, len(mine) - 1, min(each, len(mine))).round().astype(int)
        found += [mine[spot] for spot in np.unique(spots)]
    return found[:count]


def _shown(place: Path, record: Record) -> ImageShown:
    figure, strip = (
        Picture(place / f"{file}.png", *record[key])
        for file, key in (("figure", "figure"), ("frames", "strip"))
    )
    moving = place / "animation.gif"
    animation = None
    if moving.exists():
        animation = Picture(moving, f"The series of {record['id']}, there and back.", "There and back.")
    way = f"{record['decision']} towards {record['towards']}"
    return ImageShown(record["id"], way, figure, strip, animation, remarks(record))


def _generator(task: CounterfactualTask) -> list[Picture]:
    """The last sheet of samples, and curves where there are some."""
    folder = task.places.generator
    sheets = sorted(folder.glob("samples/*.png")) or sorted(folder.glob("training/samples/*.png"))
    out = [Picture(sheets[-1], "Samples of the generator.", "Samples of the generator.")] if sheets else []
    curves = folder / "curves.png"
    return (
        [*out, Picture(curves, "Curves of the training.", "KID and diversity by step.")]
        if curves.exists()
        else out
    )

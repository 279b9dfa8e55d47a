"""Write docs/methods/README.md and docs/metrics/README.md, the tables of all methods and metrics, from what they declare.

python scripts/write_index.py          # write it
python scripts/write_index.py --check  # exit 1 where it is out of date
"""

from __future__ import annotations

import sys
from pathlib import Path

from voxplain.attribution.method import FAMILIES, Method, methods
from voxplain.metric import Metric, metrics
from voxplain.metric.metric import FAMILIES as METRIC_FAMILIES
from voxplain.target.functional import SCORES

DOCS = Path(__file__).parent.parent / "docs"
PAGE = DOCS / "methods" / "README.md"
METRICS_PAGE = DOCS / "metrics" / "README.md"
TITLES = {
    "gradient": "Gradients and paths",
    "backprop": "Modified backward passes",
    "cam": "Class activation maps",
    "layer": "Layers and neurons",
    "perturbation": "Perturbation",
    "shapley": "Shapley values",
    "synthesis": "Synthesis",
}
HEAD = """# The catalogue

Every method works in 2-D and 3-D, on classifiers and segmentations, on whole images and over windows, unless its row
says otherwise. `voxplain methods` prints the same table, `voxplain methods NAME` a method in full, and
[matrix.md](../matrix.md) what the tests found on every network.

Made from the methods' declarations by `scripts/write_index.py`; a test keeps it so.
"""


def text() -> str:
    """The page."""
    parts = [HEAD]
    known = methods()
    for family in FAMILIES:
        members = sorted((m for m in known.values() if m.family == family), key=lambda m: m.name)
        parts.append(f"## {TITLES[family]}\n")
        parts.append("| method | needs | supports | answers | checks itself by | source |")
        parts.append("|---|---|---|---|---|---|")
        parts += [_row(m) for m in members]
        parts.append("")
    return "\n".join(parts)


def _row(m: type[Method]) -> str:
    dims = ", ".join(f"{d}-D" for d in m.spatial_dims) if m.spatial_dims != (2, 3) else ""
    tasks = ", ".join(m.tasks) if len(m.tasks) == 1 else ""
    scores = "" if set(m.scores) == set(SCORES) else f"scores {', '.join(m.scores)}"
    supports = "; ".join(filter(None, [dims, tasks, scores])) or "all"
    answer = f"signed {m.answer}" if m.signed and m.answer != "image" else m.answer
    cells = (
        f"[{m.title}]({m.name}.md)<br>`{m.name}`",
        ", ".join(m.needs) or "scores only",
        supports,
        answer,
        m.told_checks().replace("_", " ") or "–",
        m.source,
    )
    return "| " + " | ".join(cells) + " |"


METRICS_HEAD = """# Metrics

Numbers that say whether to believe a map. Each stands beside its nulls: the same figure for maps that know nothing of the
network (zeros, a constant, smoothed noise, the image's edges). A map that is no better than its nulls is told as such.
Metrics that redraw the network's weights stand beside the plain gradient, too, which depends on all of them.
How methods are compared over cases: [comparison.md](../comparison.md).

Made from the metrics' declarations by `scripts/write_index.py`; a test keeps it so.
"""


def metrics_text() -> str:
    """The page of metrics."""
    parts = [METRICS_HEAD]
    for family in METRIC_FAMILIES:
        members = sorted((m for m in metrics().values() if m.family == family), key=lambda m: m.name)
        parts.append(f"## {family.capitalize()}\n")
        parts.append("| metric | better | how to read it | nulls | source |")
        parts.append("|---|---|---|---|---|")
        parts += [_metric_row(m) for m in members]
        parts.append("")
    return "\n".join(parts)


def _metric_row(m: type[Metric]) -> str:
    better = "–" if m.better == "neither" else m.better
    cells = (f"[{m.title}]({m.name}.md)<br>`{m.name}`", better, m.reads, ", ".join(m.nulls) or "–", m.source)
    return "| " + " | ".join(cells) + " |"


PAGES = {PAGE: text, METRICS_PAGE: metrics_text}

if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(any(page.read_text(encoding="utf-8") != made() for page, made in PAGES.items()))
    for page, made in PAGES.items():
        page.write_text(made(), encoding="utf-8")
        print(page)

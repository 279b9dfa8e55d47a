"""Write docs/methods/README.md, the table of all methods, from what the methods declare.

python scripts/write_index.py          # write it
python scripts/write_index.py --check  # exit 1 where it is out of date
"""

from __future__ import annotations

import sys
from pathlib import Path

from voxplain.attribution.method import FAMILIES, Method, methods
from voxplain.target.functional import SCORES

PAGE = Path(__file__).parent.parent / "docs" / "methods" / "README.md"
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


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(PAGE.read_text(encoding="utf-8") != text())
    PAGE.write_text(text(), encoding="utf-8")
    print(PAGE)

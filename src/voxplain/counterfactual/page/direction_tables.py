"""What else was asked about the direction: controls, confounders, single coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from voxplain.counterfactual.page.numbers import number
from voxplain.counterfactual.page.remark import Remark
from voxplain.counterfactual.page.words import ALIKE
from voxplain.inherent.page.numbers import Table

if TYPE_CHECKING:
    from voxplain.counterfactual.running.attributes_step import AttributeShown


def control_remarks(found: Sequence[dict[str, Any]], sentences: Sequence[str]) -> tuple[Remark, ...]:
    """A line of each, with a light."""
    out = []
    for control, text in zip(found, sentences, strict=True):
        known = control["r"] is not None
        light, word = ("bad", "alike") if known and control["r"] >= ALIKE else ("good", "differs")
        out.append(Remark(light, word, text) if known else Remark("info", "not known", text))
    return tuple(out)


def confounders_table(found: Sequence[dict[str, Any]]) -> Table | None:
    """What the direction holds of each; None where none was asked for."""
    if not found:
        return None
    rows = tuple(
        (c["name"], number(c["r2"]), number(c["before"]), number(c["after"]), str(c["images"])) for c in found
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


def attributes_table(lone: Sequence[AttributeShown]) -> Table | None:
    """What each coordinate does; None where none was asked about."""
    if not lone:
        return None
    rows = tuple(
        (
            coordinate_name(a.facts),
            f"{number(a.facts['effect'])} [{number(a.facts['low'])}, {number(a.facts['high'])}]",
            f"{100 * a.facts['share']:.0f} %",
        )
        for a in lone
    )
    caption = "Coordinates that change the logit, each moved by itself (mean over images, 95 % over patients)"
    return Table(caption, ("coordinate", "rise of the logit", "images in which it rises clearly"), rows)


def coordinate_name(facts: dict[str, Any]) -> str:
    """Its number, where it lies, and its sense."""
    place = f" ({facts['place']})" if facts["place"] else ""
    return f"{facts['coordinate']}{place}, {facts['sense']}"

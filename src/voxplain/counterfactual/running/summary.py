"""What all explanations come to, and what warns against them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from voxplain.counterfactual.direction import Direction
from voxplain.counterfactual.direction.ridge import LEAST_R2
from voxplain.counterfactual.running.queries_step import Asked, Found
from voxplain.counterfactual.running.records import Record
from voxplain.counterfactual.running.train_step import TrainedGenerator

_NEAR = 0.8  # of the flips, from which on random directions do as well
_BEYOND, _KEPT = 1.5, 0.9  # typical distances; share of copies that keep their decision
_FAMILY = ("kid", "fid", "fid images", "fid features", "diversity", "distinctness", "copy error")


@dataclass(frozen=True)
class Summary:
    """In numbers and words.

    Attributes:
        facts: JSON-able.
        sentence: flips beside random flips.
        warnings: one sentence each.
    """

    facts: dict[str, Any]
    sentence: str
    warnings: tuple[str, ...]


def summary_of(trained: TrainedGenerator, asked: Asked, found: Found, records: Sequence[Record]) -> Summary:
    """Of one run.

    Args:
        trained: the generator.
        asked: what the classifier said.
        found: the direction.
        records: of the images.
    """
    flips, alike, ever = (
        float(np.mean([float(r[name]) for r in records]))
        for name in ("flipped", "random flips", "random flips ever")
    )
    ridge = found.ridge.facts
    facts = {
        "images": len(records), "flip rate": flips, "random flip rate": alike, "random flip rate at any dose": ever,
        "r2": ridge["r2"], "agreement": ridge["agreement"], "queries": len(asked.queries),
        "direction": found.way.name if isinstance(found.way, Direction) else records[0]["direction"],
        "cosine with ridge": found.cosine, "copies that keep their decision": asked.kept,
        "typical logits": list(asked.typical), **{name: trained.row[name] for name in _FAMILY if name in trained.row},
    }  # fmt: skip
    sentence = (
        f"{len(records)} images: {100 * flips:.0f} % change their decision at the calibrated dose; random directions of the "
        f"same dose change {100 * alike:.0f} %, of any dose up to the limit {100 * ever:.0f} %. R² {ridge['r2']:.2f}."
    )
    warnings = (
        trained.warning, _random(flips, alike), _linear(ridge["r2"]), _copies(asked.kept), _withheld(records), _far(records),
        _missed(records),
    )  # fmt: skip
    return Summary(facts, sentence, tuple(w for w in warnings if w))


def _random(flips: float, alike: float) -> str | None:
    if alike < _NEAR * flips:
        return None
    return (
        f"Random directions change the decision about as often ({100 * alike:.0f} % of {100 * flips:.0f} %): that it "
        "changes says nothing about this direction."
    )


def _linear(r2: float) -> str | None:
    if r2 >= LEAST_R2:
        return None
    return (
        f"A linear model tells only {r2:.2f} of the logits' variance in this family (R²): one direction for all images is "
        "hardly what the classifier looks at."
    )


def _copies(kept: float) -> str | None:
    if kept >= _KEPT:
        return None
    return (
        f"The generator's copies of {100 * (1 - kept):.0f} % of the training images get another decision: the family does "
        "not hold all that the classifier looks at."
    )


def _withheld(records: Sequence[Record]) -> str | None:
    count = sum(bool(r["withheld"]) for r in records)
    if not count:
        return None
    return f"The difference maps of {count} of {len(records)} images are withheld: their copies get another decision."


def _far(records: Sequence[Record]) -> str | None:
    count = sum(r["distance ratio"] > _BEYOND for r in records)
    if not count:
        return None
    return (
        f"{count} of {len(records)} images end further from the mean than plausible images do (more than {_BEYOND:g} "
        "typical distances): what they show may not exist."
    )


def _missed(records: Sequence[Record]) -> str | None:
    count = sum(not r["reached"] for r in records)
    return f"{count} of {len(records)} images do not reach their target at any dose." if count else None

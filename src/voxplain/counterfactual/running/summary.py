"""What all explanations come to, and what warns against them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from voxplain.counterfactual.direction import Direction
from voxplain.counterfactual.direction.ridge import LEAST_R2
from voxplain.counterfactual.page.patterns import pattern_warnings
from voxplain.counterfactual.page.words import ALIKE
from voxplain.counterfactual.running.confounding import Carried
from voxplain.counterfactual.running.controls_step import Control
from voxplain.counterfactual.running.direction_step import Found
from voxplain.counterfactual.running.queries_step import Asked
from voxplain.counterfactual.running.records import OF_ORACLES, Record
from voxplain.counterfactual.running.train_step import TrainedGenerator

_NEAR = 0.8  # of the flips, from which on random directions do as well
_MEDIANS = ("change", "l2", "sparsity", "cout", "composition", "reversibility", "identity")
_AGREES = 0.5  # of the images, from which on the oracle is said to see the same
_BEYOND, _KEPT = 1.5, 0.9  # typical distances; share of copies that keep their decision
_FAMILY = ("kid", "fid", "fid images", "fid features", "diversity", "distinctness", "copy error")


@dataclass(frozen=True)
class Summary:
    """In numbers and words.

    Attributes:
        facts: JSON-able.
        sentence: flips beside random flips.
        warnings: one sentence each.
        controls: one sentence each.
    """

    facts: dict[str, Any]
    sentence: str
    warnings: tuple[str, ...]
    controls: tuple[str, ...] = ()


def summary_of(
    trained: TrainedGenerator,
    asked: Asked,
    found: Found | None,
    records: Sequence[Record],
    realism: Sequence[dict[str, Any]] = (),
    controls: Sequence[Control] = (),
) -> Summary:
    """Of one run.

    Args:
        trained: the generator.
        asked: what the classifier said.
        found: the direction; None of guidance, which has none.
        records: of the images.
        realism: of the ends as sets.
        controls: where there is nothing to explain.
    """
    flips, alike, ever = (
        float(np.mean([float(r[name]) for r in records]))
        for name in ("flipped", "random flips", "random flips ever")
    )
    ridge: Mapping[str, Any] = {"r2": None, "agreement": None} if found is None else found.ridge.facts
    facts = {
        "images": len(records), "flip rate": flips, "random flip rate": alike, "random flip rate at any dose": ever,
        "r2": ridge["r2"], "agreement": ridge["agreement"], "queries": len(asked.queries),
        "direction": records[0]["direction"] if found is None or not isinstance(found.way, Direction) else found.way.name,
        "cosine with ridge": None if found is None else found.cosine, "copies that keep their decision": asked.kept,
        "typical logits": list(asked.typical), "confounders": [_carried(c) for c in (found.carried if found else ())],
        **{name: trained.row[name] for name in _FAMILY if name in trained.row},
    }  # fmt: skip
    facts["patterns"] = _patterns(asked)
    facts |= {f"median {name}": float(np.median([r[name] for r in records])) for name in _MEDIANS}
    facts |= {"own nearest": float(np.mean([r["own nearest"] for r in records])), "realism": list(realism)}
    facts["controls"] = [asdict(control) for control in controls]
    oracle = oracle_of(records)
    facts["oracle"] = oracle
    sentence = (
        f"{len(records)} images: {100 * flips:.0f} % change their decision at the calibrated dose; random directions of the "
        f"same dose change {100 * alike:.0f} %, of any dose up to the limit {100 * ever:.0f} %."
    ) + ("" if found is None else f" R² {ridge['r2']:.2f}.")
    warnings = (
        trained.warning, *pattern_warnings(facts["patterns"]), _random(flips, alike), _linear(ridge["r2"]),
        _copies(asked.kept), _withheld(records), _far(records), _missed(records), _unseen(found), _foreign(records),
        _disagrees(oracle), *map(_unreal, realism), *map(_alike, controls),
    )  # fmt: skip
    return Summary(facts, sentence, tuple(w for w in warnings if w), tuple(map(control_told, controls)))


def _patterns(asked: Asked) -> dict[str, dict[str, float | None]]:
    """Of copies and samples, where there are some."""
    both = {"copies": asked.patterns.of_copies, "samples": asked.patterns.of_samples}
    return {name: asdict(found) for name, found in both.items() if found is not None}


def _carried(found: Carried) -> dict[str, Any]:
    """JSON knows no NaN."""
    return {name: None if value != value else value for name, value in asdict(found).items()}  # noqa: PLR0124


def _unseen(found: Found | None) -> str | None:
    if found is None:
        return None
    names = [f"{c.name} (R² {c.r2:.2f})" for c in found.carried if c.r2 <= 0]
    if not names:
        return None
    return (
        f"A linear model finds nothing of {', '.join(names)} in this family, so nothing of it was taken out."
    )


def oracle_of(records: Sequence[Record]) -> dict[str, float | int | None] | None:
    """What another classifier makes of the images: None where none was asked.

    Returns:
        ``images`` whose decision changes and that the oracle decides as the classifier does at first, ``agreement``, the
        share of these whose decision it sees change, too, and ``correlation`` of both classifiers' changes over all images.
    """
    if not records or any(name not in r for r in records for name in OF_ORACLES):
        return None
    before, after = (np.array([r[name] for r in records]) for name in OF_ORACLES)
    own = np.array([[r["logit before"], r["logit after"]] for r in records])
    alike = np.array([bool(r["flipped"]) for r in records]) & ((before > 0) == (own[:, 0] > 0))
    flips = (before > 0) != (after > 0)
    changes = own[:, 1] - own[:, 0], after - before
    varied = len(records) > 2 and all(np.ptp(c) > 0 for c in changes)
    return {
        "images": int(alike.sum()), "agreement": float(flips[alike].mean()) if alike.any() else None,
        "correlation": float(np.corrcoef(*changes)[0, 1]) if varied else None,
    }  # fmt: skip


def _foreign(records: Sequence[Record]) -> str | None:
    count = sum(not r["own nearest"] for r in records)
    if not count:
        return None
    return f"{count} of {len(records)} images end closer to another patient's image than to their own."


def _disagrees(oracle: dict[str, float | int | None] | None) -> str | None:
    if oracle is None or oracle["agreement"] is None or oracle["agreement"] >= _AGREES:
        return None
    return (
        f"The oracle sees only {100 * oracle['agreement']:.0f} % of the decisions change: what changes may be a weak spot "
        "of the explained classifier."
    )


def _unreal(row: dict[str, Any]) -> str | None:
    if row["kid"] <= row["null"] or row["kid"] <= row["kid before"]:
        return None
    return (
        f"Images that were taken to {row['towards']} look less like real ones of it (KID {row['kid']:.3g}) than before they "
        f"were changed ({row['kid before']:.3g})."
    )


def control_told(control: Control) -> str:
    """One control in a sentence."""
    if control.r2 is None:
        return f"Control, {control.name}: {control.remark}."
    refused = f"{control.refused} of {control.draws} would be refused"
    r = "" if control.r is None else f", |r| {control.r:.2f} of its mean maps with the real ones"
    return f"Control, {control.name}: R² {control.r2:.2f} ({refused}){r} (medians)."


def _alike(control: Control) -> str | None:
    if control.r is None or control.r < ALIKE:
        return None
    return (
        f"With {control.name} the mean maps are much the same (|r| {control.r:.2f}): they show what images have in common, "
        "and not what this classifier looks at."
    )


def _random(flips: float, alike: float) -> str | None:
    if alike < _NEAR * flips:
        return None
    return (
        f"Random directions change the decision about as often ({100 * alike:.0f} % of {100 * flips:.0f} %): that it "
        "changes says nothing about this direction."
    )


def _linear(r2: float | None) -> str | None:
    if r2 is None or r2 >= LEAST_R2:
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

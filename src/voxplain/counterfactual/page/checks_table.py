"""What says whether to believe any of it, on one table."""

from __future__ import annotations

from typing import Any

from voxplain.counterfactual.page.numbers import number
from voxplain.inherent.page.numbers import Table


def checks_table(facts: dict[str, Any]) -> Table:
    """Of the facts of a summary."""

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
            number(found["correlation"]),
        ),
    )


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

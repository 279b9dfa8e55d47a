"""The few metrics that tell most for few passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voxplain.study.settings.config import MetricSpec

QUICK = "quick"
# Of faithfulness the one whose nulls cost no pass; randomisation in three stages; whether rounding changes the map.
METRICS: tuple[str, ...] = (
    "faithfulness_correlation:draws=32",
    "mprt_absolute:steps=3",
    "rounding_stability",
    "mean_agreement",
)


def quick_metrics(asked: Any) -> Any:
    """The same, ``quick`` replaced by what it stands for; names may be separated by commas.

    >>> quick_metrics(["quick", "deletion"])[-2:]
    ['mean_agreement', 'deletion']
    >>> quick_metrics(["deletion:steps=4,baseline=blur"])
    ['deletion:steps=4,baseline=blur']
    """
    if not isinstance(asked, list | tuple):
        return asked
    out: list[Any] = []
    for one in asked:
        out += _names(one) if isinstance(one, str) else [one]
    return [text for one in out for text in (METRICS if one == QUICK else (one,))]


def _names(text: str) -> list[str]:
    """Names between commas; with parameters, which have commas of their own, it is one name."""
    return [text] if ":" in text else [part.strip() for part in text.split(",") if part.strip()]


def quick_specs() -> list[MetricSpec]:
    """What ``quick`` stands for, as settings hold it.

    >>> [spec.name for spec in quick_specs()][:2]
    ['faithfulness_correlation', 'mprt_absolute']
    """
    from pydantic import TypeAdapter

    from voxplain.study.settings.config import Metric

    reading: TypeAdapter[MetricSpec] = TypeAdapter(Metric)
    return [reading.validate_python(text) for text in METRICS]

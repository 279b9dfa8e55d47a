"""Results as JSON takes them."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np


class Told:
    """A dataclass that tells itself."""

    def told(self) -> dict[str, Any]:
        """Every field by its name: arrays as nested lists, NaN as None, infinities as text."""
        told = plain(self)
        assert isinstance(told, dict)
        return told


def plain(value: object) -> Any:
    """Numbers, text, lists and dictionaries only.

    >>> plain({"p": np.array([0.5, np.nan, np.inf])})
    {'p': [0.5, None, 'inf']}
    """
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, float):
        return None if math.isnan(value) else value if math.isfinite(value) else str(value)
    return value

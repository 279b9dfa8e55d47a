"""Grey-level windows to choose from."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from voxplain.report.colours import window

_CT = (("soft tissue", 40, 400), ("lung", -600, 1500), ("bone", 400, 1800), ("brain", 40, 80))
_AIR = -800.0  # no other kind of image has so much below zero and reaches soft tissue
_SOFT = 0.0


def presets(image: NDArray[Any]) -> list[dict[str, Any]]:
    """Windows that suit an image: by its own percentiles, its whole range, and those of CT where values look like HU."""
    low, high = window(image)
    bottom, top = float(image.min()), float(image.max())
    found: list[dict[str, Any]] = [
        {"name": "automatic", "low": low, "high": high},
        {"name": "whole range", "low": bottom, "high": top},
    ]
    if bottom < _AIR and top > _SOFT:
        found += [
            {"name": f"CT {n}", "low": centre - width / 2, "high": centre + width / 2}
            for n, centre, width in _CT
        ]
    return found

"""Fewer draws for a first look at many methods at once."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voxplain.attribution.method import Method

# Parameters that count passes, and the least that still gives an answer with its checks.
_COUNTS = {"nodes": 4, "draws": 4, "samples": 32, "steps": 6, "permutations": 2, "channels": 8}
_SHARE = 8
_REGIONS = 32
# What an eighth of one's own draws does not make quick.
_OWN: dict[str, dict[str, Any]] = {"noise_tunnel": {"of": "integrated_gradients(nodes=4)"}}


def quick(method: type[Method]) -> dict[str, Any]:
    """Parameters with an eighth of the method's draws, and 32 supervoxels instead of cubes.

    >>> from voxplain.attribution import methods
    >>> quick(methods()["integrated_gradients"]), quick(methods()["occlusion"])
    ({'nodes': 4}, {'supervoxels': 32})
    """
    found: dict[str, Any] = {}
    for field in dataclasses.fields(method):
        if field.name in _COUNTS and isinstance(field.default, int):
            found[field.name] = min(max(field.default // _SHARE, _COUNTS[field.name]), field.default)
        if field.name == "supervoxels":
            found["supervoxels"] = _REGIONS
    return {**found, **_OWN.get(method.name, {})}

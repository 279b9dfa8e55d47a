"""Which networks with redrawn weights stand beside a case: each case has its own, so that they are replicates."""

from __future__ import annotations

import math
import zlib

_FAMILY = "redrawn-"
_DRAWS = 1 << 16  # of one case, more than anybody asks for


def families(networks: int, cases: int) -> tuple[str, ...]:
    """Names of a case's redrawn networks: at least so many over all cases, and at least one of each case.

    >>> families(4, cases=28), families(4, cases=3), families(0, cases=3)
    (('redrawn-1',), ('redrawn-1', 'redrawn-2'), ())
    """
    return tuple(f"{_FAMILY}{k + 1}" for k in range(math.ceil(networks / cases)))


def draw_of(family: str, case_id: str) -> int:
    """The number of the draw: of the case's name, so that other cases beside it change nothing."""
    return zlib.crc32(case_id.encode()) * _DRAWS + int(family.removeprefix(_FAMILY))

"""What is to be told: maps and segments on the grid of a series, and who made them when."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxplain.case import Geometry

BANNER = "Research only, not for diagnosis"


@dataclass(frozen=True, eq=False)
class VoxelMap:
    """A signed map of a target by a method.

    Attributes:
        values: (*spatial) or (C, *spatial); channels are added up, which keeps what they say together.
        geometry: where the voxels lie, in any order of axes; without one, the map cannot be placed.
        method: its name.
        target: its name.
        unit: of a voxel's value, in words.
        parameters: of the method.
    """

    values: NDArray[Any]
    geometry: Geometry | None
    method: str
    target: str
    unit: str = "attribution"
    parameters: Mapping[str, object] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of method and target, for errors and descriptions."""
        return f"{self.method} of {self.target}"


@dataclass(frozen=True, eq=False)
class Segment:
    """A class where it is predicted: its name, a mask (*spatial), and where its voxels lie."""

    name: str
    mask: NDArray[np.bool_]
    geometry: Geometry | None


@dataclass(frozen=True)
class Origin:
    """Who made the results, and when; both are part of the objects' identifiers.

    Attributes:
        model: name of the network.
        when: the results were made (UTC); also the date of the objects, so that equal content gives equal files.
        model_version: whatever tells versions of the network apart, such as a hash.
        keep_identity: fill the fields of patient and study as the series has them.
    """

    model: str
    when: datetime
    model_version: str = "unknown"
    keep_identity: bool = False


def identifier(*parts: object) -> str:
    """A UID below 2.25, the root for hashes and random numbers: equal parts give the same one.

    >>> identifier("a", 1) == identifier("a", 1), identifier("a", 1) == identifier("a", 2)
    (True, False)
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            content = f"{part.shape} {part.dtype}".encode() + np.ascontiguousarray(part).tobytes()
        else:
            content = repr(part).encode()
        digest.update(len(content).to_bytes(8, "big") + content)
    return f"2.25.{int.from_bytes(digest.digest()[:15], 'big')}"


def short(text: str, length: int = 64) -> str:
    """Text for a field of limited length, as bytes too, since readers count either; without what would end a value."""
    plain = " ".join(text.replace("\\", "/").split())
    cut = plain
    while len(cut.encode()) > length:
        plain = plain[:-1]
        cut = plain.rstrip() + "..."
    return cut

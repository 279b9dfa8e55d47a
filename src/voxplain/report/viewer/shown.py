"""What the viewer shows of a case, as arrays in the file's own voxel order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from voxplain.report.page import Level

if TYPE_CHECKING:
    from voxplain.case import Geometry


@dataclass(frozen=True, eq=False)
class ShownLabels:
    """Labels (*spatial) that are outlined, and their names; dashed where they are the truth.

    Of many labels the largest are outlined, after those in `wanted`, such as what is asked about.
    """

    name: str
    values: NDArray[Any]
    names: dict[int, str]
    dashed: bool = False
    wanted: frozenset[int] = frozenset()


@dataclass(frozen=True, eq=False)
class ShownMap:
    """A method's signed map (*spatial), and its verdict where there is one."""

    method: str
    values: NDArray[Any]
    unit: str = "attribution"
    light: Level = "info"
    verdict: str = ""


@dataclass(frozen=True, eq=False)
class ShownTarget:
    """All maps of a target."""

    name: str
    maps: tuple[ShownMap, ...]


@dataclass(frozen=True, eq=False)
class ShownCase:
    """A case: image (*spatial) in the file's units, on one grid with all its maps and labels.

    Args:
        geometry: None for pictures and bare arrays, which are shown as they are stored.
    """

    name: str
    image: NDArray[Any]
    targets: tuple[ShownTarget, ...]
    geometry: Geometry | None = None
    labels: tuple[ShownLabels, ...] = ()
    notes: tuple[str, ...] = ()

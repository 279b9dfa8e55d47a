"""What a series shows, as arrays in the file's own voxel order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import NDArray

if TYPE_CHECKING:
    from voxplain.case import Geometry
    from voxplain.report.viewer import ShownLabels


@dataclass(frozen=True)
class ShownStep:
    """A dose, what the classifier says there, and whether it is the calibrated one."""

    dose: float
    score: float
    calibrated: bool = False


@dataclass(frozen=True)
class ShownMask:
    """Where a map is cut to a mask.

    Attributes:
        threshold: that was used, above which a voxel is in; None where none is.
        where: what was thresholded, in words.
        note: what the slider leaves out, such as small islands that were removed.
    """

    threshold: float | None
    where: str
    note: str = ""


@dataclass(frozen=True, eq=False)
class ShownLayer:
    """Something over the image, at each step.

    Attributes:
        name: of the layer.
        values: signed (F, *spatial); of the kind "grid" the displacement of tissue (F, D, *spatial) in voxels of the file,
            D components along the file's axes.
        kind: how it is drawn: in signed colours, or as a grid that the tissue carries.
        limit: where the colours end; by the values where None.
        unit: of a value.
        missing: steps that have none, and why.
        mask: of a map that becomes a mask.
    """

    name: str
    values: NDArray[Any]
    kind: Literal["signed", "grid"] = "signed"
    limit: float | None = None
    unit: str = ""
    missing: tuple[tuple[int, str], ...] = ()
    mask: ShownMask | None = None


@dataclass(frozen=True, eq=False)
class ShownSeries:
    """One image.

    Attributes:
        name: of the image.
        image: (*spatial), the first step.
        steps: () where there is one image alone.
        frames: (F, *spatial), the image at each step; None where it stays.
        layers: over it.
        geometry: None for pictures and bare arrays, which are shown as they are stored.
        names: the decisions below and above a score of 0.
        target: the score that was to be reached.
        unit: of the image.
        labels: outlined.
        notes: to be read first.
    """

    name: str
    image: NDArray[Any]
    steps: tuple[ShownStep, ...] = ()
    frames: NDArray[Any] | None = None
    layers: tuple[ShownLayer, ...] = ()
    geometry: Geometry | None = None
    names: tuple[str, str] = ("", "")
    target: float | None = None
    unit: str = ""
    labels: tuple[ShownLabels, ...] = ()
    notes: tuple[str, ...] = ()

"""From the file's own voxels and units to what the network was trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from voxplain.errors import InputError, suggest

if TYPE_CHECKING:
    from voxplain.case import Case
    from voxplain.model.prepared import Prepared

Scale = Literal["minmax", "percentile", "zscore", "zscore-nonzero", "max"] | tuple[float, float]
SCALES = ("minmax", "percentile", "zscore", "zscore-nonzero", "max")


@dataclass(frozen=True)
class Preparation:
    """The steps before the network, in the order of the fields; all of them can be undone for maps.

    Args:
        orientation: axis codes such as ``"LIA"``: the direction in which each axis grows.
        spacing: voxel size in mm, one number or one per axis (of the oriented image).
        size: voxels per axis of a fixed grid, one number or one per axis; instead of ``spacing``.
        scale: intensities, per channel over the whole volume: ``"minmax"`` and ``"percentile"`` (between
            ``percentiles``, clipped) to [0, 1]; ``"zscore"`` and ``"zscore-nonzero"`` to mean 0 and standard
            deviation 1; ``"max"`` divides by the maximum; ``(low, high)`` in file units to [0, 1], clipped.
        percentiles: the two percentiles of ``scale="percentile"``, in [0, 100].
        crop: ``"foreground"`` keeps the box around all that differs from the background (the minimum, or 0
            for ``"zscore-nonzero"``), after scaling.
        margin: voxels around that box.
        divisible: pads every axis with background to a multiple of this.
        transforms: a MONAI dictionary transform on the key ``"image"``, instead of all of the above.
        dims: spatial axes that the network takes (2 or 3); ``None`` keeps the case's.

    Raises:
        InputError: a field that cannot be.

    >>> import numpy as np
    >>> from voxplain.case import Case
    >>> case = Case("three voxels", np.array([[[0.0, 1.0, 4.0]]]))
    >>> prepared = Preparation(scale="minmax", divisible=2)(case)
    >>> prepared.image.tolist()
    [[[0.0, 0.25, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]]]
    >>> prepared.restore(prepared.image).tolist()  # a map's way back to the case's own grid
    [[[0.0, 0.25, 1.0]]]
    """

    orientation: str | None = None
    spacing: float | tuple[float, ...] | None = None
    size: int | tuple[int, ...] | None = None
    scale: Scale | None = None
    percentiles: tuple[float, float] = (5.0, 95.0)
    crop: Literal["foreground"] | None = None
    margin: int = 0
    divisible: int | None = None
    transforms: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    dims: int | None = None

    def __post_init__(self) -> None:
        self._check_orientation()
        self._check_grid()
        self._check_scale()
        if self.crop not in (None, "foreground"):
            raise InputError(f"crop: found {self.crop!r}, expected 'foreground' or nothing")
        if self.margin < 0:
            raise InputError(f"margin: found {self.margin}, expected voxels ≥ 0")
        if self.divisible is not None and self.divisible < 1:
            raise InputError(f"divisible: found {self.divisible}, expected a positive number of voxels")
        if self.dims not in (None, 2, 3):
            raise InputError(f"dims: found {self.dims}, expected 2 or 3")
        if self.transforms is not None and (
            self.orientation or self.spacing or self.size or self.scale or self.crop or self.divisible
        ):
            raise InputError("transforms: found other steps beside it; give either transforms or the steps")

    def __call__(self, case: Case) -> Prepared:
        """The case as the network wants it.

        Raises:
            InputError: a step that this case does not allow, such as spacing without a geometry or
                ``"minmax"`` of a constant image.
            ModelError: a volume for a 2-D network, or a picture for a 3-D one.
        """
        from voxplain.model.steps import prepare

        return prepare(self, case)

    def _check_orientation(self) -> None:
        if self.orientation is None:
            return
        codes = self.orientation.upper()
        if sorted(codes.translate(str.maketrans("LPI", "RAS"))) not in (sorted("RAS"), *map(sorted, _PAIRS)):
            raise InputError(
                f"orientation: found {self.orientation!r}, expected one letter of each of L/R, P/A, I/S, "
                "such as 'RAS' or 'LIA'"
            )
        object.__setattr__(self, "orientation", codes)

    def _check_grid(self) -> None:
        if self.spacing is not None and self.size is not None:
            raise InputError("spacing and size: found both; give spacing in mm or a fixed size in voxels")
        for name, value in (("spacing", self.spacing), ("size", self.size)):
            if value is None:
                continue
            numbers = tuple(value) if isinstance(value, (tuple, list)) else (value,)
            bad = not numbers or len(numbers) > 3 or any(not 0 < n < float("inf") for n in numbers)
            if bad or (name == "size" and any(int(n) != n for n in numbers)):
                example = "1 or (1, 1, 2.5)" if name == "spacing" else "128 or (128, 128, 64)"
                raise InputError(f"{name}: found {value}, expected positive numbers such as {example}")
            if not isinstance(value, (int, float)):
                object.__setattr__(self, name, numbers)

    def _check_scale(self) -> None:
        low, high = self.percentiles
        if not 0 <= low < high <= 100:
            raise InputError(f"percentiles: found {self.percentiles}, expected 0 ≤ low < high ≤ 100")
        if self.scale is None:
            return
        if isinstance(self.scale, str):
            if self.scale not in SCALES:
                raise InputError(
                    f"scale: found {self.scale!r}; {suggest(self.scale, SCALES)} or two numbers (low, high)"
                )
            return
        pair = tuple(float(v) for v in self.scale)
        if len(pair) != 2 or not pair[0] < pair[1]:
            raise InputError(f"scale: found {self.scale}, expected (low, high) with low < high")
        object.__setattr__(self, "scale", pair)


_PAIRS = ("RA", "RS", "AS")

"""Numbers to colours: a signed range symmetric about zero, transparency, background windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from voxplain.errors import InputError

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

DARK, INK, FAINT = "#101214", "#e8eaed", "#9aa0a6"
"""Figure background, text, and text of lesser weight: pictures stay dark in light and dark pages."""

OUTLINES = ("#00e676", "#ff4dff", "#b18cff", "#c6ff4d", "#ff9ec4", "#3fe0c5", "#d7b98e", "#cfd8dc")
"""Colours of outlined labels: none of them occurs in the map's own colours."""

OPAQUE = 0.9  # the strongest values still let a little anatomy through
STOPS = (
    (0.00, "#c9f4ff"),
    (0.15, "#4fb8ff"),
    (0.40, "#1546d0"),
    (0.50, "#3a3a3f"),
    (0.60, "#c4161c"),
    (0.85, "#ff8a1f"),
    (1.00, "#ffe98a"),
)


@dataclass(frozen=True)
class Scale:
    """The colour range of a signed map: symmetric, -limit to +limit.

    `low`, `high` are the true extremes; `beyond` is the share of non-zero voxels outside the colour range.
    """

    limit: float
    low: float
    high: float
    percentile: float
    beyond: float

    @classmethod
    def of(cls, values: NDArray[Any], percentile: float = 99.5, name: str = "map") -> Scale:
        """The robust range of a map: a percentile of |value| over its non-zero voxels.

        Zeros are left out, because most of a map with a bounded field of view is exactly zero.

        Raises:
            InputError: the map has NaN or infinite values, or is zero everywhere, or the percentile is not
                in (0, 100].

        >>> Scale.of(np.array([-4.0, 0.0, 1.0, 2.0]), percentile=100).limit
        4.0
        """
        if not 0 < percentile <= 100:
            raise InputError(f"{name}: percentile {percentile:g}; above 0 and up to 100 is needed")
        check_finite(values, name)
        sizes = np.abs(values[values != 0]).astype(np.float64)
        if sizes.size == 0:
            raise InputError(f"{name}: zero in all {values.size} voxels, so there is nothing to draw")
        limit = float(np.percentile(sizes, percentile))
        beyond = float(np.mean(sizes > limit * (1 + 1e-9)))
        return cls(limit, float(values.min()), float(values.max()), percentile, beyond)


def check_finite(values: NDArray[Any], name: str) -> None:
    """Refuse NaN and infinities, saying how many there are and where the first one is.

    Raises:
        InputError: there are some.
    """
    bad = ~np.isfinite(values)
    count = int(bad.sum())
    if count:
        first = tuple(int(i) for i in np.unravel_index(int(bad.argmax()), bad.shape))
        raise InputError(
            f"{name}: NaN or infinite in {count} of {values.size} voxels (first at {first}); "
            "only finite values can be drawn"
        )


def colour_map() -> Colormap:
    """The diverging map: cyan and blue below zero, dark at zero, red and yellow above."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("voxplain-signed", list(STOPS), N=513)


def overlay(values: NDArray[Any], limit: float) -> NDArray[np.float64]:
    """Values (...) as colours with transparency (..., 4): opacity grows in proportion to |value|."""
    scaled = np.clip(np.asarray(values, np.float64) / limit, -1, 1)
    colours = np.asarray(colour_map()(0.5 + 0.5 * scaled), np.float64)
    colours[..., 3] = OPAQUE * np.abs(scaled)
    return colours


def bar_colours(limit: float, count: int = 256) -> NDArray[np.float64]:
    """What the colour bar shows, (count, 4): the overlay's colours as they look on a dark background."""
    colours = overlay(np.linspace(-limit, limit, count), limit)
    alpha = colours[:, 3:]
    ground = np.array([0.16, 0.16, 0.17])
    return np.concatenate([colours[:, :3] * alpha + ground * (1 - alpha), np.ones_like(alpha)], axis=1)


def window(image: NDArray[Any], low: float = 0.5, high: float = 99.5) -> tuple[float, float]:
    """Grey-level window by percentiles; the whole range where the percentiles coincide.

    >>> window(np.array([0.0] * 999 + [5.0]))
    (0.0, 5.0)
    """
    bottom, top = (float(p) for p in np.percentile(image, [low, high]))
    if bottom == top:
        bottom, top = float(image.min()), float(image.max())
    return bottom, top


def shade(picture: NDArray[Any], limits: tuple[float, float]) -> NDArray[np.float64]:
    """A picture (rows, columns[, 3]) in file units as RGB in [0, 1]; a constant one is grey."""
    bottom, top = limits
    if top > bottom:
        grey = np.clip((np.asarray(picture, np.float64) - bottom) / (top - bottom), 0, 1)
    else:
        grey = np.full(picture.shape, 0.5)
    return grey if grey.ndim == 3 else np.repeat(grey[..., None], 3, axis=2)

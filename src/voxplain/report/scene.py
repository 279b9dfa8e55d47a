"""What a figure shows: background, signed map and labels on one grid, checked once and turned for display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voxplain.errors import InputError
from voxplain.report.colours import OUTLINES, Scale, check_finite, window
from voxplain.report.view import View

if TYPE_CHECKING:
    from voxplain.case import Geometry


@dataclass(frozen=True)
class Outlined:
    """A label whose outline is drawn."""

    label: int
    name: str
    colour: str


@dataclass(frozen=True)
class Scene:
    """Arrays in display orientation (d0, d1, d2) and how to show them; made by `scenes`.

    `background` has a last axis of three where it is a colour picture. `row` names the scene where
    several are drawn in rows; `ground` and `notes` are sentences for captions.
    """

    view: View
    background: NDArray[Any]
    values: NDArray[Any]
    window: tuple[float, float]
    scale: Scale
    prediction: NDArray[Any] | None = None
    truth: NDArray[Any] | None = None
    outlined: tuple[Outlined, ...] = ()
    title: str = ""
    row: str = ""
    unit: str = "attribution"
    ground: str = ""
    notes: tuple[str, ...] = ()

    @property
    def strongest(self) -> tuple[int, int, int]:
        """Display index of the voxel with the largest |value|."""
        i, j, k = np.unravel_index(int(np.abs(self.values).argmax()), self.values.shape)
        return int(i), int(j), int(k)


def scenes(
    image: ArrayLike,
    values: ArrayLike,
    *,
    geometry: Geometry | None = None,
    prediction: ArrayLike | None = None,
    truth: ArrayLike | None = None,
    names: Mapping[int, str] | Sequence[str] = (),
    outlined: Sequence[int] | None = None,
    channels: Literal["sum", "each"] | int = "sum",
    background: int = 0,
    colour: bool | None = None,
    percentile: float = 99.5,
    title: str = "",
    unit: str = "attribution",
    spatial_dims: int | None = None,
) -> tuple[Scene, ...]:
    """Check what is to be drawn and turn it for display: one scene, or one per channel of the map.

    Args:
        image: background, (*spatial) or (C, *spatial), in any unit.
        values: signed map, (*spatial) or (C, *spatial).
        geometry: of the arrays; None where no orientation is known.
        prediction: labels or a mask (*spatial), outlined.
        truth: labels or a mask (*spatial), outlined with dashes.
        names: of the labels, for the legend.
        outlined: labels to outline; by default the eight largest of the prediction (or truth).
        channels: "sum" of the map's channels, "each" in a scene of its own, or one channel's index.
        background: channel of the image that is shown.
        colour: show the image's three channels as red, green, blue; by default in 2-D without geometry.
        percentile: of |value| over non-zero voxels, where the colours end.
        title: of the figures.
        unit: of the map, for the colour bar.
        spatial_dims: 2 or 3; needed only where nothing else tells a stack of channels from a volume.

    Raises:
        InputError: NaN, a map that is zero everywhere, shapes that do not fit, an unknown channel or label.
        GeometryError: a geometry of another shape.
    """
    maps, picture = np.asarray(values), np.asarray(image)
    given = [None if labels is None else np.ndim(labels) for labels in (prediction, truth)]
    dims = _dims(maps, picture, [spatial_dims, len(geometry.shape) if geometry else None, *given])
    maps, picture = _channel_first(maps, dims, "map"), _channel_first(picture, dims, "image")
    shape = maps.shape[1:]
    if picture.shape[1:] != shape:
        raise InputError(f"figure: the image is {picture.shape[1:]}, the map {shape}; they must share a grid")
    check_finite(maps, "map")
    check_finite(picture, "image")
    view = View.of(shape, geometry)
    ground, limits, ground_note = _background(picture, background, colour, dims == 2 and geometry is None)
    labels, masks = _labels(prediction, shape, "prediction"), _labels(truth, shape, "ground truth")
    drawn, hidden = _outlines(labels, masks, names, outlined)
    layers, layer_notes = _layers(maps, channels)
    scale = Scale.of(np.stack(layers), percentile)
    common = Scene(
        view=view,
        background=view.display(ground),
        values=view.display(layers[0]),
        window=limits,
        scale=scale,
        prediction=None if labels is None else view.display(labels),
        truth=None if masks is None else view.display(masks),
        outlined=drawn,
        title=title,
        unit=unit,
        ground=ground_note,
    )
    rows = [f"channel {n}" if len(layers) > 1 else "" for n in range(len(layers))]
    return tuple(
        replace(common, values=view.display(layer), row=row, notes=(*layer_notes, *hidden))
        for layer, row in zip(layers, rows, strict=True)
    )


def _dims(maps: NDArray[Any], picture: NDArray[Any], known: Sequence[int | None]) -> int:
    for dims in known:
        if dims is not None:
            return dims
    if min(maps.ndim, picture.ndim) == 2:
        return 2
    if max(maps.ndim, picture.ndim) == 4:
        return 3
    raise InputError(
        f"figure of a map of shape {maps.shape}: a volume, or channels of a picture? give spatial_dims"
    )


def _channel_first(array: NDArray[Any], dims: int, name: str) -> NDArray[Any]:
    if array.dtype.kind not in "fiub":
        raise InputError(f"{name}: values of type {array.dtype}; real numbers are needed")
    if array.ndim not in (dims, dims + 1):
        raise InputError(
            f"{name}: shape {array.shape}; {dims} spatial axes, with or without channels first, are needed"
        )
    full = array if array.ndim == dims + 1 else array[None]
    if 0 in full.shape:
        raise InputError(f"{name}: shape {array.shape} is empty")
    return full


def _background(
    picture: NDArray[Any], channel: int, colour: bool | None, is_picture: bool
) -> tuple[NDArray[Any], tuple[float, float], str]:
    count = len(picture)
    if colour if colour is not None else (is_picture and count == 3):
        if count != 3:
            raise InputError(f"image: {count} channels; colour needs 3")
        # One window that starts at zero for all three, so that hues stay as they are.
        bottom, top = window(picture, 0.1, 99.9)
        limits = (min(0.0, bottom), top)
        return np.moveaxis(picture, 0, -1), limits, f"Background in colour: {_span(limits)}."
    if not 0 <= channel < count:
        raise InputError(f"image: background channel {channel}; it has channels 0 to {count - 1}")
    shown = picture[channel]
    limits = window(shown)
    text = f"Background: {_span(limits)} (0.5th to 99.5th percentile)"
    return shown, limits, text + (f", channel {channel} of {count}." if count > 1 else ".")


def _span(limits: tuple[float, float]) -> str:
    return f"{limits[0]:.4g} to {limits[1]:.4g}".replace("-", "−")


def _layers(
    maps: NDArray[Any], channels: Literal["sum", "each"] | int
) -> tuple[list[NDArray[Any]], tuple[str, ...]]:
    count = len(maps)
    if channels == "each" or count == 1:
        if isinstance(channels, int) and channels != 0:
            raise InputError(f"map: channel {channels}; it has only channel 0")
        return list(maps), ()
    if channels == "sum":
        total = maps.sum(axis=0, dtype=np.float64)
        if maps.any() and not total.any():
            raise InputError(
                f"map: its {count} channels sum to zero everywhere; draw them with channels='each'"
            )
        return [total], (f"The map is the sum over {count} channels.",)
    if isinstance(channels, int) and 0 <= channels < count:
        return [maps[channels]], (f"The map is channel {channels} of {count}.",)
    raise InputError(f"map: channels={channels!r}; 'sum', 'each' or an index from 0 to {count - 1} is needed")


def _labels(labels: ArrayLike | None, shape: tuple[int, ...], name: str) -> NDArray[Any] | None:
    if labels is None:
        return None
    array = np.asarray(labels)
    if array.shape != shape:
        raise InputError(f"{name}: shape {array.shape}, the map {shape}; they must share a grid")
    if array.dtype.kind == "f" and not (np.isfinite(array).all() and (array == np.rint(array)).all()):
        raise InputError(f"{name}: values that are not whole numbers; labels or a mask are needed")
    return array.astype(np.int32) if array.dtype.kind in "fb" else array


def _outlines(
    labels: NDArray[Any] | None,
    truth: NDArray[Any] | None,
    names: Mapping[int, str] | Sequence[str],
    asked: Sequence[int] | None,
) -> tuple[tuple[Outlined, ...], tuple[str, ...]]:
    source = labels if labels is not None else truth
    if source is None:
        return (), ()
    known = dict(names) if isinstance(names, Mapping) else dict(enumerate(names))
    notes: tuple[str, ...] = ()
    if asked is None:
        present, counts = np.unique(source[source != 0], return_counts=True)
        largest = present[np.argsort(-counts, kind="stable")][: len(OUTLINES)]
        chosen = sorted(int(label) for label in largest)
        if len(present) > len(chosen):
            notes = (f"Outlined: the {len(chosen)} largest of {len(present)} labels.",)
    else:
        chosen = list(dict.fromkeys(int(label) for label in asked))
    drawn = tuple(
        Outlined(label, str(known.get(label, f"label {label}")), OUTLINES[n % len(OUTLINES)])
        for n, label in enumerate(chosen)
    )
    return drawn, notes

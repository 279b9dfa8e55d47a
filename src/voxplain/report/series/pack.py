"""Series into the page, in no more room than is given; the description (version 1) is that of `web/src/series/format.ts`.

Frames are stored as what they add to the image, so that a small change is not lost between the steps of a bright image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxplain.errors import VoxplainError
from voxplain.report.colours import OPAQUE, STOPS, Scale
from voxplain.report.series.shown import ShownLayer, ShownSeries
from voxplain.report.viewer import MB, reduce
from voxplain.report.viewer.grid import Grid
from voxplain.report.viewer.pack import Room, first_that_fits, image_lost, of_grid, pack_labels
from voxplain.report.viewer.quantise import Quantised, image, signed
from voxplain.report.viewer.reduce import Factors
from voxplain.report.viewer.windows import presets

VERSION = 1
_CUTS = 101  # places of the slider of a mask


@dataclass(frozen=True)
class PackedSeries:
    """What a page holds for its series.

    Attributes:
        contents: a description for each image; None of one that is left out.
        volumes: name -> base64, referred to by the descriptions.
        left_out: for each image, why; "" where it is in the page.
    """

    contents: tuple[dict[str, Any] | None, ...]
    volumes: dict[str, str]
    left_out: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes of all volumes as they stand in the page."""
        return sum(map(len, self.volumes.values()))


def pack_series(
    makers: Iterable[Callable[[], ShownSeries]], count: int, budget: float = 12 * MB
) -> PackedSeries:
    """Pack series, each read when its turn comes, and let go; the best that fits is kept of each, as for the viewer.

    Args:
        makers: what makes each series.
        count: how many there are; each has the same share of what earlier ones left.
        budget: bytes of all volumes together, as they stand in the page.
    """
    contents: list[dict[str, Any] | None] = []
    volumes: dict[str, str] = {}
    left_out: list[str] = []
    room = budget
    for number, make in enumerate(makers):
        share = room / max(count - number, 1)
        try:
            found = _best(make(), f"series-{number}", share)
        except (VoxplainError, OSError) as error:  # the page is worth more than one slider
            contents.append(None)
            left_out.append(f"no slider: {error}")
            continue
        if found is None:
            contents.append(None)
            left_out.append(f"no slider: it takes more than {share / MB:.3g} MB even in coarse steps")
            continue
        contents.append(found.described)
        left_out.append("")
        volumes |= found.volumes
        room -= found.size
    return PackedSeries(tuple(contents), volumes, tuple(left_out))


def _best(series: ShownSeries, prefix: str, budget: float) -> Room | None:
    grid = Grid.of(series.image.shape, series.geometry)
    values = series.image.size
    values += 0 if series.frames is None else series.frames.size
    values += sum(layer.values.size for layer in series.layers if layer.values is not series.frames)

    def fill(room: Room, fine: bool, times: int) -> bool:
        return _fill(room, series, grid, fine, times, budget)

    return first_that_fits(grid, values, prefix, budget, fill)


def _fill(room: Room, series: ShownSeries, grid: Grid, fine: bool, times: int, budget: float) -> bool:
    """Whether all of it fits."""
    by = reduce.factors(grid.view.shape, times)
    ground = reduce.mean(grid.array(series.image), by) if times > 1 else grid.array(series.image)
    shown = image(ground, fine=fine)
    everything = series.image if series.frames is None else series.frames
    described: dict[str, Any] = {
        "version": VERSION, "name": series.name, **of_grid(grid, by, ground.shape),
        "stops": [[at, colour] for at, colour in STOPS], "opaque": OPAQUE,
        "image": {
            **room.add(shown.stored), "scale": shown.scale, "offset": shown.offset, "presets": presets(everything),
        },
        "unit": series.unit, "names": list(series.names), "target": series.target,
        "steps": [
            {"dose": float(s.dose), "score": float(s.score), "calibrated": bool(s.calibrated)} for s in series.steps
        ],
        "changes": None, "layers": [], "labels": [pack_labels(room, labels, grid, by) for labels in series.labels],
    }  # fmt: skip
    lost = [image_lost(shown)]
    if series.frames is not None:
        away = series.frames.astype(np.float64) - series.image
        described["changes"], told = _signed(room, away, grid, by, fine, reduce.mean)
        lost.append(f"Changes of the image: {told}.")
    for layer in series.layers:
        if room.size > budget:
            return False
        described["layers"].append(_layer(room, layer, series, described["changes"], grid, by, fine, lost))
    cost = [text.replace("e-", "e−") for text in lost]
    described["warnings"] = list(series.notes)
    described["notes"] = [*grid.notes(), *_coarser(by), *cost]
    room.described = described
    return room.size <= budget


def _layer(
    room: Room,
    layer: ShownLayer,
    series: ShownSeries,
    changes: Any,
    grid: Grid,
    by: Factors,
    fine: bool,
    lost: list[str],
) -> dict[str, Any]:
    """What describes a layer; one of the frames' own changes is not stored again."""
    told: dict[str, Any] = {
        "name": layer.name, "kind": layer.kind, "unit": layer.unit, "mask": None,
        "missing": {str(step): reason for step, reason in layer.missing},
    }  # fmt: skip
    if layer.kind == "grid":
        told["steps"], error = _motion(room, layer.values, grid, by, fine)
        lost.append(f"{layer.name}: displacement stored to within {error:.2g} voxels.")
        return told | {"limit": 0.0}
    own = changes is not None and layer.values is series.frames
    limit = (
        layer.limit
        if layer.limit is not None
        else _limit(layer.values - series.image if own else layer.values)
    )
    if own:
        return told | {"limit": limit, "steps": changes}
    told["steps"], words = _signed(room, layer.values, grid, by, fine, reduce.strongest)
    lost.append(f"{layer.name}: {words}.")
    if layer.mask is not None:
        told["mask"] = _mask(layer, grid)
    return told | {"limit": limit}


def _mask(layer: ShownLayer, grid: Grid) -> dict[str, Any]:
    """Places of the slider, and how many voxels of the file's own grid lie above each; a voxel's volume in ml."""
    assert layer.mask is not None
    # without an orientation voxels have no size
    volume = float(np.prod(grid.view.spacing)) / 1000 if grid.turned and grid.view.ndim == 3 else None
    ordered = np.sort(layer.values[0], axis=None)
    low, high = float(ordered[0]), float(ordered[-1])
    cuts = np.unique(
        [*np.linspace(low, high, _CUTS), *([t] if (t := layer.mask.threshold) is not None else [])]
    )
    voxels = ordered.size - np.searchsorted(ordered, cuts, side="right")
    return {
        "threshold": layer.mask.threshold, "where": layer.mask.where, "note": layer.mask.note, "millilitres": volume,
        "cuts": [[float(cut), int(count)] for cut, count in zip(cuts, voxels, strict=True)],
    }  # fmt: skip


def _limit(values: NDArray[Any]) -> float:
    return Scale.of(values).limit if np.any(values) else 1.0


def _signed(
    room: Room, values: NDArray[Any], grid: Grid, by: Factors, fine: bool, how: Callable[..., NDArray[Any]]
) -> tuple[list[dict[str, Any]], str]:
    """All steps (F, *spatial) in one range, so that they can be compared; what that costs."""
    here = np.stack([_turned(v, grid, by, how) for v in values])
    end = float(np.abs(here).max()) or 1.0
    stored = signed(here, end, fine=fine)
    return _added(room, stored), f"stored to within {stored.error:.2g}" + (
        f", below {stored.floor:.2g} set to zero" if stored.floor else ""
    )


def _motion(
    room: Room, values: NDArray[Any], grid: Grid, by: Factors, fine: bool
) -> tuple[list[list[dict[str, Any]]], float]:
    """A displacement (F, D, *spatial) in voxels of the file, as components along the axes of the page, in its voxels."""
    out: list[list[dict[str, Any]]] = [[] for _ in values]
    error = 0.0
    axes = {one["axis"]: (n, one["step"]) for n, one in enumerate(grid.file_axes())}
    for axis in range(3):
        n, step = axes.get(axis, (None, 1))
        if n is None or n >= values.shape[1]:
            here = np.zeros((len(values), *_turned(values[0, 0], grid, by, reduce.mean).shape))
        else:
            here = np.stack([_turned(v[n], grid, by, reduce.mean) for v in values]) * (step / by[axis])
        stored = _exact(here, fine)
        error = max(error, stored.error)
        for frame, told in zip(out, _added(room, stored), strict=True):
            frame.append(told)
    return out, error


def _exact(values: NDArray[Any], fine: bool) -> Quantised:
    """Without a floor: a small displacement is one, too."""
    end = float(np.abs(values).max()) or 1.0
    kind: Any = np.int16 if fine else np.int8
    scale = end / np.iinfo(kind).max
    stored = np.rint(values / scale).astype(kind)
    return Quantised(stored, scale, 0.0, float(np.abs(stored * scale - values).max()))


def _turned(values: NDArray[Any], grid: Grid, by: Factors, how: Callable[..., NDArray[Any]]) -> NDArray[Any]:
    turned = grid.array(np.asarray(values, np.float64))
    return how(turned, by) if max(by) > 1 else turned


def _added(room: Room, stored: Quantised) -> list[dict[str, Any]]:
    return [{**room.add(frame), "scale": stored.scale, "offset": 0.0} for frame in stored.stored]


def _coarser(by: Factors) -> list[str]:
    if max(by) == 1:
        return []
    return [
        f"Shown on a coarser grid, one voxel for {by[0]} × {by[1]} × {by[2]}, to fit the page: images and changes are "
        "their mean, maps the strongest of them. The files have all of it."
    ]

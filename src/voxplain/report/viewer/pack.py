"""Cases into the page: a description as JSON and volumes as text, in no more room than is given.

The description (version 1) is what `web/src/format.ts` declares. A volume is the base64 of the zlib stream of its
little-endian integers, the first axis fastest, on axes R, A, S; `value = offset + scale * stored`.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxplain.errors import VoxplainError
from voxplain.report.colours import OPAQUE, OUTLINES, STOPS, Scale
from voxplain.report.viewer import reduce
from voxplain.report.viewer.grid import Grid
from voxplain.report.viewer.quantise import Quantised, image, signed
from voxplain.report.viewer.reduce import Factors
from voxplain.report.viewer.shown import ShownCase, ShownLabels, ShownMap
from voxplain.report.viewer.windows import presets

VERSION = 1
MB = 1_000_000
LEAST_FOR_THREE_D = 2 * MB
"""Room of volumes beside which half a megabyte for the script is little."""
ROOMS = ((True, 1), (False, 1), (False, 2), (False, 4), (False, 8))  # fine or not, and voxels per voxel
HOPE = 0.1  # of the plain bytes: what never was compressed to less is not tried
MOST_LABELS = 65535  # the largest number that is counted by place, which is faster than by sorting


@dataclass(frozen=True)
class Packed:
    """What the page holds for the viewer.

    Attributes:
        contents: the description.
        volumes: name -> base64, referred to by the description.
        left_out: sentences on cases that did not fit.
        three_d: whether the page lets readers look at volumes in three dimensions, too.
    """

    contents: dict[str, Any]
    volumes: dict[str, str]
    left_out: tuple[str, ...] = ()
    three_d: bool = False

    @property
    def size(self) -> int:
        """Bytes of all volumes as they stand in the page."""
        return sum(map(len, self.volumes.values()))


def pack(
    cases: Iterable[Callable[[], ShownCase]], count: int, budget: float = 12 * MB, *, three_d: bool = True
) -> Packed:
    """Pack cases, each read when its turn comes, and let go.

    The best that fits is kept of every case: first all of it in fine steps, then coarse ones, then coarser grids, too.

    Args:
        cases: what makes each case.
        count: how many there are; each has the same share of what earlier ones left.
        budget: bytes of all volumes together, as they stand in the page.
        three_d: let readers look at them in three dimensions, where any is a volume and `LEAST_FOR_THREE_D` is there.
    """
    volumes: dict[str, str] = {}
    described: list[dict[str, Any]] = []
    left_out: list[str] = []
    room = budget
    for number, make in enumerate(cases):
        share = room / max(count - number, 1)
        try:
            case = make()
            found = _best(case, f"volume-{number}", share)
        except VoxplainError as error:  # the page is worth more than one case's volumes
            left_out.append(f"not in the viewer: {error}")
            continue
        if not case.targets:
            left_out += [f"{case.name}: {note}" for note in case.notes]
            continue
        if found is None:
            left_out.append(
                f"{case.name}: not in the viewer, since it takes more than {share / MB:.3g} MB even in coarse steps"
            )
            continue
        described.append(found.described)
        volumes |= found.volumes
        room -= found.size
    stops = [[at, colour] for at, colour in STOPS]
    contents = {"version": VERSION, "stops": stops, "opaque": OPAQUE, "cases": described}
    three_d = three_d and budget >= LEAST_FOR_THREE_D and any(len(c["planes"]) == 3 for c in described)
    return Packed(contents, volumes, tuple(left_out), three_d)


@dataclass
class Room:
    """The volumes of one case, at one size; a prefix of their names, what describes them, and the volumes."""

    prefix: str
    described: dict[str, Any] = field(default_factory=dict)
    volumes: dict[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes as they stand in the page."""
        return sum(map(len, self.volumes.values()))

    def add(self, stored: NDArray[Any]) -> dict[str, str]:
        """Keep a volume; its name and type."""
        name = f"{self.prefix}-{len(self.volumes)}"
        plain = np.ascontiguousarray(stored.T).astype(stored.dtype.newbyteorder("<"), copy=False)
        self.volumes[name] = base64.b64encode(zlib.compress(plain.tobytes(), 6)).decode()
        return {"data": name, "type": str(stored.dtype)}


def _best(case: ShownCase, prefix: str, budget: float) -> Room | None:
    grid = Grid.of(case.image.shape, case.geometry)
    layers = 1 + sum(len(t.maps) for t in case.targets)

    def fill(room: Room, fine: bool, times: int) -> bool:
        return _fill(room, case, grid, fine, times, budget)

    return first_that_fits(grid, case.image.size * layers, prefix, budget, fill)


def first_that_fits(
    grid: Grid, values: int, prefix: str, budget: float, fill: Callable[[Room, bool, int], bool]
) -> Room | None:
    """The first of `ROOMS` into which all goes; those that are hopeless are not tried, but for the coarsest.

    Args:
        values: how many there are on the full grid.
        fill: fills a room, fine or not, on a grid so many times as coarse; whether all of it fits.
    """
    for fine, times in ROOMS:
        stored = values / np.prod(reduce.factors(grid.view.shape, times))
        if HOPE * stored * (2 if fine else 1) > budget and (fine or times < 8):
            continue
        room = Room(prefix)
        if fill(room, fine, times):
            return room
    return None


def _fill(room: Room, case: ShownCase, grid: Grid, fine: bool, times: int, budget: float) -> bool:
    """Whether all of it fits."""
    by = reduce.factors(grid.view.shape, times)
    ground = reduce.mean(grid.array(case.image), by) if times > 1 else grid.array(case.image)
    shown = image(ground, fine=fine)
    described: dict[str, Any] = {
        "name": case.name,
        **of_grid(grid, by, ground.shape),
        "image": {
            **room.add(shown.stored),
            "scale": shown.scale,
            "offset": shown.offset,
            "presets": presets(case.image),
        },
        "labels": [pack_labels(room, labels, grid, by) for labels in case.labels],
        "targets": [],
        "notes": [*grid.notes(), *reduced(by), image_lost(shown), *case.notes],
    }
    for target in case.targets:
        maps = []
        for made in target.maps:
            maps.append(_map(room, made, grid, by, fine))
            if room.size > budget:
                return False
        described["targets"].append({"name": target.name, "maps": maps})
    room.described = described
    return room.size <= budget


def of_grid(grid: Grid, by: Factors, shape: tuple[int, ...]) -> dict[str, Any]:
    """Shape, spacing, affine, the way to the file's own voxel, planes."""
    affine = None if grid.affine is None else reduce.affine(grid.affine, by)
    spacing = [s * n for s, n in zip(grid.view.spacing, by, strict=True)]
    file = []
    for one in grid.file_axes():
        # the voxel in the middle of a block stands for it
        step = one["step"] * by[one["axis"]]
        file.append({**one, "step": step, "start": one["start"] + one["step"] * (by[one["axis"]] // 2)})
    return {
        "shape": list(shape),
        "spacing": spacing,
        "affine": None if affine is None else affine.tolist(),
        "file": file,
        "planes": grid.planes(),
    }


def pack_labels(room: Room, labels: ShownLabels, grid: Grid, by: Factors) -> dict[str, Any]:
    """Labels as they are; the largest of them are outlined."""
    kept, lines = outlined(labels, grid, by)
    return {**room.add(kept), "name": labels.name, "dashed": labels.dashed, "outlined": lines}


def outlined(
    labels: ShownLabels, grid: Grid, by: Factors
) -> tuple[NDArray[np.uint8 | np.uint16], list[dict[str, Any]]]:
    """Labels as they are, of which the largest are kept and outlined; and each one's number, name and colour."""
    values = reduce.middle(grid.array(labels.values), by) if max(by) > 1 else grid.array(labels.values)
    present, counts = _counted(values)
    by_size = [int(n) for n in present[np.argsort(-counts, kind="stable")]]
    by_size.sort(key=lambda label: label not in labels.wanted)  # a stable sort: sizes stay in order
    largest = sorted(by_size[: len(OUTLINES)])
    lines = [
        {
            "label": label,
            "name": labels.names.get(label, f"label {label}"),
            "colour": "#ffffff" if labels.dashed else OUTLINES[n % len(OUTLINES)],
        }
        for n, label in enumerate(largest)
    ]
    kind = np.uint8 if max(largest, default=0) < 256 else np.uint16
    if int(values.min(initial=0)) < 0 or int(values.max(initial=0)) > MOST_LABELS:
        return np.where(np.isin(values, largest), values, 0).astype(kind), lines
    table = np.zeros(int(values.max(initial=0)) + 1, kind)
    table[largest] = largest
    return table[values], lines


def _counted(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Labels above 0 and how many voxels each has; without sorting 256³ voxels where numbers are small."""
    if int(values.min(initial=0)) < 0 or int(values.max(initial=0)) > MOST_LABELS:
        return np.unique(values[values > 0], return_counts=True)
    counts = np.bincount(values.ravel(order="K"))
    present = np.flatnonzero(counts)
    present = present[present > 0]
    return present, counts[present]


def _map(room: Room, made: ShownMap, grid: Grid, by: Factors, fine: bool) -> dict[str, Any]:
    limit = Scale.of(made.values, name=made.method).limit
    values = grid.array(made.values)
    stored = signed(reduce.strongest(values, by) if max(by) > 1 else values, limit, fine=fine)
    return {
        **room.add(stored.stored),
        "scale": stored.scale,
        "offset": 0.0,
        "method": made.method,
        "limit": limit,
        "unit": made.unit,
        "light": made.light,
        "verdict": made.verdict,
        "lost": _map_lost(stored, made, limit),
    }


def _map_lost(stored: Quantised, made: ShownMap, limit: float) -> str:
    low, high = float(made.values.min()), float(made.values.max())
    parts = [f"stored to within {stored.error:.2g} {made.unit}"]
    if stored.floor:
        parts.append(f"below {stored.floor:.2g} set to zero")
    if stored.clipped:
        parts.append(
            f"{stored.clipped} voxels beyond ±{limit:.3g} cut to it, the map runs from {low:.3g} to {high:.3g}"
        )
    return ", ".join(parts).replace("-", "−")


def image_lost(shown: Quantised) -> str:
    """What storing an image in steps has cost."""
    text = "Image: stored exactly" if not shown.error else f"Image: stored to within {shown.error:.2g}"
    if shown.clipped:
        ends = (shown.offset, shown.offset + shown.scale * np.iinfo(shown.stored.dtype).max)
        text += f"; {shown.clipped} voxels beyond {ends[0]:.4g} to {ends[1]:.4g} cut to these ends"
    return f"{text}.".replace("-", "−")


def reduced(by: Factors, why: str = "to fit the page") -> list[str]:
    """What a reader must know of a coarser grid."""
    if max(by) == 1:
        return []
    return [
        f"Shown on a coarser grid, one voxel for {by[0]} × {by[1]} × {by[2]}, {why}: the image is their mean, a "
        "map their strongest value, labels their middle one. The files of the study have all of it."
    ]

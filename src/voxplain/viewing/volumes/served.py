"""Descriptions and volumes of a folder's items, as `web/src/format.ts` declares them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from voxplain.report.colours import Scale
from voxplain.report.viewer import reduce
from voxplain.report.viewer.grid import Grid
from voxplain.report.viewer.pack import of_grid, outlined, reduced
from voxplain.report.viewer.reduce import Factors
from voxplain.report.viewer.windows import presets
from voxplain.study.volumes import ground_of
from voxplain.viewing.volumes.kept import Kept
from voxplain.viewing.volumes.volume import Volume, exact

if TYPE_CHECKING:
    from voxplain.case import Case
    from voxplain.report.viewer import ShownLabels
    from voxplain.viewing.folder import Folder, Item

MOST_VOXELS = 1 << 27  # of a volume: 512 MB as float32; of four such at once a browser's tab still has room
TIMES = (1, 2, 4, 8, 16)


@dataclass(frozen=True, eq=False)
class _Opened:
    """A case that was read, on the viewer's grid."""

    case: Case
    grid: Grid
    by: Factors
    notes: tuple[str, ...]

    @property
    def size(self) -> int:
        return int(self.case.image.nbytes)


class Served:
    """Volumes of a folder; thread-safe, and each file is read once as long as there is room.

    Args:
        most: voxels of a volume; where a case has more, it is shown on a coarser grid, and says so.
    """

    def __init__(self, folder: Folder, kept: Kept | None = None, most: int = MOST_VOXELS) -> None:
        self.folder, self.kept, self.most = folder, kept or Kept(), most

    def describe(self, item: Item) -> dict[str, Any]:
        """All but targets and the volumes' names."""
        opened = self._opened(item)
        image = self.image(item)
        lost = image.told["lost"]
        return {
            "name": item.name,
            **of_grid(opened.grid, opened.by, _shape(opened)),
            "image": {
                "type": image.told["type"],
                "scale": 1.0,
                "offset": 0.0,
                "presets": image.told["presets"],
            },
            "notes": [
                *opened.grid.notes(),
                *reduced(opened.by, "since the browser could not hold all voxels"),
                *([lost] if lost else []),
                *opened.notes,
            ],
        }

    def image(self, item: Item) -> Volume:
        """What lies under the maps, in the file's units."""
        return self._kept(item, "image", lambda: self._image(item))

    def labels(self, item: Item) -> tuple[tuple[str, bool, Volume], ...]:
        """Name, whether dashed, and voxels of each layer of labels."""
        return self.kept.get(
            (item.number, "labels"), lambda: self._labels(item), lambda found: sum(v.size for *_, v in found)
        )

    def map(self, item: Item, target: str, method: str) -> Volume:
        """A map in its own units.

        Raises:
            InputError: it is zero everywhere, or its file is damaged.
        """
        return self._kept(item, ("map", target, method), lambda: self._map(item, target, method))

    def relative(self, item: Item, target: str, method: str) -> Volume:
        """A map as shares of where its colours end, so that neither size nor unit tells who made it."""

        def make() -> Volume:
            found = self.map(item, target, method)
            limit = found.told["limit"]
            shares = (found.voxels.astype(np.float64) / limit).astype(np.float32)
            return Volume(shares, {"type": "float32", "limit": 1.0, "lost": ""})

        return self._kept(item, ("relative", target, method), make)

    def _kept(self, item: Item, what: object, make: Callable[[], Volume]) -> Volume:
        return self.kept.get((item.number, what), make, lambda volume: volume.size)

    def _opened(self, item: Item) -> _Opened:
        return self.kept.get((item.number, "case"), lambda: self._open(item), lambda opened: opened.size)

    def _open(self, item: Item) -> _Opened:
        case = self.folder.read_case(item)
        grid = Grid.of(case.spatial_shape, case.geometry)
        fits = (t for t in TIMES if _voxels(grid, reduce.factors(grid.view.shape, t)) <= self.most)
        by = reduce.factors(grid.view.shape, next(fits, TIMES[-1]))
        notes: list[str] = []
        ground_of(case, notes)
        return _Opened(case, grid, by, tuple(notes))

    def _image(self, item: Item) -> Volume:
        opened = self._opened(item)
        below = ground_of(opened.case, [])
        values = opened.grid.array(below)
        stored, error = exact(values if max(opened.by) == 1 else reduce.mean(values, opened.by))
        lost = f"Image: stored to within {error:.2g}." if error else ""
        return Volume.of(
            stored, lost=lost, presets=presets(below.T)
        )  # a file in order: the first axis fastest

    def _labels(self, item: Item) -> tuple[tuple[str, bool, Volume], ...]:
        opened = self._opened(item)
        return tuple(self._layer(one, opened) for one in self.folder.read_labels(item, opened.case))

    def _layer(self, labels: ShownLabels, opened: _Opened) -> tuple[str, bool, Volume]:
        kept, lines = outlined(labels, opened.grid, opened.by)
        return labels.name, labels.dashed, Volume.of(kept, outlined=lines)

    def _map(self, item: Item, target: str, method: str) -> Volume:
        opened = self._opened(item)
        found = self.folder.read_map(item, target, method, opened.case)
        limit = Scale.of(found.T, name=method).limit
        values = opened.grid.array(found)
        stored, error = exact(values if max(opened.by) == 1 else reduce.strongest(values, opened.by))
        lost = f"stored to within {error:.2g}" if error else ""
        return Volume.of(stored, limit=limit, lost=lost)


def _shape(opened: _Opened) -> tuple[int, ...]:
    return tuple(-(-size // n) for size, n in zip(opened.grid.view.shape, opened.by, strict=True))


def _voxels(grid: Grid, by: Factors) -> int:
    return int(np.prod([-(-size // n) for size, n in zip(grid.view.shape, by, strict=True)]))

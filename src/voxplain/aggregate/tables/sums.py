"""Sums over regions and shells of maps that come piece by piece."""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from voxplain.aggregate.shells import DistancesFromTargets
from voxplain.aggregate.tables.cells import Cells, Runs, group_sums, runs_of, sorted_by
from voxplain.aggregate.tables.estimates import energies, estimates
from voxplain.engine import Problem
from voxplain.engine.layout import Slices

Array = NDArray[np.float64]
# voxels that are summed at once: about what stays in a processor's cache
AT_ONCE = 1 << 16
# pieces of the image whose order is kept for the next target: of a piece of 2¹⁶ voxels it takes 128 kB
KEPT = 512

Edges = tuple[tuple[int, int], ...]


class Sums:
    """What is known of every target's map once all its pieces have been taken; nothing else of it is kept.

    Whatever may run out of memory comes before anything of a piece is counted.

    Args:
        sizes: (G,) draws of each group of which pieces hold a sum.
        times: (C, *spatial) factor of the map, 1 where missing.
        draws: how many draws `each` will be told of, 0 for none.

    Attributes:
        regions: (T, 1 + R, S) of the whole image and of all partitions' regions.
        shells: (T, n, S) of the fine shells.
        draws: (draws, T, 1 + R) each draw's share of the net sums.
    """

    def __init__(
        self,
        problem: Problem,
        cells: Cells,
        distances: DistancesFromTargets | None,
        sizes: Array,
        times: Tensor | None = None,
        draws: int = 0,
    ) -> None:
        self.problem, self.cells, self.distances, self.sizes = problem, cells, distances, sizes
        self.times = times
        self.count = 1 if len(sizes) == 1 else 1 + len(sizes)
        targets, regions = len(problem.targets), cells.to_regions.shape[0]
        columns = 2 * self.count + (1 if len(sizes) < 3 else self.count)
        self.regions = np.zeros((targets, regions, columns))
        self.shells = np.zeros((targets, distances.count if distances else 0, columns))
        self.draws = np.zeros((draws, targets, regions))
        self._sorted = lru_cache(maxsize=KEPT)(partial(_sorted_in, cells.index))
        if draws:
            padded, self._padded_times = self._padded()
            # a batch of windows is worked on at a time, with all its targets and draws
            self._padded_runs = lru_cache(maxsize=problem.runner.batch + 2)(partial(_runs_in, padded))

    def take(self, target: int, slab: Slices, block: Tensor) -> None:
        """A finished piece (G, C, *slab) of a target's map."""
        regions = np.zeros_like(self.regions[target])
        shells = np.zeros_like(self.shells[target])
        bins = self.distances.bins(target) if self.distances is not None else None
        first = slab[0]
        planes = max(AT_ONCE // max(block[0, 0, 0].numel(), 1), 1)
        for start in range(0, first.stop - first.start, planes):
            part = block[:, :, start : start + planes]
            where = (slice(first.start + start, first.start + start + part.shape[2]), *slab[1:])
            order, runs = self._sorted(_edges(where))
            values = self._values(part, where, order)
            regions += self.cells.to_regions @ group_sums(runs, values, self.cells.count)
            if bins is not None:
                shells += group_sums(runs_of(bins[where].ravel()[order]), values, len(shells))
        self.regions[target] += regions
        self.shells[target] += shells

    def each(self, target: int, where: Slices, block: Tensor, draw: int) -> None:
        """A window's share (C, *box) of one draw of a target, at slices of the padded image."""
        values = block.double()
        if self._padded_times is not None:
            values = values * self._padded_times[(slice(None), *where)]
        starts, cells = self._padded_runs(_edges(where))
        summed = np.add.reduceat(values.sum(0).numpy().ravel(), starts)
        # the last one is what padding adds
        found = np.bincount(cells, summed, minlength=self.cells.count + 1)[:-1]
        self.draws[draw, target] += self.cells.to_regions @ found

    def signed(self, sums: Array) -> tuple[Array, Array, Array]:
        """Positive and negative sums and energies of columns (..., S): (1 + G, ...) each, the later without a group.

        Energies without a group are missing below three groups.
        """
        last = np.moveaxis(sums, -1, 0)
        net, absolute = last[: self.count], last[self.count : 2 * self.count]
        # where all values are of one sign, both sums are of the same numbers, and the other part is 0 exactly
        return (absolute + net) / 2, (absolute - net) / 2, last[2 * self.count :]

    def _values(self, part: Tensor, where: Slices, order: NDArray[np.unsignedinteger]) -> Array:
        """(S, v) of a piece (G, C, *box): values, their sizes and energies, added up over channels; voxels in that order."""
        groups, channels = part.shape[:2]
        net, absolute = slice(0, self.count), slice(self.count, 2 * self.count)
        out = np.empty((self.regions.shape[2], part[0, 0].numel()))
        for channel in range(channels):
            # in order first, while values are small
            own = part[:, channel].reshape(groups, -1).numpy().take(order, axis=1).astype(np.float64)
            if self.times is not None:
                own *= self.times[channel][where].double().reshape(-1).numpy()[order]
            found, squares = estimates(own, self.sizes), energies(own, self.sizes)
            if channel == 0:  # most images have no other
                out[net], out[2 * self.count :] = found, squares
                np.abs(found, out=out[absolute])
            else:
                out[net] += found
                out[absolute] += np.abs(found)
                out[2 * self.count :] += squares
        return out

    def _padded(self) -> tuple[NDArray[np.int32], Tensor | None]:
        """Cells and factor where the windows lie: padding that repeats the image belongs to the voxel that it repeats."""
        layout, index = self.problem.layout, self.cells.index
        if layout is None or not layout.is_padded:
            return index, None if self.times is None else self.times.double()
        if layout.windows.padding == "constant":
            out = np.full(layout.padded, self.cells.count, dtype=np.int32)
            inner = tuple(slice(b, b + n) for b, n in zip(layout.before, layout.shape, strict=True))
            out[inner] = index
        else:
            out = layout.pad(torch.from_numpy(index).double()[None])[0].numpy().astype(np.int32)
        return out, None if self.times is None else layout.pad(self.times.double())


def _edges(where: Slices) -> Edges:
    return tuple((s.start, s.stop) for s in where)


def _sorted_in(index: NDArray[np.int32], box: Edges) -> tuple[NDArray[np.unsignedinteger], Runs]:
    return sorted_by(index[tuple(slice(*edge) for edge in box)])


def _runs_in(index: NDArray[np.int32], box: Edges) -> Runs:
    return runs_of(index[tuple(slice(*edge) for edge in box)])

"""Several partitions as one: whatever is summed is summed once for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from voxplain.aggregate.partition import Partition


@dataclass(frozen=True, eq=False)
class Cells:
    """Voxels that share their region in every partition make a cell.

    Attributes:
        index: (*spatial) int32 number of each voxel's cell.
        count: number of cells.
        to_regions: (1 + R, count) 0 or 1, which cells make up each region: first the whole image, then the partitions'
            regions one after the other.
    """

    index: NDArray[np.int32]
    count: int
    to_regions: scipy.sparse.csr_matrix

    @staticmethod
    def of(partitions: Sequence[Partition], shape: tuple[int, ...]) -> Cells:
        """The cells of any number of partitions of an image (*spatial)."""
        index = np.zeros(shape, dtype=np.int64)
        members: list[NDArray[np.int64]] = []
        count = 1
        for partition in partitions:
            regions = len(partition.regions)
            code = index * regions + partition.labels.numpy()
            met = np.flatnonzero(np.bincount(code.ravel(), minlength=count * regions))
            number = np.zeros(count * regions, dtype=np.int64)
            number[met] = np.arange(len(met))
            index, count = number[code], len(met)
            members = [*(m[met // regions] for m in members), met % regions]
        blocks = [
            scipy.sparse.csr_matrix(
                (np.ones(count), (regions, np.arange(count))), shape=(len(partition.regions), count)
            )
            for partition, regions in zip(partitions, members, strict=True)
        ]
        whole = scipy.sparse.csr_matrix(np.ones((1, count)))
        return Cells(index.astype(np.int32), count, scipy.sparse.vstack([whole, *blocks]).tocsr())


Runs = tuple[NDArray[np.intp], NDArray[np.integer]]


def runs_of(index: NDArray[np.integer]) -> Runs:
    """Where runs of one number begin in an array, row by row, and their numbers: regions are long, voxels many."""
    flat = index.ravel()
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    return starts, flat[starts]


def sorted_by(index: NDArray[np.integer]) -> tuple[NDArray[np.unsignedinteger], Runs]:
    """An order of an array's voxels in which each number is one run, and these runs.

    Values that are put in that order once are summed in few long runs, however ragged regions are.
    """
    flat = index.ravel()
    # small numbers are sorted by counting
    small = flat.astype(np.uint16) if flat.max(initial=0) < 1 << 16 else flat
    order = np.argsort(small, kind="stable")
    return order.astype(np.min_scalar_type(max(len(flat) - 1, 0))), runs_of(flat[order])


def group_sums(runs: Runs, values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Sums of rows (S, v) over the voxels of each number: (count, S), in one pass over each row."""
    starts, numbers = runs
    # row by row: along the second axis of a table, reduceat is half as fast
    summed = (np.add.reduceat(row, starts) for row in values)
    return np.stack([np.bincount(numbers, row, minlength=count) for row in summed], axis=1)

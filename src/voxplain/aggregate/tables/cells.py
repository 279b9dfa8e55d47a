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


def group_sums(index: NDArray[np.integer], values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Sums of rows (v, S) that carry the same number (v,): (count, S), in one pass over the rows."""
    flat = index.ravel()
    # a column per row, so that all S values of a voxel are added at once: many times faster than S bincounts
    one_each = scipy.sparse.csc_matrix(
        (np.ones(len(flat)), flat, np.arange(len(flat) + 1)), shape=(count, len(flat))
    )
    return np.asarray(one_each @ values)

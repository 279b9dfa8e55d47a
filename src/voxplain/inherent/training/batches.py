"""Which samples an epoch takes, in which order and batches: functions of seed and epoch, so that any step is found again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Sampler

from voxplain.inherent.data.augment import drawn

Address = tuple[int, int]  # epoch and index of the sample


def epoch_batches(
    indices: Sequence[int],
    targets: npt.NDArray[np.float32],
    epoch: int,
    *,
    batch: int,
    balance: str,
    seed: int,
) -> list[list[int]]:
    """The batches of an epoch, over all processes. Their sizes differ by one at most, so that none is a tiny rest.

    Args:
        indices: of the training part.
        targets: (n, K) zeros and ones, of these.
        epoch: from 0.
        batch: samples per batch.
        balance: ``"sampling"`` draws with replacement, every class as often; otherwise every sample comes once.
        seed: of the order.

    >>> [len(b) for b in epoch_batches(range(10), np.ones((10, 1)), 0, batch=4, balance="none", seed=0)]
    [4, 3, 3]
    """
    generator = torch.Generator().manual_seed(drawn(seed, "order", epoch))
    if balance == "sampling":
        chances = torch.from_numpy(sampling_weights(targets))
        order = torch.multinomial(chances, len(indices), replacement=True, generator=generator)
    else:
        order = torch.randperm(len(indices), generator=generator)
    chosen = np.asarray(indices)[order.numpy()]
    return [part.tolist() for part in np.array_split(chosen, -(-len(chosen) // batch))]


def sampling_weights(targets: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """(n,) chances with which every class is drawn as often; of independent labels, a sample has its rarest one's.

    >>> sampling_weights(np.eye(2, dtype=np.float32)[[0, 0, 0, 1]]).round(3).tolist()
    [0.333, 0.333, 0.333, 1.0]
    """
    none = (targets.sum(1) == 0).astype(targets.dtype)[:, None]
    full = np.concatenate([targets, none], 1).astype(np.float64)
    return np.asarray((full / full.sum(0).clip(1)).max(1))


class EpochBatches(Sampler[list[Address]]):
    """What one process loads in an epoch: its share of every batch, from a given batch on.

    Attributes:
        batches: of the whole epoch, over all processes.
        epoch, start: which epoch, and how many of its batches are done.
    """

    def __init__(self, rank: int = 0, world: int = 1) -> None:
        self.rank, self.world = rank, world
        self.batches: list[list[int]] = []
        self.epoch = self.start = 0

    def __iter__(self) -> Iterator[list[Address]]:
        for batch in self.batches[self.start :]:
            yield [(self.epoch, index) for index in batch[self.rank :: self.world]]

    def __len__(self) -> int:
        return len(self.batches) - self.start

"""Which sizes a network takes, found out by asking it on fake tensors (shapes without data)."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeCopyMode, FakeTensorMode

# Per divisor two odd multiples of it, large enough for networks that halve five times.
_ODD = {1: (65, 71), 2: (33, 35), 4: (17, 19), 8: (9, 11), 16: (5, 7), 32: (3, 5), 64: (3, 5)}


def sizes_taken(network: nn.Module, channels: int, dims: int) -> tuple[int, int] | None:
    """The least power of two whose multiples a network takes and answers on their own grid, and the least edge.

    The edge is one that training takes, too: a normalisation over a single voxel is none.

    Args:
        network: gives one tensor.
        channels: of its input.
        dims: spatial dimensions.

    Returns:
        None where no multiple works.
    """
    with _faked(network) as fake:
        for divisor, odd in _ODD.items():
            if _keeps(fake.eval(), channels, [divisor * odd[axis % 2] for axis in range(dims)]):
                fake.train()
                edges = (divisor * 2**i for i in range(8))
                return divisor, next((e for e in edges if _keeps(fake, channels, [e] * dims)), 64)
    return None


def _keeps(network: nn.Module, channels: int, size: list[int]) -> bool:
    try:
        out = network(torch.empty((1, channels, *size)))
    except Exception:  # noqa: BLE001  whatever a network raises, it does not take this size
        return False
    return list(out.shape[2:]) == size


@contextmanager
def _faked(network: nn.Module) -> Iterator[nn.Module]:
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    with FakeCopyMode(mode):
        fake = copy.deepcopy(network)
    logger = logging.getLogger("torch._subclasses.fake_tensor")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)  # a refusal is an answer, not a fault
    try:
        with mode, torch.no_grad():
            yield fake
    finally:
        logger.setLevel(before)

"""Order over all voxels, case by case, against sorting them."""

from __future__ import annotations

import numpy as np
import pytest

from voxplain.inherent import ranks
from voxplain.inherent.ranks import at_ranks, equal_steps, from_ordered_bits, ordered_bits


def cases(seed=0, n=7, digits=3):
    rng = np.random.default_rng(seed)
    drawn = [rng.normal(size=(5, int(rng.integers(3, 40)))) * 10.0 ** rng.integers(-3, 4) for _ in range(n)]
    return [np.round(d, digits).astype(np.float32) for d in drawn]


@pytest.mark.parametrize("seed", range(4))
def test_every_rank_is_where_sorting_puts_it(seed):
    scores = cases(seed)
    every = np.sort(np.concatenate([s.ravel() for s in scores]))
    assert np.array_equal(at_ranks(scores, np.arange(len(every))), every)
    some = np.unique(np.random.default_rng(seed).integers(0, len(every), 9))
    assert np.array_equal(at_ranks(iter_again(scores), some), every[some])


class iter_again(list):
    """No length is asked for and nothing is indexed."""

    __len__ = None  # type: ignore[assignment]
    __getitem__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("count", [1, 2, 17, 10_000])
def test_counting_and_sorting_give_the_same_steps(count, monkeypatch):
    scores = cases(9, digits=1)
    sorted_at_once = equal_steps(scores, count)
    monkeypatch.setattr(ranks, "FEW", 10)
    assert np.array_equal(equal_steps(scores, count), sorted_at_once)


def test_floats_come_back_from_their_order():
    values = np.array(
        [-np.finfo(np.float32).max, -1, -1e-40, 0, 1e-40, 2, np.finfo(np.float32).max], np.float32
    )
    assert np.array_equal(from_ordered_bits(ordered_bits(values)), values)

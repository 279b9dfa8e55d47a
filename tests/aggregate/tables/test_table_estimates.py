"""Estimates from groups of draws against their definitions, cells against masks."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch

from voxplain.aggregate.partition import Partition
from voxplain.aggregate.tables.cells import Cells, group_sums, runs_of, sorted_by
from voxplain.aggregate.tables.estimates import energies, estimates, jackknife, of_draws


def parts(draws, groups):
    """Draws (n, v) as each group's part of their mean, (G, v), and the groups' sizes."""
    n = len(draws)
    own = np.stack([draws[g::groups].sum(0) / n for g in range(groups)])
    return own, np.array([len(draws[g::groups]) for g in range(groups)], dtype=float)


@pytest.mark.parametrize(("n", "groups"), [(8, 4), (7, 3), (5, 2), (1, 1)])
def test_estimates_are_means_of_the_draws_that_are_left(n, groups):
    draws = np.random.default_rng(0).normal(size=(n, 6))
    found = estimates(*parts(draws, groups))
    np.testing.assert_allclose(found[0], draws.mean(0), rtol=1e-12)
    assert found.shape == (1 + groups if groups > 1 else 1, 6)
    for g in range(groups if groups > 1 else 0):
        left = [i for i in range(n) if i % groups != g]
        np.testing.assert_allclose(found[1 + g], draws[left].mean(0), rtol=1e-12)


@pytest.mark.parametrize(("n", "groups"), [(8, 4), (7, 3), (5, 2)])
def test_energies_are_mean_products_of_two_groups_means(n, groups):
    draws = np.random.default_rng(1).normal(size=(n, 6))
    means = [draws[g::groups].mean(0) for g in range(groups)]

    def truth(which):
        return np.mean([means[a] * means[b] for a, b in combinations(which, 2)], axis=0)

    found = energies(*parts(draws, groups))
    np.testing.assert_allclose(found[0], truth(range(groups)), rtol=1e-10)
    assert found.shape == (1 + groups if groups > 2 else 1, 6)
    for g in range(groups if groups > 2 else 0):
        np.testing.assert_allclose(
            found[1 + g], truth([h for h in range(groups) if h != g]), rtol=1e-9, atol=1e-12
        )


def test_the_energy_of_a_lone_group_is_its_square():
    own = np.array([[2.0, -3.0]])
    np.testing.assert_array_equal(energies(own, np.ones(1)), [[4.0, 9.0]])


@pytest.mark.parametrize("groups", [2, 3, 6])
def test_the_jackknife_of_a_mean_is_its_textbook_error(groups):
    values = np.random.default_rng(2).normal(size=(groups, 5))
    rest = np.stack([np.delete(values, g, axis=0).mean(0) for g in range(groups)])
    np.testing.assert_allclose(jackknife(rest), values.std(0, ddof=1) / np.sqrt(groups), rtol=1e-12)
    assert np.isnan(jackknife(rest[:1])).all()


def test_the_error_of_a_sum_of_draws():
    # shares of 1/n each: n · Var(x/n) = Var(x)/n
    values = np.random.default_rng(3).normal(size=(9, 4))
    np.testing.assert_allclose(of_draws(values / 9), values.std(0, ddof=1) / 3, rtol=1e-12)


def test_cells_make_up_the_regions_of_every_partition():
    rng = np.random.default_rng(4)
    shape, counts = (5, 6, 4), (3, 7, 2)
    labels = [torch.from_numpy(rng.integers(0, r - 1, size=shape)).int() for r in counts]
    partitions = [
        Partition(f"p{i}", own, tuple(f"r{k}" for k in range(r)), (1.0,) * 3)
        for i, (own, r) in enumerate(zip(labels, counts, strict=True))
    ]
    values = rng.normal(size=(*shape, 2))
    cells = Cells.of(partitions, shape)
    assert cells.count == len(np.unique(np.stack([own.numpy().ravel() for own in labels]), axis=1).T)
    found = cells.to_regions @ group_sums(
        runs_of(cells.index), np.ascontiguousarray(values.reshape(-1, 2).T), cells.count
    )
    truth = [values.reshape(-1, 2).sum(0)]
    truth += [
        values[own.numpy() == k].sum(0) for own, r in zip(labels, counts, strict=True) for k in range(r)
    ]
    np.testing.assert_allclose(found, np.array(truth), rtol=1e-10, atol=1e-12)


def test_without_partitions_there_is_one_cell():
    cells = Cells.of([], (3, 4))
    assert cells.count == 1 and cells.to_regions.shape == (1, 1)
    assert not cells.index.any()


@pytest.mark.parametrize("regions", [3, 70_000])  # the second is more than 16 bits hold
def test_sums_in_order_are_those_in_place(regions: int) -> None:
    rng = np.random.default_rng(0)
    index = rng.integers(0, regions, (5, 60, 50)).astype(np.int32)
    values = rng.normal(size=(2, index.size))
    order, runs = sorted_by(index)
    assert order.dtype == np.uint16
    assert (np.diff(runs[1].astype(np.int64)) > 0).all()  # each number is one run
    found = group_sums(runs, values[:, order], regions)
    expected = np.stack([np.bincount(index.ravel(), v, minlength=regions) for v in values], axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-12)

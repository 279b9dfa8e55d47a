"""Shapley values of games that are known as numbers: by definition, in closed form, and by the kernel's own theory."""

from __future__ import annotations

from itertools import permutations
from math import comb

import numpy as np
import pytest
import torch

from voxplain.attribution.gap import relative_gap
from voxplain.attribution.shapley.design import ENUMERATED, EVEN, ODD, design, least_samples, telling_samples
from voxplain.attribution.shapley.sampling import prefixes
from voxplain.attribution.shapley.values import agreement, all_coalitions, exact_shapley


def by_definition(values, players):
    """Mean gain over all orders; values (2^m, T) by the bits of the row's number."""
    total = torch.zeros((players, values.shape[1]), dtype=torch.float64)
    orders = list(permutations(range(players)))
    for order in orders:
        number = 0
        for i in order:
            total[i] += values[number | 1 << i] - values[number]
            number |= 1 << i
    return total / len(orders)


def random_game(players, targets=2, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(2**players, targets)))


@pytest.mark.parametrize("players", [0, 1, 2, 3, 5, 7])
def test_exact_values_are_the_definitions(players):
    values = random_game(players)
    found = exact_shapley(values)
    torch.testing.assert_close(found, by_definition(values, players), rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(found.sum(0), values[-1] - values[0], rtol=1e-12, atol=1e-13)


def test_glove_game():
    """One left glove (player 0), two right ones: a pair is worth 1. Textbook answer: 2/3, 1/6, 1/6."""
    rows = all_coalitions(3)
    values = (rows[:, 0] & (rows[:, 1] | rows[:, 2])).double()[:, None]
    torch.testing.assert_close(exact_shapley(values)[:, 0], torch.tensor([2 / 3, 1 / 6, 1 / 6]).double())


def test_who_changes_nothing_gets_exactly_zero():
    rows = all_coalitions(6)
    values = random_game(6)[(rows * 2 ** torch.arange(6))[:, [0, 1, 3, 4, 5]].sum(1)]  # player 2 is ignored
    found = exact_shapley(values)
    assert not found[2].any() and (found[[0, 1, 3, 4, 5]] != 0).all()


def polynomial(rows, order, seed=0):
    """A random game whose interactions have at most so many members, (n, 3), and its Shapley values.

    A product of members' presences shares its weight evenly among them.
    """
    rng = np.random.default_rng(seed)
    players = rows.shape[1]
    values, shares = torch.full((len(rows), 3), 0.7).double(), torch.zeros((players, 3)).double()
    for size in range(1, order + 1):
        for _ in range(4 * players):
            members = rng.choice(players, size, replace=False)
            weight = torch.from_numpy(rng.normal(size=3))
            values += rows[:, members].all(1)[:, None] * weight
            shares[members] += weight / size
    return values, shares


@pytest.mark.parametrize("half", [None, EVEN, ODD])
@pytest.mark.parametrize(("players", "samples"), [(4, 14), (7, 30), (12, 64), (20, 46), (40, 150), (13, 600)])
def test_pairs_settle_interactions_of_two(players, samples, half):
    """v(S) − v(complement) of such a game is a sum over members, so any pairs that determine it give it exactly."""
    made = design(players, samples, np.random.default_rng(3))
    assert not made.is_exact and (made.source == EVEN).any() and (made.source == ODD).any()
    values, truth = polynomial(made.coalitions, 2)
    torch.testing.assert_close(made.solve(values, half), truth, rtol=1e-9, atol=1e-9)


def test_reversed_orders_settle_interactions_of_two():
    order = torch.from_numpy(np.random.default_rng(0).permutation(9))
    values, truth = polynomial(prefixes(torch.stack([order, order.flip(0)]), 9), 2)
    gains = torch.zeros((9, 3)).double()
    for one, who in zip(values.reshape(2, 10, 3), (order, order.flip(0)), strict=True):
        gains[who] += (one[1:] - one[:-1]) / 2
    torch.testing.assert_close(gains, truth, rtol=1e-10, atol=1e-10)


def kernel_mass(players):
    """Theorem 2's kernel (m − 1) / (C(m, s) s (m − s)), summed over the C(m, s) coalitions of each size s."""
    return np.array([0.0, *((players - 1) / (s * (players - s)) for s in range(1, players)), 0.0])


@pytest.mark.parametrize(
    ("players", "samples"), [(5, 20), (7, 100), (10, 60), (10, 600), (16, 500), (64, 512)]
)
@pytest.mark.parametrize("seed", range(4))
def test_the_design_carries_the_kernels_mass(players, samples, seed):
    made = design(players, samples, np.random.default_rng(seed))
    rows = made.coalitions
    sizes = rows.sum(1).numpy()
    assert samples - 1 <= len(rows) <= samples
    assert not rows[0].any() and rows[-1].all() and not made.weights[0] and not made.weights[-1]
    assert len({tuple(r.tolist()) for r in rows}) == len(rows), "no coalition is asked twice"
    assert torch.equal(rows[1:-1:2], ~rows[2:-1:2]), "every coalition has its complement"
    # mass 1 / (s (m − s)) per size; a drawn pair may round a size up or down by its own weight
    mass = np.bincount(sizes, made.weights.numpy(), minlength=players + 1) * (players - 1)
    drawn = made.weights[made.source != ENUMERATED] * (players - 1)
    largest = 2 * float(drawn.max()) if len(drawn) else 0.0
    assert mass == pytest.approx(kernel_mass(players), abs=largest)
    assert mass.sum() == pytest.approx(kernel_mass(players).sum(), rel=1e-12)
    # sizes that were taken in whole carry theirs exactly, from the outside inwards
    whole = {int(s) for s in sizes[made.source == ENUMERATED]} - {0, players}
    assert whole and whole == {*range(1, max(min(s, players - s) for s in whole) + 1)} | {
        players - s for s in whole
    }
    for size in whole:
        assert (sizes == size).sum() == comb(players, size)
        assert mass[size] == pytest.approx(kernel_mass(players)[size], rel=1e-12)
    even, odd = ((made.source == half).sum() for half in (EVEN, ODD))
    assert 0 <= even - odd <= 2


@pytest.mark.parametrize("players", [4, 5, 6, 9, 13])
def test_from_the_told_number_of_samples_on_there_are_halves_to_compare(players):
    enough = telling_samples(players)
    for samples in range(least_samples(players), min(4 * enough, 1 << players) + 1):
        made = design(players, samples, np.random.default_rng(samples))
        assert made.has_halves == (samples >= enough and not made.is_exact)


def test_halves_are_compared_only_where_they_do_not_flatter():
    """Games with interactions of up to five, whose values are known.

    With few draws both halves lean on the singles, which they share, so that they may correlate better than the
    values do with the truth. Where their correlation is told, it is the lower one in every game.
    """
    excess = {True: [], False: []}
    for seed in range(8):
        for samples in (64, 160, 240):
            made = design(27, samples, np.random.default_rng(seed))
            values, truth = polynomial(made.coalitions, 5, seed)
            found = [made.solve(values, half) for half in (None, EVEN, ODD)]
            for whole, even, odd, true in zip(*(f.T for f in found), truth.T, strict=True):
                pairs = torch.corrcoef(torch.stack([whole, true, even, odd]))
                excess[made.has_halves].append(float(pairs[2, 3] - pairs[0, 1]))
    assert len(excess[False]) == 24 and len(excess[True]) == 48
    assert max(excess[True]) < 0 < 0.05 < max(excess[False])


def test_drawn_coalitions_of_a_size_are_uniform():
    """Every player is in every drawn coalition of size s with probability s/m: mean over 300 designs."""
    players, counts, total = 9, torch.zeros(9), torch.zeros(())
    pair, pairs = 0, 0
    for seed in range(300):
        made = design(players, 50, np.random.default_rng(seed))
        drawn = made.coalitions[(made.source != ENUMERATED) & (made.coalitions.sum(1) == 3)]
        counts += drawn.sum(0)
        total += len(drawn)
        pair, pairs = pair + int((drawn[:, 2] & drawn[:, 7]).sum()), pairs + len(drawn)
    assert total > 1000
    # standard error of a share of 1/3 over more than 1000 draws: below 0.015
    assert torch.allclose(counts / total, torch.full((9,), 1 / 3), atol=0.05)
    assert pair / pairs == pytest.approx(3 / 9 * 2 / 8, abs=0.04)


def test_more_samples_come_closer_and_all_are_exact():
    """A game of every order, so that the kernel's weights matter."""
    values = random_game(10, 4)
    truth = exact_shapley(values)
    errors = []
    for samples in (40, 160, 640, 1000, 1024):
        error = []
        for seed in range(8):
            made = design(10, samples, np.random.default_rng(seed))
            own = values[(made.coalitions * 2 ** torch.arange(10)).sum(1)]
            error.append(float((made.solve(own) - truth).norm() / truth.norm()))
        errors.append(np.mean(error))
    assert errors[0] > errors[1] > errors[2] > errors[3] > errors[4]
    assert errors[3] < 0.04 and errors[4] < 1e-12


def regression(rows, weights, gains, whole):
    """Least squares with the sum as a constraint, by a Lagrange multiplier: (n, m), (n,), (n,), () -> (m,)."""
    players, rows = rows.shape[1], rows.double()
    ones = torch.ones((players, 1)).double()
    border = torch.tensor([[1.0] * players + [0.0]]).double()
    left = torch.cat([torch.cat([rows.T * weights @ rows, ones], 1), border])
    return torch.linalg.solve(left, torch.cat([rows.T @ (weights * gains), whole[None]]))[:players]


@pytest.mark.parametrize("half", [None, EVEN, ODD])
def test_each_half_of_the_draws_is_a_regression_of_its_own(half):
    """A half's draws stand for all the mass that was drawn from: 10 pairs each, after the 10 of size 1."""
    made = design(10, 62, np.random.default_rng(5))
    values = torch.from_numpy(np.random.default_rng(6).normal(size=(62, 1)))
    drawn = made.source != ENUMERATED
    assert int(drawn.sum()) == 40
    used = made.weights > 0
    if half is not None:
        used &= ~drawn | (made.source == half)
    weights = torch.where(drawn, made.weights * drawn.sum() / (drawn & used).sum(), made.weights)[used]
    assert float(weights.sum()) == pytest.approx(float(made.weights.sum()), rel=1e-12)
    gains, whole = values[used, 0] - values[0, 0], values[-1, 0] - values[0, 0]
    truth = regression(made.coalitions[used], weights, gains, whole)
    torch.testing.assert_close(made.solve(values, half)[:, 0], truth, rtol=1e-9, atol=1e-10)


def test_an_almost_complete_design_is_almost_the_kernel_regression():
    """All but one pair: the regression over all 1022 coalitions with the kernel's weights, solved with a multiplier."""
    players = 10
    values = random_game(players, 1)
    rows = all_coalitions(players)[1:-1]
    sizes = rows.sum(1)
    kernel = torch.tensor(
        [1 / (comb(players, int(s)) * int(s) * (players - int(s))) for s in sizes], dtype=torch.float64
    )
    gains, whole = values[1:-1, 0] - values[0, 0], values[-1, 0] - values[0, 0]
    truth = regression(rows, kernel, gains, whole)
    # theorem 2: that regression's answer is the Shapley value
    torch.testing.assert_close(truth, exact_shapley(values)[:, 0], rtol=1e-10, atol=1e-12)
    made = design(players, 1023, np.random.default_rng(0))
    own = values[(made.coalitions * 2 ** torch.arange(players)).sum(1)]
    assert len(made.coalitions) == 1022
    torch.testing.assert_close(made.solve(own)[:, 0], truth, rtol=0, atol=0.02 * float(truth.norm()))


@pytest.mark.parametrize("players", range(1, 9))
def test_the_least_samples_determine_the_values(players):
    least = least_samples(players)
    made = design(players, least, np.random.default_rng(0))
    values, truth = polynomial(made.coalitions, min(2, players))
    torch.testing.assert_close(made.solve(values), truth, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("half", [None, EVEN, ODD])
def test_the_values_always_add_up(half):
    made = design(15, 100, np.random.default_rng(1))
    values = torch.from_numpy(np.random.default_rng(2).normal(size=(len(made.coalitions), 3)))
    torch.testing.assert_close(
        made.solve(values, half).sum(0), values[-1] - values[0], rtol=1e-12, atol=1e-13
    )


def test_agreement_is_the_correlation_of_the_painted_maps():
    rng = np.random.default_rng(0)
    voxels = torch.from_numpy(rng.integers(1, 9, 12))
    a, b = (torch.from_numpy(rng.normal(size=12)) for _ in range(2))
    painted = [np.repeat((half / voxels).numpy(), voxels.numpy()) for half in (a, b)]
    assert agreement(a, b, voxels) == pytest.approx(np.corrcoef(*painted)[0, 1], rel=1e-12)
    assert np.isnan(agreement(a, 0 * b, voxels))


def test_gap_of_no_difference():
    assert relative_gap(0.0, 0.0) == 0.0
    assert relative_gap(0.1, 0.0) == float("inf")
    assert relative_gap(-1.5, -1.0) == pytest.approx(0.5)

"""Small games known as numbers: interactions and Owen values by their definitions."""

from __future__ import annotations

from itertools import combinations, permutations
from math import factorial

import numpy as np
import pytest
import torch
from scipy.stats import t as student

from voxplain.aggregate.games.allotment import least_draws
from voxplain.aggregate.games.exact import exact_interaction
from voxplain.aggregate.games.orders import balanced, reversed_pairs, square_size, squares
from voxplain.aggregate.games.table import Drawn, Everything, Grouped, Singles
from voxplain.attribution.shapley.values import all_coalitions, exact_shapley


def random_game(players, targets=2, seed=0):
    """v of every coalition, as a dictionary and as a table's values."""
    values = np.random.default_rng(seed).normal(size=(2**players, targets))
    return lambda rows: torch.from_numpy(values[(rows.long() * 2 ** torch.arange(players)).sum(1).numpy()])


def row(players, members):
    out = torch.zeros((1, players), dtype=torch.bool)
    out[0, list(members)] = True
    return out


def interaction_by_definition(v, players):
    """Grabisch & Roubens 1999, from subsets one by one."""
    out = torch.zeros((players, players, 2), dtype=torch.float64)
    for i, j in combinations(range(players), 2):
        others = [k for k in range(players) if k not in (i, j)]
        for size in range(players - 1):
            weight = factorial(size) * factorial(players - size - 2) / factorial(players - 1)
            for s in combinations(others, size):
                a, b, c, d = (v(row(players, [*s, *more]))[0] for more in ((i, j), (i,), (j,), ()))
                out[i, j] += weight * (a - b - c + d)
        out[j, i] = out[i, j]
    return out


def owen_by_definition(v, groups):
    """Owen 1977: the mean gain over all orders in which the members of a group follow each other."""
    players = len(groups)
    total, count = torch.zeros((players, 2), dtype=torch.float64), 0
    for order in permutations(range(players)):
        seen = [groups[i] for i in order]
        blocks = [g for k, g in enumerate(seen) if k == 0 or g != seen[k - 1]]
        if len(blocks) != len(set(blocks)):
            continue
        count += 1
        for k, i in enumerate(order):
            total[i] += v(row(players, order[: k + 1]))[0] - v(row(players, order[:k]))[0]
    return total / count


@pytest.mark.parametrize("players", [0, 1, 2, 3, 4, 6])
def test_interactions_are_the_definitions(players):
    v = random_game(players)
    found = exact_interaction(v(all_coalitions(players)))
    torch.testing.assert_close(found, interaction_by_definition(v, players), rtol=1e-12, atol=1e-12)


def test_interactions_of_a_glove_game():
    """One left glove (0), two right ones (1, 2), a pair is worth 1, so v = l·(r1 + r2 − r1·r2).

    I(0,1): S = ∅ gives 1, S = {2} gives v(012) − v(02) − v(12) + v(2) = 1 − 1 − 0 + 0 = 0, each with weight 1/2: 1/2.
    I(1,2): S = ∅ gives 0, S = {0} gives 1 − 1 − 1 + 0 = −1: −1/2.
    """
    rows = all_coalitions(3)
    values = (rows[:, 0] & (rows[:, 1] | rows[:, 2])).double()[:, None]
    truth = torch.tensor([[0, 0.5, 0.5], [0.5, 0, -0.5], [0.5, -0.5, 0]]).double()
    torch.testing.assert_close(exact_interaction(values)[..., 0], truth)


@pytest.mark.parametrize(
    "groups", [[0], [0, 0, 0], [0, 1, 2], [0, 1, 1, 0], [0, 0, 1, 2, 2], [2, 0, 1, 1, 2, 2]], ids=str
)
def test_owen_values_are_the_definitions(groups):
    v = random_game(len(groups))
    table = Grouped(torch.tensor(groups))
    sizes = torch.bincount(torch.tensor(groups)).tolist()
    assert (
        len(table.coalitions) == Grouped.length(sizes) == len({tuple(r) for r in table.coalitions.tolist()})
    )
    solved = table.solve(v(table.coalitions))
    torch.testing.assert_close(solved.share, owen_by_definition(v, groups), rtol=1e-12, atol=1e-12)
    # the quotient game: groups as players
    unions = all_coalitions(len(sizes))
    quotient = exact_shapley(v(unions[:, groups]))
    sums = torch.zeros_like(quotient).index_add_(0, torch.tensor(groups), solved.share)
    torch.testing.assert_close(sums, quotient, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("players", [0, 1, 2, 3, 5])
def test_all_tables_agree_about_singles_and_ends(players):
    v = random_game(players)
    full, empty = v(row(players, range(players)))[0], v(row(players, []))[0]
    every = list(range(players))
    occlusion = [full - v(row(players, [j for j in every if j != k]))[0] for k in every]
    alone = [v(row(players, [k]))[0] - empty for k in every]
    tables = [Singles(players), Everything(players, interaction=False)]
    if players:
        orders = reversed_pairs(2, torch.arange(players), np.random.default_rng(0))
        tables.append(Drawn(orders, alone=True, interaction=False))
    for table in tables:
        assert len({tuple(r) for r in table.coalitions.tolist()}) == len(table.coalitions)
        solved = table.solve(v(table.coalitions))
        assert torch.equal(solved.full, full) and torch.equal(solved.empty, empty)
        assert solved.occlusion.shape == solved.alone.shape == (players, 2)
        for k in every:
            assert torch.equal(solved.occlusion[k], occlusion[k]) and torch.equal(solved.alone[k], alone[k])


def test_grays_code_changes_one_player_at_a_time_and_the_first_most_often():
    rows = Everything(5, interaction=False)
    seen = rows.coalitions[rows.visit]
    changed = (seen[1:] != seen[:-1]).long()
    assert len({tuple(r) for r in seen.tolist()}) == 32
    assert (changed.sum(1) == 1).all() and changed.sum(0).tolist() == [16, 8, 4, 2, 1]


@pytest.mark.parametrize("players", range(2, 12))
def test_in_a_balanced_square_everybody_follows_everybody_equally_often(players):
    square = balanced(players)
    assert len(square) == square_size(players)
    follows = np.zeros((players, players), dtype=int)
    for order in square:
        assert sorted(order) == list(range(players))
        np.add.at(follows, (order[:-1], order[1:]), 1)
    off = follows[~np.eye(players, dtype=bool)]
    assert (off == len(square) // players).all() and not follows.diagonal().any()
    every = {tuple(order) for order in square.tolist()}
    assert {order[::-1] for order in every} == every, "every order's reverse is there"
    for place in range(players):
        assert np.bincount(square[:, place]).tolist() == [len(square) // players] * players


def test_drawn_orders_keep_groups_together_and_come_with_their_reverse():
    groups = torch.tensor([0, 1, 0, 2, 1, 2, 2])
    orders = reversed_pairs(40, groups, np.random.default_rng(0))
    assert torch.equal(orders[:, 1], orders[:, 0].flip(1))
    for order in orders.flatten(0, 1):
        assert sorted(order.tolist()) == list(range(7))
        assert int((groups[order][1:] != groups[order][:-1]).sum()) == 2, "three groups, two borders"
    assert len({tuple(groups[o].tolist()) for o in orders[:, 0]}) == 6, "groups come in any order"
    # members of a group come in any order, too
    assert len({tuple(o[groups[o] == 2].tolist()) for o in orders[:, 0]}) == 6


def two_by_two(rows, seed=0):
    """A game with interactions of at most two, and its Shapley values and interactions.

    A product of two shares its weight equally, and is itself their interaction.
    """
    rng, players = np.random.default_rng(seed), rows.shape[1]
    single = torch.from_numpy(rng.normal(size=(players, 2)))
    weights = torch.from_numpy(rng.normal(size=(players, players, 2)))
    weights = weights + weights.transpose(0, 1)
    weights[range(players), range(players)] = 0
    r = rows.double()
    values = r @ single + torch.einsum("ni,nj,ijt->nt", r, r, weights) / 2
    return values, single + weights.sum(1) / 2, weights


@pytest.mark.parametrize("players", [4, 5, 9])
def test_two_draws_settle_games_of_pairs(players):
    rng = np.random.default_rng(1)
    for orders, pairs in (
        (reversed_pairs(2, torch.arange(players), rng), False),
        (squares(2, players, rng), True),
    ):
        table = Drawn(orders, alone=True, interaction=pairs)
        values, share, weights = two_by_two(table.coalitions)
        solved = table.solve(values)
        torch.testing.assert_close(solved.share, share, rtol=1e-10, atol=1e-10)
        assert float(solved.variance.max()) < 1e-20
        if pairs:
            torch.testing.assert_close(solved.interaction, weights, rtol=1e-10, atol=1e-10)
            assert float(solved.interaction_variance.max()) < 1e-20


GROUPS = torch.tensor([0, 0, 1, 1, 1, 2])


def answers(kind, draws, seeds):
    """The exact answer of a random game, and drawn ones of so many seeds."""
    players = 8 if kind == "squares" else 6
    v = random_game(players)
    truth = Grouped(GROUPS) if kind == "owen" else Everything(players, interaction=True)
    found = []
    for seed in range(seeds):
        rng = np.random.default_rng([9, seed])
        if kind == "squares":
            table = Drawn(squares(draws, players, rng), alone=True, interaction=True)
        else:
            groups = GROUPS if kind == "owen" else torch.arange(players)
            table = Drawn(reversed_pairs(draws, groups, rng), alone=kind == "pairs", interaction=False)
        found.append(table.solve(v(table.coalitions)))
    return truth.solve(v(truth.coalitions)), found


@pytest.mark.parametrize(
    ("kind", "value", "draws", "seeds"),
    [
        ("pairs", "share", 12, 200),
        ("owen", "share", 18, 200),
        ("squares", "share", 8, 60),
        ("squares", "interaction", 8, 60),
    ],
)
def test_drawn_values_are_unbiased_and_their_errors_honest(kind, value, draws, seeds):
    """Against the exact values, over independent seeds.

    The mean over seeds lies within 4.5 of its own standard errors, the told variance is the observed one on average
    (known to 1/√(seeds/2) or better), Student's 90 % intervals hold the truth in about 90 %, and the truth is beyond four
    standard errors in at most 1.5 % (Student's own 0.2 to 0.5 %).
    """
    exact, found = answers(kind, draws, seeds)
    players = len(exact.share)
    own = ~torch.eye(players, dtype=torch.bool) if value == "interaction" else slice(None)
    name = "variance" if value == "share" else "interaction_variance"
    truth, every = getattr(exact, value)[own], torch.stack([getattr(s, value)[own] for s in found])
    told, spread = torch.stack([getattr(s, name)[own] for s in found]), every.var(0)
    assert (((every.mean(0) - truth) / (spread / seeds).sqrt()).abs() < 4.5).all()
    assert told.mean() / spread.mean() == pytest.approx(1, abs=0.15)
    off = (every - truth).abs() / told.sqrt()
    assert 0.86 < (off <= student.ppf(0.95, draws - 1)).double().mean() < 0.94
    assert (off > 4).double().mean() < 0.015
    for solved in found:
        torch.testing.assert_close(solved.share.sum(0), exact.full - exact.empty, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", ["pairs", "owen"])
def test_the_fewest_draws_do_not_tell_errors_of_nought(kind):
    _, found = answers(kind, least_draws(3 if kind == "owen" else 6), 100)
    told = torch.stack([s.variance for s in found])
    assert (told < 1e-12).double().mean() < 3e-3

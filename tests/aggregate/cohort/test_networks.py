"""Networks with redrawn weights as a null: the networks are the replicates, and few of them share their spread."""

from __future__ import annotations

import numpy as np
import pytest
from aggregate.cohort.made import NAN, matrix
from scipy import special, stats

from voxplain.aggregate.cohort import Expected, Matrix, beats
from voxplain.aggregate.cohort.moderated import Prior, above_zero_by_networks, inverse_trigamma, prior_of
from voxplain.errors import InputError


@pytest.mark.parametrize("x", [0.01, 0.5, 3.0, 250.0])
def test_trigamma_is_inverted(x: float) -> None:
    assert inverse_trigamma(float(special.polygamma(1, x))) == pytest.approx(x, rel=1e-8)


@pytest.mark.parametrize(("df", "variance"), [(4.0, 2.0), (20.0, 0.1)])
def test_the_prior_that_variances_were_drawn_from_is_found(df: float, variance: float) -> None:
    """s² = σ² χ²(d) / d with σ² = variance · df / χ²(df)."""
    rng = np.random.default_rng(0)
    each = np.full(200_000, 3.0)
    drawn = variance * df / rng.chisquare(df, each.size)
    found = prior_of(drawn * rng.chisquare(3, each.size) / 3, each)
    assert found.df == pytest.approx(df, rel=0.05)
    assert found.variance == pytest.approx(variance, rel=0.02)


def test_equal_variances_are_known_as_if_by_infinitely_many() -> None:
    d = np.full(4, 5.0)
    assert prior_of(np.full(4, 2.0), d) == Prior(
        pytest.approx(2 * np.exp(-special.digamma(2.5) + np.log(2.5))), np.inf
    )
    assert prior_of(np.array([1.0, 3.0]), d[:2]) == Prior(2.0, 0.0)  # of two variances nothing is known


def test_where_entries_say_nothing_of_each_other_it_is_the_prediction_test() -> None:
    """One entry: t = mean / (s √(1 + 1/R)) with R − 1 degrees of freedom, the two-sample t of one against R."""
    steps = np.array([0.3, 1.1, 0.8, 0.4])
    p, n = above_zero_by_networks(steps[:, None])
    network, others = np.array([0.0]), -steps
    spread = others.std(ddof=1)
    t = (network[0] - others.mean()) / (spread * np.sqrt(1 + 1 / 4))
    assert p[0] == pytest.approx(stats.t.sf(t, 3), rel=1e-9)
    assert n[0] == 4


@pytest.mark.parametrize("networks", [3, 4, 12])
def test_untrained_networks_are_called_as_often_as_the_level_says(networks: int) -> None:
    """Each entry has its own spread between networks; the network itself is one draw more."""
    rng = np.random.default_rng(networks)
    spread = np.sqrt(0.04 * 6 / rng.chisquare(6, 20_000))
    all_of_them = spread * rng.standard_normal((networks + 1, len(spread)))
    p, _ = above_zero_by_networks(all_of_them[0] - all_of_them[1:])
    for level in (0.001, 0.01, 0.05, 0.5):
        assert (p <= level).mean() == pytest.approx(level, abs=4 * np.sqrt(level / len(p)))


def test_what_is_not_there_is_not_judged() -> None:
    p, n = above_zero_by_networks(np.array([[1.0, NAN, 0.0], [NAN, NAN, 0.0], [NAN, NAN, 0.0]]))
    np.testing.assert_array_equal(n, [1, 0, 3])
    np.testing.assert_array_equal(p, [NAN, NAN, 0.5])


def shares(rng: np.random.Generator, cases: int, networks: int, spread: float) -> list[Matrix]:
    """Networks that look at regions for no reason, in every case alike but for a little noise."""
    liking = spread * rng.standard_normal((networks, 1, 10, 10))
    amount = np.exp(liking + 0.05 * rng.standard_normal((networks, cases, 10, 10)))
    return [matrix(a) for a in amount / amount.sum(3, keepdims=True)]


def test_an_untrained_network_is_not_told_from_others_though_all_its_cases_agree() -> None:
    """Against one other network, case by case, half of all entries would be called."""
    rng = np.random.default_rng(0)
    called, cased = 0, 0
    for _ in range(40):
        net, *others = shares(rng, 12, 13, 0.3)
        own = np.stack([o.values[c] for c, o in enumerate(others)])  # each case has a network of its own
        called += int(beats(net, {}, redrawn=[matrix(own)]).mask.any())
        cased += int(beats(net, {"another network": others[0]}).mask.sum())
    assert called <= 4  # of 40; 2 are expected at most
    assert cased / (40 * 100) > 0.3


def test_what_training_added_is_told() -> None:
    net, *others = shares(np.random.default_rng(1), 12, 13, 0.3)
    planted = net.values.copy()
    planted[:, 2, 7] *= 8
    own = matrix(np.stack([o.values[c] for c, o in enumerate(others)]))
    found = beats(matrix(planted), {}, redrawn=[own])
    assert np.argwhere(found.mask).tolist() == [[2, 7]]
    assert found.nulls == ("redrawn weights",)
    assert found.n[2, 7] == 12
    expected = np.log(planted / own.values).mean(0)
    assert found.logs[2, 7] == pytest.approx(expected[2, 7])


def test_both_kinds_of_nulls_must_be_beaten() -> None:
    net, *others = shares(np.random.default_rng(2), 12, 4, 0.1)
    flat = matrix(np.full(net.values.shape, 0.1))
    planted = matrix(net.values * np.where(np.arange(10) == 3, 5, 1))
    alone = beats(planted, {"volume": flat})
    both = beats(planted, {"volume": flat}, redrawn=[*others[:2], matrix(planted.values * 1.0)])
    assert alone.mask[:, 3].all()
    assert not both.mask.any()  # one of three networks looks there as much


def test_few_networks_say_that_they_cannot_tell() -> None:
    net = shares(np.random.default_rng(3), 2, 1, 0.3)[0]
    note = beats(net, {}, redrawn=[net]).note
    assert note == "cannot tell: 2 networks with redrawn weights; at least 4 are needed"
    assert np.isnan(beats(net, {"v": net}, redrawn=[net]).p).all()  # nor is volume alone enough
    with pytest.raises(InputError, match="'redrawn weights': it has other cases"):
        beats(net, {}, redrawn=[net.pick(cases=["c0"])])


def test_a_share_of_nothing_does_not_decide_alone() -> None:
    """A logarithm of 1e-300 against one of 1e-20 would be the largest step of all."""
    found = beats(
        matrix(np.full((4, 1, 2), 1e-20)), {}, redrawn=[matrix(np.full((4, 1, 2), 1e-300)) for _ in range(2)]
    )
    np.testing.assert_array_equal(found.p, [[0.5, 0.5]])


def test_a_targets_own_region_is_not_judged_by_redrawn_weights() -> None:
    """Any network looks at what it labels: against untrained ones a target would seem not to depend on itself."""
    own = matrix(np.tile([[0.5, 0.3, 0.2]], (8, 1, 1)), targets=("r0",))
    volume = matrix(np.full((8, 1, 3), 0.25), targets=("r0",))
    untrained = matrix(np.tile([[0.8, 0.1, 0.1]], (8, 1, 1)), targets=("r0",))
    found = beats(own, {"volume": volume}, redrawn=[untrained])
    assert found.mask[0, 0] and found.p[0, 0] == 1 / 2**8 and found.worst[0, 0] == 0
    assert found.n[0, 0] == 8


def test_a_targets_own_region_needs_no_redrawn_networks() -> None:
    own = matrix(np.tile([[0.5, 0.3, 0.2]], (8, 1, 1)), targets=("r0",))
    volume = matrix(np.full((8, 1, 3), 0.25), targets=("r0",))
    nothing = matrix(np.full((8, 1, 3), NAN), targets=("r0",))
    found = beats(own, {"volume": volume}, redrawn=[nothing])
    np.testing.assert_array_equal(found.p, [[1 / 2**8, NAN, NAN]])


def test_a_share_as_small_as_a_hundredth_still_counts() -> None:
    """The floor is for nothing, not for small regions: 0.002 against 0.0002 is ten times as much."""
    net = matrix(np.full((6, 1, 1), 2e-3))
    others = matrix(2e-4 * np.exp(0.1 * np.random.default_rng(0).normal(size=(6, 1, 1))))
    found = beats(net, {}, redrawn=[others])
    assert found.logs.item() == pytest.approx(np.log(10), abs=0.2) and found.mask.item()


def test_a_group_of_cases_is_still_judged_by_its_redrawn_networks() -> None:
    net, *others = shares(np.random.default_rng(4), 8, 2, 0.3)
    picked = Expected({}, (others[0],)).pick(["c1", "c3", "c4", "c6", "c7"])
    found = picked.against(net.pick(cases=["c1", "c3", "c4", "c6", "c7"]))
    assert found is not None and found.nulls == ("redrawn weights",)
    whole = beats(net, {}, redrawn=others[:1])
    assert found.n[2, 7] == 5 and whole.n[2, 7] == 8

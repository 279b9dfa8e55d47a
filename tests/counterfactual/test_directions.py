"""Directions in worlds whose answer is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from voxplain.counterfactual.direction import (
    Queries,
    ask,
    attributes,
    label_direction,
    latent_gradient,
    local_direction,
    ridge_direction,
)
from voxplain.counterfactual.direction.direction import cosine, direction, random_direction
from voxplain.counterfactual.direction.least_squares import PENALTIES
from voxplain.counterfactual.direction.nearness import nearness, width_for
from voxplain.counterfactual.generator import LatentStatistics
from voxplain.errors import InputError, ModelError


class Linear:
    """Images x = mean + A w of shape (1, 8, 8), codes w with covariance L Lᵀ."""

    def __init__(self, factor=None, size=10, seed=0):
        rng = np.random.default_rng(seed)
        self.matrix = torch.from_numpy(rng.normal(size=(64, size)))
        self.mean = torch.from_numpy(rng.normal(size=64))
        self.statistics = LatentStatistics(
            torch.from_numpy(rng.normal(size=size)), torch.eye(size).double() if factor is None else factor
        )

    def encode(self, images):
        return (images.flatten(1) - self.mean) @ torch.linalg.pinv(self.matrix).T

    def decode(self, codes):
        return (self.mean + codes @ self.matrix.T).reshape(-1, 1, 8, 8)

    def sample(self, count, *, seed):
        u = torch.from_numpy(np.random.default_rng(seed).normal(size=(count, self.statistics.rank)))
        return self.statistics.colour(u)


READ = torch.from_numpy(np.random.default_rng(9).normal(size=64))


def linear(images):
    return images.flatten(1) @ READ + 3


def true_direction(world):
    """Σ Aᵀc: of all steps of Mahalanobis length 1 the one along which c · x rises most (Cauchy–Schwarz)."""
    slope = world.matrix.T @ READ
    return direction("truth", world.statistics.factor @ world.statistics.factor.T @ slope, world.statistics)


def anisotropic(size=10):
    """Deviations from 8 down to 0.1 along turned axes."""
    rng = np.random.default_rng(4)
    turned = np.linalg.qr(rng.normal(size=(size, size)))[0]
    return torch.from_numpy(turned * np.geomspace(8, 0.1, size))


def test_a_linear_world_is_recovered_from_100_queries():
    world = Linear()
    queries = ask(world, linear, world.sample(100, seed=1), batch=7)
    found = ridge_direction(queries, world.statistics)
    assert cosine(found, true_direction(world), world.statistics) > 0.999
    assert found.facts["r2"] > 0.999 and found.facts["agreement"] > 0.999 and found.facts["queries"] == 100
    labels = label_direction(queries, world.statistics)
    # one bit of each query tells less
    assert cosine(labels, true_direction(world), world.statistics) < 0.99


def test_where_codes_are_not_white_the_pattern_is_right_and_the_filter_wrong():
    world = Linear(anisotropic())
    queries = ask(world, linear, world.sample(400, seed=1))
    truth = true_direction(world)
    assert cosine(ridge_direction(queries, world.statistics), truth, world.statistics) > 0.999
    slope = direction("filter", world.matrix.T @ READ, world.statistics)
    assert cosine(slope, truth, world.statistics) < 0.7
    # a step of one standard deviation along the pattern moves the score by |Lᵀ Aᵀ c|, along the filter by less
    moved = [float((world.matrix @ d.vector) @ READ) for d in (truth, slope)]
    assert moved[0] == pytest.approx(float((world.statistics.factor.T @ world.matrix.T @ READ).norm()))
    assert moved[1] < 0.7 * moved[0]


@pytest.mark.parametrize("whitened", [True, False])
def test_a_white_box_gives_it_by_its_gradient(whitened):
    world = Linear(anisotropic())
    found = latent_gradient(world, linear, world.sample(1, seed=2)[0], whitened=whitened)
    slope = direction("filter", world.matrix.T @ READ, world.statistics)
    wanted = true_direction(world) if whitened else slope
    torch.testing.assert_close(found.vector, wanted.vector)


def test_what_a_confounder_reads_does_not_change_along_the_direction():
    """The score is a + b of two sources; b is the confounder. Without it a alone is left."""
    world = Linear(size=6)
    codes = world.sample(500, seed=3)
    u = world.statistics.whiten(codes)
    queries = Queries(codes, 2 * u[:, 0] + 3 * u[:, 1])
    plain = ridge_direction(queries, world.statistics)
    cleaned = ridge_direction(queries, world.statistics, confounders=[u[:, 1] * 7 + 1])
    along = [(world.statistics.whiten(d.vector[None] + world.statistics.mean))[0] for d in (plain, cleaned)]
    torch.testing.assert_close(along[0][:2], torch.tensor([2.0, 3.0]).double() / 13**0.5, atol=1e-3, rtol=0)
    assert abs(float(along[1][1])) < 1e-3 and float(along[1][0]) > 0.999
    with pytest.raises(InputError, match="nothing is left of it without the confounders"):
        ridge_direction(Queries(codes, u[:, 1]), world.statistics, confounders=[u[:, 1]])


def test_r2_is_that_of_queries_left_out():
    """Against leaving out one query after the other, refitting each time; the best of all penalties is kept."""
    rng = np.random.default_rng(5)
    u, noise = rng.normal(size=(40, 4)), rng.normal(size=40)
    y = u @ np.array([1.0, 0.5, 0, 0]) + 0.8 * noise + 10
    statistics = LatentStatistics(torch.zeros(4).double(), torch.eye(4).double())
    found = ridge_direction(
        Queries(torch.from_numpy(u), torch.from_numpy(y)), statistics, least_r2=-1, draws=0
    )
    told = []
    for share in PENALTIES:
        missed, alone = [], []
        for i in range(40):
            rest = np.arange(40) != i
            centre, mean = u[rest].mean(0), y[rest].mean()
            # the penalty belongs to all queries, and so does the centring in the closed form: both are tiny differences
            square = (u[rest] - centre).T @ (u[rest] - centre) + share * 40 * np.eye(4)
            beta = np.linalg.solve(square, (u[rest] - centre).T @ (y[rest] - mean))
            missed.append(y[i] - mean - (u[i] - centre) @ beta)
            alone.append(y[i] - mean)
        told.append(1 - np.square(missed).sum() / np.square(alone).sum())
    assert found.facts["r2"] == pytest.approx(max(told), abs=1e-9)
    assert found.facts["penalty"] == pytest.approx(40 * PENALTIES[int(np.argmax(told))])


def test_scores_that_no_line_tells_give_no_direction():
    world = Linear(size=4)
    codes = world.sample(300, seed=0)
    noise = torch.from_numpy(np.random.default_rng(1).normal(size=300))
    with pytest.raises(InputError, match=r"a linear model tells -?0.0\d of the variance of the scores"):
        ridge_direction(Queries(codes, noise), world.statistics)
    bent = world.statistics.whiten(codes)[:, 0] ** 2
    with pytest.raises(InputError, match="a linear model tells"):
        ridge_direction(Queries(codes, bent), world.statistics)


def test_a_bent_score_has_its_own_direction_at_each_place():
    """Of u₀² + u₁ the gradient at u₀ = ±2 is (±4, 1): opposite in u₀."""
    world = Linear(size=3)
    codes = world.sample(6000, seed=0)
    u = world.statistics.whiten(codes)
    queries = Queries(codes, u[:, 0] ** 2 + u[:, 1])
    for sign in (1.0, -1.0):
        at = world.statistics.colour(torch.tensor([[2 * sign, 0.0, 0.0]]).double())[0]
        found = local_direction(queries, world.statistics, at, width=0.4)
        wanted = direction(
            "slope", world.statistics.factor @ torch.tensor([4 * sign, 1.0, 0.0]).double(), world.statistics
        )
        assert cosine(found, wanted, world.statistics) > 0.97


def test_the_width_of_local_directions_leaves_as_many_queries_as_a_model_needs():
    """Kish's number, of 40 coordinates, where the median distance lets all queries count alike."""
    rng = np.random.default_rng(4)
    away = np.linalg.norm(rng.normal(size=(2500, 40)) - rng.normal(size=40), axis=1)

    def counted(width):
        weights = np.exp(-0.5 * (away / width) ** 2)
        return weights.sum() ** 2 / (weights**2).sum()

    assert counted(np.median(away)) > 0.98 * 2500
    assert counted(width_for(away, 40)) == pytest.approx(250, rel=1e-6)
    assert counted(width_for(away, 100)) == pytest.approx(400, rel=1e-6)
    assert width_for(away, 700) == np.inf and width_for(np.zeros(30), 2) == np.inf
    assert np.array_equal(nearness(away, np.inf), np.ones(2500))
    # where a query is too far from all others for any weight above 0, the nearest counts
    assert nearness(away + 1e4, 1.0).max() == 1


@pytest.mark.parametrize(("size", "least"), [(8, 0.93), (30, 0.75)])
def test_local_directions_follow_a_curve_in_many_dimensions(size, least):
    """Of u₀² + u₁ the gradient is (2u₀, 1), which ridge, one for all places, cannot be; by default widths, too."""
    world = Linear(size=size)
    codes = world.sample(1500, seed=0)
    u = world.statistics.whiten(codes)
    queries = Queries(codes, u[:, 0] ** 2 + u[:, 1])
    one, found = ridge_direction(queries, world.statistics, least_r2=-1, draws=0), []
    places = world.statistics.whiten(world.sample(8, seed=1))
    for n, place in enumerate(places):
        place[0] = 2 * (-1) ** n
        slope = torch.zeros(size).double()
        slope[:2] = torch.tensor([2 * place[0], 1.0])
        wanted = direction("slope", world.statistics.factor @ slope, world.statistics)
        local = local_direction(
            queries, world.statistics, world.statistics.colour(place[None])[0], least_r2=-1
        )
        assert local.facts["effective queries"] == pytest.approx(150, rel=1e-3)
        found.append((cosine(local, wanted, world.statistics), cosine(one, wanted, world.statistics)))
    local, overall = np.mean(found, 0)
    assert local > least and overall < 0.35


def test_agreement_falls_with_fewer_and_noisier_queries():
    world = Linear(size=8)
    rng = np.random.default_rng(2)

    def agreement(count, noise):
        codes = world.sample(count, seed=6)
        clean = world.statistics.whiten(codes)[:, 0]
        noisy = Queries(codes, clean + noise * torch.from_numpy(rng.normal(size=count)))
        return ridge_direction(noisy, world.statistics, least_r2=0.1).facts["agreement"]

    assert agreement(2000, 0.3) > 0.99 > agreement(200, 0.5) > agreement(40, 1.0)


def test_labels_are_those_of_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    world = Linear(anisotropic())
    queries = ask(world, linear, world.sample(200, seed=8))
    middle = float(queries.scores.median())
    beta = (
        LogisticRegression(C=0.5, max_iter=2000)
        .fit(queries.codes.numpy(), (queries.scores > middle).numpy())
        .coef_[0]
    )
    found = label_direction(queries, world.statistics, penalty=2.0, boundary=middle)
    torch.testing.assert_close(found.vector, direction("x", torch.from_numpy(beta), world.statistics).vector)


def test_a_random_direction_has_length_one_and_knows_nothing():
    world = Linear(anisotropic())
    every = [random_direction(world.statistics, seed=s) for s in range(300)]
    assert all(float(world.statistics.length(d.vector)) == pytest.approx(1) for d in every)
    cosines = [cosine(d, true_direction(world), world.statistics) for d in every]
    # of ten dimensions a cosine has mean 0 and variance a tenth
    assert abs(np.mean(cosines)) < 4 * np.sqrt(0.1 / 300) and np.var(cosines) == pytest.approx(0.1, rel=0.3)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda w: ridge_direction(ask(w, lambda x: x.new_zeros(len(x)), w.sample(9, seed=0)), w.statistics), InputError,
         "scores: found 0 of all 9 queries"),
        (lambda w: label_direction(Queries(w.sample(9, seed=0), torch.ones(9)), w.statistics), InputError,
         "all 9 queries lie on one side of 0"),
        (lambda w: ask(w, lambda x: x, w.sample(3, seed=0)), ModelError, r"found \(3, 1, 8, 8\) for 3 images"),
        (lambda w: ask(w, lambda x: x.new_full((len(x),), np.nan), w.sample(3, seed=0)), ModelError, "found NaN"),
        (lambda w: Queries(w.sample(3, seed=0), torch.ones(4)), InputError, r"scores: found shape \(4,\)"),
        (lambda w: latent_gradient(w, lambda x: linear(x).detach(), w.sample(1, seed=0)[0]), ModelError,
         "the score has no gradient"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_told(make, error, message):
    with pytest.raises(error, match=message):
        make(Linear())


def test_attributes_are_the_coordinates_that_the_score_reads():
    """2 u₀ − u₃ (and u₅ a little): two attributes, with effects of the step times the slope, one of them downwards."""
    world = Linear(size=6)

    def score(images):
        u = world.statistics.whiten(world.encode(images))
        return 2 * u[:, 0] - u[:, 3] + 0.01 * u[:, 5]

    found = attributes(world, score, world.sample(50, seed=1), step=1.5)
    assert [a.name for a in found] == ["attribute 0", "attribute 3"]
    assert [a.effect for a in found] == pytest.approx([3.0, 1.5]) and [a.share for a in found] == [1, 1]
    assert [a.sign for a in found] == [1, -1]


def test_an_attribute_has_an_interval_over_patients():
    """Of u₀² a step rises by 2 s u₀ + s², which differs from image to image: mean ± 1.96 standard errors."""
    world = Linear(size=3)
    codes = world.sample(200, seed=1)

    def score(images):
        return world.statistics.whiten(world.encode(images))[:, 0] ** 2

    found = {a.sign > 0: a for a in attributes(world, score, codes, step=1.0, among=1)}[True]
    rises = 2 * world.statistics.whiten(codes)[:, 0] + 1
    error = float(rises.std() / 200**0.5)
    assert found.coordinate == 0 and found.effect == pytest.approx(float(rises.mean()))
    assert found.interval == pytest.approx(
        (found.effect - 1.96 * error, found.effect + 1.96 * error), abs=0.1 * error * 2
    )
    pairs = [str(n // 2) for n in range(200)]
    doubled = attributes(world, score, codes[::2].repeat_interleave(2, 0), step=1.0, among=1, groups=pairs)
    wide = {a.sign > 0: a for a in doubled}[True].interval
    assert wide[1] - wide[0] == pytest.approx(2**0.5 * 3.92 * error, rel=0.2)  # twins are one patient

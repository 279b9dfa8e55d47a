"""Agreement between methods against SciPy, scikit-image and sets counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from networks import random_case, smooth_segmenter
from scipy import stats
from skimage.metrics import structural_similarity

from voxplain.attribution import Gradient, InputXGradient, Occlusion
from voxplain.engine import Passes, Problem
from voxplain.errors import InputError
from voxplain.metric import MeanAgreement, agreement, evaluate
from voxplain.metric.agreement import KINDS, matrix
from voxplain.metric.agreement.likeness import likeness, view
from voxplain.metric.agreement.matrix import likenesses
from voxplain.metric.candidate import Candidate
from voxplain.model import Model, Windows
from voxplain.target import AllClasses, PredictedRegion


def between(a: object, b: object, kind: str, share: float = 0.05) -> float:
    views = [view(torch.as_tensor(np.asarray(v, dtype=np.float64)), kind, share) for v in (a, b)]
    return likeness(*views, kind)


@pytest.mark.parametrize("dims", [2, 3])
def test_correlations_are_scipy_s(dims):
    rng = np.random.default_rng(dims)
    shape = (2, *(9, 8, 7)[:dims])
    a = rng.integers(-4, 5, size=shape).astype(float)  # with ties
    b = a + rng.normal(size=shape) * 3
    # channels are added up first
    x, y = a.sum(0).ravel(), b.sum(0).ravel()
    truths = {
        "spearman": stats.spearmanr(x, y).statistic,
        "spearman_absolute": stats.spearmanr(np.abs(x), np.abs(y)).statistic,
        "pearson": stats.pearsonr(x, y).statistic,
        "pearson_absolute": stats.pearsonr(np.abs(x), np.abs(y)).statistic,
    }
    assert len({round(v, 3) for v in truths.values()}) == 4
    for kind, truth in truths.items():
        assert between(a, b, kind) == pytest.approx(truth, abs=1e-6), kind
        assert between(1e-30 * a, 1e30 * b, kind) == pytest.approx(truth, abs=1e-6), kind


def test_correlation_over_more_voxels_than_one_run():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(1, 300, 400))
    b = a + rng.normal(size=a.shape)
    assert between(a, b, "pearson") == pytest.approx(stats.pearsonr(a.ravel(), b.ravel()).statistic, abs=1e-6)


def test_overlap_by_hand():
    # 20 voxels, share ¼: the 5 largest. Sizes 20 … 1 against the same with the first three at the end: 2 are shared.
    a = np.arange(20.0, 0, -1).reshape(1, 4, 5)
    b = np.roll(a.ravel(), -3).reshape(1, 4, 5)
    # 20…16 lie at 0–4 in a; in b 17, 16, … lie at 0–1 and 20, 19, 18 at the end: 0 and 1 are shared
    assert between(a, -b, "top_k", 0.25) == pytest.approx(2 / 5)
    assert between(a, a, "top_k", 0.25) == pytest.approx(1.0)
    # ties: two sure voxels, and three of the other 18 by lot
    tied = np.zeros((1, 4, 5)) + 1
    tied[0, 0, :2] = 2
    assert between(tied, a, "top_k", 0.25) == pytest.approx((2 + 3 * 3 / 18) / 5)


@pytest.mark.parametrize("shape", [(12, 13), (9, 8, 11), (8, 5, 1), (4, 9, 9)])
def test_structural_similarity_is_scikit_image_s_on_sizes(shape):
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 1, *shape))
    x, y = (np.squeeze(np.abs(v[0]) / np.abs(v).max()) for v in (a, b))
    width = {(12, 13): 7, (9, 8, 11): 7, (8, 5, 1): 5, (4, 9, 9): 3}[shape]
    truth = structural_similarity(x, y, win_size=width, data_range=1.0)
    assert between(a, b, "ssim") == pytest.approx(truth, abs=1e-5)
    assert between(a, -a, "ssim") == pytest.approx(1.0, abs=1e-6)


def test_an_image_too_thin_for_windows_has_no_structural_similarity():
    a = np.random.default_rng(0).normal(size=(1, 2, 9))
    assert math.isnan(between(a, a, "ssim"))


@pytest.fixture(scope="module")
def problem() -> Problem:
    model = Model(
        smooth_segmenter(3), spatial_dims=3, task="segmentation", windows=Windows(roi=6, overlap=0.5)
    )
    return Problem(model, random_case((8, 9, 7)), AllClasses(background=True))


@pytest.fixture(scope="module")
def maps(problem):
    return {m.name: m.attribute(problem) for m in (Gradient(), InputXGradient(), Occlusion(size=4))}


@pytest.mark.parametrize("kind", KINDS)
def test_the_matrix_is_symmetric_and_its_entries_are_of_the_pairs(problem, maps, kind):
    found = agreement(problem, maps, kind=kind)
    assert found.names == tuple(maps) and found.matrix.shape == (3, 3, 3) and found.kind == kind
    assert found.targets == tuple(t.name for t in problem.targets)
    names = list(maps)
    for t in range(3):
        assert np.array_equal(found.matrix[t], found.matrix[t].T) and (np.diag(found.matrix[t]) == 1).all()
        for i, j in [(0, 1), (0, 2), (1, 2)]:
            one, other = maps[names[i]].values(t), maps[names[j]].values(t)
            assert found.matrix[t, i, j] == pytest.approx(between(one, other, kind), abs=1e-6)
    assert np.allclose(found.mean, found.matrix.mean(0))


def test_the_matrix_does_not_depend_on_how_many_maps_fit_into_memory(problem, maps, monkeypatch):
    whole = agreement(problem, maps).matrix
    voxels = 4 * math.prod(problem.spatial_shape)
    for held in (1, voxels, 2 * voxels):
        monkeypatch.setattr(matrix, "HELD_BYTES", held)
        assert np.array_equal(agreement(problem, maps).matrix, whole)


@pytest.mark.parametrize("kind", KINDS)
def test_maps_without_an_order_have_no_agreement(kind):
    some = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 8, 8)))
    everywhere = frozenset([0])
    candidates = [
        Candidate("some", lambda _: some, everywhere, "rank"),
        Candidate("zeros", lambda _: torch.zeros((1, 8, 8)), everywhere, "rank"),
        Candidate("none", lambda _: some, frozenset(), "rank"),
    ]
    found = likenesses(candidates, 0, kind, 0.05)
    assert found[0, 0] == 1 and np.isnan(found).sum() == 8


def test_the_mean_agreement_leaves_out_the_map_itself_and_the_nulls(problem, maps):
    found = evaluate(problem, maps, [MeanAgreement()])
    truth = agreement(problem, maps).matrix
    for position, name in enumerate(maps):
        others = [i for i in range(3) if i != position]
        for t in range(3):
            assert found.value("mean_agreement", name, t) == pytest.approx(
                truth[t, position, others].mean(), abs=1e-9
            )
    assert all(j.tells is None and set(j.nulls) == {"random", "edges"} for j in found.judgements)
    assert abs(found.judgements[0].nulls["random"].value) < 0.2
    assert found.passes["mean_agreement"] == Passes(0, 0) == MeanAgreement().cost(problem, [])


def test_what_has_nobody_to_agree_with_says_so(problem, maps):
    alone = evaluate(problem, {"one": maps["gradient"]}, ["mean_agreement"])
    assert all(math.isnan(j.figure.value) and "no other method" in j.figure.note for j in alone.judgements)
    zeros = Candidate("zeros", lambda _: torch.zeros((1, *problem.spatial_shape)), frozenset([0]), "rank")
    some = Candidate("some", lambda _: problem.image, frozenset([0]), "rank")
    found = MeanAgreement().compute(problem, [zeros, some])
    assert "constant" in found[0, 0].note and "no other method has a map" in found[1, 0].note


def test_what_cannot_be_compared_is_refused(problem, maps):
    with pytest.raises(InputError, match="did you mean 'spearman'"):
        agreement(problem, maps, kind="sperman")
    with pytest.raises(InputError, match="share"):
        MeanAgreement(kind="top_k", share=0.0)
    with pytest.raises(InputError, match="two maps are called 'gradient'"):
        agreement(problem, [maps["gradient"], maps["gradient"]])
    other = Problem(problem.model, problem.case, PredictedRegion(1))
    with pytest.raises(InputError, match="another problem"):
        agreement(other, maps)

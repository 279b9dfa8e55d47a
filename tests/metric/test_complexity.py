"""How concentrated maps are, against values worked out by hand and Quantus."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from networks import classifier, random_case
from torchvision_stand_in import torchvision_stand_in

from voxplain.attribution import Gradient
from voxplain.engine import Passes, Problem
from voxplain.errors import InputError
from voxplain.metric import Complexity, EffectiveComplexity, Sparseness, evaluate
from voxplain.metric.candidate import Candidate
from voxplain.model import Model
from voxplain.target import ClassScore


@pytest.fixture(scope="module")
def problem() -> Problem:
    model = Model(classifier(2, channels=2), spatial_dims=2, task="classification")
    return Problem(model, random_case((6, 7), 2), [ClassScore(0), ClassScore(1)])


def figure(metric, problem: Problem, values: object):
    tensor = torch.as_tensor(np.asarray(values, dtype=np.float64))
    return metric.compute(problem, [Candidate("map", lambda _: tensor, frozenset([0]), "rank")])[0, 0]


def test_by_hand(problem):
    # sizes 4 2 1 1 of sum 8: entropy ½ ln 2 + ¼ ln 4 + 2 · ⅛ ln 8 = 1.75 ln 2
    # in rising order 1 1 2 4 with weights (n − k + ½)/n = 7/8 5/8 3/8 1/8: Σ = (7 + 5 + 6 + 4)/64 = 22/64;
    # Gini 1 − 44/64 = 5/16
    values = [[[-4.0, 2.0], [1.0, -1.0]]]
    assert figure(Complexity(), problem, values).value == pytest.approx(1.75 * math.log(2), abs=1e-12)
    assert figure(Sparseness(), problem, values).value == pytest.approx(5 / 16, abs=1e-12)
    for share, count in [(0.0, 4), (0.24, 4), (0.25, 2), (0.5, 1)]:
        assert figure(EffectiveComplexity(share=share), problem, values).value == count


def test_the_extremes(problem):
    one = np.zeros((1, 6, 7))
    one[0, 2, 3] = -5.0
    for values, entropy, gini, count in [
        (one, 0.0, 1 - 1 / 42, 1),
        (np.full((1, 6, 7), 0.1), math.log(42), 0.0, 42),
    ]:
        assert figure(Complexity(), problem, values).value == pytest.approx(entropy, abs=1e-12)
        assert figure(Sparseness(), problem, values).value == pytest.approx(gini, abs=1e-12)
        assert figure(EffectiveComplexity(), problem, values).value == count


@pytest.mark.parametrize("metric", [Complexity(), Sparseness(), EffectiveComplexity()])
def test_scale_and_sign_do_not_matter_and_zeros_have_no_figure(problem, metric):
    values = np.random.default_rng(0).normal(size=(2, 6, 7))
    plain = figure(metric, problem, values).value
    assert plain > 0
    # sizes far from 1 must not under- or overflow
    for factor in (-1.0, 1e-200, 1e200):
        assert figure(metric, problem, factor * values).value == pytest.approx(plain, rel=1e-9)
    # channels are added up: where they cancel there is nothing
    cancelled = np.concatenate([values[:1], -values[:1]])
    for empty in (np.zeros((1, 6, 7)), cancelled):
        found = figure(metric, problem, empty)
        assert math.isnan(found.value) and "zero everywhere" in found.note


@pytest.mark.parametrize("shape", [(8, 9), (5, 6, 4)])
def test_quantus_agrees(problem, shape):
    try:
        with torchvision_stand_in():
            import quantus
    except ImportError as error:
        pytest.skip(f"Quantus cannot be imported: {error}")
    values = np.random.default_rng(1).normal(size=(1, *shape))
    sizes = np.abs(values)
    peers = {
        Complexity(): quantus.Complexity(disable_warnings=True),
        Sparseness(): quantus.Sparseness(disable_warnings=True),
        EffectiveComplexity(share=0.3): quantus.EffectiveComplexity(
            eps=0.3 * sizes.max(), disable_warnings=True
        ),
    }
    for own, peer in peers.items():
        # a fresh copy each, since Quantus adds a small number to what it is given, in place
        theirs = float(np.squeeze(peer.evaluate_batch(x_batch=values[None], a_batch=sizes[None].copy())))
        assert figure(own, problem, values).value == pytest.approx(theirs, rel=1e-6), own.name


def test_they_only_describe(problem):
    found = evaluate(
        problem, Gradient().attribute(problem), [Complexity(), "sparseness", "effective_complexity"]
    )
    assert len(found.judgements) == 6
    for judgement in found.judgements:
        assert judgement.tells is None and not judgement.nulls and not judgement.remark
        low, high = judgement.metric.span
        assert low <= judgement.figure.value <= high
    assert set(map(str, found.passes.values())) == {str(Passes(0, 0))}
    with pytest.raises(InputError, match="share"):
        EffectiveComplexity(share=1.0)

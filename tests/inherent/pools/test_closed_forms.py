"""What every pool computes, against formulas written out in NumPy, and its limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import expit, log_expit, logsumexp, softmax
from torch import Tensor

from voxplain.inherent.pools import LogSumExp, Max, Mean, NoisyOr, SoftmaxWeighted, TopK

SHAPES = [(2, 3, 7), (2, 3, 5, 6), (2, 3, 4, 3, 5)]


def drawn(shape: tuple[int, ...], scale: float = 3.0, seed: int = 0) -> Tensor:
    return scale * torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def noisy_or(rows: np.ndarray) -> np.ndarray:
    """logit(1 − Π(1 − p)), straight from the definition; all digits only where nothing cancels."""
    nothing = np.prod(1 - expit(rows), axis=-1)
    return np.log((1 - nothing) / nothing)


def top(rows: np.ndarray, k: int) -> np.ndarray:
    return np.sort(rows, axis=-1)[..., -k:].mean(-1)


@pytest.mark.parametrize("shape", SHAPES)
def test_formulas(shape: tuple[int, ...]) -> None:
    e = drawn(shape, 1.0)
    rows = e.flatten(2).numpy()
    count = rows.shape[-1]
    truths = {
        Mean(): rows.mean(-1),
        Max(): rows.max(-1),
        TopK(0.3): top(rows, round(0.3 * count)),
        LogSumExp(2.5): (logsumexp(2.5 * rows, axis=-1) - math.log(count)) / 2.5,
        SoftmaxWeighted(0.7): (softmax(0.7 * rows, axis=-1) * rows).sum(-1),
        NoisyOr(): noisy_or(rows),
    }
    for pool, truth in truths.items():
        # r is held in single precision
        np.testing.assert_allclose(pool(e).detach().numpy(), truth, rtol=1e-6, atol=1e-6, err_msg=pool.name)


@pytest.mark.parametrize("count", [1, 2, 9, 33])
def test_k_is_a_share_of_the_places_and_at_least_one(count: int) -> None:
    e = drawn((1, 1, count))
    for share in (0.01, 0.25, 0.5, 1.0):
        k = max(1, round(share * count))
        assert float(TopK(share)(e)) == pytest.approx(top(e.numpy(), k).item())


def test_k_is_rounded_not_cut_off() -> None:
    """0.3 of 9 places are 2.7, so three of them: 9, 8 and 7, whether all of an image or a part of it is looked at."""
    e = torch.arange(1.0, 13.0)[None, None]
    assert float(TopK(0.3)(e[..., :9])) == pytest.approx(8)
    assert float(TopK(0.3)(e, e < 10)) == pytest.approx(8)


@pytest.mark.parametrize("shape", SHAPES)
def test_limits(shape: tuple[int, ...]) -> None:
    e = drawn(shape)
    mean, largest = Mean()(e), Max()(e)
    count = e[0, 0].numel()
    torch.testing.assert_close(TopK(1.0)(e), mean)
    torch.testing.assert_close(TopK(1 / count)(e), largest)
    for kind in (LogSumExp, SoftmaxWeighted):
        torch.testing.assert_close(kind(1e-9)(e).detach(), mean, rtol=0, atol=1e-6)
        torch.testing.assert_close(kind(1e9)(e).detach(), largest, rtol=0, atol=1e-6)


def test_limits_of_the_shares() -> None:
    e = drawn((2, 3, 5, 6))
    mean, largest = Mean().contribution(e), Max().contribution(e)
    for kind in (LogSumExp, SoftmaxWeighted):
        torch.testing.assert_close(kind(1e-9).contribution(e).detach(), mean, rtol=0, atol=1e-6)
        torch.testing.assert_close(kind(1e9).contribution(e).detach(), largest, rtol=0, atol=1e-6)


def test_log_sum_exp_lies_between_mean_and_max_and_grows_with_r() -> None:
    e = drawn((2, 3, 50))
    ladder = torch.stack([LogSumExp(r)(e).detach() for r in (1e-3, 0.1, 1.0, 10.0, 1e3)])
    assert (ladder.diff(dim=0) > 0).all()
    assert (ladder[0] > Mean()(e)).all()
    assert (ladder[-1] < Max()(e)).all()


@pytest.mark.parametrize("r", [1e-4, 1e-2, 0.3, 5.0])
def test_single_precision_keeps_its_digits_at_every_sharpness(r: float) -> None:
    e = drawn((1, 2, 4096))
    single, double = LogSumExp(r)(e.float()).double(), LogSumExp(r)(e)
    torch.testing.assert_close(single, double, rtol=0, atol=3e-6)


def test_noisy_or_is_right_far_on_both_sides() -> None:
    """Where nothing is there the logit is log Σ exp(e), and where all is it is −log Π(1 − p)."""
    for level in (-700.0, -200.0, -90.0, -30.0):
        e = level + drawn((1, 1, 40), 1.0)
        truth = logsumexp(e.numpy(), axis=-1)
        np.testing.assert_allclose(NoisyOr()(e).numpy(), truth, rtol=1e-12)
        if level > -300:
            np.testing.assert_allclose(NoisyOr()(e.float()).numpy(), truth, rtol=1e-6)
    for level in (5.0, 60.0, 1e4):
        e = level + drawn((1, 1, 40), 1.0)
        truth = -log_expit(-e.numpy()).sum(-1)
        np.testing.assert_allclose(NoisyOr()(e).numpy(), truth, rtol=1e-12)
        np.testing.assert_allclose(NoisyOr()(e.float()).numpy(), truth, rtol=1e-6)


def test_noisy_or_has_no_step_where_its_formulas_meet() -> None:
    """log s = −6 and e = −18 are where one formula hands over to another."""
    for middle in (-6.0, -18.0):
        e = torch.linspace(middle - 1e-6, middle + 1e-6, 9, dtype=torch.float64)
        z = NoisyOr()(e.reshape(-1, 1, 1)).flatten()
        # one place: the logit is the evidence itself
        torch.testing.assert_close(z, e, rtol=0, atol=1e-13)


def test_places_that_tie_share_alike() -> None:
    e = torch.tensor([[[5.0, 2.0, 5.0, 2.0, 2.0, 0.0]]])
    third = 1 / 3
    assert Max().contribution(e).tolist() == [[[2.5, 0, 2.5, 0, 0, 0]]]
    # k = 3: both fives, and one place's worth of the three twos
    shares = TopK(0.5).contribution(e).flatten().tolist()
    assert shares == pytest.approx([5 / 3, 2 * third / 3, 5 / 3, 2 * third / 3, 2 * third / 3, 0])
    assert float(TopK(0.5)(e)) == pytest.approx(4)


def test_constant_evidence_is_its_own_logit_but_for_noisy_or() -> None:
    e = torch.full((1, 1, 6, 5), 1.5)
    for pool in (Mean(), Max(), TopK(0.1), LogSumExp(3.0), SoftmaxWeighted(3.0)):
        assert pool(e).item() == pytest.approx(1.5, abs=1e-6)
    assert float(NoisyOr()(torch.zeros(1, 1, 50))) == pytest.approx(50 * math.log(2), rel=1e-6)

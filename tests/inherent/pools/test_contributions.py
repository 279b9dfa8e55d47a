"""Shares sum to the logit, gradients are right, half precision is raised, masks hide."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from voxplain.errors import InputError
from voxplain.inherent.pools import LogSumExp, Max, Mean, NoisyOr, Pool, SoftmaxWeighted, TopK

POOLS: dict[str, Callable[[], Pool]] = {
    "mean": Mean,
    "max": Max,
    "topk": lambda: TopK(0.2),
    "lse": lambda: LogSumExp(1.7),
    "lse sharp": lambda: LogSumExp(40.0),
    "softmax": lambda: SoftmaxWeighted(1.3),
    "noisy_or": NoisyOr,
}
SHAPES = [(2, 3, 6, 5), (2, 2, 4, 3, 5)]
each_pool = pytest.mark.parametrize("make", POOLS.values(), ids=POOLS)
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=["2-D", "3-D"])


def drawn(shape: tuple[int, ...], level: float = 0.0, seed: int = 0) -> Tensor:
    return level + 2 * torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def some(shape: tuple[int, ...]) -> Tensor:
    """A mask that hides much of one sample and little of the other."""
    drawn = torch.rand((shape[0], 1, *shape[2:]), generator=torch.Generator().manual_seed(5))
    kept = drawn > torch.tensor([0.6, 0.2]).reshape(2, *(1,) * (len(shape) - 1))
    assert len({int(k.sum()) for k in kept}) == 2
    return kept


@each_pool
@each_shape
@pytest.mark.parametrize("level", [-30.0, 0.0, 30.0])
@pytest.mark.parametrize("masked", [False, True])
def test_shares_sum_to_the_logit(
    make: Callable[[], Pool], shape: tuple[int, ...], level: float, masked: bool
) -> None:
    pool, e = make(), drawn(shape, level)
    mask = some(shape) if masked else None
    for evidence, tolerance in ((e, 1e-10), (e.float(), 1e-5)):
        shares, logit = pool.contribution(evidence, mask), pool(evidence, mask)
        assert shares.shape == evidence.shape and shares.dtype == logit.dtype == evidence.dtype
        gap = (shares.flatten(2).sum(2) - logit).abs() / logit.abs().clamp_min(1)
        assert gap.detach().max() < tolerance


@each_pool
@each_shape
def test_what_a_mask_hides_does_not_matter(make: Callable[[], Pool], shape: tuple[int, ...]) -> None:
    pool, e, mask = make(), drawn(shape), some(shape)
    other = torch.where(mask, e, 1e3 * drawn(shape, seed=9))
    torch.testing.assert_close(pool(other, mask), pool(e, mask), rtol=0, atol=0)
    shares = pool.contribution(other, mask)
    torch.testing.assert_close(shares, pool.contribution(e, mask), rtol=0, atol=0)
    assert not shares[~mask.expand_as(shares)].any()


@each_pool
@each_shape
def test_zero_padding_with_a_mask_changes_nothing(make: Callable[[], Pool], shape: tuple[int, ...]) -> None:
    pool, e = make(), drawn(shape, -1.0)
    pads = [2, 1] * (len(shape) - 2)
    inside = F.pad(torch.ones((shape[0], 1, *shape[2:]), dtype=torch.bool), pads)
    padded = F.pad(e, pads)
    torch.testing.assert_close(pool(padded, inside), pool(e))
    torch.testing.assert_close(pool.contribution(padded, inside), F.pad(pool.contribution(e), pads))
    # without the mask it does matter, so that the test can fail
    if pool.name != "max":
        assert not torch.allclose(pool(padded), pool(e), rtol=1e-6)


@each_pool
def test_a_mask_counts_what_is_inside(make: Callable[[], Pool]) -> None:
    """Pooling inside a box is pooling the box alone, also where samples have boxes of different sizes."""
    pool, e = make(), drawn((2, 3, 6, 5))
    mask = torch.zeros(2, 1, 6, 5, dtype=torch.bool)
    mask[0, :, 1:4, 2:], mask[1, :, :2, :2] = True, True
    expected = torch.cat([pool(e[:1, :, 1:4, 2:]), pool(e[1:, :, :2, :2])])
    torch.testing.assert_close(pool(e, mask), expected)


@each_pool
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("level", [-8.0, 0.0])
def test_gradients(make: Callable[[], Pool], masked: bool, level: float) -> None:
    pool = make().double()
    e = drawn((2, 2, 3, 4), level).requires_grad_()
    mask = some((2, 1, 3, 4)) if masked else None
    names = [n for n, _ in pool.named_parameters()]

    def run(evidence: Tensor, *parameters: Tensor) -> Tensor:
        return torch.func.functional_call(
            pool, dict(zip(names, parameters, strict=True)), (evidence, mask), strict=True
        )

    assert torch.autograd.gradcheck(run, (e, *pool.parameters()))
    pool(e, mask).sum().backward()
    for name, parameter in pool.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs() > 0, name


def test_gradients_are_finite_in_single_precision_where_softplus_underflows() -> None:
    for level in (-300.0, -100.0, 0.0, 100.0):
        for make in POOLS.values():
            e = drawn((1, 1, 30), level).float().requires_grad_()
            pool = make()
            pool(e).sum().backward()
            assert torch.isfinite(e.grad).all() and e.grad.abs().sum() > 0, (pool.name, level)


@each_pool
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_raised(make: Callable[[], Pool], dtype: torch.dtype) -> None:
    """57,600 places would overflow sums in half precision, or stand still at 2048."""
    pool, e = make(), drawn((1, 2, 240, 240)).to(dtype)
    with torch.autocast("cpu", torch.bfloat16):
        logit, shares = pool(e), pool.contribution(e)
    assert logit.dtype == shares.dtype == torch.float32
    torch.testing.assert_close(logit.double(), pool(e.double()), rtol=1e-5, atol=1e-5)


def test_pools_run_outside_autocast() -> None:
    """Whatever operations a pool is made of, none is cast down."""
    seen: list[bool] = []

    class Watch(Mean):
        def divided(self, rows: Tensor, inside: Tensor | None) -> Tensor:
            seen.append(torch.is_autocast_enabled("cpu"))
            return super().divided(rows, inside)

    with torch.autocast("cpu", torch.bfloat16):
        Watch()(torch.zeros(1, 1, 3))
        Watch().contribution(torch.zeros(1, 1, 3))
    assert seen == [False, False]


def test_fixed_sharpness_is_not_trained() -> None:
    assert not LogSumExp(2.0, learned=False).log_r.requires_grad
    assert LogSumExp(2.0).log_r.requires_grad and SoftmaxWeighted().log_r.requires_grad


@pytest.mark.parametrize(("mask", "message"), [
    (torch.ones(2, 1, 4, 4), r"found torch.float32 .*expected torch.bool of shape \(2, 1, 4, 4\)"),
    (torch.ones(2, 3, 4, 4, dtype=torch.bool), r"found torch.bool of shape \(2, 3, 4, 4\)"),
    (torch.ones(2, 1, 4, 4, dtype=torch.bool) & torch.tensor([True, False]).reshape(2, 1, 1, 1), "sample 1 holds no"),
])  # fmt: skip
def test_masks_that_cannot_be(mask: Tensor, message: str) -> None:
    for ask in (Mean().forward, Mean().contribution):
        with pytest.raises(InputError, match=f"mask: .*{message}"):
            ask(torch.zeros(2, 3, 4, 4), mask)


def test_evidence_without_places_is_refused() -> None:
    for shape in ((2, 3), (2, 3, 0, 4)):
        with pytest.raises(InputError, match=r"pool max: found evidence of shape .*\(N, K, \*spatial\)"):
            Max()(torch.zeros(shape))

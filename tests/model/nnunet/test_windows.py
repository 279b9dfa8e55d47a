"""Where nnU-Net's windows lie and what they weigh."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from voxplain.engine.layout import Layout
from voxplain.errors import InputError
from voxplain.model import Windows

SIZES = [
    ((23, 40, 17), (6, 12, 16)),
    ((16, 16, 16), (16, 16, 16)),
    ((110, 33, 65), (64, 16, 64)),
    ((9, 7, 30), (8, 6, 5)),
]


@pytest.mark.parametrize("step", [0.5, 1.0, 0.29, 0.7])
@pytest.mark.parametrize(("shape", "roi"), SIZES)
def test_even_windows_begin_where_nnunets_do(shape, roi, step) -> None:
    peer = pytest.importorskip("nnunetv2.inference.sliding_window_prediction", reason="nnU-Net is not here")
    layout = Layout(shape, Windows(roi=roi, overlap=1 - step, placement="even"))
    starts = peer.compute_steps_for_sliding_window(shape, roi, step)
    expected = [(a, b, c) for a in starts[0] for b in starts[1] for c in starts[2]]
    assert [tuple(s.start for s in where) for where in layout.slices] == expected
    assert all(s.stop - s.start == r for where in layout.slices for s, r in zip(where, roi, strict=True))


@pytest.mark.parametrize("roi", [(6, 12, 16), (5, 7, 9), (24, 24)])
def test_the_filtered_gaussian_is_nnunets_in_full_precision(roi) -> None:
    peer = pytest.importorskip("nnunetv2.inference.sliding_window_prediction", reason="nnU-Net is not here")
    layout = Layout(
        tuple(2 * r for r in roi), Windows(roi=roi, overlap=0.5, blend="gaussian-filter"), torch.float64
    )
    expected = peer.compute_gaussian.__wrapped__(roi, 1 / 8, 1, torch.float64, torch.device("cpu"))
    torch.testing.assert_close(layout.importance, expected, rtol=0, atol=1e-15)
    assert layout.importance[tuple(r // 2 for r in roi)] == 1
    # in its half precision, what nnU-Net multiplies by is off by up to 1e-3 of it at the corners
    half = peer.compute_gaussian.__wrapped__(roi, 1 / 8, 10, torch.float16, torch.device("cpu")).double() / 10
    assert float((half / expected - 1).abs().max()) > 1e-4


def test_weights_sum_to_one_wherever_windows_lie() -> None:
    layout = Layout(
        (23, 40, 17),
        Windows(roi=(6, 12, 16), overlap=0.5, blend="gaussian-filter", placement="even"),
        torch.float64,
    )
    total = torch.zeros(layout.padded, dtype=torch.float64)
    for window, where in enumerate(layout.slices):
        total[where] += layout.weight(window)
    np.testing.assert_allclose(total, 1, rtol=1e-12)


def test_the_default_stays_monais() -> None:
    shape, roi = (23, 40, 17), (6, 12, 16)
    dense = [tuple(s.start for s in w) for w in Layout(shape, Windows(roi=roi, overlap=0.5)).slices]
    assert dense[-1] == (17, 28, 1)
    assert sorted({a for a, _, _ in dense}) == [0, 3, 6, 9, 12, 15, 17]


@pytest.mark.parametrize(
    ("given", "words"), [({"placement": "odd"}, "'dense' or 'even'"), ({"blend": "box"}, "gaussian-filter")]
)
def test_what_cannot_be_is_said(given, words) -> None:
    with pytest.raises(InputError, match=words):
        Windows(**given)

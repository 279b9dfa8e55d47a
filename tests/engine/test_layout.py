"""Windows lie where MONAI puts them, and padding is linear with the right adjoint."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from monai.inferers import sliding_window_inference
from torch.nn import functional as F

from voxplain.engine.layout import Layout
from voxplain.engine.samplers import NoiseField
from voxplain.errors import InputError
from voxplain.model import Windows

PADDINGS = ["constant", "reflect", "replicate", "circular"]
SHAPES = [
    ((9, 11), 6),
    ((5, 12), 8),
    ((13, 4), (13, 7)),
    ((9, 7, 10), 6),
    ((5, 9, 8), (8, 6, 8)),
    ((6, 6, 6), 6),
    ((4, 5, 6), 7),
    ((7, 8, 9), (0, 4, -1)),
]
OVERLAPS = [0.0, 0.25, 0.5, 0.9]


def monai_windows(image, windows, roi):
    """What MONAI's inference hands to the network, and what it makes of outputs that it is given."""
    seen = []

    def network(x):
        seen.append(x.clone())
        return x + len(seen)  # window w returns its input + (w + 1)

    out = sliding_window_inference(
        image[None],
        roi,
        1,
        network,
        overlap=windows.overlap,
        mode=windows.blend,
        sigma_scale=windows.sigma_scale,
        padding_mode=windows.padding,
        cval=windows.padding_value,
    )[0]
    return torch.cat(seen), out


@pytest.mark.parametrize("blend", ["constant", "gaussian"])
@pytest.mark.parametrize("overlap", OVERLAPS)
@pytest.mark.parametrize(("shape", "roi"), SHAPES)
def test_layout_is_monais(shape, roi, overlap, blend):
    for padding in PADDINGS:
        # MONAI's other paddings take no value
        value = -2.5 if padding == "constant" else 0.0
        check_layout(
            shape, Windows(roi=roi, overlap=overlap, padding=padding, blend=blend, padding_value=value)
        )


def check_layout(shape, windows):
    image = torch.from_numpy(np.random.default_rng(0).normal(size=(2, *shape)))
    layout = Layout(shape, windows, torch.float64)
    seen, stitched = monai_windows(image, windows, layout.roi)
    padded = layout.pad(image)
    assert len(layout) == len(seen)
    for where, truth in zip(layout.slices, seen, strict=True):
        assert torch.equal(padded[(slice(None), *where)], truth)
    out = torch.zeros_like(padded)
    for w, where in enumerate(layout.slices):
        out[(slice(None), *where)] += layout.weight(w) * (padded[(slice(None), *where)] + w + 1)
    # MONAI clamps tiny Gaussian weights in single precision
    torch.testing.assert_close(layout.unpad(out), stitched, rtol=1e-6, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    shape=st.lists(st.integers(1, 11), min_size=2, max_size=3),
    roi=st.integers(1, 12),
    overlap=st.floats(0, 0.95),
    blend=st.sampled_from(["constant", "gaussian"]),
)
def test_weights_sum_to_one_at_every_voxel(shape, roi, overlap, blend):
    layout = Layout(tuple(shape), Windows(roi=roi, overlap=overlap, blend=blend), torch.float64)
    total = torch.zeros(layout.padded, dtype=torch.float64)
    for w, where in enumerate(layout.slices):
        assert all(s.stop - s.start == r for s, r in zip(where, layout.roi, strict=True))
        total[where] += layout.weight(w)
    torch.testing.assert_close(total, torch.ones_like(total), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize(("shape", "roi"), SHAPES)
def test_unpad_gradient_is_the_adjoint_of_pad(shape, roi, padding):
    """⟨pad(x), y⟩ = ⟨x, padᵀ(y)⟩ for all x and y (with padding by zeros, where pad is linear)."""
    layout = Layout(shape, Windows(roi=roi, padding=padding), torch.float64)
    rng = np.random.default_rng(1)
    x = torch.from_numpy(rng.normal(size=(2, *shape)))
    y = torch.from_numpy(rng.normal(size=(2, *layout.padded)))
    assert float((layout.pad(x) * y).sum()) == pytest.approx(
        float((x * layout.unpad_gradient(y)).sum()), rel=1e-12
    )
    assert torch.equal(layout.unpad(layout.pad(x)), x)


@pytest.mark.parametrize(("shape", "roi"), SHAPES)
def test_overlap_with_names_the_same_voxels_in_image_and_window(shape, roi):
    layout = Layout(shape, Windows(roi=roi, overlap=0.5), torch.float64)
    image = torch.arange(1, np.prod(shape) + 1, dtype=torch.float64).reshape(1, *shape)
    padded = layout.pad(image)
    for w, where in enumerate(layout.slices):
        in_image, in_window = layout.overlap_with(w)
        window = padded[0][where]
        assert torch.equal(image[0][in_image], window[in_window])
        rest = window.clone()
        rest[in_window] = 0
        assert not rest.any(), "everything else is padding"


@pytest.mark.parametrize("padding", ["reflect", "circular"])
def test_padding_that_torch_cannot_do_is_refused_in_words(padding):
    with pytest.raises(RuntimeError):
        F.pad(torch.zeros(1, 1, 3, 3), (4, 4, 4, 4), padding)
    with pytest.raises(InputError, match=f"padding: .*{padding}.*'constant' or 'replicate'"):
        Layout((3, 3), Windows(roi=11, padding=padding))


NOISY = [
    ((9, 11), Windows(roi=6, overlap=0.5)),
    ((9, 7, 10), Windows(roi=6, overlap=0.5)),
    ((5, 9, 8), Windows(roi=8)),
    ((5, 9, 8), Windows(roi=8, padding="reflect")),
]


@pytest.mark.parametrize(("shape", "windows"), NOISY)
def test_noise_is_one_image_however_it_is_cut(shape, windows):
    layout = Layout(shape, windows)
    noise = NoiseField(layout, 2, seed=7)
    whole = noise.box(3, tuple(slice(0, s) for s in layout.padded))
    for where in reversed(layout.slices):
        assert torch.equal(noise.box(3, where), whole[(slice(None), *where)])
    inner = layout.unpad(whole)
    assert torch.equal(whole, layout.pad(inner)), (
        "padding repeats the noise, or has none where it is constant"
    )


def test_noise_is_reproducible_and_its_streams_are_independent():
    shape = (40, 30, 20)
    layout = Layout(shape, Windows())
    box = tuple(slice(0, s) for s in shape)
    noise = NoiseField(layout, 2, seed=7)
    a = noise.box(0, box)
    assert torch.equal(a, NoiseField(layout, 2, seed=7).box(0, box))
    others = {
        "draw": (a, noise.box(1, box)),
        "seed": (a, NoiseField(layout, 2, seed=8).box(0, box)),
        "channel": (a[0], a[1]),
        "plane": (a[:, :-1], a[:, 1:]),
        "next draw's plane": (a[:, 1:], noise.box(1, box)[:, :-1]),
        "row": (a[:, :, :-1], a[:, :, 1:]),
    }
    for what, (x, y) in others.items():
        n = x.numel()
        correlation = float(torch.corrcoef(torch.stack([x.flatten(), y.flatten()]))[0, 1])
        assert abs(correlation) < 5 / n**0.5, what


def test_noise_is_standard_normal():
    shape = (40, 40, 40)
    noise = NoiseField(Layout(shape, Windows()), 1, seed=0).box(5, tuple(slice(0, s) for s in shape)).double()
    n = noise.numel()
    # five standard errors of each moment of a standard normal: 1/n, 2/n, 15/n, 96/n
    for power, expected, variance in [(1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)]:
        assert abs(float((noise**power).mean()) - expected) < 5 * (variance / n) ** 0.5

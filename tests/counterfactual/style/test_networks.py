"""Parts of the StyleGAN against their formulas, written out image by image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from voxplain.counterfactual.style import Discriminator, Mapping, StyleEncoder, Synthesis
from voxplain.counterfactual.style.augment import Augment
from voxplain.counterfactual.style.discriminator import spread
from voxplain.counterfactual.style.layers import Conv, Linear
from voxplain.counterfactual.style.losses import gradient_penalty, path_lengths, telling
from voxplain.counterfactual.style.modulated import ModulatedConv
from voxplain.errors import InputError


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("demodulate", [True, False])
def test_scaled_images_are_scaled_kernels(dims, demodulate):
    """One kernel per image, scaled and divided by its norms, as the publication writes it."""
    layer = ModulatedConv(dims, 5, 7, 6, demodulate=demodulate).double()
    x, w = torch.randn(3, 5, *(6,) * dims).double(), torch.randn(3, 6).double()
    scales = w @ (layer.style.weight * layer.style.scale).T + layer.style.bias
    for n in range(3):
        kernel = layer.weight * layer.scale * scales[n].reshape(1, 5, *(1,) * dims)
        if demodulate:
            norm = (kernel.square().flatten(1).sum(1) + 1e-8).sqrt()
            kernel = kernel / norm.reshape(-1, *(1,) * (dims + 1))
        convolve = F.conv2d if dims == 2 else F.conv3d
        torch.testing.assert_close(layer(x, w)[n], convolve(x[n : n + 1], kernel, padding=1)[0])


@torch.no_grad()
def test_layers_keep_the_variance():
    x = torch.randn(4000, 64)
    assert float(Linear(64, 32)(x).var()) == pytest.approx(1, rel=0.1)
    image = torch.randn(40, 8, 32, 32)
    assert float(Conv(2, 8, 64)(image)[..., 2:-2, 2:-2].var()) == pytest.approx(1, rel=0.1)
    slow = Linear(64, 32, rate=0.01)
    assert float(slow(x).var()) == pytest.approx(1, rel=0.1) and float(slow.weight.std()) == pytest.approx(
        100, rel=0.1
    )


@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 48, 32), (2, 16, 24, 16)])
def test_any_channels_and_proportions(shape):
    g, d = Synthesis(shape, 12, width=4), Discriminator(shape, width=4)
    e, wide = StyleEncoder(shape, 12, width=4), StyleEncoder(shape, 12, layers=g.layers, width=4)
    w = Mapping(12)(torch.randn(4, 12))
    image = g(w)
    assert image.shape == (4, *shape) and d(image).shape == (4,) and e(image).shape == (4, 12)
    assert wide(image).shape == (4, g.layers, 12)
    torch.testing.assert_close(g(w[:, None].expand(-1, g.layers, -1)), image)
    # an encoder to all layers begins with one style for them
    assert torch.equal(wide(image)[:, 0], wide(image)[:, -1])
    (image.sum() + d(image).sum()).backward()
    assert all(p.grad is not None for p in [*g.parameters(), *d.parameters()])


def test_every_layer_has_a_style_of_its_own():
    g = Synthesis((1, 32, 32), 8, width=4).double()
    w = torch.randn(1, g.layers, 8).double()
    slopes = torch.autograd.functional.jacobian(lambda s: g(s).flatten(), w)
    assert (slopes.abs().amax((0, 1, 3)) > 0).all() and g.layers == 1 + 2 * 3


def test_noise_is_fixed_unless_it_is_drawn():
    g = Synthesis((1, 16, 16), 8, width=4)
    w = torch.randn(2, 8)
    for block in g.blocks:
        for strength in block.strengths:
            torch.nn.init.constant_(strength, 0.3)
    assert torch.equal(g(w), g(w)) and torch.equal(g(w, noise=1), g(w, noise=1))
    assert not torch.equal(g(w, noise=1), g(w, noise=2)) and not torch.equal(g(w), g(w, noise=1))
    # one image's noise does not depend on the others when it is fixed
    torch.testing.assert_close(g(w[:1]), g(w)[:1])


def test_the_spread_of_a_group_is_that_of_its_images():
    """Eight images in groups of four: images n, n + 2, n + 4, n + 6 are one group."""
    x = torch.randn(8, 3, 2, 2).double()
    found = spread(x, 4)
    for n in range(8):
        wanted = np.sqrt(x[n % 2 :: 2].numpy().var(0) + 1e-8).mean()
        assert found[n, 0].flatten().tolist() == pytest.approx([wanted] * 4)
    assert spread(x[:7], 4).shape == (7, 1, 2, 2) and len(set(spread(x[:7], 4).flatten().tolist())) == 1


def test_truncation_pulls_towards_the_tracked_mean():
    mapping = Mapping(6)
    w = mapping(torch.randn(500, 6))
    for _ in range(2000):
        mapping.track(w)
    torch.testing.assert_close(mapping.mean, w.mean(0), atol=1e-3, rtol=0)
    torch.testing.assert_close(mapping.truncated(w, 0.5), (w + mapping.mean) / 2)
    # only the direction of z counts
    z = torch.randn(3, 6)
    torch.testing.assert_close(mapping(z), mapping(7 * z), atol=1e-5, rtol=1e-4)


def test_the_penalty_of_a_linear_discriminator_is_its_squared_norm():
    c = torch.randn(1, 4, 4)
    x = torch.randn(5, 1, 4, 4, requires_grad=True)
    assert float(gradient_penalty((x * c).flatten(1).sum(1), x)) == pytest.approx(float(c.square().sum()))


def test_path_lengths_of_a_linear_generator():
    """x = A w: the mean of |Aᵀ y|² / voxels over normal y is the squared Frobenius norm of A by voxels."""
    a = torch.randn(16, 3)
    w = torch.randn(4000, 3, requires_grad=True)
    found = path_lengths((w @ a.T).reshape(-1, 1, 4, 4), w, seed=0)
    assert float(found.square().mean()) == pytest.approx(float(a.square().sum()) / 16, rel=0.05)


def test_a_discriminator_that_knows_nothing_loses_two_log_two():
    assert float(telling(torch.zeros(3), torch.zeros(3))) == pytest.approx(2 * np.log(2))


def test_augmentation_follows_what_is_learned_by_heart():
    augment = Augment(0.0, target=0.6, ramp=1000)
    assert augment.follow(0.9, 100) == pytest.approx(0.1) and augment.follow(0.2, 50) == pytest.approx(0.05)
    assert augment.follow(-1.0, 500) == 0 and Augment(0.3, target=None).follow(1.0, 10**6) == 0.3


@pytest.mark.parametrize("shape", [(2, 12, 20), (1, 8, 12, 10)])
def test_augmented_images_are_moved_and_not_mixed(shape):
    x = torch.rand(6, *shape)
    augment = Augment(0.7, mirror=True)
    y = augment(x, seed=1)
    assert (
        y.shape == x.shape and torch.equal(y, augment(x, seed=1)) and not torch.equal(y, augment(x, seed=2))
    )
    # each image depends on itself alone, but for the range of all
    x.requires_grad_(True)
    (slope,) = torch.autograd.grad(augment(x, seed=1)[2].sum(), x)
    assert slope[2].abs().sum() > 0 and slope[[0, 1, 3, 4, 5]].abs().sum() == 0
    assert torch.equal(Augment(0.0)(x, seed=1), x)


def test_a_turned_square_in_a_long_image_stays_a_square():
    """Turned by 15 degrees, with everything else off: distances in voxels are kept."""
    from voxplain.counterfactual.style import augment as module

    angle = module.TURN
    points = torch.zeros(1, 1, 32, 64)
    points[0, 0, 16, 40] = 1.0

    def made(*size):
        return (
            torch.ones(1, 1)
            if size == (1,) and not made.asked.append(1) and len(made.asked) == 1
            else torch.zeros(1, *size)
        )

    made.asked = []
    grid = Augment._grid(points, 2, made)
    moved = F.grid_sample(points, grid, padding_mode="border", align_corners=False)[0, 0]
    i, j = np.indices(moved.shape)
    total = moved.sum().item()
    centre = (i * moved.numpy()).sum() / total - 15.5, (j * moved.numpy()).sum() / total - 31.5
    before = np.array([0.5, 8.5])
    assert np.hypot(*centre) == pytest.approx(np.hypot(*before), abs=0.2)
    turned = np.arctan2(*centre) - np.arctan2(*before)
    assert abs(turned) == pytest.approx(angle, abs=0.03)


@pytest.mark.parametrize("size", [(28, 28), (9, 9), (16, 12, 7), (32,)])
def test_sizes_that_are_no_doublings_are_told(size):
    if size == (28, 28):  # 7 · 4
        assert Synthesis((1, *size), 4, width=2)(torch.zeros(1, 4)).shape == (1, 1, 28, 28)
        with pytest.raises(
            InputError, match=r"shape: found \(28, 28\).*pad or resample images to \(32, 32\)"
        ):
            Synthesis((1, *size), 4, levels=3)
        return
    with pytest.raises(InputError, match="shape: found"):
        Synthesis((1, *size), 4)

"""Generators of the user's own: what they lack is made up for, and what cannot be explained with is refused by name."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from voxplain.counterfactual.generator import Generator, LatentStatistics, PcaGenerator
from voxplain.counterfactual.generator.autoencoder import AutoencoderGenerator, autoencoder
from voxplain.counterfactual.generator.foreign import ForeignGenerator
from voxplain.errors import InputError, ModelError

SHAPE = (1, 4, 6)
IMAGES = torch.from_numpy(np.random.default_rng(0).normal(size=(50, *SHAPE)).astype(np.float32))


class Half:
    """Keeps every other column: codes of shape (1, 4, 3), of which images are made again by repeating."""

    def encode(self, images):
        return images[..., ::2]

    def decode(self, codes):
        return codes.repeat_interleave(2, -1)


class WithSamples(Half):
    def sample(self, count, *, seed):
        return torch.full((count, 1, 4, 3), float(seed))

    @property
    def statistics(self):
        return LatentStatistics(torch.zeros(12), 3 * torch.eye(12))


class Network(nn.Module, Half):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))


def test_encode_and_decode_are_enough():
    found = ForeignGenerator.of(Half(), IMAGES, "nets.py:half")
    assert isinstance(found, Generator)
    codes = found.encode(IMAGES)
    assert codes.shape == (50, 12) and found.decode(codes).shape == IMAGES.shape
    flat = IMAGES[..., ::2].reshape(50, 12).numpy()
    factor = found.statistics.factor.numpy()
    np.testing.assert_allclose(found.statistics.mean.numpy(), flat.mean(0), atol=1e-6)
    np.testing.assert_allclose(factor @ factor.T, np.cov(flat.T), atol=1e-5)
    drawn = found.sample(20_000, seed=1)
    np.testing.assert_allclose(np.cov(drawn.numpy().T), np.cov(flat.T), atol=0.06)
    assert torch.equal(drawn, found.sample(20_000, seed=1)) and not torch.equal(
        drawn, found.sample(20_000, seed=2)
    )
    with pytest.raises(InputError, match=r"images: found shape \(1, 4, 4\), expected \(1, 4, 6\)"):
        found.encode(torch.zeros(1, 1, 4, 4))


def test_its_own_samples_and_statistics_are_used():
    found = ForeignGenerator.of(WithSamples(), IMAGES, "nets.py:own")
    assert found.sample(2, seed=7).tolist() == [[7.0] * 12] * 2
    assert torch.equal(found.statistics.factor, 3 * torch.eye(12))


def test_a_network_is_frozen():
    network = Network().train()
    ForeignGenerator.of(network, IMAGES, "nets.py:network")
    assert not network.training and not network.scale.requires_grad


def changed(**methods):
    return type("Changed", (Half,), methods)()


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (type("None_", (), {"encode": Half.encode})(), r"None_ has no decode \(found encode of encode, decode"),
        (changed(encode=lambda self, x: (x, x)), "encode gives tuple, expected one tensor"),
        (changed(encode=lambda self, x: x[:1]), r"encode of 3 images gives \(1, 1, 4, 6\), expected codes \(3, ...\)"),
        (changed(encode=lambda self, x: x / 0), "encode gives numbers that are not finite"),
        (changed(encode=lambda self, x: x.sum() + None), "encode raised TypeError"),
        (changed(decode=lambda self, z: z), r"of images \(3, 1, 4, 6\) gives \(3, 1, 4, 3\), expected the images' shape"),
        (changed(encode=lambda self, x: (x - x.mean(0))[..., ::2]), "encode gives something else when it is asked again or"),
        (changed(encode=lambda self, x: torch.randn_like(x)[..., ::2]), "give the mean of a posterior, not a draw"),
        (changed(sample=lambda self, n, *, seed: torch.zeros(n, 12)), r"gives \(2, 12\), expected codes as encode gives"),
        (changed(sample=lambda self, n: torch.zeros(n, 1, 4, 3)), "sample raised TypeError"),
        (changed(statistics=LatentStatistics(torch.zeros(3), torch.eye(3))), r"statistics gives \(3,\), .* mean \(12,\)"),
        (changed(statistics="normal"), "statistics gives str, expected LatentStatistics"),
    ],
)  # fmt: skip
def test_what_cannot_be_explained_with_is_told(made, says):
    with pytest.raises(ModelError, match=f"generator nets.py:bad: .*{says}"):
        ForeignGenerator.of(made, IMAGES, "nets.py:bad")


@pytest.mark.parametrize(
    "found",
    [
        PcaGenerator.fit(IMAGES, 5),
        ForeignGenerator.of(Network(), IMAGES, "nets.py:network"),
        AutoencoderGenerator.of(autoencoder(SHAPE, widths=(4, 4), latent=2), IMAGES),
    ],
    ids=["pca", "module", "autoencoder"],
)
def test_everything_of_a_generator_moves_with_it(found):
    """A device without numbers refuses to compute with what was left behind on another."""
    there = found.to("meta")
    codes = there.encode(IMAGES.to("meta"))
    assert there.decode(codes).shape == IMAGES.shape and there.sample(3, seed=0).device.type == "meta"
    assert there.statistics.mean.device.type == there.statistics.factor.device.type == "meta"

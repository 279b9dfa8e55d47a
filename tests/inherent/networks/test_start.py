"""Before it has learned anything, a network's logits are near 0, whatever the pool and the size."""

import math

import pytest
import torch
from monai.networks.nets import UNet
from torch import nn

from voxplain.inherent.classifier import EvidenceClassifier
from voxplain.inherent.networks import wrap
from voxplain.inherent.networks.start import start_neutral
from voxplain.inherent.pools import make_pool, pool_names


@pytest.mark.parametrize("name", pool_names())
@pytest.mark.parametrize("size", [(5, 7), (3, 64, 96)])
def test_neutral_evidence_has_a_logit_of_0(name, size):
    pool = make_pool(name)
    evidence = torch.full((1, 1, *size), pool.neutral(math.prod(size)), dtype=torch.float64)
    assert pool.double()(evidence).item() == pytest.approx(0, abs=1e-6)


def test_a_read_out_starts_neutral():
    torch.manual_seed(0)
    network = EvidenceClassifier(nn.Conv2d(1, 4, 3, padding=1), 4, 2, "noisy_or", spatial_dims=2)
    x = torch.zeros(1, 1, 64, 96)
    assert network(x).min().item() > 1000
    start_neutral(network, (1, 64, 96))
    nn.init.zeros_(network.readout.weight)
    assert network(x).detach() == pytest.approx(torch.zeros(1, 2), abs=1e-4)


@pytest.mark.parametrize("residual", [0, 1])  # its end is a convolution, a sum
def test_a_wrapped_networks_own_last_layer_starts_neutral(residual):
    torch.manual_seed(0)
    unet = UNet(2, 1, 2, channels=(4, 8), strides=(2,), num_res_units=residual)
    network = wrap(unet, classes=2, pool="noisy_or")
    x = torch.zeros(1, 1, 32, 32)
    before = network.eval()(x).abs().max().item()
    start_neutral(network, (1, 32, 32))
    assert not network.training
    assert network(x).abs().max().item() < 10 < 300 < before
    assert network.readout.bias.requires_grad

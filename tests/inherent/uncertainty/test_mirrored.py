"""Means over mirror images: they are means, they add up, and they turn with the image."""

from __future__ import annotations

import pytest
import torch

from voxplain.inherent import GPUNet, Mirrored


def nets(dims: int, pool: str) -> tuple[GPUNet, Mirrored]:
    torch.manual_seed(0)
    net = GPUNet(1, 3, spatial_dims=dims, widths=(2, 4), pool=pool).eval()
    return net, Mirrored(net)


@pytest.mark.parametrize("pool", ["topk:share=0.1", "lse:r=2", "noisy_or"])
@pytest.mark.parametrize(("dims", "shape"), [(2, (8, 6)), (3, (4, 6, 4))])
def test_contributions_add_up_and_maps_turn_with_the_image(dims, shape, pool):
    net, mirrored = nets(dims, pool)
    x = torch.rand(2, 1, *shape)
    found = mirrored.explain(x)
    torch.testing.assert_close(found.contribution.flatten(2).sum(2), found.logits, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.logits, mirrored(x).detach())
    turned = mirrored.explain(x.flip(-1))
    torch.testing.assert_close(turned.evidence, found.evidence.flip(-1), atol=1e-5, rtol=1e-5)
    assert not torch.allclose(net.explain(x.flip(-1)).evidence, net.explain(x).evidence.flip(-1), atol=1e-4)


def test_a_slice_is_asked_four_times_by_hand():
    net, mirrored = nets(2, "max")
    x = torch.rand(1, 1, 8, 8)
    by_hand = [net.evidence(x), net.evidence(x.flip(2)).flip(2), net.evidence(x.flip(3)).flip(3)]
    by_hand.append(net.evidence(x.flip(2, 3)).flip(2, 3))
    torch.testing.assert_close(mirrored.explain(x).evidence, torch.stack(by_hand).mean(0).detach())

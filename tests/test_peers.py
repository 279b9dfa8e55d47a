"""The libraries that the tests compare with are there, at the pinned versions, and leave no fake torchvision."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision_stand_in import peer, torchvision_stand_in

ROOT = Path(__file__).parent.parent


def names(file: str) -> dict[str, str]:
    """Distribution -> what follows its name, of every line of a requirements file."""
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    split = (line.partition("==") for line in lines if line and not line.startswith("#"))
    return {name: version for name, _, version in split}


@pytest.mark.parametrize("distribution", names("scripts/peers.txt"))
def test_peers_are_installed_as_pinned(distribution: str) -> None:
    assert importlib.metadata.version(distribution) == names("constraints.txt")[distribution]


def test_no_fake_stays_behind() -> None:
    loaded = sys.modules.get("torchvision")
    peer("zennit.rules")
    peer("pytorch_grad_cam")
    assert sys.modules.get("torchvision") is loaded
    with pytest.raises(ZeroDivisionError), torchvision_stand_in():
        raise ZeroDivisionError
    assert sys.modules.get("torchvision") is loaded


def test_zennit_answers() -> None:
    """LRP-ε of one linear layer without bias and with ε → 0 is weight × input."""
    layer = nn.Linear(3, 1, bias=False).double()
    x = torch.tensor([[1.0, -2.0, 3.0]], dtype=torch.float64, requires_grad=True)
    composite = peer("zennit.composites").LayerMapComposite(
        [(nn.Linear, peer("zennit.rules").Epsilon(1e-12))]
    )
    with composite.context(layer) as modified:
        z = modified(x)
        (relevance,) = torch.autograd.grad(z, x, z.detach())
    torch.testing.assert_close(relevance, layer.weight.detach() * x.detach(), rtol=1e-9, atol=0)


def test_pytorch_grad_cam_answers() -> None:
    """Two feature maps whose global averages are the scores: each is its own class's map, scaled to [0, 1]."""
    layer = nn.Conv2d(1, 2, 1, bias=False)
    with torch.no_grad():
        layer.weight[:] = torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1)
    net = nn.Sequential(layer, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    x = torch.tensor([[[[0.0, 1.0], [2.0, 4.0]]]])
    target = peer("pytorch_grad_cam.utils.model_targets").ClassifierOutputTarget(0)
    with peer("pytorch_grad_cam").GradCAM(net, [layer]) as cam:
        found = cam(x, [target])[0]
    torch.testing.assert_close(torch.from_numpy(found), x[0, 0] / 4, rtol=0, atol=1e-5)

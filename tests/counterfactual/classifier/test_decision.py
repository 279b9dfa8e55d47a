"""A classifier as one logit, whatever it is stored as."""

import torch
from torch import nn

from voxplain.counterfactual.classifier import Decision


def test_torchscript_whose_weights_still_learn_is_copied_and_frozen():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    script = torch.jit.script(network)
    decision = Decision(script, healthy=0, diseased=2)
    x = torch.randn(2, 1, 8, 8, requires_grad=True)
    logits = network(x)
    assert torch.allclose(decision(x), logits[:, 2] - logits[:, 0])
    assert not any(p.requires_grad for p in decision.parameters()) and all(
        p.requires_grad for p in script.parameters()
    )
    assert torch.autograd.grad(decision(x).sum(), x)[0].abs().sum() > 0

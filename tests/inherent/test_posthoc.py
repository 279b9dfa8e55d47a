"""Post-hoc maps as `Maps`: those of the method by itself, whatever images share."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from voxplain.attribution import GradCam, InputXGradient
from voxplain.engine import Problem
from voxplain.inherent import Sample, maps_by
from voxplain.inherent.data import Reader
from voxplain.model import load_model
from voxplain.target import AllClasses


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(3, 2, 3, padding=1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )


def samples(shapes: list[tuple[int, int]]) -> list[Sample]:
    rng = np.random.default_rng(0)
    return [
        Sample(f"s{n}", rng.normal(size=(1, *s)).astype(np.float32), n % 2, f"p{n}")
        for n, s in enumerate(shapes)
    ]


def test_maps_are_those_of_each_image_alone_also_after_another_size():
    module, given = net(), samples([(8, 9), (8, 9), (10, 7), (8, 9)])
    found = maps_by(GradCam(layer="0"), module, given, ["no", "yes"])
    model = load_model(module, task="classification", classes=["no", "yes"], spatial_dims=2)
    for n, sample in enumerate(given):
        alone = GradCam(layer="0").attribute(
            Problem(model, Reader().case(sample), AllClasses(background=True))
        )
        for k in range(2):
            np.testing.assert_allclose(found.evidence[n][k], alone.map(k)[0], atol=1e-6)
        np.testing.assert_allclose(
            found.logits[n], module(torch.from_numpy(sample.image)[None])[0].detach(), atol=1e-5
        )


def test_input_times_gradient_of_a_linear_network_is_the_product():
    torch.manual_seed(0)
    linear = nn.Sequential(nn.Flatten(), nn.Linear(20, 2, bias=False))
    (sample,) = samples([(4, 5)])
    found = maps_by(InputXGradient(), linear, [sample], ["no", "yes"])
    expected = linear[1].weight.detach().numpy().reshape(2, 4, 5) * sample.image
    np.testing.assert_allclose(found.evidence[0], expected, atol=1e-6)

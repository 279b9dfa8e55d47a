"""Layers that answer (N, *s, features): read as what they are, or refused where that cannot be told."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import random_case
from torch import Tensor, nn
from torch.nn import functional as F

from voxplain.attribution import method
from voxplain.engine import Problem
from voxplain.engine.layer_axes import AS_IT_IS, layer_axes
from voxplain.engine.layer_choice import default_layer
from voxplain.engine.objective import LayerObjective
from voxplain.errors import ModelError
from voxplain.model import Model, Windows

CONV = {2: nn.Conv2d, 3: nn.Conv3d}
MODE = {2: "bilinear", 3: "trilinear"}


class Last(nn.Module):
    """A stem, and from there features in the last axis; ``twin`` gives what ``mlp`` gives, features first."""

    def __init__(self, dims: int = 2, width: int = 6, task: str = "classification") -> None:
        super().__init__()
        torch.manual_seed(dims)
        self.task = task
        self.stem = CONV[dims](1, width, 2, 2)
        self.norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.twin = nn.Identity()
        self.read = nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        t = self.mlp(self.norm(self.stem(x).movedim(1, -1)))
        # a block's own way to look at memory
        t = t.view(len(t), -1).view(t.shape)
        t = self.read(torch.tanh(self.twin(t.movedim(-1, 1)).movedim(1, -1))).movedim(-1, 1)
        if self.task == "segmentation":
            return F.interpolate(t, scale_factor=2, mode="nearest")
        return t.flatten(2).mean(2)


def problem(
    net: nn.Module, shape: tuple[int, ...], target: object = "predicted", **kwargs: object
) -> Problem:
    model = Model(net.eval(), spatial_dims=len(shape), **kwargs)
    return Problem(model, random_case(shape), [target], dtype=torch.float64)


def seen_by_hand(net: nn.Module, layer: str, p: Problem) -> tuple[Tensor, Tensor]:
    """Activation and gradient of the explained class, features first."""
    found: dict[str, Tensor] = {}
    handle = dict(net.named_modules())[layer].register_forward_hook(lambda m, i, o: found.update(o=o))
    net.double()
    out = net(p.image[None].double())
    handle.remove()
    (gradient,) = torch.autograd.grad(out[0, p.targets[0].class_index], found["o"])
    net.float()
    return found["o"].detach()[0].movedim(-1, 0), gradient[0].movedim(-1, 0)


def painted(coarse: Tensor, shape: tuple[int, ...]) -> Tensor:
    return F.interpolate(coarse[None, None], shape, mode=MODE[len(shape)], align_corners=False)[0, 0]


# as many features as places along an axis, so that the shape says nothing
SHAPES = [(12, 12), (12, 20), (12, 12, 12), (12, 8, 16)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("layer", ["norm", "mlp", "mlp.2", None])
def test_features_are_counted_along_their_own_axis(shape, layer):
    net = Last(len(shape))
    p = problem(net, shape)
    a, g = seen_by_hand(net, layer or "read", p)
    channels = tuple(range(1, a.dim()))
    truths = {
        ("hires_cam", ()): (a * g).sum(0),
        ("grad_cam", (("relu", False),)): (a * g.mean(channels).reshape(-1, *(1,) * len(shape))).sum(0),
        ("layer_activation", ()): a.mean(0),
        ("layer_activation", (("channel", 2),)): a[2],
        ("layer_gradient_x_activation", (("channel", 1),)): (a * g)[1],
    }
    for (name, options), truth in truths.items():
        found = method(name, layer=layer, **dict(options)).attribute(p).values(0)[0]
        torch.testing.assert_close(found, painted(truth, shape).to(found), rtol=1e-4, atol=1e-5)


METHODS = {
    "grad_cam_pp": {},
    "layer_cam": {},
    "xgrad_cam": {},
    "eigen_cam": {},
    "eigen_grad_cam": {},
    "score_cam": {"channels": 4},
    "ablation_cam": {"channels": 4},
    "layer_activation": {"channel": 1},
    "layer_conductance": {"nodes": 3},
    "layer_integrated_gradients": {"nodes": 3, "channel": 2},
    "layer_deep_lift": {},
    "layer_gradient_shap": {"draws": 3},
    "internal_influence": {"nodes": 3},
    "neuron_gradient": {"channel": 1},
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("dims", [2, 3])
def test_every_layer_method_answers_as_at_the_same_features_first(name, dims):
    """Over windows, of a segmentation; the twin takes the way that needs no moving."""
    roi = (12,) * dims
    net = Last(dims, task="segmentation")
    p = problem(net, (18, *roi[1:]), "all+background", windows=Windows(roi=roi))
    ours, twin = (method(name, layer=x, **METHODS[name]).attribute(p) for x in ("mlp", "twin"))
    for t in p.present:
        torch.testing.assert_close(ours.values(t), twin.values(t), rtol=1e-5, atol=1e-7)
        assert ours.answers[t].checks == pytest.approx(twin.answers[t].checks, rel=1e-3, abs=1e-6)


def test_the_layers_mean_that_methods_climb_is_of_one_feature():
    net = Last()
    p = problem(net, (12, 12))
    a, _ = seen_by_hand(net, "norm", p)
    objective = LayerObjective(p, "norm", kind="mean", channel=4)
    assert objective.value(p.image) == pytest.approx(float(a[4].mean()), rel=1e-5)


class Turned(nn.Module):
    """Its maps have rows and columns exchanged."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.head = nn.Conv2d(1, 5, 3, padding=1), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.conv(x.transpose(2, 3))).mean((2, 3)))


def test_exchanged_axes_are_put_back():
    net = Turned()
    p = problem(net, (12, 20))
    truth = net.double().conv(p.image[None].double().transpose(2, 3))[0].mean(0).T.detach()
    net.float()
    found = method("layer_activation", layer="conv").attribute(p).values(0)[0]
    torch.testing.assert_close(found, truth.to(found), rtol=1e-4, atol=1e-5)


class Fixed(nn.Module):
    """A learned embedding of every place, so that images of one size only fit."""

    def __init__(self, width: int, data: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.norm = nn.Conv2d(1, width, 2, 2), nn.LayerNorm(width)
        self.places = nn.Parameter(torch.randn(1, 6, 6, width))
        self.block, self.head, self.data = (
            nn.Sequential(nn.Linear(width, width), nn.Tanh()),
            nn.Linear(width, 3),
            data,
        )

    def forward(self, x: Tensor) -> Tensor:
        t = self.stem(x).movedim(1, -1) + self.places
        if self.data and float(x.abs().max()) > 1e9:  # which no fake tensor can answer
            return x
        return self.head(self.block(self.norm(t)).mean((1, 2)))


@pytest.mark.parametrize("data", [False, True])
def test_of_one_size_the_shape_decides_or_nothing_does(data):
    told = problem(Fixed(8, data), (12, 12))
    assert layer_axes(told, "block").order == (0, 3, 1, 2)
    assert layer_axes(told, "stem") == AS_IT_IS
    doubtful = problem(Fixed(6, data), (12, 12))
    with pytest.raises(ModelError, match=r"layer 'block': whether its output .* cannot be told"):
        method("grad_cam", layer="block").attribute(doubtful)
    assert default_layer(doubtful) == "stem"


class Attention(nn.Module):
    """Weights (N, heads, places, places), which look like feature maps."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.norm, self.drop = nn.Conv2d(1, 8, 4, 4), nn.LayerNorm(8), nn.Dropout()
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        t = self.norm(self.stem(x).flatten(2).transpose(1, 2))
        q = t.unflatten(2, (2, 4)).transpose(1, 2)
        weights = self.drop((q @ q.transpose(2, 3)).softmax(-1))
        return self.head((weights @ q).transpose(1, 2).flatten(2).mean(1))


def test_attention_is_no_map():
    p = problem(Attention(), (16, 16))
    assert default_layer(p) == "stem"
    for name, says in (("drop", "no map of the image"), ("norm", r"expected \(N, features, \*2 spatial")):
        with pytest.raises(ModelError, match=f"layer '{name}': .*{says}"):
            method("hires_cam", layer=name).attribute(p)


class Windowed(nn.Module):
    """As in a Swin transformer: blocks answer (N, *s, F), and inside them windows are folded into the batch."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.norm, self.inner = nn.Conv2d(1, 4, 2, 2), nn.LayerNorm(4), nn.Linear(4, 4)
        self.whole, self.head = nn.Identity(), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        t = self.norm(self.stem(x).movedim(1, -1))
        n, h, w, f = t.shape
        cut = t.view(n, h // 2, 2, w // 2, 2, f).transpose(2, 3).reshape(-1, 2, 2, f)
        cut = torch.tanh(self.inner(cut)).view(n, h // 2, w // 2, 2, 2, f)
        return self.head(self.whole(t + cut.transpose(2, 3).reshape(n, h, w, f)).mean((1, 2)))


def test_folded_windows_are_refused_and_what_they_are_put_together_to_is_not():
    net = Windowed()
    p = problem(net, (12, 12))
    assert default_layer(p) == "whole"
    a, g = seen_by_hand(net, "whole", p)
    found = method("hires_cam").attribute(p).values(0)[0]
    torch.testing.assert_close(found, painted((a * g).sum(0), (12, 12)).to(found), rtol=1e-4, atol=1e-6)
    with pytest.raises(ModelError, match=r"layer 'inner': its output has \d+ rows for .* folds patches"):
        method("hires_cam", layer="inner").attribute(p)


def test_a_network_of_convolutions_is_read_as_before():
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(36, 3)
    )
    p = problem(net, (12, 20))
    assert [layer_axes(p, str(i)) for i in range(3)] == [AS_IT_IS] * 3
    assert np.isfinite(method("grad_cam", layer="2").attribute(p).values(0).numpy()).all()

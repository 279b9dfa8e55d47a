"""Guided backpropagation and deconvolution: peers where they are right, the formula written out where nobody is."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from captum.attr import (
    Deconvolution as CaptumDeconvolution,
    GuidedBackprop as CaptumGuided,
    GuidedGradCam as CaptumGuidedCam,
    Saliency,
)
from monai.inferers import sliding_window_inference
from monai.networks import nets
from monai.visualize import GuidedBackpropGrad
from networks import conv, random_case
from peers import ask
from torch import nn
from torch.nn import functional as F
from torchvision_stand_in import peer
from zoo.networks import ZOO

from voxplain.attribution import method
from voxplain.engine import Problem
from voxplain.errors import InputError, ModelError
from voxplain.model import Model, Windows
from voxplain.target import AllClasses, Voxel

pytestmark = pytest.mark.filterwarnings(
    "ignore:Setting backward hooks", "ignore:Input Tensor 0", "ignore:.*published for ReLU only"
)
CLOSE = {"rtol": 1e-10, "atol": 1e-14}
SHAPES = {2: (9, 12), 3: (6, 8, 7)}
CAPTUM = {"guided_backprop": CaptumGuided, "deconvolution": CaptumDeconvolution}


def relu_net(dims, task, channels=1, act=nn.ReLU):
    """Two convolutions, each rectified, with a max pooling in between for the classifier."""
    torch.manual_seed(0)
    make = conv(dims)
    pool = nn.MaxPool2d if dims == 2 else nn.MaxPool3d
    average = nn.AdaptiveAvgPool2d if dims == 2 else nn.AdaptiveAvgPool3d
    body = [make(channels, 6, 3, padding=1), act(), make(6, 6, 3, padding=1), act()]
    if task == "segmentation":
        net = nn.Sequential(*body, make(6, 3, 1))
        with torch.no_grad():  # every class wins somewhere
            net[-1].weight *= 8
            z = net(torch.from_numpy(random_case(SHAPES[dims], channels).image)[None])
            net[-1].bias -= z.mean((0, *range(2, dims + 2)))
        return net
    return nn.Sequential(*body[:2], pool(2), *body[2:], average(1), nn.Flatten(), nn.Linear(6, 3))


def problem_of(net, dims, channels=1, score="logit", shape=None, **windows):
    return Problem(
        Model(net.double().eval(), spatial_dims=dims, channels_in=channels, windows=Windows(**windows)),
        random_case(shape or SHAPES[dims], channels),
        AllClasses(background=True, score=score),
        dtype=torch.float64,
    )


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("task", ["classification", "segmentation"])
@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("name", CAPTUM)
def test_on_relu_networks_it_is_captums(name, dims, task, channels):
    net = relu_net(dims, task, channels)
    p = problem_of(net, dims, channels)
    scores = ask(net, p)
    found = method(name).attribute(p)
    for t in range(3):
        truth = CAPTUM[name](scores).attribute(p.image[None], target=t)[0]
        torch.testing.assert_close(found.values(t), truth, **CLOSE)
        assert not torch.allclose(truth, Saliency(scores).attribute(p.image[None], target=t, abs=False)[0])
        assert found.answers[t].note == "rectified at relu"


@pytest.mark.parametrize(
    ("name", "zennits"), [("guided_backprop", "GuidedBackprop"), ("deconvolution", "DeconvNet")]
)
@pytest.mark.parametrize("dims", [2, 3])
def test_on_relu_networks_it_is_zennits(name, zennits, dims):
    net = relu_net(dims, "classification")
    p = problem_of(net, dims)
    found = method(name).attribute(p)
    for t in range(3):
        with getattr(peer("zennit.composites"), zennits)().context(net) as modified:
            x = p.image[None].clone().requires_grad_()
            (truth,) = torch.autograd.grad(modified(x)[0, t], x)
        torch.testing.assert_close(found.values(t), truth[0], **CLOSE)


@pytest.mark.parametrize("dims", [2, 3])
def test_monais_replaces_modules_by_their_name_and_is_right_only_where_the_name_fits(dims):
    """It looks for "relu" in the attribute's name: right on a net that calls it so, the plain gradient on MONAI's ResNet."""
    net = relu_net(dims, "classification")
    named = nn.Sequential()
    for i, layer in enumerate(net):
        named.add_module(f"relu{i}" if isinstance(layer, nn.ReLU) else f"layer{i}", layer)
    p = problem_of(named, dims)
    theirs = GuidedBackpropGrad(named)(p.image[None].clone(), index=1)[0]
    torch.testing.assert_close(method("guided_backprop").attribute(p).values(1), theirs, **CLOSE)
    entry = ZOO["resnet18"]
    resnet = entry.make(dims, 0)
    p = Problem(
        Model(resnet.double(), spatial_dims=dims), entry.case(entry.shapes[dims]), "1", dtype=torch.float64
    )
    x = p.image[None].clone().requires_grad_()
    (plain,) = torch.autograd.grad(resnet.eval()(x)[0, 1], x)
    theirs = GuidedBackpropGrad(resnet)(p.image[None].clone(), index=1)
    assert torch.equal(theirs, plain)
    ours = method("guided_backprop").attribute(p).values(0)
    torch.testing.assert_close(ours, CaptumGuided(resnet).attribute(p.image[None], target=1)[0], **CLOSE)
    assert not torch.allclose(ours, plain[0], rtol=0.1)


def functional(dims):
    class Functional(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.net = relu_net(dims, "segmentation")

        def forward(self, x):
            a, _, b, _, c = self.net
            return c(torch.relu(b(F.relu(a(x)))))

    return Functional()


def monai_unet(dims):
    torch.manual_seed(0)
    return nets.UNet(dims, 1, 3, (4, 6), (2,), num_res_units=1)


def monai_basic_unet(dims):
    torch.manual_seed(0)
    return nets.BasicUNet(dims, 1, 3, features=(4, 4, 4, 4, 4, 4))


@pytest.mark.parametrize("name", CAPTUM)
@pytest.mark.parametrize(
    ("make", "dims", "shape"),
    [
        (functional, 2, (9, 12)), (functional, 3, (6, 8, 7)), (monai_unet, 2, (8, 12)), (monai_unet, 3, (6, 8, 4)),
        (monai_basic_unet, 2, (32, 32)),
    ],
)  # fmt: skip
def test_where_captum_silently_answers_with_the_plain_gradient(make, dims, shape, name):
    """Functional ReLUs, PReLU (MONAI's UNet) and LeakyReLU (BasicUNet) are not ``nn.ReLU`` modules."""
    net = make(dims)
    index = tuple(s // 2 for s in shape)
    model = Model(net.double().eval(), spatial_dims=dims)
    p = Problem(model, random_case(shape), Voxel(index=index, class_name=1), dtype=torch.float64)

    class At(nn.Module):
        def forward(self, x):
            return net(x)[(slice(None), slice(1, 2), *index)]

    theirs = CAPTUM[name](At()).attribute(p.image[None], target=0)[0]
    plain = Saliency(At()).attribute(p.image[None], target=0, abs=False)[0]
    assert torch.equal(theirs, plain)
    ours = method(name).attribute(p).values(0)
    assert not torch.allclose(ours, plain, rtol=0.1, atol=0.01 * float(plain.abs().max()))
    if make is functional:
        modules = net.net

        class Right(nn.Module):
            def __init__(self):
                super().__init__()
                self.modules_ = modules

            def forward(self, x):
                return modules(x)[(slice(None), slice(1, 2), *index)]

        torch.testing.assert_close(ours, CAPTUM[name](Right()).attribute(p.image[None], target=0)[0], **CLOSE)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


# the derivative of every activation, from its definition
DERIVATIVES = {
    "relu": (nn.ReLU(), lambda x: float(x > 0)),
    "relu6": (nn.ReLU6(), lambda x: float(0 < x < 6)),
    "leaky_relu": (nn.LeakyReLU(0.2), lambda x: 1 if x > 0 else 0.2),
    "prelu": (nn.PReLU(init=0.25), lambda x: 1 if x > 0 else 0.25),
    "rrelu": (nn.RReLU(0.1, 0.3), lambda x: 1 if x > 0 else 0.2),
    # 0.25 is exact in single precision, in which the parameter is made
    "elu": (nn.ELU(1.3), lambda x: 1 if x > 0 else 1.3 * math.exp(x)),
    "selu": (nn.SELU(), lambda x: 1.0507009873554805 * (1 if x > 0 else 1.6732632423543772 * math.exp(x))),
    "celu": (nn.CELU(1.5), lambda x: 1 if x > 0 else math.exp(x / 1.5)),
    "gelu": (
        nn.GELU(),
        lambda x: 0.5 * (1 + math.erf(x / math.sqrt(2))) + x * math.exp(-x * x / 2) / math.sqrt(2 * math.pi),
    ),
    "silu": (nn.SiLU(), lambda x: sigmoid(x) * (1 + x * (1 - sigmoid(x)))),
    "mish": (
        nn.Mish(),
        lambda x: (
            math.tanh(math.log1p(math.exp(x)))
            + x * (1 - math.tanh(math.log1p(math.exp(x))) ** 2) * sigmoid(x)
        ),
    ),
    "softplus": (nn.Softplus(), sigmoid),
    "hardswish": (nn.Hardswish(), lambda x: 0.0 if x < -3 else 1.0 if x > 3 else (2 * x + 3) / 6),
    "threshold": (nn.Threshold(0.4, 0.0), lambda x: float(x > 0.4)),
}


class Dense(nn.Module):
    """Three matrices with an activation after the first and the second."""

    def __init__(self, act):
        super().__init__()
        torch.manual_seed(2)
        self.weights = nn.ParameterList([2 * torch.randn(7, 6), torch.randn(5, 7), torch.randn(3, 5)])
        self.act = act

    def forward(self, x):
        x = self.act(x.flatten(1) @ self.weights[0].T)
        return self.act(x @ self.weights[1].T) @ self.weights[2].T


def by_hand(net, x, derivative, c, kind, leak):
    """Σ over all paths, one unit at a time, in plain Python."""
    w1, w2, w3 = (w.detach().numpy() for w in net.weights)
    h1 = w1 @ x
    with torch.no_grad():
        h2 = w2 @ net.act(torch.from_numpy(h1)).numpy()

    def back(h, g):
        if kind == "deconvolution":
            return np.array([max(v, 0.0) for v in g])
        return np.array(
            [derivative(u) * max(v, 0.0) if u > 0 or leak else 0.0 for u, v in zip(h, g, strict=True)]
        )

    return w1.T @ back(h1, w2.T @ back(h2, w3[c]))


@pytest.mark.parametrize(
    ("kind", "leak"), [("guided_backprop", False), ("guided_backprop", True), ("deconvolution", False)]
)
@pytest.mark.parametrize("name", DERIVATIVES)
def test_every_activation_follows_the_formula_written_out(name, kind, leak):
    act, derivative = DERIVATIVES[name]
    net = Dense(act).double().eval()
    model = Model(net, spatial_dims=2, channels_in=1, fixed_shape=(2, 3))
    p = Problem(model, random_case((2, 3)), AllClasses(), dtype=torch.float64)
    found = method(kind, **({"leak": True} if leak else {})).attribute(p)
    for c in range(3):
        truth = by_hand(net, p.image.flatten().numpy(), derivative, c, kind, leak)
        np.testing.assert_allclose(found.values(c).flatten().numpy(), truth, rtol=1e-10, atol=1e-13)
    assert found.answers[0].note == f"rectified at {name}"


@pytest.mark.parametrize(
    "clamp", [lambda v: v.clamp(min=0), lambda v: torch.clamp_min(v, 0), lambda v: v.clamp_(0)]
)
@pytest.mark.parametrize("name", CAPTUM)
def test_a_relu_written_as_a_clamp_is_one(name, clamp):
    maps = []
    for act in (torch.relu, clamp):
        net = Dense(act).double()
        model = Model(net, spatial_dims=2, channels_in=1, fixed_shape=(2, 3))
        maps.append(
            method(name).attribute(Problem(model, random_case((2, 3)), AllClasses(), dtype=torch.float64))
        )
    for c in range(3):
        assert torch.equal(maps[0].values(c), maps[1].values(c))
    assert maps[1].answers[0].note == "rectified at relu"


class Stitched(nn.Module):
    """MONAI's sliding windows, and the mean of each class's score over its region of the clean prediction."""

    def __init__(self, net, roi, overlap, score):
        super().__init__()
        self.net, self.roi, self.overlap, self.score, self.masks = net, roi, overlap, score, None

    def forward(self, x):
        dims = x.dim() - 2
        z = sliding_window_inference(
            x, (self.roi,) * dims, 1, self.net, overlap=self.overlap, mode="gaussian"
        )
        if self.masks is None:
            self.masks = [z[0].argmax(0) == c for c in range(3)]
        s = z.softmax(1) if self.score == "probability" else z
        return torch.stack([(s[:, c] * m).flatten(1).sum(1) / m.sum() for c, m in enumerate(self.masks)], 1)


@pytest.mark.parametrize("score", ["logit", "probability"])
@pytest.mark.parametrize(("dims", "shape"), [(2, (10, 13)), (3, (7, 9, 8))])
@pytest.mark.parametrize("name", CAPTUM)
def test_over_windows_it_is_captums_through_the_whole_stitched_network(name, dims, shape, score):
    net = relu_net(dims, "segmentation").double()
    p = problem_of(net, dims, score=score, shape=shape, roi=6, overlap=0.5, blend="gaussian")
    whole = Stitched(net, 6, 0.5, score)
    whole(p.image[None])
    found = method(name).attribute(p)
    for t in range(3):
        truth = CAPTUM[name](whole).attribute(p.image[None], target=t)[0]
        torch.testing.assert_close(found.values(t), truth, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("layer", ["3", "4"])
def test_guided_grad_cam_is_captums(dims, channels, layer):
    """Of a ReLU, and of the convolution before it, at half the image's resolution."""
    net = relu_net(dims, "classification", channels).double()
    p = problem_of(net, dims, channels)
    found = method("guided_grad_cam", layer=layer).attribute(p)
    mode = {2: "bilinear", 3: "trilinear"}[dims]
    seen = 0
    for t in range(3):
        truth = CaptumGuidedCam(net, net[int(layer)]).attribute(
            p.image[None], target=t, interpolate_mode=mode
        )[0]
        torch.testing.assert_close(found.values(t), truth, **CLOSE)
        seen += bool(truth.any())
    assert seen, "the setup must hold a map"


@pytest.mark.parametrize("dims", [2, 3])
def test_guided_grad_cam_over_windows_is_the_product_of_both(dims):
    net = relu_net(dims, "segmentation").double()
    asked = {"shape": (10, 13, 7)[:dims], "roi": 6, "overlap": 0.5, "score": "probability"}
    maps = [
        method(name, **extra).attribute(problem_of(net, dims, **asked))
        for name, extra in (
            ("guided_backprop", {}),
            ("grad_cam", {"layer": "3"}),
            ("guided_grad_cam", {"layer": "3"}),
        )
    ]
    for t in range(3):
        torch.testing.assert_close(maps[2].values(t), maps[0].values(t) * maps[1].values(t), **CLOSE)
        assert maps[2].answers[t].note == "layer 3; rectified at relu"
    assert maps[2].values(1).any()


def test_other_activations_keep_their_gradient_and_it_is_said():
    """With identity weights, z = tanh(relu(x)): what comes back is 1 − tanh², where x > 0."""

    class Both(nn.Module):
        def forward(self, x):
            return torch.tanh(torch.relu(x)).flatten(1)

    model = Model(Both(), spatial_dims=2, channels_in=1, fixed_shape=(1, 3), output="sigmoid")
    p = Problem(model, random_case((1, 3)), AllClasses(), dtype=torch.float64)
    found = method("guided_backprop").attribute(p)
    total = sum(found.values(c) for c in p.present)
    truth = torch.where(p.image > 0, 1 - p.image.tanh() ** 2, 0)
    torch.testing.assert_close(total, truth, **CLOSE)
    assert found.answers[0].note.endswith("rectified at relu; plain gradient through tanh")


@pytest.mark.parametrize("name", [*CAPTUM, "guided_grad_cam"])
def test_without_an_activation_to_rectify_it_is_refused(name):
    for act, said in ((nn.Tanh, "only tanh was found"), (nn.Identity, "no activation was found")):
        p = problem_of(relu_net(2, "segmentation", act=act), 2)
        with pytest.raises(ModelError, match="would be the plain gradient"):
            method(name).attribute(p)
        with pytest.raises(ModelError, match=said):
            method(name).attribute(p)


def test_one_warning_where_the_papers_define_nothing_and_none_for_relu():
    for act, count in ((nn.ReLU, 0), (nn.GELU, 1)):
        p = problem_of(relu_net(2, "segmentation", act=act), 2)
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            method("guided_backprop").attribute(p)
        assert sum("published for ReLU only; this network has gelu" in str(w.message) for w in seen) == count


def test_an_unknown_layer_is_refused_before_anything_runs():
    p = problem_of(relu_net(2, "segmentation"), 2)
    with pytest.raises((ModelError, InputError), match="layer"):
        method("guided_grad_cam", layer="9").attribute(p)

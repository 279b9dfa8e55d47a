"""Networks that look ordinary and once were explained wrongly without a word."""

from __future__ import annotations

import pytest
import torch
from networks import random_case, smooth_segmenter
from torch import nn
from torch.nn import functional as F

from voxplain.attribution import method
from voxplain.engine import Problem
from voxplain.engine.layer_choice import default_layer
from voxplain.errors import InputError, ModelError
from voxplain.model import Model


class Functional(nn.Module):
    """Its activations are functions, so that feature maps are freed while the pass goes on."""

    def __init__(self, classes: int = 4) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.b, self.a = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.head = nn.Conv2d(4, classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(F.relu(self.a(F.relu(self.b(x)))))


def problem(net: nn.Module, shape: tuple[int, ...] = (12, 12), **kwargs: object) -> Problem:
    model = Model(net.eval(), spatial_dims=2, **kwargs)
    target = "predicted" if model.task == "classification" else "all+background"
    return Problem(model, random_case(shape), [target])


@pytest.mark.parametrize("size", [8, 64, 200])
@pytest.mark.parametrize("classes", [3, 4])
def test_the_default_layer_does_not_depend_on_what_memory_is_reused(classes, size):
    p = Problem(Model(Functional(classes), spatial_dims=2), random_case((size, size)), "all+background")
    assert {default_layer(p) for _ in range(6)} == {"a"}


class Patches(nn.Module):
    """Cuts the image into four patches along the batch and averages what it says about each."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.enc = nn.Sequential(nn.Conv2d(1, 5, 3, padding=1), nn.ReLU(), nn.Conv2d(5, 5, 3, padding=1))
        self.head = nn.Linear(5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, edge = len(x), x.shape[-1] // 2
        q = torch.cat([x[..., i : i + edge, j : j + edge] for i in (0, edge) for j in (0, edge)])
        return self.head(self.enc(q).mean((2, 3))).reshape(4, n, -1).mean(0)


@pytest.mark.parametrize(
    "name",
    ["grad_cam", "score_cam", "ablation_cam", "layer_conductance", "neuron_gradient", "layer_activation"],
)
def test_a_layer_that_folds_patches_into_the_batch_is_refused(name):
    with pytest.raises(ModelError, match="folds patches"):
        method(name, layer="enc.2").attribute(problem(Patches()))


class Shared(nn.Module):
    """An in-place activation whose operand is used again."""

    def __init__(self, safe: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.act = nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(inplace=True)
        self.safe = safe

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        return self.act(y.clone() if self.safe else y) - 2 * y


def test_a_network_that_in_place_activations_make_another_one_is_refused():
    with pytest.raises(ModelError, match="in-place activation changes a tensor that is used again"):
        Model(Shared(safe=False), spatial_dims=2)
    Model(Shared(safe=True), spatial_dims=2)


@torch.jit.script
def scripted(x: torch.Tensor) -> torch.Tensor:
    return torch.relu(x)


class Scripted(Functional):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(F.relu(self.a(scripted(self.b(x)))))


@pytest.mark.parametrize("name", ["guided_backprop", "deconvolution"])
def test_an_activation_in_torchscript_is_not_passed_over(name):
    with pytest.raises(ModelError, match="relu runs where it cannot be rectified"):
        method(name).attribute(problem(Scripted()))


class Tokens(nn.Module):
    """BatchNorm of tokens: as many tokens as features, so that the wrong axis fits, too."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.patch, self.linear, self.norm = nn.Conv2d(1, 8, 4, 4), nn.Linear(8, 4), nn.BatchNorm1d(4)
        self.head = nn.Linear(4, 3)
        self.norm.running_var.uniform_(0.5, 3)
        self.norm.running_mean.uniform_(-1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.linear(self.patch(x).flatten(2).transpose(1, 2))
        return self.head(F.relu(self.norm(tokens)).mean(1))


def test_batchnorm_of_tokens_is_not_merged_along_the_features():
    found = method("lrp").attribute(problem(Tokens(), (8, 8), fixed_shape=(8, 8)))
    (answer,) = found.answers
    assert answer.checks["completeness_gap"] < 1e-4
    assert float(found.values(0).sum()) == pytest.approx(answer.score, rel=1e-3)


class NotANumber(nn.Module):
    """Its gradient is NaN where the image is constant."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(1, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        centred = x - x.mean((2, 3), keepdim=True)
        return self.conv(centred / ((centred**2).mean((2, 3), keepdim=True).sqrt() + 1e-5))


def test_a_path_through_nan_ends_and_says_so():
    found = method("guided_ig", baseline=0.0, steps=3).attribute(problem(NotANumber()))
    assert {a.status for a in found.answers} == {"failed"}


@pytest.mark.parametrize(
    ("name", "parameter"),
    [("lime", "width"), ("smoothgrad", "sigma"), ("expected_gradients", "sigma"), ("deep_dream", "ratio")],
)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_parameters_that_are_no_numbers_are_refused(name, parameter, value):
    with pytest.raises(InputError, match=rf"{name}: found {parameter}=(nan|inf)"):
        method(name, **{parameter: value})


def test_a_bound_that_leaves_no_values_is_refused():
    with pytest.raises(InputError, match="leaves channel 0 no values"):
        method("activation_maximization", low=100.0).attribute(
            Problem(Model(smooth_segmenter(2), spatial_dims=2), random_case((8, 8)), "all+background")
        )


def test_a_map_that_is_cut_off_whole_says_how_to_see_it():
    """Feature maps ≥ 0 whose weights to the class are all negative: Grad-CAM is nowhere positive."""
    net = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    head = nn.Linear(3, 2)
    nn.init.constant_(head.weight, -1.0)
    p = Problem(Model(nn.Sequential(*net, head).eval(), spatial_dims=2), random_case((12, 12)), ["predicted"])
    cut = method("grad_cam", layer="1").attribute(p).answers[0]
    assert cut.status == "zero"
    assert "relu=false shows it" in cut.note
    whole = method("grad_cam", layer="1", relu=False).attribute(p)
    assert whole.answers[0].status == "ok"
    assert float(whole.values(0).max()) <= 0


class Parametrized(nn.Module):
    """Its weights are made by modules of their own while it runs, whose output looks like a map."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        norm = getattr(nn.utils.parametrizations, kind)
        self.a, self.b = (norm(nn.Conv2d(i, 5, 3, padding=1)) for i in (1, 5))
        self.head = nn.Linear(5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(F.relu(self.b(F.relu(self.a(x)))).mean((2, 3)))


@pytest.mark.parametrize("kind", ["weight_norm", "spectral_norm"])
def test_what_makes_a_weight_is_no_layer(kind):
    net = Parametrized(kind)
    p = problem(net)
    assert default_layer(p) == "b"
    with torch.no_grad():
        truth = net.b(F.relu(net.a(p.image[None].float())))[0]
    torch.testing.assert_close(method("layer_activation").attribute(p).values(0)[0], truth.mean(0))
    name = "b.parametrizations.weight"
    with pytest.raises(ModelError, match=f"layer '{name}': it makes a weight of b, not features"):
        method("eigen_cam", layer=name).attribute(p)
    assert [layer.name for layer in p.model.layers()] == ["a", "b", "head"]


class Places(nn.Module):
    """Makes an embedding of an image's places, of which only the image's size matters."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ramp = torch.linspace(0, 1, x.shape[-1])
        return (torch.zeros_like(x) + ramp).expand(-1, 4, -1, -1) * 1.0


class Embedded(nn.Module):
    """Adds the embedding to its features, and rounds them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.round, self.places = nn.Conv2d(1, 4, 3, padding=1), nn.Identity(), Places()
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.sin(self.round(self.conv(x).detach().round()) + self.places(x)).mean((2, 3)))


def test_a_layer_that_the_image_does_not_pass_through_is_refused():
    p = problem(Embedded())
    assert default_layer(p) == "round"  # no gradient leads through it, but the image does
    with pytest.raises(ModelError, match="layer 'places': its output does not depend on the image"):
        method("layer_activation", layer="places").attribute(p)


@pytest.mark.parametrize("shape", [(14, 12, 1), (1, 12, 14)])
def test_a_thin_volume_has_layers(shape):
    net = nn.Sequential(nn.Conv3d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv3d(4, 3, 1)).eval()
    p = Problem(Model(net, spatial_dims=3), random_case(shape), ["all+background"])
    found = method("hires_cam").attribute(p)
    x = net[:2](p.image[None].float())
    z = net[2](x.detach().requires_grad_())
    region = z.argmax(1)[0] == p.targets[0].class_index
    assert default_layer(p) == "1" and found.answers[0].status == "ok"
    weights = net[2].weight[p.targets[0].class_index].flatten()
    truth = torch.einsum("f,fxyz->xyz", weights, x[0]) * region / region.sum()
    torch.testing.assert_close(found.values(0)[0], truth.detach(), rtol=1e-4, atol=1e-6)


class Siamese(nn.Module):
    """One encoder for both channels, and perhaps something that looks at both."""

    def __init__(self, *, joint: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder = nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 4, 3, 2, 1))
        self.joint = nn.Conv2d(4, 4, 1) if joint else None
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        both = (self.encoder(x[:, :1]) - self.encoder(x[:, 1:])).abs()
        return self.head((self.joint(both) if self.joint else both).mean((2, 3)))


def test_the_default_layer_runs_once_or_it_is_said_that_none_does():
    for joint in (True, False):
        model = Model(Siamese(joint=joint).eval(), spatial_dims=2)
        p = Problem(model, random_case((16, 16), channels=2), ["predicted"])
        if joint:
            assert default_layer(p) == "joint"
            continue
        with pytest.raises(
            ModelError, match=r"every layer .* runs several times .*'encoder' 2 times.*nn.Identity"
        ):
            method("grad_cam").attribute(p)

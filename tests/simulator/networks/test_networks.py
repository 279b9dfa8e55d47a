"""Simulator networks: their layers against loops, their shapes, where they start and what is antisymmetric."""

from __future__ import annotations

import pytest
import torch
from simulator_fields import interior
from torch.nn import functional as F

from voxplain.errors import InputError
from voxplain.simulator.change import Displacement, Velocity
from voxplain.simulator.field import compose
from voxplain.simulator.networks import ConditionalConv, Film, PublishedSimulator, VelocitySimulator

CONV = {2: F.conv2d, 3: F.conv3d}
ROUTINGS = ["shared", "film", "condconv"]


def random_weights(module, scale=0.1):
    """Weights that do something everywhere, also in layers that start with zeros."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(scale * torch.randn_like(parameter))
    return module


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("look", [True, False])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("directions", [[1.0, -1.0, 1.0, -1.0, -1.0], [1.0] * 5])
def test_conditional_convolution_is_a_loop_over_samples(dims, look, stride, directions):
    layer = random_weights(ConditionalConv(dims, 3, 4, look=look, stride=stride), 0.5).double()
    x = torch.randn(5, 3, *[7] * dims, dtype=torch.float64)
    direction = torch.tensor(directions, dtype=torch.float64)[:, None]
    wanted = []
    for image, told in zip(x, direction, strict=True):
        seen = torch.cat([image.flatten(1).mean(1), told]) if look else told
        shares = 1 / (1 + torch.exp(-(layer.routing.weight @ seen + layer.routing.bias)))
        kernel = sum(share * expert for share, expert in zip(shares, layer.weight, strict=True))
        wanted.append(CONV[dims](image[None], kernel, layer.bias, stride=stride, padding=1))
    assert torch.allclose(layer(x, direction), torch.cat(wanted), atol=1e-12)


@pytest.mark.parametrize("look", [True, False])
def test_gradients_of_conditional_convolution_are_right(look):
    layer = random_weights(ConditionalConv(2, 2, 2, look=look), 0.5).double()
    x = torch.randn(3, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    direction = torch.tensor([[1.0], [-1.0], [1.0]], dtype=torch.float64)
    names = [name for name, _ in layer.named_parameters()]
    values = [p.detach().clone().requires_grad_() for p in layer.parameters()]

    def run(image, *parameters):
        return torch.func.functional_call(
            layer, dict(zip(names, parameters, strict=True)), (image, direction)
        )

    assert torch.autograd.gradcheck(run, (x, *values))


def test_experts_start_as_torchs_own_convolutions():
    torch.manual_seed(0)
    ours, theirs = ConditionalConv(2, 16, 32).weight, torch.nn.Conv2d(16, 32, 3).weight
    assert ours.std().item() == pytest.approx(theirs.std().item(), rel=0.05)


def test_film_starts_as_nothing_and_scales_by_channel():
    layer, x = Film(3), torch.randn(2, 3, 4, 4)
    direction = torch.tensor([[1.0], [-1.0]])
    assert torch.equal(layer(x, direction), x)
    with torch.no_grad():
        layer.read.weight[1, 0], layer.read.bias[5] = 0.5, 2.0
    out = layer(x, direction)
    assert torch.allclose(out[0, 1], 1.5 * x[0, 1])
    assert torch.allclose(out[1, 1], 0.5 * x[1, 1])
    assert torch.allclose(out[:, 2], x[:, 2] + 2)
    assert torch.equal(out[:, 0], x[:, 0])


def test_the_published_network_has_the_released_ones_parameters():
    # experts x (in x out x 27) + biases + routing (in + 1 -> 3), per convolution; norms; two linear layers
    convs = [(1, 16), (16, 32), (32, 64), (64, 16), (16, 16), (16, 16), (16, 64), (64, 32), (32, 16), (16, 3)]
    norms = [16, 32, 64, 16, 16, 64, 32, 16]
    wanted = sum(3 * a * b * 27 + b + 3 * (a + 2) for a, b in convs) + 2 * sum(norms)
    wanted += (1024 * 512 + 512) + (513 * 1024 + 1024)
    found = sum(p.numel() for p in PublishedSimulator(size=(64, 64, 64)).parameters())
    assert found == wanted == 1_680_066


@pytest.mark.parametrize("size", [(32, 32), (21, 37), (16, 16, 16), (17, 20, 30)])
def test_the_published_network_takes_its_size_and_smaller_ones(size):
    network = random_weights(PublishedSimulator(size=size))
    change = network(torch.rand(3, 1, *size), torch.tensor([1.0, -1.0, 1.0]))
    assert isinstance(change, Displacement)
    assert change.field.shape == (3, len(size), *size)
    smaller = tuple(n - 3 for n in size)
    assert network.eval()(torch.rand(1, 1, *smaller), 1).field.shape == (1, len(size), *smaller)
    with pytest.raises(InputError, match="takes no more than"):
        network(torch.rand(1, 1, *(n + 33 for n in size)), 1)


@pytest.mark.parametrize("routing", ROUTINGS)
@pytest.mark.parametrize("size", [(32, 32), (21, 9), (12, 13, 14)])
@pytest.mark.parametrize("coarser", [0, 1, 2])
def test_the_velocity_network_takes_any_size(routing, size, coarser):
    network = VelocitySimulator(2, spatial_dims=len(size), widths=(4, 6, 8), routing=routing, coarser=coarser)
    change = random_weights(network)(torch.rand(2, 2, *size), torch.tensor([1.0, -1.0]))
    assert isinstance(change, Velocity)
    assert change.field.shape == (2, len(size), *size)
    assert change.field.abs().max() > 0
    assert change.brightness is None


@pytest.mark.parametrize("routing", ROUTINGS)
@pytest.mark.parametrize("brightness", [True, False])
def test_it_starts_as_the_identity(routing, brightness):
    network = VelocitySimulator(1, widths=(4, 8), routing=routing, brightness=brightness)
    x = torch.rand(2, 1, 16, 16)
    change = network(x, -1)
    assert torch.allclose(change(x), x, atol=1e-5)
    assert (change.brightness is not None) == brightness


@pytest.mark.parametrize("brightness", [True, False])
def test_one_field_for_both_directions_is_antisymmetric_and_removal_its_inverse(brightness):
    network = random_weights(VelocitySimulator(1, widths=(4, 8), brightness=brightness), 0.4)
    x = torch.rand(2, 1, 24, 24)
    there, back = network(x, 1), network(x, -1)
    assert torch.equal(there.field, -back.field)
    if brightness:
        assert torch.equal(there.brightness, -back.brightness)
    assert torch.equal(there.push(1.0), back.push(-1.0))
    assert torch.equal(there.push(1.0), back.pull(1.0))
    home = compose(there.push(1.0), back.push(1.0))
    assert interior(there.push(1.0).abs(), 4).mean() > 10 * interior(home.abs(), 4).mean()


@pytest.mark.parametrize("routing", ["film", "condconv"])
def test_other_routings_are_not(routing):
    network = random_weights(VelocitySimulator(1, widths=(4, 8), routing=routing), 0.4)
    x = torch.rand(1, 1, 16, 16)
    assert not torch.allclose(network(x, 1).field, -network(x, -1).field, atol=1e-3)


@pytest.mark.parametrize(
    "network",
    [
        *[VelocitySimulator(1, widths=(4, 8, 8), routing=r, brightness=True) for r in ROUTINGS],
        PublishedSimulator(size=(16, 16)),
    ],
    ids=[*ROUTINGS, "published"],
)
def test_gradients_reach_every_parameter(network):
    random_weights(network)
    x = torch.rand(4, 1, 16, 16)
    change = network(x, torch.tensor([1.0, -1.0, 1.0, -1.0]))
    change(x, torch.tensor([1.0, 0.5, -0.3, 1.0])).pow(2).sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())
    assert all(
        p.grad.abs().max() > 0 for name, p in network.named_parameters() if "norm" not in name and p.ndim > 1
    )


def test_brightness_is_added_by_dose_after_the_warp():
    field, glow = torch.zeros(2, 2, 6, 6), torch.rand(2, 1, 6, 6)
    x = torch.rand(2, 1, 6, 6)
    out = Velocity(field, glow)(x, torch.tensor([0.5, -2.0]))
    assert torch.allclose(out, x + torch.tensor([0.5, -2.0]).reshape(2, 1, 1, 1) * glow, atol=1e-5)


@pytest.mark.parametrize("kind", [Velocity, Displacement])
def test_forward_maps_undo_what_the_image_is_warped_with(kind):
    torch.manual_seed(3)
    field = F.interpolate(torch.randn(1, 2, 5, 5), (33, 33), mode="bicubic")
    change = kind(field)
    home = compose(change.push(0.5), change.pull(0.5))
    assert interior(home.abs(), 6).mean() < 0.02 < interior(change.push(0.5).abs(), 6).mean()
    image = torch.rand(1, 1, 33, 33)
    assert torch.allclose(change(image, 0.0), image, atol=1e-4)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (
            lambda: VelocitySimulator(1, routing="filmm"),
            "routing: found 'filmm', expected shared, film or condconv",
        ),
        (lambda: VelocitySimulator(1, widths=(4,)), r"widths: found \(4,\)"),
        (lambda: VelocitySimulator(1, widths=(4, 8), coarser=2), "coarser: found 2, expected 0 to 1"),
        (lambda: PublishedSimulator(size=(0, 4)), r"size: found \(0, 4\)"),
        (
            lambda: VelocitySimulator(1)(torch.rand(1, 2, 8, 8), 1),
            r"image: found the shape \(1, 2, 8, 8\), expected \(N, 1",
        ),
        (
            lambda: VelocitySimulator(1)(torch.rand(3, 1, 8, 8), torch.ones(2)),
            r"direction: found the shape \(2,\)",
        ),
    ],
)
def test_what_cannot_be_is_told(make, says):
    with pytest.raises(InputError, match=says):
        make()

"""Random weights that leave nothing at its harmless default: norms, biases and the classes' balance."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

NORMS = (nn.GroupNorm, nn.LayerNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)


def drawn(
    make: Callable[[], nn.Module], images: Tensor, seed: int, head: str | int | None = None
) -> nn.Module:
    """A network with seeded weights, norms that do something, and more than one class predicted.

    Freshly made networks have norms with weight 1, bias 0, mean 0 and variance 1, so that a method which forgets
    them is never caught. Here they are drawn: biases and affine weights at random, running statistics first from
    the images (a deep network needs them to be about right) and then disturbed.

    Args:
        images: (N, C, *spatial) with N ≥ 2; the first one is what the network will be asked about.
        head: of several outputs, the one whose classes must be balanced.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = make()
        with torch.no_grad():
            _draw_parameters(net)
            _learn_statistics(net, images)
            _balance(net.eval(), images[:1], head)
    return net


def reshuffled(net: nn.Module, seed: int) -> nn.Module:
    """The same weights at other places: what re-drawing means for a trained network."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            order = torch.randperm(parameter.numel(), generator=generator)
            parameter.copy_(parameter.flatten()[order].reshape(parameter.shape))
    return net


def chosen(raw: object, head: str | int | None) -> Tensor:
    """The output that is meant."""
    return raw if isinstance(raw, Tensor) else raw[int(head or 0)]


def _draw_parameters(net: nn.Module) -> None:
    for module in net.modules():
        weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
        if isinstance(module, (_BatchNorm, *NORMS)) and isinstance(weight, Tensor):
            weight.uniform_(0.6, 1.4)
        if isinstance(module, nn.PReLU):
            weight.uniform_(0.1, 0.4)
        if isinstance(bias, Tensor):
            bias.normal_(0, 0.2)


def _learn_statistics(net: nn.Module, images: Tensor) -> None:
    norms = [m for m in net.modules() if isinstance(m, _BatchNorm)]
    if not norms:
        return
    before = [m.momentum for m in norms]
    for m in norms:
        m.momentum = 1.0
    net.train()(images)
    for m, momentum in zip(norms, before, strict=True):
        m.momentum = momentum
        m.running_mean.add_(0.2 * torch.randn_like(m.running_mean) * m.running_var.sqrt())
        m.running_var.mul_(torch.empty_like(m.running_var).uniform_(0.7, 1.4)).add_(1e-3)


def _balance(net: nn.Module, image: Tensor, head: str | int | None) -> None:
    """Shift the last layer's bias so that every class wins somewhere; nothing to do for a classifier."""
    z = chosen(net(image), head)
    if z.dim() == 2:
        return
    flat = z[0].flatten(1)
    # one class is compared with zero, several with each other
    shift = flat.quantile(0.6, dim=1) if len(flat) == 1 else flat.mean(1)
    for bias in _biases_of_the_output(net, image, len(flat)):
        bias -= shift
        moved = chosen(net(image), head)
        shown = (1, -1, *(1,) * (z.dim() - 2))
        if torch.allclose(moved, z - shift.reshape(shown), atol=1e-4 * float(z.abs().max())):
            return
        bias += shift
    raise AssertionError(f"{type(net).__name__}: no bias moves the output")


def _biases_of_the_output(net: nn.Module, image: Tensor, classes: int) -> list[Tensor]:
    """Biases with one number per class, of the modules that ran last first."""
    seen: list[Tensor] = []

    def note(module: nn.Module, _: object, __: object) -> None:
        if isinstance(getattr(module, "bias", None), Tensor) and module.bias.shape == (classes,):
            seen.append(module.bias)

    handles = [m.register_forward_hook(note) for m in net.modules()]
    try:
        net(image)
    finally:
        for handle in handles:
            handle.remove()
    return seen[::-1]

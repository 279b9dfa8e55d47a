"""The zoo's animals are what they are said to be."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from zoo.draw import NORMS, chosen
from zoo.networks import ZOO

PLACES = [pytest.param(name, dims, id=f"{name}-{dims}d") for name, e in ZOO.items() for dims in e.dims]


def asked(name: str, dims: int, seed: int = 0) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """The network, its image (1, C, *spatial) and its answer."""
    entry = ZOO[name]
    if entry.data is not None and not entry.data.is_file():
        pytest.skip(f"the trained network is not here ({entry.data}); set VOXPLAIN_DATA to the data's folder")
    net = entry.make(dims, seed).eval()
    x = torch.from_numpy(entry.case(entry.shapes[dims]).image)[None]
    with torch.no_grad():
        return net, x, chosen(net(x), entry.head)


@pytest.mark.parametrize(("name", "dims"), PLACES)
def test_every_network_does_its_task_and_every_class_wins_somewhere(name: str, dims: int) -> None:
    _, x, z = asked(name, dims)
    if ZOO[name].task == "classification":
        assert z.shape == (1, 3)
        return
    assert z.shape[2:] == x.shape[2:]
    if ZOO[name].data is not None:
        return  # trained on whole organs: a crop of 16 voxels holds one of them
    labels = z[0].argmax(0) if z.shape[1] > 1 else (z[0, 0] > 0).long()
    share = torch.bincount(labels.flatten(), minlength=max(z.shape[1], 2)) / labels.numel()
    assert (share > 0.05).all(), share


@pytest.mark.parametrize(("name", "dims"), PLACES)
def test_the_same_seed_gives_the_same_network_and_another_one_another(name: str, dims: int) -> None:
    state = torch.get_rng_state()
    *_, first = asked(name, dims)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(asked(name, dims)[2], first)
    assert not torch.allclose(asked(name, dims, seed=1)[2], first, rtol=0.01)


@pytest.mark.parametrize(("name", "dims"), [p for p in PLACES if ZOO[p.values[0]].data is None])
def test_norms_and_biases_are_not_at_their_defaults(name: str, dims: int) -> None:
    """A method that forgets a bias, an affine weight or a running mean must not be right by chance."""
    net, *_ = asked(name, dims)
    for where, module in net.named_modules():
        bias = getattr(module, "bias", None)
        assert not isinstance(bias, torch.Tensor) or bias.abs().max() > 0, where
        if isinstance(module, (_BatchNorm, *NORMS)) and module.weight is not None:
            assert (module.weight != 1).all(), where
        if isinstance(module, _BatchNorm):
            assert module.running_mean.abs().max() > 0, where
            assert (module.running_var > 0).all(), where


def test_the_zoo_has_what_breaks_rules() -> None:
    """Reused in-place activations, nested outputs and every kind of norm."""
    resnet = ZOO["resnet18_torchvision"].make(2, 0)
    counts: dict[nn.Module, int] = {}
    for module in resnet.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(lambda m, *_: counts.update({m: counts.get(m, 0) + 1}))
    resnet.eval()(torch.rand(1, 3, 32, 32))
    assert max(counts.values()) == 2
    assert all(m.inplace for m in counts)
    for name in ("dynunet_list", "vessel_unet", "vessel_unet_mss"):
        net = ZOO[name].make(2, 0).eval()
        assert len(net(torch.rand(1, 1, *ZOO[name].shapes[2]))) == 3
    kinds = {type(m) for e in ZOO.values() if e.data is None for m in e.make(e.dims[0], 0).modules()}
    assert {nn.BatchNorm2d, nn.InstanceNorm2d, nn.GroupNorm, nn.LayerNorm, nn.PReLU} <= kinds

"""The mean over folds and mirrorings: exact, in the memory of one member, and open to those who watch inside."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from voxplain.engine.footprint import footprint
from voxplain.model import Model, Windows
from voxplain.model.nnunet.network import Ensemble, mirrorings

SHAPE = (1, 2, 6, 5, 4)


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv3d(2, 4, 3, padding=1),
        nn.InstanceNorm3d(4),
        nn.LeakyReLU(inplace=True),
        nn.Conv3d(4, 3, 3, padding=1),
    ).double()


def ensemble(folds: int = 2, axes: tuple[int, ...] = (0, 2)) -> Ensemble:
    whole = Ensemble({f"fold_{i}": network(i) for i in range(folds)}, mirrorings(axes))
    return whole.requires_grad_(False).eval()


def image(seed: int = 9) -> Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_hand(x: Tensor, whole: Ensemble) -> Tensor:
    """Written out: every fold, and every set of the axes 0 and 2 of the image."""
    sets = ([], [2], [4], [2, 4])
    out = [torch.flip(net(torch.flip(x, dims)), dims) for net in whole.children() for dims in sets]
    return torch.stack(out).mean(0)


def test_value_and_gradient_are_those_of_the_mean_written_out() -> None:
    whole, x = ensemble(), image().requires_grad_()
    cotangent = torch.randn(1, 3, *SHAPE[2:], generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    out, expected = whole(x), by_hand(x, whole)
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-12)
    (found,) = torch.autograd.grad(out, x, cotangent, retain_graph=True)
    (wanted,) = torch.autograd.grad(expected, x, cotangent)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)
    # a second target's backward pass through the same output
    (again,) = torch.autograd.grad(out, x, 2 * cotangent)
    torch.testing.assert_close(again, 2 * wanted, rtol=0, atol=1e-12)


def test_the_gradient_is_the_adjoint_of_the_derivative() -> None:
    """<J v, u> = <v, Jᵀ u>, with J v from the plain graph."""
    whole, x, v = ensemble(), image(), image(3)
    u = torch.randn(1, 3, *SHAPE[2:], generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    _, forward = torch.func.jvp(whole.mean, (x,), (v,))
    given = x.clone().requires_grad_()
    (adjoint,) = torch.autograd.grad(whole(given), given, u)
    assert float((forward * u).sum()) == pytest.approx(float((v * adjoint).sum()), rel=1e-10)


def most_held(run: Callable[[Tensor], Tensor], x: Tensor, whole: nn.Module) -> int:
    """The most bytes that the graph holds at any time, forwards and backwards, beside the weights."""
    weights = {p.untyped_storage()._cdata for p in whole.parameters()}
    alive: dict[int, int] = {}
    most = 0

    def pack(tensor: Tensor) -> Tensor:
        nonlocal most
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key not in alive and key not in weights:
            alive[key] = storage.nbytes()
            weakref.finalize(storage, alive.pop, key, None)
        most = max(most, sum(alive.values()))
        return tensor

    with saved_tensors_hooks(pack, lambda t: t):
        out = run(x)
        torch.autograd.grad(out.sum(), x)
    gc.collect()
    return most


def test_no_more_is_held_than_for_one_member() -> None:
    whole = ensemble()
    one = most_held(whole.fold_0, image().requires_grad_(), whole)
    together = most_held(whole.mean, image().requires_grad_(), whole)
    kept = most_held(whole, image().requires_grad_(), whole)
    assert together > 5 * one
    # beside its own graph, a member has the image and the share of the gradient
    assert kept <= one + 3 * image().nbytes


class Live(TorchDispatchMode):
    """The most bytes of results that are alive at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.alive: dict[int, int] = {}
        self.most = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, (tuple, list)) else (out,):
            if (
                isinstance(tensor, Tensor)
                and (key := (storage := tensor.untyped_storage())._cdata) not in self.alive
            ):
                self.alive[key] = storage.nbytes()
                weakref.finalize(storage, self.alive.pop, key, None)
        self.most = max(self.most, sum(self.alive.values()))
        return out


@pytest.mark.parametrize("gradient", [False, True])
def test_many_classes_cost_one_more_output_than_one_member(gradient) -> None:
    """Of 117 classes the output is larger than all layers within."""
    classes = 117
    nets = {f"fold_{i}": nn.Conv3d(2, classes, 1).double() for i in range(2)}
    whole = Ensemble(nets, mirrorings((0, 2))).requires_grad_(False).eval()
    found = []
    for net in (whole.fold_0, whole):
        x = image().requires_grad_(gradient)
        gc.collect()
        with Live() as live:
            out = net(x)
            if gradient:
                torch.autograd.grad(out, x, torch.ones_like(out))
        found.append(live.most)
    output = classes * 6 * 5 * 4 * 8
    # flipped back, a member's output is there twice for a moment
    assert found[1] <= found[0] + 2 * output + 6 * image().nbytes


def test_networks_that_answer_with_their_input_leave_it_as_it_is() -> None:
    whole, x = Ensemble({"fold_0": nn.Identity(), "fold_1": nn.Identity()}, mirrorings((0,))), image()
    cotangent = image(1)
    before, given = x.clone(), cotangent.clone()
    with torch.no_grad():
        torch.testing.assert_close(whole(x), before)
    (found,) = torch.autograd.grad(whole(y := x.clone().requires_grad_()), y, cotangent)
    torch.testing.assert_close(found, given)
    assert torch.equal(x, before) and torch.equal(cotangent, given)


def test_the_footprint_is_that_of_one_member() -> None:
    whole = ensemble()
    settings = {"windows": Windows(roi=SHAPE[2:])}
    found = footprint(Model(whole, **settings), SHAPE[1:])
    expected = footprint(Model(whole.fold_0, **settings), SHAPE[1:])
    assert found is not None and found.gradient_bytes == expected.gradient_bytes > 4 * image().nbytes


def test_hooks_and_modes_see_every_member() -> None:
    whole, seen = ensemble(), []
    handle = whole.fold_1[0].register_forward_hook(lambda *_: seen.append(1))
    out = whole(image().requires_grad_())
    handle.remove()
    assert len(seen) == 4 and "OneByOne" not in type(out.grad_fn).__name__

    class Count(TorchFunctionMode):
        calls = 0

        def __torch_function__(self, func, types, args=(), kwargs=None):
            self.calls += func is torch.nn.functional.leaky_relu
            return func(*args, **(kwargs or {}))

    with Count() as mode:
        out = whole(image().requires_grad_())
    assert mode.calls == 8 and "OneByOne" not in type(out.grad_fn).__name__
    assert "OneByOne" in type(whole(image().requires_grad_()).grad_fn).__name__


def test_parameters_that_learn_get_their_gradient() -> None:
    whole = ensemble().requires_grad_(True)
    whole(image().requires_grad_()).sum().backward()
    assert all(p.grad is not None for p in whole.parameters())


def test_mixed_precision_is_the_same_on_the_way_back() -> None:
    whole = ensemble().float()
    x = image().float().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        out = whole(x)
    assert out.dtype == torch.float32
    weights = torch.randn(out.shape, generator=torch.Generator().manual_seed(0))
    (found,) = torch.autograd.grad(out, x, weights)
    expected = torch.zeros_like(x)
    for member in whole.members():
        with torch.autocast("cpu", torch.bfloat16):
            one = member(x)
        expected += torch.autograd.grad(one, x, weights / len(whole))[0]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_a_second_derivative_is_refused() -> None:
    whole, x = ensemble(), image().requires_grad_()
    (first,) = torch.autograd.grad(whole(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()

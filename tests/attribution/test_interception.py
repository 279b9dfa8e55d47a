"""Every operation is seen: with rules that only repeat the plain gradient, the plain gradient comes out."""

from __future__ import annotations

import pytest
import torch
from networks import random_case
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils import checkpoint as checkpointing
from zoo.draw import chosen
from zoo.networks import ZOO

from voxplain.attribution import method
from voxplain.attribution.backprop import Call, Rules, decompose
from voxplain.attribution.backprop.call import vjp
from voxplain.engine import Problem
from voxplain.errors import ModelError, VoxplainError
from voxplain.model import Model
from voxplain.target import AllClasses


class Plain(Rules):
    """Goes back through every operation by its own gradient, but as a rule; anything unseen is refused."""

    strict = True

    def __init__(self, module: nn.Module) -> None:
        super().__init__(module, "plain")
        self.seen: list[str] = []

    def any(self, call: Call) -> Tensor:
        self.seen.append(call.name)
        return self.ruled(call, lambda inputs, _, incoming: vjp(call, inputs, incoming))

    elementwise = linear = product = division = max_pool = extremum = peak = any

    def taken_apart(self, name):
        def handler(call):
            with self.again():
                return getattr(decompose, name)(call)

        return handler

    def __getattribute__(self, name):
        if name in ("norm", "softmax", "attention", "multihead"):
            return object.__getattribute__(self, "taken_apart")(name)
        return object.__getattribute__(self, name)


def both(net, x, run=None):
    """The gradient of a random sum of the outputs, by autograd and by the rules."""
    net = net.double().eval().requires_grad_(False)
    run = run or net
    x = x.double().requires_grad_()
    z = run(x)
    cotangent = torch.randn(z.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rules = Plain(net)
    ours = rules.watched(run, x)
    torch.testing.assert_close(ours, z, rtol=1e-9, atol=1e-11)
    truth, found = (torch.autograd.grad(y, x, cotangent)[0] for y in (z, ours))
    assert truth.abs().max() > 0
    return truth, found, rules.seen


# a size of 64×32×32 in Swin UNETR and the depth of EfficientNet take too long in three dimensions
SLOW = {("swin_unetr", 3), ("efficientnet_b0", 3), ("basic_unet", 3), ("densenet121", 3)}
PLACES = [(name, dims) for name, e in ZOO.items() for dims in e.dims if (name, dims) not in SLOW]


@pytest.mark.parametrize(("name", "dims"), PLACES)
def test_identity_rules_give_the_plain_gradient_on_the_zoo(name, dims):
    entry = ZOO[name]
    if entry.data is not None and not entry.data.is_file():
        pytest.skip("the trained network is not here")
    net = entry.make(dims, 0)
    image = torch.from_numpy(entry.case(entry.shapes[dims]).image)[None]
    truth, found, _ = both(net, image, lambda x: chosen(net(x), entry.head))
    torch.testing.assert_close(found, truth, rtol=1e-9, atol=1e-12 * float(truth.abs().max()))


class Tiny(nn.Module):
    """One convolution before, one after, and what is tested in between."""

    def __init__(self, between, width=4, dims=2):
        super().__init__()
        torch.manual_seed(1)
        make = nn.Conv2d if dims == 2 else nn.Conv3d
        self.first, self.last, self.between = make(1, 4, 3, padding=1), make(width, 3, 1), between

    def forward(self, x):
        return self.last(self.between(self.first(x)))


def leave_unbound(v):
    F.relu(v, inplace=True)
    return v


def unbound_twice(v):
    v.add_(1).mul_(3)
    torch.relu_(v)
    return v


def in_place_sum(v):
    w = v * 3
    w += torch.sigmoid(v)
    w -= v
    w *= 2
    w /= 3
    return torch.tanh(w)


def sum_method(v):
    w = v * 2
    w.add_(v, alpha=3)
    return w


def masked_in_place(v):
    scores = v * v
    scores.masked_fill_(torch.arange(scores.shape[-1]) > 5, 0.5)
    return torch.exp(-scores)


def part_is_set(v):
    v = v * v
    v[:, 1] = 2 * v[:, 2]
    v[:, 0] = 0.25
    return v * v


def buffer_is_filled(v):
    out = torch.zeros_like(v)
    out[:, :2] = torch.exp(v[:, 1:3])
    out[:, 2:] = v[:, :2]
    return out * v


def flattened_in_place(v):
    return torch.relu_(v.flatten(2)).view(v.shape)


def scalars(v):
    return (2 - v) / (1 + v**2) + 3 / (4 + v.abs()) - torch.rsub(v, 1)


def own_norm(v):
    mean = v.mean(1, keepdim=True)
    return (v - mean) / torch.sqrt((v - mean).pow(2).mean(1, keepdim=True) + 1e-6)


def maxima(v):
    pooled = F.max_pool2d(v, 3, stride=1, padding=1)
    best = torch.amax(v, (2, 3), keepdim=True) + v.max(1, keepdim=True)[0] - v.min(dim=2, keepdim=True).values
    return torch.maximum(pooled, best * 0.3) + F.adaptive_max_pool2d(v, 1)


BETWEEN = {
    f.__name__: f
    for f in (
        leave_unbound, unbound_twice, in_place_sum, sum_method, masked_in_place, part_is_set, buffer_is_filled,
        flattened_in_place, scalars, own_norm,
    )
}  # fmt: skip


@pytest.mark.parametrize("name", BETWEEN)
@pytest.mark.parametrize("dims", [2, 3])
def test_in_place_functional_and_operator_forms_are_seen(name, dims):
    x = torch.randn((2, 1, 6, 7, 8)[: dims + 2], generator=torch.Generator().manual_seed(3))
    truth, found, _ = both(Tiny(BETWEEN[name], dims=dims), x)
    torch.testing.assert_close(found, truth, rtol=1e-10, atol=1e-13)


def test_maxima_are_seen_in_every_spelling():
    class Maxima(Rules):
        def __init__(self, net):
            super().__init__(net, "maxima")
            self.seen = []

        def note(self, call):
            self.seen.append(call.name)
            return call()

        max_pool = peak = extremum = note

    net = Tiny(maxima).double()
    rules = Maxima(net)
    rules.watched(net, torch.randn(2, 1, 6, 6, dtype=torch.float64, requires_grad=True))
    assert rules.seen == ["max_pool2d", "amax", "max", "min", "maximum", "adaptive_max_pool2d"]


def test_a_module_that_runs_twice_is_seen_twice():
    relu = nn.ReLU(inplace=True)
    _, _, seen = both(Tiny(lambda v: relu(relu(v) - 0.1)), torch.randn(1, 1, 5, 5))
    assert seen.count("relu") == 2


def test_what_shares_memory_with_an_operand_is_refused():
    def whole_after_part(v):
        part = v[:, :2]
        part.add_(1)
        return v

    def part_after_whole(v):
        part = v[:, :]
        v.add_(1)
        return part * 2

    for between in (whole_after_part, part_after_whole):
        with pytest.raises(ModelError, match="changes a part of a tensor in place"):
            both(Tiny(between), torch.randn(1, 1, 5, 5))


@pytest.mark.parametrize("dims", [2, 3])
def test_instance_norm_with_learnt_statistics_is_not_normalised_by_its_input(dims):
    """In evaluation it subtracts the running mean: linear, and nothing like the input's own statistics."""
    norm = (nn.InstanceNorm2d if dims == 2 else nn.InstanceNorm3d)(4, affine=True, track_running_stats=True)
    norm.running_mean.normal_()
    norm.running_var.uniform_(2, 3)
    truth, found, _ = both(Tiny(norm, dims=dims), torch.randn((1, 1, 5, 6, 4)[: dims + 2]))
    torch.testing.assert_close(found, truth, rtol=1e-10, atol=1e-13)


class Doubled(torch.autograd.Function):
    """A ReLU times two, which nothing outside can look into."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return 2 * x.relu()

    @staticmethod
    def backward(ctx, g):
        return 2 * g * (ctx.saved_tensors[0] > 0)


# As in a library with a checkpointing of its own, which the engine does not know.
OWN_FUNCTION, OWN_CONTEXT = (
    checkpointing.CheckpointFunction,
    checkpointing._checkpoint_without_reentrant_generator,
)


def recomputed(v):
    around = OWN_CONTEXT(torch.relu, True, checkpointing.noop_context_fn, "default", False, v)
    next(around)
    out = torch.relu(v)
    next(around, None)
    return out


def recomputed_the_old_way(v):
    return OWN_FUNCTION.apply(torch.relu, True, v)


def dynamic_weights(v):
    """A convolution with one kernel, made from the image."""
    return F.conv2d(v, v[:1, :, :1, :1])


def sampled(v):
    return F.grid_sample(v, torch.zeros(len(v), *v.shape[2:], 2))


class Recurrent(nn.Module):
    """A GRU along the rows."""

    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(4, 4, batch_first=True)

    def forward(self, v):
        return v + self.gru(v.mean(2).transpose(1, 2))[0].transpose(1, 2)[:, :, None]


REFUSED = [
    pytest.param(Doubled.apply, {"deep_lift": "doubled", "guided_backprop": "Doubled"}, id="custom"),
    pytest.param(recomputed, dict.fromkeys(("deep_lift", "guided_backprop"), "checkpointing"), id="checkpoint"),
    pytest.param(
        recomputed_the_old_way,
        {"deep_lift": "checkpoint_function", "guided_backprop": "CheckpointFunction"},
        id="reentrant",
    ),
    pytest.param(torch.erfinv, {"deep_lift": "erfinv"}, id="unknown"),
    pytest.param(lambda v: v * v.norm(dim=1, keepdim=True), {"deep_lift": "norm,"}, id="norm"),
    pytest.param(lambda v: v + v.cumprod(1), {"deep_lift": "cumprod"}, id="cumprod"),
    pytest.param(sampled, {"deep_lift": "grid_sample,"}, id="grid"),
    pytest.param(dynamic_weights, {"deep_lift": "conv2d of several tensors"}, id="weights"),
    pytest.param(lambda v: F.dropout(v, training=True), {"deep_lift": "dropout in training mode,"}, id="dropout"),
    pytest.param(lambda v: F.lp_pool2d(F.pad(v, (0, 1, 0, 1)), 2, 2, 1), {"deep_lift": "lp_pool2d,"}, id="lp-pool"),
    pytest.param(lambda v: v * torch.heaviside(v, v[0, 0, 0, 0]), {"deep_lift": "heaviside"}, id="heaviside"),
    pytest.param(Recurrent(), {"deep_lift": "gru,", "lrp": "gru,"}, id="gru"),
    pytest.param(lambda v: v - v.max(), {"deep_lift": "max over a whole batch"}, id="whole-batch"),
]  # fmt: skip


@pytest.mark.parametrize(("between", "names"), REFUSED)
def test_an_operation_that_no_rule_sees_is_refused_by_name(between, names):
    net = Tiny(lambda v: between(torch.tanh(torch.relu(v))), width=1 if between is dynamic_weights else 4)
    problem = Problem(Model(net, spatial_dims=2), random_case((6, 7)), AllClasses(background=True))
    for name, said in names.items():
        with pytest.raises(ModelError, match=f"method {name}.*{said}"):
            method(name).attribute(problem)


class Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x.sigmoid()

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        s = x.sigmoid()
        return g * (s + x * s * (1 - s))


class MemoryEfficientSwish(nn.Module):
    """As MONAI's and timm's, by name."""

    def forward(self, x):
        return Swish.apply(x)


def test_memory_saving_activations_are_made_visible():
    truth, found, seen = both(Tiny(MemoryEfficientSwish()), torch.randn(1, 1, 5, 5))
    torch.testing.assert_close(found, truth, rtol=1e-10, atol=1e-13)
    assert "silu" in seen


class Sometimes(nn.Module):
    """Fails at its second ReLU when it is told to."""

    use_checkpoint = True

    def __init__(self) -> None:
        super().__init__()
        self.first, self.act, self.swish = (
            nn.Conv2d(1, 4, 3, padding=1),
            nn.ReLU(inplace=True),
            MemoryEfficientSwish(),
        )
        self.last, self.fails = nn.Conv2d(4, 3, 1), False

    def forward(self, x):
        x = self.swish(self.act(self.first(x)))
        if self.fails:
            raise ZeroDivisionError("on purpose")
        return self.last(x)


@pytest.mark.parametrize("name", ["guided_backprop", "deconvolution", "deep_lift", "deep_lift_shap"])
def test_the_module_is_bit_identical_afterwards_even_when_it_failed(name):
    net = Sometimes().train()
    state = {k: v.clone() for k, v in net.state_dict().items()}
    problem = Problem(Model(net, spatial_dims=2), random_case((6, 7)), AllClasses(background=True))
    for fails in (False, True):
        net.fails = fails
        with torch.random.fork_rng():
            before = torch.get_rng_state()
            if fails:
                with pytest.raises(VoxplainError, match="on purpose"):
                    method(name).attribute(problem)
            else:
                method(name).attribute(problem)
            assert torch.equal(torch.get_rng_state(), before)
        assert net.training and net.act.inplace and net.use_checkpoint
        assert all(torch.equal(v, state[k]) for k, v in net.state_dict().items())
        assert all(p.requires_grad and p.grad is None for p in net.parameters())
        assert not any(m._forward_hooks or m._backward_hooks or "forward" in vars(m) for m in net.modules())
    # nothing is left listening either: an ordinary gradient is ordinary
    net.fails = False
    x = torch.randn(1, 1, 6, 7, requires_grad=True)
    net(x).sum().backward()
    assert x.grad is not None

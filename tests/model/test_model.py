"""A network answers in one form whatever it returns, and is given back as it was."""

from __future__ import annotations

import warnings
from collections import OrderedDict, namedtuple
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from voxplain.errors import InputError, ModelError, OutOfMemoryError
from voxplain.model import Model, Preparation, Windows, checks

X = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(1))
Pair = namedtuple("Pair", "main aux")


@dataclass
class Out:
    logits: torch.Tensor
    loss: None = None


class Wrap(nn.Module):
    """A convolution whose output goes through a function."""

    def __init__(self, function, classes: int = 3, channels: int = 1) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(channels, classes, 3, padding=1)
        self.function = function

    def forward(self, x: torch.Tensor) -> object:
        return self.function(self.conv(x))


HEADS = {
    "tensor": (lambda z: z, None),
    "list of one": (lambda z: [z], None),
    "tuple": (lambda z: (z, z.mean((2, 3))), 0),
    "tuple from the end": (lambda z: (z.mean((2, 3)), z), -1),
    "dict": (lambda z: {"out": z, "aux": z[:, :1]}, "out"),
    "dict of one": (lambda z: {"out": z}, None),
    "ordered dict with none": (lambda z: OrderedDict(loss=None, logits=z), None),
    "dataclass": (lambda z: Out(z), None),
    "named tuple": (lambda z: Pair(z, z[:, :1]), "main"),
    "named tuple by number": (lambda z: Pair(z, z[:, :1]), 0),
    "nested": (lambda z: {"out": [z[:, :1], z], "loss": 0.3}, "out.1"),
    "nested, one below": (lambda z: {"out": [z], "aux": [z, z]}, "out"),
}


@pytest.mark.parametrize(("function", "head"), HEADS.values(), ids=HEADS)
def test_the_meant_tensor_is_found(function, head) -> None:
    net = Wrap(function)
    model = Model(net, head=head)
    assert torch.equal(model.forward(X), net.conv(X))
    assert (model.task, model.channels_out) == ("segmentation", 3)


@pytest.mark.parametrize(
    ("function", "head", "says"),
    [
        (
            lambda z: (z, z[:, :1]),
            None,
            r"returned 2 tensors \(0 \(2, 3, 32, 32\), 1 \(2, 1, 32, 32\)\); pass head=…",
        ),
        (lambda z: (z, z), 2, r"head=2 is not in the output; choose one of 0 \(2, 3, 32, 32\)"),
        (lambda z: {"out": [z, z]}, "out", r"head='out' holds 2 tensors; choose one of out.0"),
        (lambda z: {"out": z}, "logits", r"head='logits' is not in the output; choose one of out"),
        (lambda z: z, "out", "returns one tensor; leave head out"),
        (lambda z: {"loss": 0.3}, None, "returned dict without any tensor"),
    ],
)
def test_an_unclear_head_lists_the_choices(function, head, says) -> None:
    with pytest.raises(ModelError, match=says):
        Model(Wrap(function), head=head)


@pytest.mark.parametrize(
    ("function", "task", "shape"),
    [
        (lambda z: z.mean((2, 3)), "classification", (2, 3)),
        (lambda z: z.mean((2, 3), keepdim=True), "classification", (2, 3)),
        (lambda z: z.mean((1, 2, 3)), "classification", (2, 1)),
        (lambda z: z, "segmentation", (2, 3, 32, 32)),
        (lambda z: z[:, 0], "segmentation", (2, 1, 32, 32)),
    ],
)
def test_the_task_is_told_by_the_output(function, task, shape) -> None:
    model = Model(Wrap(function))
    assert model.task == task
    assert tuple(model.forward(X).shape) == shape


def test_a_squeezed_single_output_is_one_logit() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a small logit is not taken for a probability
        model = Model(Wrap(lambda z: z.mean((2, 3)).squeeze(), classes=1))
    assert tuple(model.forward(X[:1]).shape) == (1, 1)
    assert model.output == "binary"


def test_an_output_on_a_coarser_grid_is_refused_or_resized() -> None:
    net = Wrap(lambda z: nn.functional.avg_pool2d(z, 4))
    with pytest.raises(
        ModelError, match=r"input of \(32, 32\) voxels gave an output of \(8, 8\).*resize_output=True"
    ):
        Model(net)
    out = Model(net, resize_output=True).forward(X)
    expected = nn.functional.interpolate(net(X), size=(32, 32), mode="bilinear", align_corners=False)
    assert torch.equal(out, expected)


def coarse(stride: int = 32) -> nn.Module:
    torch.manual_seed(0)
    return nn.Conv2d(1, 3, stride, stride=stride)


@pytest.mark.parametrize("task", [None, "segmentation"])
def test_a_segmentation_as_coarse_as_the_probe_is_no_classification(task) -> None:
    net = coarse()
    model = Model(net, task=task, resize_output=True)
    assert (model.task, model.channels_out) == ("segmentation", 3)
    # one output voxel is the same everywhere
    torch.testing.assert_close(model.forward(X), net(X).expand(2, 3, 32, 32))
    with pytest.raises(ModelError, match=r"of \(32, 32\) voxels gave an output of \(1, 1\).*resize_output"):
        Model(net, task="segmentation")


@pytest.mark.parametrize("task", [None, "classification"])
def test_one_voxel_whatever_the_size_is_a_classification(task) -> None:
    net = Wrap(lambda z: z.mean((2, 3), keepdim=True))
    model = Model(net, task=task, resize_output=True)
    assert model.task == "classification"
    assert torch.equal(model.forward(X), net(X).flatten(1))


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda z: z.argmax(1), "returned int64 values"),
        (lambda z: z.sum(0), r"gave an output of \(3, 32, 32\), expected \(\d, K\)"),
        (lambda z: z[:, :, None, None], "expected"),
    ],
)
def test_outputs_that_cannot_be_explained(function, says) -> None:
    with pytest.raises(ModelError, match=says):
        Model(Wrap(function))


@pytest.mark.parametrize(
    ("classes", "asked", "kind"),
    [(3, None, "softmax"), (1, None, "binary"), (3, "sigmoid", "sigmoid"), (1, "sigmoid", "binary")],
)
def test_kinds_of_output(classes, asked, kind) -> None:
    assert Model(Wrap(lambda z: z, classes), output=asked).output == kind


@pytest.mark.parametrize(("classes", "asked"), [(3, "binary"), (1, "softmax")])
def test_kinds_that_do_not_fit(classes, asked) -> None:
    with pytest.raises(ModelError, match=f"output: asked for '{asked}'"):
        Model(Wrap(lambda z: z, classes), output=asked)


@pytest.mark.parametrize("function", [lambda z: z.softmax(1), lambda z: z.sigmoid()])
def test_probabilities_are_noticed_not_assumed(function) -> None:
    with pytest.warns(UserWarning, match="pass output='probabilities'"):
        assert Model(Wrap(function)).output == "softmax"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Model(Wrap(function), output="probabilities").output == "probabilities"
        Model(Wrap(lambda z: z))
        Model(Wrap(lambda z: z, classes=1))


def test_nan_outputs_are_refused() -> None:
    net = Wrap(lambda z: z)
    model = Model(net)
    with pytest.raises(ModelError, match="6144 of 6144 outputs are NaN or infinite; the input is not finite"):
        model.forward(X * torch.nan)
    with torch.no_grad():
        net.conv.weight[0] = torch.nan
    with pytest.raises(ModelError, match="2048 of 6144 outputs are NaN or infinite; check its weights"):
        model.forward(X)


def test_unknown_arguments_are_refused() -> None:
    for arguments in (
        {"task": "detection"},
        {"output": "softmx"},
        {"precision": "fp16"},
        {"spatial_dims": 4},
    ):
        with pytest.raises(InputError, match=next(iter(arguments))):
            Model(Wrap(lambda z: z), **arguments)
    with pytest.raises(ModelError, match=r"give spatial_dims, 2 or 3"):
        Model(nn.Linear(3, 2))
    with pytest.raises(ModelError, match="task: asked for classification"):
        Model(Wrap(lambda z: z), task="classification")


# inputs


def test_wrong_inputs_are_told_apart() -> None:
    four = Model(Wrap(lambda z: z, channels=4))
    with pytest.raises(ModelError, match=r"expects 4 channels, the input \(2, 1, 32, 32\) has 1"):
        four.forward(X)
    with pytest.raises(ModelError, match=r"expected .* with 2 spatial axes"):
        four.forward(X[0])


def test_a_network_with_one_input_size_is_found_by_trying() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 2, 3, stride=2, padding=1), nn.Flatten(), nn.Linear(2 * 14 * 14, 5))
    model = Model(net)
    assert (model.task, model.channels_out, model.input_seen) == ("classification", 5, (1, 28, 28))
    with pytest.raises(ModelError, match=r"failed on an input of shape \(2, 1, 32, 32\): RuntimeError: mat1"):
        model.forward(X)


def test_an_odd_size_is_learnt_from_the_first_pass() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Flatten(), nn.Linear(2 * 17 * 23, 5))
    model = Model(net, classes=list("abcde"))
    with pytest.raises(ModelError, match="no output is known yet"):
        print(model.task)
    with pytest.raises(ModelError, match="run one forward pass first"):
        model.layers()
    model.forward(torch.rand(1, 1, 17, 23))
    assert (model.task, model.class_index("e")) == ("classification", 4)
    assert len(model.layers()) == 3


def test_windows_tell_the_size_to_try() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Flatten(), nn.Linear(2 * 17 * 23, 5))
    assert Model(net, windows=Windows(roi=(17, 23))).channels_out == 5
    assert Model(net, prepare=Preparation(size=(17, 23))).channels_out == 5


class OneAtATime(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x.reshape(1, 1, 32, 32))


def test_a_built_in_batch_size_is_served() -> None:
    net = OneAtATime()
    model = Model(net)
    assert model.fixed_batch == 1
    assert torch.equal(model.forward(X), torch.cat([net(X[:1]), net(X[1:])]))


class Whitened(nn.Module):
    """Normalises by the statistics of the whole batch."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3, padding=1)
        self.norm = nn.BatchNorm2d(2, track_running_stats=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(x))


def test_samples_that_change_each_other_are_passed_one_by_one() -> None:
    torch.manual_seed(0)
    net = Whitened()
    with pytest.warns(UserWarning, match="other samples of a batch change its output.*one sample at a time"):
        model = Model(net)
    other = torch.cat([X[:1], 5 * X[1:]])
    assert not torch.allclose(net(other)[:1], net(X)[:1], atol=0.1)
    for x in (X, other):
        assert torch.equal(model.forward(x), torch.cat([net(x[:1]), net(x[1:])]))


@pytest.mark.parametrize("norm", [nn.InstanceNorm2d(3), nn.GroupNorm(1, 3), nn.BatchNorm2d(3)])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_samples_that_leave_each_other_alone_are_batched(norm, precision) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Model(Wrap(norm), precision=precision).fixed_batch is None


def test_a_network_that_stays_random_is_told_from_one_that_mixes_samples() -> None:
    with pytest.warns(UserWarning, match="same input gives another output in every pass"):
        model = Model(Wrap(lambda z: nn.functional.dropout(z, 0.5, training=True)))
    assert model.fixed_batch is None


def in_place(x: torch.Tensor) -> torch.Tensor:
    x -= 1
    x *= 2
    return torch.cat([x, x**2], dim=1)


class InPlace(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return in_place(x)


def test_a_network_that_works_in_place_leaves_the_input_alone() -> None:
    model = Model(InPlace(), spatial_dims=2)
    x = X.clone().requires_grad_()
    out = model.forward(x)
    assert torch.equal(x, X)
    assert torch.equal(out, in_place(X.clone()))
    out[:, 1].sum().backward()
    # d (2 (x - 1))² / dx = 8 (x - 1)
    torch.testing.assert_close(x.grad, 8 * (X - 1))


# memory


@pytest.mark.parametrize(
    ("error", "is_so"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (MemoryError(), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried"), True),
        (RuntimeError("unable to mmap 8 bytes: Cannot allocate memory (12)"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
        (OutOfMemoryError("a single sample does not fit"), False),
        (ModelError("net: out of memory"), False),
    ],
)
def test_running_out_of_memory_is_told_from_other_faults(error, is_so) -> None:
    assert checks.out_of_memory(error) is is_so


# precision


def test_double_stays_double_and_half_weights_are_served() -> None:
    net = Wrap(lambda z: z)
    assert Model(net).forward(X).dtype == torch.float32
    model = Model(net.double())
    out = model.forward(X.double())
    assert out.dtype == torch.float64
    assert torch.equal(out, net.conv(X.double()))
    half = Model(Wrap(lambda z: z).to(torch.bfloat16)).forward(X)
    assert half.dtype == torch.float32
    assert torch.allclose(half, Wrap(lambda z: z)(X), atol=0.03)


def test_bf16_is_autocast_with_float_output() -> None:
    seen = []
    net = Wrap(lambda z: (seen.append(z.dtype), z)[1])
    out = Model(net, precision="bf16").forward(X)
    assert seen[-1] == torch.bfloat16
    assert out.dtype == torch.float32
    assert net.conv.weight.dtype == torch.float32
    assert torch.allclose(out, Model(net).forward(X), atol=0.02)


# layers and classes


def net_with_layers() -> nn.Module:
    return nn.Sequential(
        OrderedDict(
            encoder=nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(inplace=True)),
            pool=nn.AdaptiveAvgPool2d(1),
            flat=nn.Flatten(),
            head=nn.Linear(4, 3),
        )
    )


def test_layers_are_listed_with_shapes() -> None:
    model = Model(net_with_layers())
    found = {layer.name: (layer.type, layer.shape, layer.spatial(2)) for layer in model.layers()}
    assert found["encoder.0"] == ("Conv2d", (1, 4, 32, 32), True)
    assert found["pool"] == ("AdaptiveAvgPool2d", (1, 4, 1, 1), False)
    assert found["head"] == ("Linear", (1, 3), False)
    assert not any(m._forward_hooks for m in model.module.modules())
    assert model.layer("encoder.0") is model.module.encoder[0]


def test_an_unknown_layer_suggests_the_closest() -> None:
    with pytest.raises(ModelError, match=r"layer 'encoder\.O'.*did you mean 'encoder"):
        Model(net_with_layers()).layer("encoder.O")


def test_classes_are_found_by_name_or_number() -> None:
    model = Model(Wrap(lambda z: z, 4), classes=["background", "Liver", "lesion", "lesion"])
    assert [model.class_index(k) for k in ("Liver", "liver", 1, "1")] == [1, 1, 1, 1]
    for key, says in (
        ("livr", "did you mean 'Liver'"),
        ("lesion", r"found at indices \[2, 3\]"),
        (4, "classes 0 to 3"),
        (-1, "classes 0 to 3"),
    ):
        with pytest.raises(InputError, match=says):
            model.class_index(key)


def test_a_name_that_is_a_number_wins_over_the_index() -> None:
    assert Model(Wrap(lambda z: z, 3), classes=["2", "1", "0"]).class_index("0") == 2


@pytest.mark.parametrize(
    ("asked", "index"), [(0, 0), (1, 1), (2, 2), (np.int64(2), 2), ("2", 1), ("3", 2), ("1", 1), ("41", 3)]
)
def test_an_int_is_the_index_and_text_the_name_before_the_index(asked, index) -> None:
    assert Model(Wrap(lambda z: z, 4), classes=["0", "2", "3", "41"]).class_index(asked) == index


# frozen


def lively() -> nn.Module:
    """Flags in every combination, dropout, running statistics, gradients already there."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5, inplace=False),
        nn.LeakyReLU(inplace=True),
        nn.Conv2d(4, 2, 1),
    )
    net[1].eval()
    net[0].bias.requires_grad_(False)
    net(X).sum().backward()
    net.train()
    net[1].eval()
    return net


def state(net: nn.Module) -> dict:
    out: dict = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    for name, p in net.named_parameters():
        out[name, "grad"] = None if p.grad is None else p.grad.clone()
        out[name, "asks"], out[name, "id"] = p.requires_grad, id(p)
    for name, m in net.named_modules():
        out[name, "flags"] = (
            m.training,
            getattr(m, "inplace", None),
            len(m._forward_hooks),
            len(m._backward_hooks),
        )
    return out


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(
        torch.equal(v, b[k]) if isinstance(v, torch.Tensor) and isinstance(b[k], torch.Tensor) else v == b[k]
        for k, v in a.items()
    )


@pytest.mark.parametrize("fails", [False, True])
def test_the_module_is_given_back_bit_for_bit(fails) -> None:
    net = lively()
    before = state(net)
    model = Model(net)
    assert same(state(net), before)  # asking it for its classes leaves no trace either
    x = X.clone().requires_grad_()
    try:
        with model.frozen(), model.frozen():
            assert not any(m.training for m in net.modules())
            assert not any(p.requires_grad for p in net.parameters())
            assert not any(getattr(m, "inplace", False) for m in net.modules())
            first = model.forward(x)
            assert torch.equal(first, model.forward(x))  # no dropout, no running statistics
            first.sum().backward()
            if fails:
                raise RuntimeError("inside")
    except RuntimeError as error:
        assert fails and str(error) == "inside"
    assert x.grad is not None
    assert same(state(net), before)


def test_a_module_that_refuses_eval_can_be_frozen() -> None:
    class Stubborn(nn.Sequential):
        def train(self, mode: bool = True) -> nn.Module:
            raise NotImplementedError

    net = Stubborn(nn.Conv2d(1, 2, 1), nn.Dropout(0.5))
    model = Model(net)
    with model.frozen():
        assert torch.equal(model.forward(X), model.forward(X))
    assert net.training
    assert net[1].training

"""Networks that misbehave: one clear line, a status instead of a wrong map, and everything restored."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import InstanceNormSegmenter, random_case, smooth_segmenter
from torch import nn

from voxplain.attribution import method
from voxplain.case import Case
from voxplain.engine import Problem
from voxplain.errors import InputError, ModelError, TargetError, VoxplainError
from voxplain.model import Model, Windows
from voxplain.target import AllClasses, PredictedRegion

SHAPE = (9, 12)


class Wrapped(nn.Module):
    """A segmenter whose output goes through a function."""

    def __init__(self, change):
        super().__init__()
        self.net, self.change = smooth_segmenter(2), change

    def forward(self, x):
        return self.change(self.net(x))


def ask(change, **kwargs):
    return Problem(
        Model(Wrapped(change), spatial_dims=2, **kwargs), random_case(SHAPE), PredictedRegion(class_name=1)
    )


GRADIENTS = ["gradient", "integrated_gradients", "smoothgrad", "expected_gradients"]


@pytest.mark.parametrize("name", [*GRADIENTS, "grad_cam"])
def test_a_detached_output_is_an_error_and_not_a_map_of_zeros(name):
    p = ask(lambda z: z.detach())
    parameters = {"layer": "net.1"} if name == "grad_cam" else {}
    with pytest.raises(ModelError, match=r"no gradient|does not depend") as caught:
        method(name, **parameters).attribute(p)
    assert "\n" not in str(caught.value)


def test_occlusion_works_without_a_gradient():
    lost = method("occlusion", size=3).attribute(ask(lambda z: z.detach()))
    truth = method("occlusion", size=3).attribute(ask(lambda z: z))
    assert torch.equal(lost.values(0), truth.values(0)) and lost.answers[0].status == "ok"


@pytest.mark.parametrize(
    "change",
    [lambda z: z.argmax(1, keepdim=True), lambda z: z.argmax(1), lambda z: z > 0],
    ids=["argmax-channel", "argmax", "threshold"],
)
def test_a_label_map_as_output_is_refused(change):
    with pytest.raises(ModelError, match=r"argmax|scores"):
        ask(change)


@pytest.mark.filterwarnings("ignore:Wrapped. its outputs look like probabilities")
@pytest.mark.parametrize("name", GRADIENTS)
def test_a_rounded_one_hot_output_has_no_silent_zero_map(name):
    """argmax made floating again: the gradient is cut off, which must be said."""
    p = ask(lambda z: nn.functional.one_hot(z.argmax(1), 3).movedim(-1, 1).float())
    with pytest.raises(ModelError, match="no gradient leads"):
        method(name).attribute(p)


def test_a_gradient_of_zero_has_status_zero():
    p = ask(lambda z: z.round())  # rounding has a gradient, and it is zero
    answer = method("gradient").attribute(p).answers[0]
    assert answer.status == "zero" and "zero to rounding" in answer.note


class Poisoned(torch.autograd.Function):
    """The identity with a gradient of NaN in one voxel."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        out = gradient.clone()
        out[..., 0, 0] = torch.nan
        return out


@pytest.mark.parametrize("name", GRADIENTS)
def test_nan_in_a_map_has_status_failed_and_no_map(name):
    p = ask(Poisoned.apply)
    found = method(name).attribute(p)
    assert found.answers[0].status == "failed" and "NaN" in found.answers[0].note
    with pytest.raises(TargetError, match="status is failed"):
        found.map(0)
    assert found.rows()[0]["status"] == "failed"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_from_the_network_is_an_error(value):
    with pytest.raises(VoxplainError, match="NaN or infinite"):
        Problem(
            Model(Wrapped(lambda z: z + float(value)), spatial_dims=2), random_case(SHAPE), PredictedRegion()
        )


def test_an_image_that_becomes_infinite_in_preparation_is_an_error():
    class Prepare:
        def __call__(self, case):
            prepared = model.prepare(case)
            prepared.image[0, 0, 0] = np.inf
            return prepared

    model, broken = Model(smooth_segmenter(2)), Model(smooth_segmenter(2))
    broken.prepare = Prepare()
    with pytest.raises(InputError, match="1 NaN or infinite voxels"):
        Problem(broken, random_case(SHAPE), PredictedRegion())


class Breaks(nn.Module):
    """Works for the first ``calls`` calls and then breaks in the middle of the network."""

    def __init__(self):
        super().__init__()
        self.net, self.calls = InstanceNormSegmenter(2), 10**6
        self.net.up.register_forward_pre_hook(self.count)
        self.hooks = [dict(m._forward_hooks) for m in self.modules()]

    def count(self, module, args):
        self.calls -= 1
        if self.calls < 0:
            raise ValueError("cosmic ray")

    def forward(self, x):
        return self.net(x)


@pytest.mark.parametrize(
    "name", ["gradient", "integrated_gradients", "smoothgrad", "grad_cam", "hires_cam", "occlusion"]
)
@pytest.mark.parametrize("calls", [0, 1])
def test_a_network_that_breaks_midway_is_restored(name, calls):
    net = Breaks().train()
    p = Problem(
        Model(net, windows=Windows(roi=4)), random_case((8, 12)), AllClasses(background=True), batch=2
    )
    before = {k: (v.data_ptr(), v.stride(), v.clone()) for k, v in net.named_parameters()}
    parameters = {
        "grad_cam": {"layer": "net.down"},
        "hires_cam": {"layer": "net.down"},
        "occlusion": {"size": 4},
    }.get(name, {})
    net.calls = calls
    with pytest.raises(ModelError, match="ValueError: cosmic ray") as caught:
        method(name, **parameters).attribute(p)
    assert "\n" not in str(caught.value)
    assert all(m.training for m in net.modules()) and net.net.down[2].inplace
    assert [dict(m._forward_hooks) for m in net.modules()] == net.hooks
    assert len(net.net.up._forward_pre_hooks) == 1 and not any(m._backward_hooks for m in net.modules())
    for key, value in net.named_parameters():
        pointer, stride, copy = before[key]
        assert (
            (value.data_ptr(), value.stride()) == (pointer, stride)
            and value.requires_grad
            and value.grad is None
        )
        assert torch.equal(value, copy)


def test_a_classifier_over_windows_is_refused():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(ModelError, match=r"classifier.*leave roi out"):
        Problem(Model(net, windows=Windows(roi=6)), random_case(SHAPE), "predicted")


def test_wrong_channels_and_axes_are_one_line():
    with pytest.raises(ModelError, match=r"expects 1 channel.*has 2"):
        Problem(Model(smooth_segmenter(2)), random_case(SHAPE, 2), PredictedRegion())
    with pytest.raises(VoxplainError) as caught:
        Problem(Model(smooth_segmenter(2)), random_case((6, 7, 8)), PredictedRegion())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 3)])
def test_tiny_images_are_explained(shape):
    p = Problem(
        Model(smooth_segmenter(2)),
        Case("tiny", np.ones((1, *shape), np.float32)),
        AllClasses(background=True),
    )
    for name in GRADIENTS:
        with np.errstate(all="raise"):
            found = method(name).attribute(p)
        assert found.map(0).shape == (1, *shape)
        assert all(a.status in ("ok", "zero") for a in found.answers)

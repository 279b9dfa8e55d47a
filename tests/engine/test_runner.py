"""Batches give way when memory runs out, and work can be cancelled."""

from __future__ import annotations

import pytest
import torch
from networks import InstanceNormSegmenter, random_case, smooth_segmenter
from torch import nn

from voxplain.attribution import method
from voxplain.engine import Problem, footprint as sizes, runner as running
from voxplain.engine.footprint import footprint
from voxplain.engine.passes import Passes, chunks
from voxplain.errors import InputError, OutOfMemoryError
from voxplain.model import Model, Windows
from voxplain.target import AllClasses, PredictedRegion

WINDOWS = Windows(roi=6, overlap=0.5)
METHODS = {
    "gradient": {},
    "smoothgrad": {"draws": 3},
    "occlusion": {"size": 4},
    "grad_cam": {"layer": "net.1"},
    "integrated_gradients": {"nodes": 2},
}
ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory"),
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: 8 bytes"),
]


class Narrow(nn.Module):
    """A network for which more than ``most`` samples at once are too many."""

    def __init__(self, net: nn.Module, error: BaseException) -> None:
        super().__init__()
        self.net, self.error, self.most, self.seen = net, error, 99, []

    def forward(self, x):
        if len(x) > self.most:
            raise self.error
        self.seen.append(len(x))
        return self.net(x)


def problem(error=None, score="logit", **kwargs):
    net = Narrow(smooth_segmenter(3), error or ERRORS[0])
    return Problem(
        Model(net, windows=WINDOWS),
        random_case((9, 7, 10)),
        AllClasses(background=True, score=score),
        **kwargs,
    )


@pytest.mark.parametrize("score", ["logit", "probability"])
@pytest.mark.parametrize("name", METHODS)
def test_halved_batches_change_nothing(name, score):
    if name == "grad_cam":
        score = "margin"
    whole = method(name, **METHODS[name]).attribute(problem(score=score, batch=8))
    p = problem(score=score, batch=8)
    p.model.module.most, p.model.module.seen = 2, []
    found = method(name, **METHODS[name]).attribute(p)
    assert max(p.model.module.seen) <= 2
    for t in range(3):
        torch.testing.assert_close(found.values(t), whole.values(t), rtol=1e-5, atol=1e-7)
        assert found.answers[t].score == pytest.approx(whole.answers[t].score, rel=1e-5)


def test_a_batch_that_was_too_large_is_not_tried_again():
    """12 windows: two batches of 6 fail, batches of 3 work, and the next method starts with these."""
    p = problem(batch=8)
    p.model.module.most = 4
    method("gradient").attribute(p)
    p.model.module.seen, p.model.module.error = [], AssertionError("tried again")
    method("gradient").attribute(p)
    assert p.model.module.seen == [3, 3, 3, 3]


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
def test_a_sample_that_does_not_fit_is_said_so(error):
    p = problem(error)
    p.model.module.most = 0
    with pytest.raises(OutOfMemoryError, match=r"6×6×6 voxels.*smaller windows") as caught:
        method("gradient").attribute(p)
    assert "\n" not in str(caught.value)


def test_other_errors_are_not_taken_for_lack_of_memory():
    p = problem(RuntimeError("index 5 is out of bounds"))
    p.model.module.most, p.model.module.seen = 1, []
    with pytest.raises(Exception, match="out of bounds"):
        method("gradient").attribute(p)
    assert p.model.module.seen == [], "it is not tried again with fewer"


def test_footprint_counts_what_a_backward_pass_keeps():
    """Softplus keeps its input, the second convolution its input (4 · n floats each); the first keeps the image."""
    n = 16**3
    found = footprint(Model(smooth_segmenter(3)), (1, 16, 16, 16))
    kept = 4 * (n + 4 * n + 4 * n)
    assert kept <= found.gradient_bytes <= kept + 4 * 4 * n + 4096  # and the weights
    assert found.forward_bytes >= 2 * 4 * 4 * n


def test_footprint_grows_with_the_volume_and_computes_nothing():
    model = Model(InstanceNormSegmenter(3))
    small, large = (footprint(model, (1, n, n, n)).gradient_bytes for n in (32, 512))
    assert large == pytest.approx(small * 16**3, rel=0.01)
    assert large > 5 << 30, "more than this test could have computed"


def test_a_pass_that_would_kill_the_process_is_refused_before_it_starts(monkeypatch):
    p = problem()
    monkeypatch.setattr(running, "available_bytes", lambda device: 1000)
    p.model.module.seen = []
    with pytest.raises(
        OutOfMemoryError, match=r"6×6×6 voxels needs about .* GiB but 0\.0 GiB are free on cpu.*roi="
    ):
        method("gradient").attribute(p)
    assert p.model.module.seen == []
    assert sizes.available_bytes(torch.device("cpu")) > 1 << 20


def test_a_network_that_fake_tensors_cannot_run_has_no_footprint_and_still_works():
    class Stubborn(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = smooth_segmenter(3)

        def forward(self, x):
            return self.net(x) * float(x.detach().abs().sum().item() >= 0)

    p = Problem(Model(Stubborn(), spatial_dims=3), random_case((6, 6, 6)), PredictedRegion(class_name=1))
    assert method("gradient").attribute(p).answers[0].status == "ok"


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("after", [1, 3])
def test_progress_that_raises_cancels_and_everything_is_as_it_was(name, after):
    class Cancelled(Exception):
        pass

    calls = []

    def progress(what, done, total):
        assert 0 <= done <= total
        calls.append((what, done, total))
        if len(calls) > limit:
            raise Cancelled

    limit = 10**6
    p = problem(batch=2, progress=progress)
    assert calls[-1][0] == "prediction" and calls[-1][1] == calls[-1][2]
    module = p.model.module
    module.train()
    weights = {k: (v, v.data_ptr(), v.stride(), v.clone()) for k, v in module.named_parameters()}
    limit = len(calls) + after
    with pytest.raises(Cancelled):
        method(name, **METHODS[name]).attribute(p)
    assert all(m.training for m in module.modules())
    assert not any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in module.modules())
    for key, value in module.named_parameters():
        same, pointer, stride, copy = weights[key]
        assert (
            value is same and value.data_ptr() == pointer and value.stride() == stride and value.requires_grad
        )
        assert torch.equal(value, copy)
    limit = 10**6
    again = method(name, **METHODS[name]).attribute(p)
    fresh = method(name, **METHODS[name]).attribute(problem(batch=2))
    for t in range(3):
        assert torch.equal(again.values(t), fresh.values(t)), "a cancelled run leaves nothing behind"


class Rigid(nn.Module):
    """An exported network: exactly so many samples at once."""

    def __init__(self, size):
        super().__init__()
        self.net, self.size = smooth_segmenter(3), size

    def forward(self, x):
        if len(x) != self.size:
            raise RuntimeError(f"expected a batch of {self.size}")
        return self.net(x)


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("name", ["gradient", "smoothgrad", "occlusion", "integrated_gradients"])
def test_a_fixed_batch_gives_the_same_maps(size, name):
    model = Model(Rigid(size), spatial_dims=3, channels_in=1, fixed_batch=size, windows=WINDOWS)
    found = method(name, **METHODS[name]).attribute(
        Problem(model, random_case((9, 7, 10)), AllClasses(background=True))
    )
    truth = method(name, **METHODS[name]).attribute(problem())
    for t in range(3):
        torch.testing.assert_close(found.values(t), truth.values(t), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("size", [2, 3, 7])
@pytest.mark.parametrize("count", [0, 1, 2, 7, 8, 9])
def test_chunks_cut_everything_once_and_leave_none_alone(count, size):
    runs = chunks(count, size)
    assert [i for r in runs for i in range(r.start, r.stop)] == list(range(count))
    lengths = [r.stop - r.start for r in runs]
    assert all(n > 1 for n in lengths) or count == 1
    assert all(n <= size + 1 for n in lengths)


def test_passes_add_and_subtract():
    assert Passes(3, 2) + Passes(1, 1) - Passes(2, 0) == Passes(2, 3)


def test_impossible_batches_and_seeds_are_refused():
    with pytest.raises(InputError, match="batch: found 0"):
        problem(batch=0)
    with pytest.raises(InputError, match="seed: found -1"):
        problem(seed=-1)


class Tight(nn.Module):
    """A network whose backward pass runs out of memory once, in the middle of serving a batch's targets."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.net, self.left = smooth_segmenter(3), at

    def forward(self, x):
        z = self.net(x)
        if z.requires_grad:
            z.register_hook(self.count)
        return z

    def count(self, gradient):
        self.left -= 1
        if self.left == 0:
            raise torch.OutOfMemoryError("CUDA out of memory")


@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize("score", ["logit", "probability"])
@pytest.mark.parametrize(
    "name", ["gradient", "smoothgrad", "vargrad", "integrated_gradients", "grad_cam", "hires_cam"]
)
def test_nothing_counts_twice_when_memory_runs_out_in_a_later_backward_pass(name, score, at):
    """A target that was served before the failure must not be served again by the smaller batch."""
    parameters = {
        **METHODS,
        "vargrad": {"draws": 3},
        "grad_cam": {"layer": "net.1"},
        "hires_cam": {"layer": "net.1"},
    }.get(name)
    if "cam" in name and score == "probability":
        score = "margin"
    answers = []
    for first in (at, -1):
        p = Problem(
            Model(Tight(-1), windows=WINDOWS),
            random_case((9, 7, 10)),
            AllClasses(background=True, score=score),
            batch=4,
        )
        p.model.module.left = first
        answers.append(method(name, **parameters).attribute(p))
        assert p.model.module.left <= 0
    for t in range(3):
        torch.testing.assert_close(answers[0].values(t), answers[1].values(t), rtol=1e-4, atol=1e-7)
        assert answers[0].answers[t].score == pytest.approx(answers[1].answers[t].score, rel=1e-5)


@pytest.mark.parametrize("score", ["logit", "probability"])
@pytest.mark.parametrize("name", ["occlusion", "feature_ablation", "feature_permutation"])
def test_progress_is_told_under_the_methods_own_name(name, score):
    """The three share their bookkeeping; several windows, so that a probability is stitched."""
    told = []
    p = Problem(
        Model(smooth_segmenter(2), spatial_dims=2, windows=WINDOWS),
        random_case((8, 9)),
        AllClasses(score=score),
        progress=lambda what, *_: told.append(what),
    )
    told.clear()
    method(name, size=5).attribute(p)
    assert {what.split()[0] for what in told} - {"stitching"} == {name}

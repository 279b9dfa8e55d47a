"""A process with a limit of its own: what is left is told, batches fit it, and memory that runs out halves them."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from voxplain.engine import footprint, process_memory
from voxplain.engine.process_memory import own_room, ran_out
from voxplain.errors import OutOfMemoryError
from voxplain.model.checks import PassError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits are those of Linux")

BEGIN = """
import resource, torch
from pathlib import Path
from torch import nn
torch.set_num_threads(1)
def used(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(l.split()[1]) << 10 for l in lines if l.startswith(name + ":"))
def limit(which, name, room):
    resource.setrlimit(which, (used(name) + room, resource.RLIM_INFINITY))
MIB = 1 << 20
"""


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_the_limit_leaves_is_what_is_free():
    out = run("""
        from voxplain.engine.footprint import available_bytes
        cpu = torch.device("cpu")
        print(available_bytes(cpu) > 400 * MIB)
        for which, name in ((resource.RLIMIT_DATA, "VmData"), (resource.RLIMIT_AS, "VmSize")):
            limit(which, name, 300 * MIB)
            left = [available_bytes(cpu)]
            held = torch.zeros(25 << 20)  # 100 MiB
            left.append(available_bytes(cpu))
            del held
            left.append(available_bytes(cpu))
            # when small pieces are freed, the C library keeps their memory for the next
            pieces = [torch.zeros(1000) for _ in range(25000)]
            left.append(available_bytes(cpu))
            last = torch.zeros(1000)
            del pieces
            left.append(available_bytes(cpu))
            resource.setrlimit(which, (MIB, resource.RLIM_INFINITY))
            left.append(available_bytes(cpu))
            resource.setrlimit(which, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            print(*(n // MIB for n in left))
    """)
    first, *lines = out.strip().splitlines()
    assert first == "True", "the limit is what binds in this test"
    assert 290 <= int(lines[0].split()[0]) <= 310
    for line in lines:
        whole, held, let_go, pieces, kept, none = map(int, line.split())
        assert whole >= 290
        assert held == pytest.approx(whole - 100, abs=2)
        assert let_go == pytest.approx(whole, abs=2)
        assert pieces <= whole - 95
        assert kept == pytest.approx(whole, abs=20)
        assert none < 150, "no more than what is freed and kept"


def test_without_a_limit_there_is_no_such_bound():
    assert own_room() == process_memory.UNLIMITED
    assert 0 < footprint.available_bytes(torch.device("cpu")) < process_memory.UNLIMITED


def test_where_the_kernel_does_not_tell_there_is_no_bound(monkeypatch):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1 << 30, 1 << 30))
    assert own_room() < 1 << 30
    monkeypatch.setattr(process_memory, "STATUS", Path("/proc/self/nothing"))
    assert own_room() == process_memory.UNLIMITED


NET = """
from voxplain.case import Case
from voxplain.engine import Problem
from voxplain.engine.footprint import footprint
from voxplain.errors import OutOfMemoryError
from voxplain.model import Model, Windows
import numpy as np
torch.manual_seed(0)
"""


def test_batches_fit_what_is_left_and_what_does_not_fit_is_refused_early():
    out = run(
        NET
        + """
net = nn.Sequential(nn.Conv3d(1, 64, 1), nn.Softplus(), nn.Conv3d(64, 3, 1))
model = Model(net, spatial_dims=3, windows=Windows(roi=32))
case = Case("noise", np.random.default_rng(0).normal(size=(1, 32, 32, 40)).astype(np.float32), None)
problem = Problem(model, case, "all+background")
each = problem.runner.footprint.gradient_bytes
limit(resource.RLIMIT_DATA, "VmData", 10 * each)
small = Problem(model, case, "all+background", prediction=problem.prediction)
print(each // MIB, problem.runner.batch, small.runner.batch)
resource.setrlimit(resource.RLIMIT_DATA, (MIB, resource.RLIM_INFINITY))
try:
    problem.runner.check_room(gradient=True)
except OutOfMemoryError as error:
    print(error)
"""
    )
    batches, refusal = out.strip().splitlines()
    each, whole, small = map(int, batches.split())
    assert each >= 16 and whole == 16
    assert 5 <= small <= 8, "0.6 of the room for ten samples"
    assert "32×32×32 voxels needs about" in refusal and "are free on cpu" in refusal


HALVED = """
from voxplain.engine.passes import Passes
from voxplain.engine.runner import Runner
from voxplain.model.checks import out_of_memory

class Hungry(nn.Module):
    '''Takes 32 MiB per sample.'''
    def forward(self, x):
        self.seen.append(len(x))
        return (x.expand(len(x), 256, *x.shape[2:]) * self.weight).sum(1, keepdim=True).tanh()

net = Hungry()
net.weight, net.seen = nn.Parameter(torch.linspace(-0.01, 0.02, 256)[:, None, None, None]), []
model = Model(net, spatial_dims=3, channels_in=1, task="segmentation", fixed_shape=(32, 32, 32))
x = torch.rand(16, 1, 32, 32, 32)

def outputs():
    net.seen = []
    runner, out = Runner(model, (1, 32, 32, 32), batch=16), []
    net.seen.clear()
    def work(batch):
        with torch.no_grad():
            out.extend(runner.forward(x[batch]).unbind())
    runner.each(range(16), work, "test")
    return torch.stack(out), runner.batch, list(net.seen)

truth, whole, _ = outputs()
limit(resource.RLIMIT_DATA, "VmData", 200 * MIB)
try:
    model.forward(x)
except RuntimeError as error:
    print(type(error).__name__, out_of_memory(error))
found, batch, seen = outputs()
print(whole, batch, *seen)
print(float((found - truth).abs().max()), float(truth.abs().max()) > 0.01)
"""


def test_memory_that_really_runs_out_halves_the_batch_and_changes_no_number():
    out = run(NET + HALVED)
    raised, sizes, numbers = out.strip().splitlines()
    assert raised == "RuntimeError True"
    whole, batch, *seen = map(int, sizes.split())
    assert (whole, batch) == (16, 4)
    assert seen == [16, 8, 4, 4, 8, 4, 4]
    difference, there = numbers.split()
    assert float(difference) < 1e-6 and there == "True"


SHORT = ["could not create a primitive", "could not execute a primitive\nException raised from …"]


@pytest.mark.parametrize("text", SHORT)
def test_onednn_in_need_of_memory_is_understood_also_when_the_network_is_blamed(text):
    error = RuntimeError(text)
    assert ran_out(error)
    blamed = PassError("the network failed")
    blamed.__cause__ = error
    assert ran_out(blamed)


def test_other_failures_are_not_taken_for_lack_of_memory():
    unsupported = RuntimeError(
        "could not create a primitive descriptor for a convolution forward propagation primitive"
    )
    for error in (
        unsupported,
        RuntimeError(""),
        PassError("could not create a primitive"),
        ValueError(SHORT[0]),
    ):
        assert not ran_out(error)
    assert not ran_out(OutOfMemoryError("one sample does not fit")), (
        "what cannot be mended by a smaller batch"
    )
    assert ran_out(MemoryError()) and ran_out(torch.OutOfMemoryError("CUDA out of memory"))

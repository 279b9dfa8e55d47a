"""Networks with gradient checkpointing answer as the same ones without."""

from __future__ import annotations

import threading

import pytest
import torch
from networks import random_case
from torch import nn
from torch.utils import checkpoint as machinery
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

from voxplain.attribution import method
from voxplain.engine import Problem
from voxplain.engine.checkpointing import not_checkpointed
from voxplain.model import Model


class Checkpointed(nn.Module):
    """Three convolutions, the second and third behind a checkpoint of some form."""

    def __init__(self, form: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.form = form
        self.a, self.b, self.c = nn.Conv2d(1, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 1)
        self.head = nn.Linear(4, 3)

    def block(self, y: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.c(torch.relu(self.b(y))))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.a(x))
        if self.form == "sequential":
            y = checkpoint_sequential([self.b, nn.ReLU(), self.c, nn.ReLU()], 2, y, use_reentrant=True)
        elif self.form == "plain":
            y = self.block(y)
        else:
            y = checkpoint(self.block, y, use_reentrant=self.form == "reentrant")
        return self.head(y.mean((2, 3)))


METHODS = {
    "gradient": {},
    "grad_cam": {"layer": "b"},
    "layer_conductance": {"layer": "c", "nodes": 2},
    "neuron_gradient": {"layer": "c"},
    "guided_backprop": {},
    "lrp": {},
    "deep_lift": {},
    "excitation_backprop": {},
}


@pytest.mark.parametrize("form", ["reentrant", "not reentrant", "sequential"])
@pytest.mark.parametrize("name", METHODS)
def test_a_checkpoint_changes_no_answer(name, form):
    found = []
    for kind in (form, "plain"):
        p = Problem(Model(Checkpointed(kind).eval(), spatial_dims=2), random_case((12, 12)), ["predicted"])
        found.append(method(name, **METHODS[name]).attribute(p).values(0))
    torch.testing.assert_close(*found, rtol=0, atol=0)


def test_checkpointing_is_as_before_afterwards_whichever_thread_ends_first():
    own = machinery.CheckpointFunction
    first_is_in, second_is_in, first_is_out = (threading.Event() for _ in range(3))

    def first() -> None:
        with not_checkpointed():
            first_is_in.set()
            second_is_in.wait(10)
        first_is_out.set()

    thread = threading.Thread(target=first)
    thread.start()
    assert first_is_in.wait(10)
    with not_checkpointed():
        second_is_in.set()
        assert first_is_out.wait(10)
        assert machinery.CheckpointFunction is not own
    thread.join()
    assert machinery.CheckpointFunction is own
    with pytest.raises(ZeroDivisionError), not_checkpointed():
        raise ZeroDivisionError
    assert machinery.CheckpointFunction is own

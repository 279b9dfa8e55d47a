"""A problem made afresh answers as if nothing had been asked before, and leaves no trace."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import classifier, random_case, smooth_segmenter
from torch import nn
from torch.nn import functional as F

from voxplain.attribution import method
from voxplain.case import Case
from voxplain.engine import Problem
from voxplain.engine.passes import Passes
from voxplain.engine.reweighted import with_module
from voxplain.errors import InputError
from voxplain.model import Model, Windows
from voxplain.target import AllClasses, ClassScore

WINDOWS = Windows(roi=6, overlap=0.5)
B = {
    "gradient": {},
    "smoothgrad": {"draws": 3},
    "occlusion": {"size": 4},
    "kernel_shap": {"size": 4, "samples": 64},
    "grad_cam": {"layer": "net.1"},
}


class Watched(nn.Module):
    """Notes the size of every batch, and has no memory for more than ``most`` samples."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net, self.most, self.seen = net, 99, []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if len(x) > self.most:
            raise torch.OutOfMemoryError("out of memory (injected)")
        self.seen.append(len(x))
        return self.net(x)


class Coupled(nn.Module):
    """Takes another way where the whole batch is dark."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = nn.Conv2d(1, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)
        self.h, self.threshold = nn.Linear(6, 3), 0.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.a(x))
        y = F.relu(self.b(y)) if float(y.detach().mean()) > self.threshold else y
        return self.h(y.mean((2, 3)))


def problem(**kwargs):
    model = Model(Watched(smooth_segmenter(3)), spatial_dims=3, windows=WINDOWS)
    return Problem(model, random_case((9, 7, 10)), AllClasses(background=True), batch=4, **kwargs)


def coupled():
    net = Coupled().eval()
    image = np.abs(np.random.default_rng(0).normal(size=(1, 16, 16))).astype(np.float32) + 0.5
    with torch.no_grad():
        net.threshold = float(F.relu(net.a(torch.from_numpy(image)[None])).mean()) - 1e-3
    model = Model(Watched(net), spatial_dims=2)
    return Problem(model, Case("bright", image, None), [ClassScore(class_name=c) for c in range(3)], batch=8)


def answer(p, name, parameters):
    """Maps, batches and passes of a method."""
    p.model.module.seen = []
    found = method(name, **parameters).attribute(p)
    return [found.values(t) for t in p.present], list(p.model.module.seen), p.passes.copy(), found.passes


def assert_same(one, other):
    assert all(torch.equal(a, b) for a, b in zip(one[0], other[0], strict=True))
    assert one[1:] == other[1:]


@pytest.mark.parametrize("name", B)
def test_memory_that_ran_out_before_changes_nothing(name):
    alone = problem()
    clean = alone.clean_scores().clone()
    truth = answer(alone.afresh(clean=clean), name, B[name])

    p = problem()
    before = p.afresh(clean=clean)
    p.model.module.most = 2
    method("smoothgrad", draws=2).attribute(before)
    assert before.runner.batch == 2
    p.model.module.most = 99
    assert_same(answer(p.afresh(clean=clean), name, B[name]), truth)
    assert max(truth[1]) > 2, "in batches that memory would not have held"


@pytest.mark.parametrize("name", ["occlusion", "feature_ablation", "gradient", "smoothgrad"])
@pytest.mark.filterwarnings("ignore:.*answers differently when samples share")
def test_a_network_that_proved_to_couple_its_samples_changes_nothing(name):
    parameters = {"smoothgrad": {"draws": 3}, "gradient": {}}.get(name, {"size": 8})
    alone = coupled()
    clean = alone.clean_scores().clone()
    truth = answer(alone.afresh(clean=clean), name, parameters)

    p = coupled()
    before = p.afresh(clean=clean)
    with pytest.warns(UserWarning, match="answers differently"):
        method("occlusion", size=8).attribute(before)
    assert before.runner.fixed == before.model.fixed_batch == 1
    assert p.model.fixed_batch is None and p.runner.fixed is None
    after = p.afresh(clean=clean)
    assert after.model.fixed_batch is None and after.runner.fixed is None
    assert_same(answer(after, name, parameters), truth)


def test_the_problem_itself_may_have_given_way():
    """Whatever was done with the problem that the afresh ones come from."""
    p = problem()
    truth = answer(p.afresh(), "gradient", {})
    p.run_one_by_one()
    p.runner.keep_layout()
    p.clean_scores()
    p.once("key", lambda: 1)
    q = p.afresh()
    assert not q.knows_clean_scores and not q.has_done("key")
    assert_same(answer(q, "gradient", {}), truth)
    assert p.runner.batch == p.model.fixed_batch == 1, "and it stays so"


def test_a_fixed_batch_stays():
    model = Model(smooth_segmenter(3), spatial_dims=3, windows=WINDOWS, fixed_batch=3)
    q = Problem(model, random_case((9, 7, 10)), AllClasses()).afresh()
    assert q.runner.fixed == q.runner.batch == q.model.fixed_batch == 3


def test_passes_are_counted_apart():
    p = problem()
    made = p.passes.copy()
    q, r = p.afresh(), p.afresh()
    assert q.passes == r.passes == Passes()
    method("gradient").attribute(q)
    assert q.passes == Passes(len(p.plan), q.passes.backward) and q.passes.backward
    assert r.passes == Passes() and p.passes == made


def test_nothing_is_remembered_on_either_side():
    p = problem()
    p.layer("net.1")
    p.once("of all", lambda: 0)
    q, r = p.afresh(), p.afresh()
    q.once("of one", lambda: 1)
    q.clean_scores()
    q.layer()
    for other in (p, r, p.afresh()):
        assert not other.has_done("of one") and not other.knows_clean_scores
        assert not other.has_done("default layer")
    assert not q.has_done("of all")
    assert q.targets is p.targets and q.image is p.image and q.plan is p.plan and q.prediction is p.prediction


def test_clean_scores_may_be_given():
    p = problem()
    clean = p.clean_scores().clone()
    q = p.afresh(clean=clean)
    assert q.knows_clean_scores and torch.equal(q.clean_scores(), clean) and q.passes == Passes()
    with pytest.raises(InputError, match=r"random: found clean scores of shape \(2,\), expected \(3,\)"):
        p.afresh(clean=clean[:2])


def test_the_layout_of_weights_is_what_the_making_showed():
    p = problem()
    q = p.afresh()
    assert q.runner.keep_layout(), "it was the faster one"
    assert p.afresh().runner.keep_layout(), "and it is again"


class FromOutside(nn.Module):
    """Flattens a convolution's weights, and lets no fake tensor through, so that only the prediction shows it."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv3d(1, 4, 3, padding=1), nn.Conv3d(4, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        w = self.b.weight.view(3, -1) * (1 if float(x.detach().abs().max()) < 1e9 else 2)
        return F.conv3d(self.a(x).tanh(), w.view_as(self.b.weight), padding=1)


def test_what_was_learned_while_it_was_made_stays():
    p = Problem(Model(FromOutside(), spatial_dims=3), random_case((8, 7, 6)), "all+background")
    q = p.afresh()
    assert not q.runner.keep_layout()
    assert method("gradient").attribute(q).answers[0].status == "ok"


def test_other_images_and_other_weights_are_kept():
    p = Problem(Model(classifier(2), spatial_dims=2), random_case((8, 9)), AllClasses(), seed=3)
    image = torch.randn(p.image.shape, generator=torch.Generator().manual_seed(1))
    second = classifier(2, seed=5)
    at, reweighted = p.at(image, seed=8), with_module(p, second)
    assert torch.equal(at.afresh().clean_scores(), at.clean_scores()) and at.afresh().seed == 8
    assert torch.equal(reweighted.afresh().clean_scores(), reweighted.clean_scores())
    assert not torch.equal(reweighted.afresh().clean_scores(), p.clean_scores())
    q = p.afresh()
    assert with_module(q, second).passes is q.passes and q.at(image).passes is q.passes

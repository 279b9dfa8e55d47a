"""Another module in the place of the model's, and the order in which weights are used."""

from __future__ import annotations

import copy

import pytest
import torch
from networks import classifier, random_case, smooth_segmenter
from torch import nn

from voxplain.attribution import method
from voxplain.engine import Problem
from voxplain.engine.reweighted import with_module
from voxplain.engine.weight_order import weight_order_cost, weights_in_order
from voxplain.model import Model, Windows
from voxplain.target import AllClasses


def problem(net, shape=(8, 9, 7), **kwargs):
    dims = len(shape)
    model = Model(net.double(), spatial_dims=dims, **kwargs)
    return Problem(model, random_case(shape), AllClasses(background=True), dtype=torch.float64)


def test_regions_stay_those_of_the_first_network_and_the_gradient_is_that_of_the_second():
    """Brute force: the second network's mean logit over where the *first* one found the class."""
    p = problem(smooth_segmenter(3), windows=Windows(roi=None))
    second = smooth_segmenter(3, seed=5).double()
    q = with_module(p, second)

    x = p.image.clone()[None].requires_grad_()
    first, z = p.model.module(x.detach())[0].argmax(0), second(x)[0]
    assert not torch.equal(first, z.argmax(0))
    found = method("gradient").attribute(q)
    for t in range(3):
        score = z[t][first == t].mean()
        (truth,) = torch.autograd.grad(score, x, retain_graph=True)
        torch.testing.assert_close(found.values(t), truth[0], rtol=1e-10, atol=1e-13)
        assert found.answers[t].score == pytest.approx(float(score.detach()), rel=1e-10)


def test_the_first_problem_goes_on_as_it_was():
    p = problem(smooth_segmenter(3), windows=Windows(roi=6, overlap=0.5))
    clean, map_before = p.clean_scores().clone(), method("gradient").attribute(p).values(1).clone()
    q = with_module(p, smooth_segmenter(3, seed=5).double())
    before = p.passes.copy()
    assert not torch.allclose(q.clean_scores(), clean)
    assert (p.passes - before).forward == len(p.plan.windows(p.present))
    assert q.targets is p.targets
    assert q.plan is p.plan
    assert torch.equal(p.clean_scores(), clean)
    assert torch.equal(method("gradient").attribute(p).values(1), map_before)


def test_a_copy_with_the_same_weights_gives_the_same_map_bit_by_bit_also_of_a_layer():
    p = problem(classifier(2), (8, 9))
    q = with_module(p, copy.deepcopy(p.model.module))
    for name in ("gradient", "grad_cam", "guided_backprop", "lrp"):
        a, b = (method(name).attribute(one) for one in (p, q))
        assert all(torch.equal(a.values(t), b.values(t)) for t in range(3))


def test_the_other_module_is_frozen_while_it_is_asked_and_given_back_training():
    p = problem(classifier(2), (8, 9))
    second = nn.Sequential(nn.Dropout(0.9), classifier(2, seed=3)).double().train()
    q = with_module(p, second)
    assert torch.equal(q.scores([p.image]), q.scores([p.image]))
    assert second.training
    assert all(w.requires_grad for w in second.parameters())


class OutOfOrder(nn.Module):
    """Registered in another order than used; one weight is used by a function, one twice, one never."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Linear(6, 3)
        self.never = nn.Linear(2, 2)
        self.twice = nn.Conv2d(4, 4, 1)
        self.by_function = nn.Conv2d(4, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.first = nn.Conv2d(1, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.twice(self.norm(self.first(x)))
        x = self.twice(torch.tanh(x))
        x = nn.functional.conv2d(x, self.by_function.weight, self.by_function.bias)
        return self.head(x.mean((2, 3)))


def order(p):
    when = {}
    for name, number in weights_in_order(p).items():
        layer = name.rpartition(".")[0]
        when[layer] = max(number, when.get(layer, 0))
    return sorted(when, key=lambda name: when[name])


USED = ["first", "norm", "twice", "by_function", "head"]


def test_weights_come_in_the_order_of_use_whoever_uses_them():
    p = problem(OutOfOrder(), (8, 9))
    assert order(p) == USED
    assert {"norm.running_mean", "norm.running_var"} < set(weights_in_order(p))


def test_the_order_of_a_torchscript_network_is_seen_too():
    net = OutOfOrder().double().eval()
    p = problem(torch.jit.trace(net, torch.rand(1, 1, 8, 9).double()), (8, 9))
    assert order(p) == USED


def test_attention_uses_its_projections_in_order():
    class Attends(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(8, 2)
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.embed = nn.Conv2d(1, 8, 4, stride=4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.embed(x).flatten(2).transpose(1, 2)
            return self.head(self.attention(x, x, x)[0].mean(1))

    assert order(problem(Attends(), (8, 8))) == ["embed", "attention", "attention.out_proj", "head"]


def test_the_order_costs_one_pass_once():
    p = problem(OutOfOrder(), (8, 9))
    assert weight_order_cost(p) == 1
    before = p.passes.copy()
    weights_in_order(p)
    weights_in_order(p)
    assert (p.passes - before).forward == 1
    assert weight_order_cost(p) == 0

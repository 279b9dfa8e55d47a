"""The map of a network that explains itself is the network's own account, held against its score."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from networks import classifier, random_case, self_explaining, smooth_segmenter
from torch import Tensor, nn

import voxplain as vx
from voxplain.attribution import Evidence, method
from voxplain.case import Case
from voxplain.engine import Problem
from voxplain.errors import ModelError, TargetError
from voxplain.inherent import EvidenceClassifier, GPUNet, wrap
from voxplain.target import AllClasses, ClassScore

SHAPES = {2: (9, 7), 3: (6, 5, 4)}


def asked(net: nn.Module, shape: tuple[int, ...], targets: object = None, **how: object) -> Problem:
    model = vx.load_model(net, spatial_dims=len(shape), task="classification", **how)
    return Problem(model, random_case(shape), targets or AllClasses(background=True))


class Doubled(nn.Module):
    """Logits Σ x and −2 Σ x, with their shares by hand; ``lost`` of every share is left out."""

    def __init__(self, lost: float = 0.0, outputs: int = 2) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0, -2.0])[:outputs].reshape(1, -1, 1, 1))
        self.lost = lost

    def forward(self, x: Tensor) -> Tensor:
        return (self.weight * x).sum((2, 3))

    def explain(self, x: Tensor) -> SimpleNamespace:
        return SimpleNamespace(contribution=(1 - self.lost) * self.weight * x)


def test_the_map_is_what_the_network_says_and_sums_to_the_score() -> None:
    p = asked(Doubled(), (4, 5))
    found = Evidence().attribute(p)
    for t, factor in enumerate((1, -2)):
        np.testing.assert_allclose(found.map(t)[0], factor * p.case.image[0], rtol=1e-6)
        assert found.answers[t].checks["completeness_gap"] < 1e-5
        assert not found.answers[t].note


def test_a_map_that_leaves_something_out_says_so() -> None:
    found = Evidence().attribute(asked(Doubled(lost=0.25), (4, 5)))
    for answer in found.answers:
        assert answer.checks["completeness_gap"] == pytest.approx(0.25, rel=1e-4)
        assert "the rest is decided by something" in answer.note


def test_a_margin_is_the_difference_of_two_maps() -> None:
    p = asked(self_explaining(2), (9, 7), AllClasses(background=True, score="margin"))
    found = Evidence().attribute(p)
    with torch.no_grad():
        shares = p.model.module.explain(torch.from_numpy(p.case.image)[None])
    order = shares.logits[0].argsort(descending=True).tolist()
    for t, target in enumerate(p.targets):
        rival = order[1] if target.class_index == order[0] else order[0]
        expected = shares.contribution[0, target.class_index] - shares.contribution[0, rival]
        np.testing.assert_allclose(found.map(t)[0], expected.numpy(), atol=1e-6)
        assert found.answers[t].checks["completeness_gap"] < 1e-4


def test_one_logit_speaks_for_two_classes() -> None:
    p = asked(Doubled(outputs=1), (4, 5), output="binary")
    found = Evidence().attribute(p)
    np.testing.assert_allclose(found.map(0)[0], -p.case.image[0], rtol=1e-6)
    np.testing.assert_allclose(found.map(1)[0], p.case.image[0], rtol=1e-6)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("pool", ["mean", "max", "topk", "lse", "softmax", "noisy_or"])
def test_maps_of_gp_networks_sum_to_the_score(pool: str, dims: int) -> None:
    torch.manual_seed(0)
    net = GPUNet(1, 3, spatial_dims=dims, widths=(4, 6), pool=pool)
    found = Evidence().attribute(asked(net, SHAPES[dims]))
    for t, answer in enumerate(found.answers):
        assert answer.status == "ok"
        assert answer.checks["completeness_gap"] < 1e-4
        assert found.map(t).shape == (1, *SHAPES[dims])
    assert (found.passes.forward, found.passes.backward) == (2, 0)


def test_the_published_form_tells_what_its_map_leaves_unexplained() -> None:
    """By hand: logit = w·max(f) + b, of which the map explains its own maximum."""
    torch.manual_seed(0)
    net = EvidenceClassifier(nn.Conv2d(1, 4, 3, padding=1), 4, 3, "max", spatial_dims=2, pool_at="before")
    p = asked(net, (9, 7))
    found = Evidence().attribute(p)
    with torch.no_grad():
        f = net.backbone(torch.from_numpy(p.case.image)[None])[0].flatten(1)
        weight, bias = net.readout.weight[..., 0, 0], net.readout.bias
        logits, shown = weight @ f.amax(1) + bias, (weight @ f + bias[:, None]).amax(1)
    for t, answer in enumerate(found.answers):
        expected = float((logits[t] - shown[t]).abs() / logits[t].abs())
        assert answer.checks["completeness_gap"] == pytest.approx(expected, rel=1e-3)
    assert any("pooling before the read-out" in a.note for a in found.answers)


def test_bf16_keeps_the_sum() -> None:
    p = asked(self_explaining(2), (9, 7), precision="bf16")
    for answer in Evidence().attribute(p).answers:
        assert answer.checks["completeness_gap"] < 1e-4


def test_double_precision_is_exact() -> None:
    model = vx.load_model(self_explaining(2).double(), spatial_dims=2, task="classification")
    p = Problem(model, random_case((9, 7)), AllClasses(background=True), dtype=torch.float64)
    for answer in Evidence().attribute(p).answers:
        assert answer.checks["completeness_gap"] < 1e-12


def test_a_wrapped_network_is_explained_by_its_own_map_and_by_others() -> None:
    from monai.networks.nets import UNet

    net = wrap(UNet(2, 1, 3, channels=(4, 6, 8), strides=(2, 2)), 3)
    p = asked(net, (13, 10), [ClassScore(class_name=1)])
    for name in ("evidence", "gradient", "integrated_gradients", "grad_cam"):
        (answer,) = method(name).attribute(p).answers
        assert answer.status == "ok", name


@pytest.mark.parametrize(("net", "message"), [
    (classifier(2), "Sequential does not explain itself.*EvidenceClassifier"),
    (smooth_segmenter(2), "does segmentation; it supports"),
])  # fmt: skip
def test_other_networks_are_refused(net: nn.Module, message: str) -> None:
    p = Problem(vx.load_model(net), random_case((9, 7)), AllClasses(background=True))
    with pytest.raises(ModelError, match=f"method evidence: .*{message}"):
        Evidence().attribute(p)


def test_a_network_that_explains_otherwise_is_refused() -> None:
    class Other(Doubled):
        def explain(self, x: Tensor) -> object:
            return {"text": "because"}

    with pytest.raises(ModelError, match=r"Other: the contribution of its explain\(x\) is none in dict"):
        Evidence().attribute(asked(Other(), (4, 5)))


def test_a_network_whose_explanation_fails_says_why() -> None:
    class Broken(Doubled):
        def explain(self, x: Tensor) -> object:
            raise ZeroDivisionError("the fuse")

    with pytest.raises(ModelError, match=r"Broken: its explain\(x\) failed.*the fuse"):
        Evidence().attribute(asked(Broken(), (4, 5)))


def test_probabilities_are_no_sum_over_places() -> None:
    p = asked(self_explaining(2), (9, 7), [ClassScore(class_name=1, score="probability")])
    with pytest.raises(TargetError, match="asks for the probability"):
        Evidence().attribute(p)


def test_the_network_is_left_as_it_was() -> None:
    net = self_explaining(2).train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    Evidence().attribute(asked(net, (9, 7)))
    assert net.training and all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert all(q.requires_grad for q in net.parameters())


def test_public_name() -> None:
    assert vx.Evidence is Evidence
    assert isinstance(Case("a", np.zeros((1, 2, 2), np.float32)), vx.Case)

"""The contract of `EvidenceClassifier`, and the room's lazy names."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

import voxplain.inherent as room
from voxplain.errors import InputError
from voxplain.inherent import EvidenceClassifier, Mean


def made(**how: object) -> EvidenceClassifier:
    torch.manual_seed(0)
    backbone = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU())
    return EvidenceClassifier(backbone, 4, 3, **{"pool": "max", "spatial_dims": 2, **how})


def image() -> Tensor:
    return torch.randn(2, 1, 6, 5, generator=torch.Generator().manual_seed(0))


def test_pooling_before_a_read_out_is_the_same_for_the_mean_alone() -> None:
    """Mean and read-out are both linear, so that they commute; max and read-out do not."""
    x = image()
    after, before = made(pool="mean"), made(pool="mean", pool_at="before")
    torch.testing.assert_close(after(x), before(x))
    assert float(before.explain(x).residual.abs().max()) < 1e-6
    assert not torch.allclose(made()(x), made(pool_at="before")(x))


def test_the_residual_is_what_the_map_does_not_explain() -> None:
    net = made(pool_at="before")
    found = net.explain(image())
    expected = found.logits - found.evidence.flatten(2).amax(2)
    torch.testing.assert_close(found.residual, expected)
    assert not found.faithful
    torch.testing.assert_close(found.relative_residual(), expected.abs() / found.logits.abs().clamp_min(1))


def test_a_faithful_residual_is_rounding() -> None:
    assert float(made(pool="lse").explain(image()).residual.abs().max()) < 1e-5


def test_a_mask_reaches_the_pool_wherever_it_is() -> None:
    x = image()
    mask = torch.zeros(2, 1, 6, 5, dtype=torch.bool)
    mask[..., 1:3, 2:4] = True
    for where in ("after", "before"):
        net = made(pool_at=where, pool="lse")
        features = net.backbone(x)[..., 1:3, 2:4]
        expected = made(pool_at=where, pool="lse")
        expected.backbone = nn.Identity()
        torch.testing.assert_close(net(x, mask), expected(features))
        shares = net.explain(x, mask).contribution
        assert not shares[~mask.expand_as(shares)].any() and shares[mask.expand_as(shares)].all()


def test_losses_may_ask_something_of_the_map() -> None:
    net = made(pool="lse")
    logits, evidence = net.logits_and_evidence(image())
    (logits.sum() + evidence.abs().mean()).backward()
    assert all(p.grad is not None for p in net.parameters())
    assert not net.explain(image()).evidence.requires_grad


def test_one_logit_and_many_labels() -> None:
    torch.manual_seed(0)
    net = EvidenceClassifier(nn.Conv2d(1, 2, 1), 2, 1, Mean(), spatial_dims=2, multi_label=True)
    assert net(image()).shape == (2, 1) and net.multi_label


@pytest.mark.parametrize(("how", "message"), [
    ({"pool_at": "between"}, "pool_at: found 'between'"),
    ({"spatial_dims": 1}, "spatial_dims: found 1"),
    ({"read_out": False}, "read_out=False: found 4 features and 3 classes"),
    ({"pool": "topk:share=2"}, "pool topk: found share=2"),
])  # fmt: skip
def test_arguments_that_cannot_be(how: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        made(**how)


def test_there_is_no_pooling_before_a_read_out_that_is_not_there() -> None:
    with pytest.raises(InputError, match="pool_at='before': there is no read-out"):
        EvidenceClassifier(nn.Identity(), 3, 3, spatial_dims=2, read_out=False, pool_at="before")


def test_inputs_and_features_of_another_shape_are_refused() -> None:
    with pytest.raises(
        InputError, match=r"found an input of shape \(1, 6, 5\), expected \(N, C, \*spatial\) with 2"
    ):
        made()(torch.zeros(1, 6, 5))
    net = EvidenceClassifier(nn.Conv2d(1, 5, 3), 4, 3, spatial_dims=2)
    with pytest.raises(InputError, match=r"Conv2d: its features are \(2, 5, 4, 3\), expected \(2, 4, 6, 5\)"):
        net(image())


def test_importing_the_room_loads_no_torch() -> None:
    code = "import voxplain.inherent, sys; print('torch' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"


def test_every_name_of_the_room_is_there() -> None:
    for name in room.__all__:
        assert getattr(room, name) is not None and name in dir(room)
    with pytest.raises(AttributeError, match="explain_all"):
        room.explain_all  # noqa: B018

"""Prediction in order, with evidence where there is some, leaving the network as it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from inherent_samples import network, patches
from torch import nn

from voxplain.case import Geometry, write_array
from voxplain.errors import ModelError
from voxplain.inherent.data import Sample
from voxplain.inherent.training import predict
from voxplain.model import Preparation


class Map(nn.Module):
    """Evidence is a convolution, the logits are its mean."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.read = nn.Conv2d(1, 3, 3, padding=1)
        self.drop = nn.Dropout(0.9)

    def evidence(self, x):
        return self.read(self.drop(x))

    def forward(self, x):
        return self.evidence(x).mean((2, 3))


def test_logits_come_in_order_and_do_not_depend_on_the_batch():
    samples, module = patches(), network().eval()
    alone = [module(torch.from_numpy(s.image)[None])[0] for s in samples]
    for batch in (1, 5, 48):
        found = list(predict(module, samples, batch=batch))
        assert [p.sample.id for p in found] == [s.id for s in samples]
        torch.testing.assert_close(torch.stack([p.logits for p in found]), torch.stack(alone).detach())
        assert all(p.evidence is None for p in found)


def test_evidence_makes_the_logits_and_the_modes_come_back():
    module = Map().train()
    module.drop.eval()
    for predicted in predict(module, patches()[:5]):
        assert predicted.evidence.shape == (3, 12, 12)
        torch.testing.assert_close(predicted.evidence.mean((1, 2)), predicted.logits)
    assert module.training and not module.drop.training and module.read.training
    with pytest.raises(ModelError, match="Sequential has no method evidence"):
        predict(network(), patches(), evidence=True)


def test_sizes_may_differ_and_maps_find_the_way_home(tmp_path):
    rng = np.random.default_rng(0)
    grid = Geometry(np.diag([1.0, 2, 3, 1]), (10, 12, 4))
    write_array(tmp_path / "v.nii.gz", rng.normal(size=grid.shape).astype(np.float32), grid)
    samples = [
        Sample("slice", tmp_path / "v.nii.gz", -1, "p", slice=(2, 1)),
        Sample("array", rng.normal(size=(1, 9, 9)), -1, "q"),
        Sample("slice2", tmp_path / "v.nii.gz", -1, "p", slice=(2, 3)),
    ]
    found = list(predict(Map(), samples, preparation=Preparation(scale="zscore"), batch=2))
    assert [tuple(p.evidence.shape) for p in found] == [(3, 10, 12), (3, 9, 9), (3, 10, 12)]
    assert found[2].prepared.restore(found[2].evidence).shape == (3, 10, 12, 1)
    assert found[0].prepared.case.id == "slice-k1"


def test_bf16_is_close():
    samples = patches()[:4]
    exact, half = (
        torch.stack([p.logits for p in predict(Map(), samples, precision=q)]) for q in ("fp32", "bf16")
    )
    assert half.dtype == torch.float32 and not torch.equal(exact, half)
    torch.testing.assert_close(exact, half, atol=0.02, rtol=0.02)

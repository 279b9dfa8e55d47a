"""Where there is nothing to explain, another map is found, or none."""

from __future__ import annotations

import json

import pytest
import torch
from counterfactual_files import CLASSIFIER, config
from torch import nn

from voxplain.cli.app import run
from voxplain.counterfactual.classifier.black_box import BlackBox
from voxplain.counterfactual.classifier.decision import Decision
from voxplain.counterfactual.classifier.redrawn import redrawn
from voxplain.errors import ModelError


def test_redrawn_weights_are_the_same_in_another_order():
    network = nn.Sequential(nn.Flatten(), nn.Linear(9, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    decision = Decision(network)
    one, same, other = (redrawn(decision, seed=s) for s in (0, 0, 1))
    for name, own in decision.state_dict().items():
        assert torch.equal(own.flatten().sort()[0], one.state_dict()[name].flatten().sort()[0])
        assert torch.equal(one.state_dict()[name], same.state_dict()[name])
    weight = "classifier.1.weight"
    assert not torch.equal(one.state_dict()[weight], decision.state_dict()[weight])
    assert not torch.equal(one.state_dict()[weight], other.state_dict()[weight])
    with pytest.raises(ModelError, match="has no weights that could be drawn anew"):
        redrawn(Decision(BlackBox(lambda x: x)), seed=0)


@pytest.mark.parametrize("box", [False, True])
def test_controls_are_told(trained, capsys, box):
    who = {"source": "nets.py:box", "black_box": True, "classes": ["healthy", "diseased"], "spatial_dims": 2}
    told = {"generator": {"folder": "out/generator"}, "classifier": who if box else CLASSIFIER, "out": f"controls-{box}",
            "explain": {"device": "cpu", "most": 4, "cases": 0, "files": [], "controls": True}}  # fmt: skip
    path = config(trained, **told)
    capsys.readouterr()
    assert run(["counterfactual", "explain", str(path)]) == 0
    said = capsys.readouterr().out
    weights, answers = json.loads((trained / f"controls-{box}/explanation/summary.json").read_text())[
        "controls"
    ]
    assert answers["draws"] == answers["refused"] == 5 and answers["r2"] < 0.1 and answers["r"] < 0.7
    assert "answers exchanged between images: R²" in said and "5 of 5 would be refused" in said
    page = (trained / f"controls-{box}/report.html").read_text()
    assert "Control, answers exchanged between images" in page
    if box:
        assert (
            weights["r2"] is None
            and "not possible: a black box has no weights" in said
            and weights["remark"] in page
        )
    else:
        # the rule's windows are scattered over the image: it reads something else
        assert weights["draws"] == 5 and weights["r"] < 0.7

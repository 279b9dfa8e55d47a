"""When a classifier counts as another one, so that what was kept of it is asked again."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from voxplain.counterfactual.classifier.decision import Decision
from voxplain.counterfactual.classifier.key import decision_key
from voxplain.counterfactual.classifier.settings import ClassifierSettings


@pytest.fixture
def file(tmp_path):
    found = tmp_path / "nets.py"
    found.write_text("def net(): ...\n")
    return found


def key(file, *, order=(0, 1), **given):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    asked = ClassifierSettings(**{"source": f"{file}:net", "own_weights": True, **given})
    return decision_key(asked, Decision(network, healthy=order[0], diseased=order[1]), torch.zeros(1, 2, 2))


def test_a_classifier_is_known_again(file):
    assert key(file) == key(file)


def test_code_that_changed_is_another_classifier_though_its_weights_are_the_same(file):
    before = key(file)
    file.write_text("def net(): ...  # with the last softmax left out\n")
    assert key(file) != before


@pytest.mark.parametrize(
    "other",
    [{"order": (1, 0)}, {"head": "1"}, {"arguments": {"temperature": 2}}],
    ids=["order", "head", "arguments"],
)
def test_what_settings_make_of_the_same_weights_counts(file, other):
    assert key(file, **other) != key(file)


def test_code_of_a_bundle_counts(tmp_path):
    bundle = tmp_path / "bundle"
    (bundle / "configs").mkdir(parents=True)
    config = bundle / "configs" / "inference.json"
    config.write_text("{}")
    before = key(bundle, source=str(bundle), own_weights=False)
    config.write_text('{"network_def": 1}')
    assert key(bundle, source=str(bundle), own_weights=False) != before

"""Who takes part in a training, what it is trained for, and that it learns."""

from __future__ import annotations

import copy
import json
from collections import Counter

import numpy as np
import pytest
import torch
from simulator_runs import DECISION, PAIRS, SAMPLES, SPLIT, rule_of, settings, small_network
from torch import nn

from voxplain.counterfactual.classifier.decision import Decision
from voxplain.errors import InputError, ModelError
from voxplain.inherent.data import Images, Sample, Samples, Split
from voxplain.model import Preparation
from voxplain.simulator.losses import LossSettings
from voxplain.simulator.training import train_simulator, trained_simulator
from voxplain.simulator.training.objective import Objective
from voxplain.simulator.training.subjects import Subjects, correct
from voxplain.simulator.training.targets import Targets


class Fixed(nn.Module):
    """Logits by the image's mean: no weights to learn."""

    def forward(self, x):
        z = x.flatten(1).mean(1)
        return torch.stack([-z, z], 1)


def part(values, labels):
    items = tuple(
        Sample(f"s{i}", np.full((1, 4, 4), v), k, f"p{i}")
        for i, (v, k) in enumerate(zip(values, labels, strict=True))
    )
    return Images(Samples(items, ("healthy", "diseased")), Preparation())


def ask(images, indices, name="train"):
    return correct(images, indices, Decision(Fixed()), batch=2, device=torch.device("cpu"), name=name)


def test_only_subjects_whom_the_classifier_sees_rightly_teach():
    images = part([-1.0, -3.0, 2.0, 1.0, 5.0, -2.0], [0, 0, 0, 1, 1, 1])
    found = ask(images, range(6))
    assert found.indices == (0, 1, 3, 4)
    assert found.asked == 6
    assert found.logits.tolist() == [-2.0, -6.0, 2.0, 10.0]  # the difference of the two logits
    typical = found.typical()
    assert (typical.healthy, typical.diseased) == (-6.0, 2.0)  # torch's median is the lower one
    assert typical.gap == 8.0
    assert (typical.of(+1), typical.of(-1)) == (2.0, -6.0)


def test_a_class_of_which_nobody_is_right_is_told():
    images = part([-1.0, -3.0, -2.0], [0, 0, 1])
    with pytest.raises(InputError, match="of 1 images of class 'diseased' in train it gets none right"):
        ask(images, range(3))


def test_targets_are_logits_of_the_other_class_and_the_same_in_every_run():
    logits = torch.tensor([-5.0, -3.0, 4.0, 6.0, 8.0])
    draw = Targets(Subjects((10, 11, 12, 13, 14), logits, 5), seed=0)
    many = [draw([10, 13, 11], 0, number) for number in range(200)]
    seen = torch.stack(many)
    assert set(seen[:, 0].tolist()) == {4.0, 6.0, 8.0}
    assert set(seen[:, 1].tolist()) == {-5.0, -3.0}
    shares = Counter(seen[:, 0].tolist())
    assert min(shares.values()) > 40
    torch.manual_seed(99)
    assert torch.equal(draw([10, 13, 11], 0, 7), many[7])
    assert not torch.equal(draw([10, 13, 11], 1, 7), many[7]) or not torch.equal(
        draw([10, 13, 11], 1, 8), many[8]
    )


def test_the_decision_is_a_still_copy():
    module = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    before = copy.deepcopy(module.state_dict())
    decision = Decision(module)
    decision.train()
    x = torch.rand(3, 1, 8, 8, requires_grad=True)
    decision(x).sum().backward()
    assert x.grad.abs().max() > 0
    assert module.training
    assert all(p.requires_grad and p.grad is None for p in module.parameters())
    assert all(torch.equal(before[k], v) for k, v in module.state_dict().items())
    assert not any(p.requires_grad for p in decision.parameters())
    assert not decision.classifier.training
    reference = copy.deepcopy(module).eval()(x)
    assert torch.allclose(decision(x), reference[:, 1] - reference[:, 0])
    assert torch.allclose(Decision(module, healthy=1, diseased=0)(x), -decision(x))


def test_one_logit_is_taken_as_it_is_and_others_are_refused():
    assert Decision(nn.Sequential(nn.Flatten(), nn.Linear(4, 1)))(torch.rand(2, 1, 2, 2)).shape == (2,)
    with pytest.raises(ModelError, match=r"gives \(2, 1, 2, 2\) for 2 images, expected logits \(2, K\)"):
        Decision(nn.Identity())(torch.rand(2, 1, 2, 2))
    with pytest.raises(ModelError, match="gives 2 classes, but class 5 is asked for"):
        Decision(Fixed(), diseased=5)(torch.rand(2, 1, 2, 2))


def test_an_objective_is_the_weighted_sum_of_its_losses():
    told = LossSettings(size=500.0, bending=1e-3, cycle=2.0, gradient=0.3, brightness=0.7)
    network = small_network(brightness=True)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    objective = Objective(network, DECISION, told, 8.0)
    x = torch.from_numpy(np.stack([s.image for s in SAMPLES[:4]]))
    before, target = DECISION(x), torch.tensor([4.0, -4.0, 3.0, -2.0])
    terms = objective(x, before, target, torch.where(before > 0, -1.0, 1.0))
    wanted = terms["logit"] + 500 * terms["size"] + 1e-3 * terms["bending"] + 0.3 * terms["gradient"]
    wanted = wanted + 2.0 * terms["cycle"] + 0.7 * terms["brightness"]
    assert torch.allclose(objective.total(terms), wanted)
    assert torch.allclose(DECISION(terms["image"]), terms["after"])
    assert set(terms) == {"after", "image", "logit", "size", "bending", "gradient", "cycle", "brightness"}


def test_a_training_flips_held_out_subjects_and_leaves_a_readable_folder(tmp_path):
    out = tmp_path / "out"
    # so few steps on so few voxels get nowhere under the default's weights of smoothness
    weak = settings(epochs=25).model_copy(update={"losses": LossSettings(size=500.0, bending=1e-3)})
    found = train_simulator(small_network(), DECISION, SAMPLES, SPLIT, weak, out)
    first, last = found.history[0], min(found.history, key=lambda row: row["loss"])
    assert last["loss"] < 0.4 * first["loss"]
    assert last["flipped"] >= 0.8
    assert last["folded"] == 0
    told = json.loads((out / "typical.json").read_text())
    assert told["logits"] == {"healthy": found.typical.healthy, "diseased": found.typical.diseased}
    assert told["used"]["train"][0] <= told["used"]["train"][1] == len(SPLIT.train)
    assert (
        (out / "history.csv")
        .read_text()
        .startswith("epoch,step,rate,train_loss,loss,flipped,missed,folded,seconds")
    )
    assert json.loads((out / "split.json").read_text())["test"] == [SAMPLES[i].id for i in SPLIT.test]
    again = trained_simulator(small_network(seed=5), rule_of(SAMPLES), out)
    x = torch.from_numpy(PAIRS[0].healthy.image)[None]
    assert torch.equal(again.simulator(x, 1).field, found.simulator(x, 1).field)
    assert again.typical.gap == found.typical.gap > 0


def test_the_test_part_and_the_classifiers_errors_are_never_looked_at(tmp_path):
    def spoiled(index):
        sample = SAMPLES[index]
        return Sample(sample.id, np.zeros((1, 16, 16), np.float32), sample.label, sample.group)

    wrong = {
        i
        for i in SPLIT.train
        if (float(DECISION(torch.from_numpy(SAMPLES[i].image)[None])) > 0) != SAMPLES[i].label
    }
    items = tuple(spoiled(i) if i in SPLIT.test else s for i, s in enumerate(SAMPLES))
    told = settings(epochs=1)
    runs = [
        train_simulator(small_network(), DECISION, Samples(i, SAMPLES.classes), SPLIT, told, tmp_path / name)
        for name, i in (("as they are", SAMPLES.items), ("spoiled", items))
    ]
    one, two = (run.simulator.state_dict() for run in runs)
    assert all(torch.equal(one[name], two[name]) for name in one)
    used = json.loads((tmp_path / "spoiled/typical.json").read_text())["used"]["train"]
    assert used == [len(SPLIT.train) - len(wrong), len(SPLIT.train)]


def test_patients_in_two_parts_are_refused(tmp_path):
    items = tuple(Sample(s.id, s.image, s.label, "one and the same") for s in SAMPLES)
    with pytest.raises(InputError, match="1 patient is in more than one part"):
        train_simulator(
            small_network(), DECISION, Samples(items, SAMPLES.classes), SPLIT, settings(), tmp_path / "out"
        )
    with pytest.raises(InputError, match="the validation part is empty"):
        train_simulator(
            small_network(),
            DECISION,
            SAMPLES,
            Split(SPLIT.train, (), SPLIT.test),
            settings(),
            tmp_path / "out",
        )
    with pytest.raises(InputError, match="holds no finished training"):
        trained_simulator(small_network(), DECISION, tmp_path / "out")

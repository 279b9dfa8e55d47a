"""A black box is learned as well as it is said to be, and its simulator's map is that of the open classifier."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from voxplain.counterfactual.classifier.decision import Decision
from voxplain.errors import InputError, ModelError
from voxplain.inherent.data import Sample, Samples, split_samples
from voxplain.phantom import diseased_subject
from voxplain.phantom.disease.rules import SizeRule
from voxplain.simulator.explain import Explainer
from voxplain.simulator.networks import VelocitySimulator
from voxplain.simulator.surrogate import BlackBox, SurrogateSettings, distil, fidelity
from voxplain.simulator.training import SimulatorTraining, train_simulator
from voxplain.simulator.training.subjects import Typical

CPU = torch.device("cpu")


def test_fidelity_by_hand():
    # mean 1, squares of deviations 4 + 0 + 4 = 8; squares of misses 1 + 1 + 0 = 2
    found = fidelity(torch.tensor([-1.0, 1.0, 3.0]), torch.tensor([-2.0, 0.0, 3.0]))
    assert found.r2 == pytest.approx(1 - 2 / 8)
    assert found.agreement == pytest.approx(2 / 3)
    assert found.images == 3


@pytest.mark.parametrize(
    ("truth", "said", "low"),
    [
        ([-1.0, 1.0], [-1.0, 1.0], False),
        ([-1.0] * 9 + [1.0], [-1.0] * 10, True),  # agrees in nine of ten, but explains nothing
        ([-0.1, 0.1, -5.0, 5.0], [0.1, -0.1, -5.0, 5.0], True),  # explains nearly all, but agrees in half
        ([2.0, 2.0], [2.0, 2.0], False),
    ],
)
def test_low_fidelity_is_said_loudly(truth, said, low):
    found = fidelity(torch.tensor(truth), torch.tensor(said))
    assert found.low == low
    assert found.sentence().startswith("LOW FIDELITY") == low


def test_fidelity_of_nothing_is_refused():
    with pytest.raises(InputError, match="as many of both"):
        fidelity(torch.zeros(0), torch.zeros(0))


def test_a_black_box_gives_numbers_but_no_gradient():
    box = BlackBox(lambda images: images.mean(axis=(1, 2, 3))[:, None] * [-1, 1])
    x = torch.rand(3, 1, 4, 4, requires_grad=True)
    out = box(x)
    assert torch.allclose(out[:, 1], x.detach().mean((1, 2, 3)))
    assert not out.requires_grad
    assert copy.deepcopy(box)(x).equal(out)


def test_a_black_box_that_fails_is_named():
    def broken(images):
        raise RuntimeError("no licence")

    with pytest.raises(ModelError, match=r"classifier: scanner failed on images \(2, 1, 4, 4\).*no licence"):
        BlackBox(broken, "scanner")(torch.zeros(2, 1, 4, 4))


def test_a_linear_rule_is_learned():
    rng = np.random.default_rng(0)
    weight = np.kron(
        rng.normal(size=(4, 4)), np.ones((4, 4))
    )  # constant over the blocks that the readout knows
    # sixteen numbers decide each image, besides noise: as many can be learned from a few hundred
    drawn = [
        np.kron(rng.normal(size=(4, 4)), np.ones((4, 4))) + 0.1 * rng.normal(size=(16, 16))
        for _ in range(300)
    ]
    images = [torch.from_numpy(image[None].astype(np.float32)) for image in drawn]
    box = Decision(BlackBox(lambda x: (x * weight).sum((1, 2, 3))[:, None]))
    network = distil(box, images[:250], SurrogateSettings(epochs=60, warp=0.0), device=CPU)
    held_out = torch.stack(images[250:])
    with torch.no_grad():
        found = fidelity(box(held_out), network(held_out)[:, 0])
    assert found.r2 > 0.9
    assert not found.low


def test_the_same_seed_gives_the_same_surrogate():
    images = [torch.rand(1, 12, 12, generator=torch.Generator().manual_seed(i)) for i in range(8)]
    box = Decision(BlackBox(lambda x: x[:, 0, :6].sum((1, 2))[:, None]))
    made = [
        distil(box, images, SurrogateSettings(epochs=2, seed=s), device=CPU).state_dict() for s in (1, 1, 2)
    ]
    assert all(torch.equal(made[0][k], made[1][k]) for k in made[0])
    assert not all(torch.equal(made[0][k], made[2][k]) for k in made[0])


@pytest.mark.long
def test_the_map_of_a_hidden_rule_is_that_of_the_open_one(tmp_path):
    pairs = [diseased_subject((16, 16), seed=4, subject=i) for i in range(200)]
    cases = [p.diseased if i % 2 else p.healthy for i, p in enumerate(pairs[:160])]
    samples = Samples(
        tuple(Sample(c.id, c.image, i % 2, f"p{i}") for i, c in enumerate(cases)), ("healthy", "diseased")
    )
    split = split_samples(samples, {"train": 0.85, "validation": 0.15, "test": 0.0}, seed=0)
    groups = [np.stack([c.image for i, c in enumerate(cases) if i % 2 == ill]) for ill in (0, 1)]
    rule: nn.Module = SizeRule.fitted("both", *groups)
    hidden = Decision(BlackBox(lambda x: rule(torch.from_numpy(x)).numpy()))
    surrogate = distil(
        hidden, [torch.from_numpy(samples[i].image) for i in split.train], SurrogateSettings(), device=CPU
    )

    x = torch.from_numpy(np.stack([p.healthy.image for p in pairs[160:]]))
    maps = []
    for name, learned, asked in (
        ("open", Decision(rule), Decision(rule)),
        ("hidden", Decision(surrogate), hidden),
    ):
        torch.manual_seed(0)
        told = SimulatorTraining(epochs=20, batch=16, device="cpu", progress=False)
        made = train_simulator(
            VelocitySimulator(widths=(8, 12)), learned, samples, split, told, tmp_path / name
        )
        explainer = Explainer(made.simulator, asked, Typical(-4.0, 4.0))
        paths = [explainer.explain(image) for image in x if asked(image[None]) < 0]
        assert np.mean([p.reached for p in paths]) > 0.9  # at doses that the black box itself has scored
        for path in paths[:3]:
            assert torch.allclose(path.scores, Decision(rule)(path.frames), atol=1e-4)
        maps.append(torch.stack([p.map("log_jacobian") for p in paths]).mean(0).numpy())
    assert np.corrcoef(maps[0].ravel(), maps[1].ravel())[0, 1] > 0.8

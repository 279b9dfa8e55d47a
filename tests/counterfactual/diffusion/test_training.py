"""A denoiser's training: resumed with the same bits, longer ones go on, and what is learned is less wrong than nothing."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
import torch

from voxplain.counterfactual.diffusion import ConditionalDenoiser, Denoiser, conditional_unet, unet
from voxplain.counterfactual.diffusion.conditional import logit_scale, with_logits, without_logits
from voxplain.counterfactual.diffusion.denoiser import scale_of
from voxplain.counterfactual.diffusion.task import DiffusionTask
from voxplain.counterfactual.training import GeneratorLoop, StyleTraining
from voxplain.errors import InputError
from voxplain.inherent.data import Sample
from voxplain.inherent.data.prepared import Images
from voxplain.inherent.training.launching import launched
from voxplain.model import Preparation

SHAPE = (1, 8, 8)
PARTS = (list(range(24)), list(range(24, 32)))
IMAGES = Images(
    [Sample(f"s{k}", np.full(SHAPE, 5 + 2 * np.sin(k), np.float32), 0, f"p{k}") for k in range(32)],
    Preparation(),
)


class Stop(Exception):
    pass


class StopAt:
    def __init__(self, step):
        self.at = step

    def step(self, step, steps):
        if step == self.at:
            raise Stop

    def start(self, step, steps): ...
    def epoch(self, row, best): ...
    def end(self): ...


def task(settings):
    torch.manual_seed(0)
    scale = scale_of(torch.stack([IMAGES[i] for i in PARTS[0]]))
    return DiffusionTask(Denoiser(unet(SHAPE, widths=(8, 8)), "cosine", **scale), SHAPE, settings)


def run(out, steps, stop=None):
    told = StyleTraining(steps=steps, round=3, batch=8, device="cpu", progress=False, learning_rate=3e-3)
    made = task(told)
    loop = GeneratorLoop(launched(told), made, IMAGES, PARTS, told, out, [StopAt(stop)])
    with suppress(Stop):
        loop.run()
    weights = {f"{n}.{k}": v.clone() for n, m in made.modules().items() for k, v in m.state_dict().items()}
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in loop.state.rows]
    return weights, rows


def test_a_training_that_was_cut_off_and_then_made_longer_ends_with_the_same_bits(tmp_path):
    whole, rows = run(tmp_path / "whole", 9)
    run(tmp_path / "cut", 6, stop=5)
    run(tmp_path / "cut", 6)
    cut, again = run(tmp_path / "cut", 9)
    assert whole.keys() == cut.keys() and all(torch.equal(whole[k], cut[k]) for k in whole)
    assert again == rows and [row["step"] for row in rows] == [3, 6, 9]
    assert {p.name for p in (tmp_path / "cut/samples").iterdir()} == {
        f"step-000000{n}.png" for n in (3, 6, 9)
    }


def test_the_loss_is_that_of_the_velocity_and_falls(tmp_path):
    """A network that says 0 has a loss of the velocity's variance, which is 1 for images of variance 1."""
    told = StyleTraining(batch=8, learning_rate=3e-3)
    made = task(told)
    images = torch.stack([IMAGES[i] for i in PARTS[0]])
    for parameter in [*made.denoiser.parameters(), *made.kept.parameters()]:
        torch.nn.init.zeros_(parameter)
    assert made.learn(images, 0, 0, lambda module: None)["loss"] == pytest.approx(1, abs=0.1)
    assert made.judge(images)["held-out loss"] == pytest.approx(1, abs=0.1)
    made = task(told)
    losses = [made.learn(images, step, step, lambda module: None)["loss"] for step in range(60)]
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:10])


def test_images_come_to_variance_1_and_back():
    images = torch.stack([IMAGES[i] for i in range(32)])
    denoiser = Denoiser(torch.nn.Identity(), "cosine", **scale_of(images))
    inside = denoiser.inside(images)
    assert float(inside.mean()) == pytest.approx(0, abs=1e-5) and float(inside.std()) == pytest.approx(
        1, abs=1e-3
    )
    torch.testing.assert_close(denoiser.outside(inside), images)


def test_sizes_and_images_that_cannot_be_are_told():
    with pytest.raises(
        InputError, match=r"shape: found \(10, 12\), expected two or three axes divisible by 4"
    ):
        unet((1, 10, 12), widths=(8, 8, 8))
    with pytest.raises(InputError, match=r"widths: found \[8, 12\], expected multiples of 8"):
        unet((1, 8, 8), widths=(8, 12))
    with pytest.raises(InputError, match=r"images: found all alike"):
        scale_of(torch.ones(3, 1, 4, 4))


def test_volumes_of_several_channels_keep_their_shape():
    x = torch.randn(2, 2, 4, 8, 4)
    assert Denoiser(unet((2, 4, 8, 4), widths=(8, 8)), "linear_beta")(x, 500).shape == x.shape


def test_what_is_said_of_images_is_learned_with_and_without_it():
    """Images of one brightness each: told the logit, which is the brightness, even pure noise tells the image."""
    images = torch.stack([IMAGES[i] for i in range(32)])
    logits = images.flatten(1).mean(1)
    both = with_logits(images, logits)
    assert all(map(torch.equal, without_logits(both), (images, logits)))
    torch.manual_seed(0)
    denoiser = ConditionalDenoiser(
        conditional_unet(SHAPE, widths=(8, 8), attention=False),
        "cosine",
        **scale_of(images),
        **logit_scale(logits),
    )
    made = DiffusionTask(denoiser, SHAPE, StyleTraining(batch=32, learning_rate=5e-3), dropped=0.2)
    seen, velocity = [], denoiser.velocity
    denoiser.velocity = lambda x, times, told=None: (seen.append(told), velocity(x, times, told))[1]
    for step in range(80):
        assert set(made.learn(both, step, step, lambda module: None)) == {"loss"}
    told = torch.cat(seen)
    assert float((told[:, 1] == 0).double().mean()) == pytest.approx(0.2, abs=0.03)
    assert bool((told[told[:, 1] == 0] == 0).all())
    known = told[told[:, 1] == 1][:, 0]
    assert float(known.mean()) == pytest.approx(0, abs=0.1) and float(known.std()) == pytest.approx(
        1, abs=0.1
    )
    noise, late = torch.randn(32, *SHAPE, generator=torch.Generator().manual_seed(1)), torch.full((32,), 990)
    with torch.no_grad():
        found = [
            -velocity(noise, late, told).flatten(1).mean(1)
            for told in (denoiser.told(logits, torch.ones(32, dtype=torch.bool)), None)
        ]
    inside = denoiser.inside(images).flatten(1).mean(1)
    near = [float((image - inside).square().mean()) for image in found]
    assert near[0] < 0.5 * near[1]

"""Trainings that were cut off end with the same bits, and rounds say what they should."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
import torch

from voxplain.counterfactual.generator import Generator
from voxplain.counterfactual.generator.autoencoder import AutoencoderGenerator, AutoencoderTask, autoencoder
from voxplain.counterfactual.running.judging import collapse
from voxplain.counterfactual.style import Discriminator, Mapping, StyleEncoder, Synthesis
from voxplain.counterfactual.style.encoding import EncoderTask
from voxplain.counterfactual.style.generator import StyleGenerator
from voxplain.counterfactual.style.modulated import ModulatedConv
from voxplain.counterfactual.style.pivot import pivoted
from voxplain.counterfactual.style.task import StyleTask
from voxplain.counterfactual.style.warming import WarmTask
from voxplain.counterfactual.training import GeneratorLoop, GeneratorTraining, StyleTraining
from voxplain.counterfactual.training.settings import WarmTraining
from voxplain.errors import InputError
from voxplain.inherent.data import Sample
from voxplain.inherent.data.prepared import Images
from voxplain.inherent.training.launching import launched
from voxplain.model import Preparation

SHAPE = (1, 16, 16)


def blobs(n=48):
    rng = np.random.default_rng(0)
    i, j = np.indices(SHAPE[1:])
    out = []
    for k in range(n):
        a, b = rng.uniform(5, 11, 2)
        image = np.exp(-((i - a) ** 2 + (j - b) ** 2) / 8)[None].astype(np.float32)
        out.append(Sample(f"s{k}", image, 0, f"p{k}"))
    return out


SAMPLES = blobs()
IMAGES = Images(SAMPLES, Preparation())
PARTS = (list(range(36)), list(range(36, 48)))


def style_task(settings=None):
    torch.manual_seed(0)
    told = settings or StyleTraining(batch=8)
    return StyleTask(
        Mapping(6), Synthesis(SHAPE, 6, width=4, most=8), Discriminator(SHAPE, width=4, most=8), told
    )


def encoder_task():
    torch.manual_seed(1)
    made = style_task()
    generator = StyleGenerator(made.kept["mapping"], made.kept["synthesis"])
    return EncoderTask(StyleEncoder(SHAPE, 6, width=4, most=8), generator, GeneratorTraining(batch=8))


def autoencoder_task():
    torch.manual_seed(2)
    return AutoencoderTask(autoencoder(SHAPE, widths=(8, 8), latent=2), SHAPE, GeneratorTraining(batch=8))


def joint_task():
    """A StyleGAN that copies beside the game."""
    torch.manual_seed(0)
    parts = Mapping(6), Synthesis(SHAPE, 6, width=4, most=8), Discriminator(SHAPE, width=4, most=8)
    return StyleTask(*parts, StyleTraining(batch=8), encoder=StyleEncoder(SHAPE, 6, width=4, most=8))


def warm_task():
    made = joint_task()
    assert made.encoder is not None
    return WarmTask(made.mapping, made.synthesis, made.encoder, WarmTraining(steps=17, batch=8))


TASKS = {
    "style": style_task, "joint": joint_task, "warm": warm_task, "encoder": encoder_task,
    "autoencoder": autoencoder_task,
}  # fmt: skip


class Stop(Exception):
    pass


class StopAt:
    def __init__(self, step):
        self.at = step

    def start(self, step, steps):
        self.began = step

    def step(self, step, steps):
        if step == self.at:
            raise Stop

    def epoch(self, row, best): ...
    def end(self): ...


def run(task, out, steps=17, stop=None):
    settings = StyleTraining(steps=steps, round=6, batch=8, device="cpu", progress=False)
    stopper = StopAt(stop)
    loop = GeneratorLoop(launched(settings), task, IMAGES, PARTS, settings, out, [stopper])
    with suppress(Stop):
        loop.run()
    return loop, stopper


def weights(task):
    return {f"{n}.{k}": v.clone() for n, m in task.modules().items() for k, v in m.state_dict().items()}


@pytest.mark.parametrize("kind", TASKS)
def test_a_training_that_was_cut_off_twice_ends_with_the_same_bits(kind, tmp_path):
    whole = TASKS[kind]()
    run(whole, tmp_path / "whole")
    for stop in (8, 14):  # in the second round, and in the third
        cut = TASKS[kind]()
        run(cut, tmp_path / "cut", stop=stop)
    cut = TASKS[kind]()
    loop, stopper = run(cut, tmp_path / "cut")
    assert stopper.began == 12  # the last whole round
    expected, found = weights(whole), weights(cut)
    assert expected.keys() == found.keys() and all(torch.equal(expected[k], found[k]) for k in expected)
    rows = [{k: v for k, v in r.items() if k != "seconds"} for r in loop.state.rows]
    assert [r["step"] for r in rows] == [6, 12, 17]
    again, _ = run(TASKS[kind](), tmp_path / "whole")  # nothing is left to do
    assert [{k: v for k, v in r.items() if k != "seconds"} for r in again.state.rows] == rows


def test_a_longer_training_goes_on_where_a_shorter_one_ended(tmp_path):
    long, short = style_task(), style_task()
    run(long, tmp_path / "long", steps=18)
    run(short, tmp_path / "short", steps=12)
    more = style_task()
    run(more, tmp_path / "short", steps=18)
    expected, found = weights(long), weights(more)
    assert all(torch.equal(expected[k], found[k]) for k in expected)
    assert {p.name for p in (tmp_path / "short/samples").iterdir()} == {
        f"step-{n:07d}.png" for n in (6, 12, 18)
    }


def test_the_kept_average_is_the_average(tmp_path):
    """Each step of b images moves it by 1 − 2^(−b/h), h the half-life; early, h is a twentieth of what was seen."""
    task = style_task()
    parameter, kept = task.synthesis.constant, task.kept["synthesis"].constant
    wanted = kept.clone()
    task.settings = StyleTraining(batch=8, average=10.0)
    images = torch.stack([IMAGES[i] for i in range(8)])
    for step in range(60):
        task.learn(images, step, step, lambda module: None)
        half = min(10.0, max(0.05 * 8 * step, 1e-8))
        wanted = wanted + (1 - 0.5 ** (8 / half)) * (parameter.detach() - wanted)
    torch.testing.assert_close(kept, wanted, atol=1e-6, rtol=1e-5)


def test_a_loss_that_is_not_finite_is_told(tmp_path):
    task = style_task()
    torch.nn.init.constant_(task.synthesis.constant, torch.nan)
    with pytest.raises(InputError, match=r"training: critic loss is nan in step 1"):
        run(task, tmp_path)


def test_a_stylegan_that_forgets_its_styles_has_collapsed():
    """Scales that no longer depend on w give one image; rounds of one that was not trained at all differ."""
    task, held = style_task(), torch.stack([IMAGES[i] for i in PARTS[1]])
    assert collapse(task.judge(held)) is None
    for layer in task.kept["synthesis"].modules():
        if isinstance(layer, ModulatedConv):
            torch.nn.init.zeros_(layer.style.weight)
    assert "its samples differ 0.00 times as much" in str(collapse(task.judge(held)))


@pytest.mark.parametrize("space", ["w", "w+"])
def test_a_style_generator_is_one(space):
    made = style_task()
    layers = made.synthesis.layers if space == "w+" else 0
    encoder = StyleEncoder(SHAPE, 6, layers=layers, width=4, most=8)
    generator = StyleGenerator(made.mapping, made.synthesis, encoder, space=space)
    assert isinstance(generator, Generator)
    codes = generator.sample(5, seed=1)
    assert codes.shape == (5, 6 * max(layers, 1)) and torch.equal(codes, generator.sample(5, seed=1))
    images = generator.decode(codes)
    assert images.shape == (5, *SHAPE) and generator.encode(images).shape == codes.shape
    assert generator.statistics.rank <= 6
    # all layers with one style are the image of that style
    torch.testing.assert_close(images, made.synthesis(codes[:, :6]))
    with pytest.raises(InputError, match="space: found"):
        StyleGenerator(made.mapping, made.synthesis, encoder, space="w" if layers else "w+")
    with pytest.raises(InputError, match=r"images: found shape \(1, 8, 8\)"):
        generator.encode(torch.zeros(1, 1, 8, 8))


def test_refinement_and_pivots_make_better_copies():
    made = style_task()
    encoder = StyleEncoder(SHAPE, 6, width=4, most=8)
    plain = StyleGenerator(made.mapping, made.synthesis, encoder)
    fine = StyleGenerator(made.mapping, made.synthesis, encoder, refine=40)
    images = plain.decode(plain.sample(3, seed=5))

    def error(generator, x):
        return (generator.decode(generator.encode(x)) - x).abs().flatten(1).mean(1)

    assert (error(fine, images) < 0.8 * error(plain, images)).all()
    # one image at a time or all together: each by itself
    torch.testing.assert_close(fine.encode(images[:1]), fine.encode(images)[:1], atol=1e-4, rtol=1e-3)
    real = IMAGES[0]
    own = pivoted(plain, real, steps=40)
    assert error(own, real[None]) < 0.7 * error(plain, real[None])
    assert torch.equal(plain.encode(real[None]), own.encode(real[None]))  # the pivot
    # a code that was refined stays the pivot, though refining it again in the tuned generator would move it
    own = pivoted(fine, real, steps=40)
    assert torch.equal(fine.encode(real[None]), own.encode(real[None])) and isinstance(own, Generator)
    assert error(own, real[None]) < 0.7 * error(fine, real[None])


def test_an_autoencoder_is_a_generator():
    network = autoencoder(SHAPE, widths=(8, 8), latent=2)
    images = torch.stack([IMAGES[i] for i in range(40)])
    generator = AutoencoderGenerator.of(network, images)
    assert isinstance(generator, Generator)
    codes = generator.encode(images)
    assert codes.shape == (40, 2 * 8 * 8) and generator.decode(codes).shape == images.shape
    torch.testing.assert_close(generator.statistics.mean, codes.mean(0))
    drawn = generator.sample(4000, seed=0)
    spread = generator.statistics.whiten(drawn)
    assert (
        float(spread.mean(0).abs().max()) < 0.1
        and float((spread.T.cov() - torch.eye(spread.shape[1])).abs().max()) < 0.15
    )
    with pytest.raises(InputError, match="divisible by 4"):
        autoencoder((1, 18, 18))

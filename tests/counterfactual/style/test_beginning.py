"""Where a StyleGAN begins, and what it learns before and beside the game, against what is known without it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from voxplain.counterfactual.style import Discriminator, Mapping, StyleEncoder, Synthesis
from voxplain.counterfactual.style.beginning import Beginning
from voxplain.counterfactual.style.copying import Copying, sliced_distance
from voxplain.counterfactual.style.encoder import coarsened
from voxplain.counterfactual.style.generator import StyleGenerator
from voxplain.counterfactual.style.scale import ImageScale
from voxplain.counterfactual.style.task import StyleTask
from voxplain.counterfactual.style.warming import WarmTask
from voxplain.counterfactual.training import StyleTraining
from voxplain.counterfactual.training.settings import WarmTraining
from voxplain.inherent.data import Sample
from voxplain.inherent.data.prepared import Images
from voxplain.model import Preparation

SHAPE = (1, 16, 16)
SIZES = {"width": 4, "most": 8}


def blobs(shape=SHAPE, n=60, unit=1.0):
    """A blob that moves: two numbers tell an image."""
    rng = np.random.default_rng(0)
    places = np.indices(shape[1:])
    samples = []
    for k in range(n):
        at = rng.uniform(0.3, 0.7, len(shape) - 1)
        away = sum((x - a * m) ** 2 for x, a, m in zip(places, at, shape[1:], strict=True))
        samples.append(Sample(f"s{k}", (unit * np.exp(-away / 8))[None].astype(np.float32), 0, f"p{k}"))
    return Images(samples, Preparation())


def tensor(images, n=60):
    return torch.stack([images[i] for i in range(n)])


@pytest.mark.parametrize("shape", [SHAPE, (1, 96, 72), (1, 12, 8, 16)])
def test_codes_begin_as_whitened_components_of_the_images(shape):
    """Mean and deviation by NumPy; codes of what components are found of have mean 0 and covariance 1."""
    images = blobs(shape, 40)
    found = Beginning.of(images, range(40), 5, seed=0)
    x = tensor(images, 40).numpy().astype(np.float64)
    np.testing.assert_allclose(found.centre, x.mean(0), atol=1e-6)
    assert float(found.spread) == pytest.approx((x - x.mean(0)).std(), rel=1e-4)
    encoder, mapping, synthesis = StyleEncoder(shape, 5, **SIZES), Mapping(5), Synthesis(shape, 5, **SIZES)
    found.give(mapping, synthesis, encoder)
    codes = encoder(tensor(images, 40)).detach().double().numpy()
    np.testing.assert_allclose(codes.mean(0), 0, atol=1e-3)
    np.testing.assert_allclose(np.cov(codes.T), np.eye(5), atol=2e-3)
    # the first one is the image's score on the leading eigenvector of the coarse images' covariance
    small = coarsened(torch.from_numpy(x - x.mean(0))).flatten(1).numpy()
    leading = np.linalg.eigh(small @ small.T)[1][:, -1]
    assert abs(np.corrcoef(codes[:, 0], leading)[0, 1]) == pytest.approx(1, abs=1e-4)


def test_fewer_images_than_styles_leave_the_other_styles_empty():
    images = blobs(n=4)
    found = Beginning.of(images, range(4), 6, seed=0)
    assert found.filters.flatten(1).abs().sum(1).gt(0).tolist() == [True] * 3 + [False] * 3


def test_repeated_images_do_not_blow_rounding_errors_up():
    """Of 60 images of which 4 differ there are three components; whatever else is found is rounding."""
    four = torch.randn(4, *SHAPE, generator=torch.Generator().manual_seed(0)).numpy()
    samples = [Sample(f"s{k}", four[k % 4], 0, f"p{k}") for k in range(60)]
    found = Beginning.of(Images(samples, Preparation()), range(60), 6, seed=0)
    assert found.filters.flatten(1).abs().sum(1).gt(0).tolist() == [True] * 3 + [False] * 3


def test_fewer_voxels_than_styles_are_no_error():
    found = Beginning.of(blobs((1, 3, 3)), range(60), 12, seed=0)
    assert found.filters.shape == (12, 1, 3, 3) and bool(found.filters.isfinite().all())


def test_a_settled_mapping_gives_white_styles():
    mapping = Mapping(6)
    mapping.settle()
    w = mapping(torch.randn(40_000, 6)).detach()
    torch.testing.assert_close(w.mean(0), torch.zeros(6), atol=0.1, rtol=0)
    torch.testing.assert_close(torch.cov(w.T), torch.eye(6), atol=0.15, rtol=0)


def test_a_scale_is_undone():
    scale = ImageScale(SHAPE)
    x = torch.rand(3, *SHAPE)
    assert torch.equal(scale.inward(x), x)  # until it is set
    scale.set(torch.full(SHAPE, 0.5), torch.tensor(0.1))
    torch.testing.assert_close(scale.inward(x), (x - 0.5) * 10)
    torch.testing.assert_close(scale.outward(scale.inward(x)), x)


def test_the_distance_of_shifted_codes_is_the_shift():
    """On a line l, sets that differ by t differ by t · l; its mean square over lines of length 1 is |t|² / D."""
    a, t = torch.randn(50, 4), torch.tensor([1.0, -2.0, 0.5, 0.0])
    draw = torch.Generator().manual_seed(0)
    assert float(sliced_distance(a, a[torch.randperm(50)] + t, draw, slices=20_000)) == pytest.approx(
        float(t.square().sum()) / 4, rel=0.05
    )


def networks(images, styles=4):
    torch.manual_seed(0)
    made = Mapping(styles), Synthesis(SHAPE, styles, **SIZES), StyleEncoder(SHAPE, styles, **SIZES)
    critic = Discriminator(SHAPE, **SIZES)
    Beginning.of(images, range(60), styles, seed=0).give(*made, critic)
    return (*made, critic)


def test_what_was_copied_before_can_be_copied():
    """The mean image is what a synthesis knows that has learned nothing; after a warm start its copies are nearer."""
    images = blobs()
    mapping, synthesis, encoder, _ = networks(images)
    x = tensor(images)
    nothing = float((x - x.mean(0)).square().mean())
    task = WarmTask(mapping, synthesis, encoder, WarmTraining(steps=120, batch=20))
    for step in range(120):
        task.learn(x[(20 * step) % 60 :][:20], step, step, lambda module: None)
    with torch.no_grad():
        left = float((synthesis(encoder(x)) - x).square().mean())
    assert left < 0.4 * nothing


@pytest.mark.parametrize("copies", [0.0, 1.0])
def test_nothing_depends_on_the_unit_of_images(copies):
    """Hounsfield units or shares of one: losses, penalties and path lengths of the first steps are the same."""
    rows = []
    for unit in (1.0, 1000.0):
        images = blobs(unit=unit)
        mapping, synthesis, encoder, critic = networks(images)
        told = StyleTraining(batch=8, copies=copies, path_every=1, penalty_every=1)
        task = StyleTask(mapping, synthesis, critic, told, encoder=encoder)
        rows.append([task.learn(tensor(images, 8), step, step, lambda module: None) for step in range(2)])
    assert ("copy loss" in rows[0][0]) == (copies > 0) and "penalty" in rows[0][0]
    for one, other in zip(*rows, strict=True):
        assert one.keys() == other.keys()
        for name, value in one.items():
            assert value == pytest.approx(other[name], rel=2e-3), name


def test_copies_teach_synthesis_and_encoder_and_not_the_mapping():
    images = blobs()
    mapping, synthesis, encoder, _ = networks(images)
    _, cost, _ = Copying(encoder, synthesis, mapping)(tensor(images, 8), seed=0)
    torch.autograd.backward(cost)
    assert all(p.grad is None for p in mapping.parameters())
    assert encoder.first.weight.grad is not None and encoder.first.weight.grad.abs().sum() > 0
    assert synthesis.constant.grad is not None and synthesis.constant.grad.abs().sum() > 0


def test_as_published_there_is_no_encoder_beside_the_game():
    mapping, synthesis, encoder, critic = networks(blobs())
    published = StyleTask(mapping, synthesis, critic, StyleTraining(batch=8, copies=0.0), encoder=encoder)
    assert set(published.modules()) == {"mapping", "synthesis", "discriminator", "kept"}
    ours = StyleTask(mapping, synthesis, critic, StyleTraining(batch=8), encoder=encoder)
    assert "encoder" in ours.modules() and "encoder" in ours.kept


@pytest.mark.parametrize("batch", [1, 3])
def test_small_batches_have_a_loss_of_codes(batch):
    """White styles and codes that tell nothing: about 1 + the codes' own variance, whatever the batch."""
    torch.manual_seed(0)
    mapping, synthesis, critic = Mapping(5), Synthesis(SHAPE, 5, **SIZES), Discriminator(SHAPE, **SIZES)
    encoder = StyleEncoder(SHAPE, 5, **SIZES)
    mapping.settle()
    task = StyleTask(mapping, synthesis, critic, StyleTraining(batch=batch, copies_every=1), encoder=encoder)
    images = tensor(blobs(), batch)
    found = [task.learn(images, step, step, lambda module: None)["code loss"] for step in range(8)]
    assert np.isfinite(found).all() and np.mean(found) < 3


def test_refined_codes_do_not_depend_on_the_unit_of_images():
    """What draws codes back to plausible ones weighs as much in Hounsfield units as in shares."""
    torch.manual_seed(0)
    mapping, synthesis, encoder = Mapping(5), Synthesis(SHAPE, 5, **SIZES), StyleEncoder(SHAPE, 5, **SIZES)
    mapping.settle()
    images, found = torch.rand(4, *SHAPE), []
    for unit in (1.0, 1000.0):
        for network in (synthesis, encoder):
            network.scale.set(torch.full(SHAPE, 0.5 * unit), torch.tensor(0.3 * unit))
        found.append(StyleGenerator(mapping, synthesis, encoder, refine=40, rate=0.1).encode(unit * images))
    torch.testing.assert_close(*found, atol=0.1, rtol=0)

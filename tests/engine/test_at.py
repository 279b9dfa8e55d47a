"""The same questions about another image: targets stay frozen, nothing of the clean problem changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import classifier, random_case, smooth_segmenter
from stitched import stitched

from voxplain.attribution import method
from voxplain.engine import Problem
from voxplain.errors import InputError
from voxplain.model import Model, Windows
from voxplain.target import AllClasses

SHAPE = (8, 9, 7)


def problem(**kwargs):
    model = Model(smooth_segmenter(3).double(), spatial_dims=3, windows=Windows(roi=6, overlap=0.5))
    return Problem(model, random_case(SHAPE), AllClasses(background=True), dtype=torch.float64, **kwargs)


def other_image(p, seed=9):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=p.image.shape))


def test_regions_stay_those_of_the_clean_prediction():
    """Brute force: MONAI's windows on the other image, averaged over where the *clean* image is of the class."""
    p = problem()
    x = other_image(p).requires_grad_()
    q = p.at(x.detach())

    z, clean = (stitched(p.model.module, image, p.model.windows) for image in (x, p.image))
    labels = clean.detach().argmax(0)
    assert not torch.equal(labels, z.argmax(0))
    found = method("gradient").attribute(q)
    for t in range(3):
        score = z[t][labels == t].mean()
        (truth,) = torch.autograd.grad(score, x, retain_graph=True)
        torch.testing.assert_close(found.values(t), truth, rtol=1e-10, atol=1e-13)
        assert found.answers[t].score == pytest.approx(float(score.detach()), rel=1e-10)


def test_it_is_the_problem_itself_at_its_own_image():
    p = problem()
    q = p.at(p.image)
    a, b = (method("smoothgrad", draws=3).attribute(one) for one in (p, q))
    assert all(torch.equal(a.values(t), b.values(t)) for t in range(3))


def test_passes_are_counted_together_and_scores_are_not_mixed_up():
    p = problem()
    clean = p.clean_scores().clone()
    q = p.at(other_image(p))
    before = p.passes.copy()
    assert not torch.allclose(q.clean_scores(), clean)
    assert (p.passes - before).forward == len(p.plan.windows(p.present))
    assert q.passes is p.passes
    assert torch.equal(p.clean_scores(), clean)
    assert torch.equal(p.scores([q.image])[0], q.clean_scores())


def test_what_is_known_of_the_network_is_kept_and_what_is_known_of_the_image_is_not():
    p = problem()
    p.layer()
    p.once("parts of this image", lambda: 1)
    q = p.at(other_image(p))
    assert q.has_done("default layer") and not q.has_done("parts of this image")
    q.once("of the other", lambda: 2)
    assert not p.has_done("of the other")


def test_the_seed_may_be_another_and_padding_follows():
    model = Model(smooth_segmenter(2).double(), windows=Windows(roi=8, overlap=0.3, padding="reflect"))
    p = Problem(model, random_case((5, 12)), AllClasses(background=True), dtype=torch.float64, seed=4)
    image = other_image(p)
    q, r = p.at(image), p.at(image, seed=7)
    assert (q.seed, r.seed, p.seed) == (4, 7, 4)
    torch.testing.assert_close(
        q.padded, torch.nn.functional.pad(image[None], (0, 0, 1, 2), mode="reflect")[0]
    )
    assert p.padded is not q.padded


@pytest.mark.parametrize("spoil", [lambda x: x[:, 1:], lambda x: x.index_fill(1, torch.tensor(0), torch.nan)])
def test_images_of_another_shape_or_not_finite_are_refused(spoil):
    p = problem()
    with pytest.raises(InputError, match=r"expected|NaN"):
        p.at(spoil(p.image))


def test_a_classifier_too():
    net = classifier(2).double()
    p = Problem(Model(net, spatial_dims=2), random_case((7, 8)), AllClasses(), dtype=torch.float64)
    x = other_image(p)
    torch.testing.assert_close(p.at(x).clean_scores(), net(x[None])[0].detach())

"""Series of images in a linear world, where dose, frames and scores are known."""

from __future__ import annotations

import pytest
import torch

from voxplain.counterfactual.direction import Direction
from voxplain.counterfactual.explain import LatentExplainer, typical_scores
from voxplain.counterfactual.generator import PcaGenerator
from voxplain.errors import InputError


def world():
    """Images of two pixels beside a third that no component holds: brightness a, contrast b, and a mark."""
    generator = PcaGenerator(
        torch.zeros(1, 1, 3), torch.tensor([[[[1.0, 0, 0]]], [[[0.0, 1, 0]]]]), torch.tensor([2.0, 0.5]), 1.0
    )
    step = Direction("known", torch.tensor([2.0, 0.0]), {"r2": 0.9})  # one deviation of the first code
    return generator, step


def first(images):
    return images[:, 0, 0, 0]


X = torch.tensor([[[-1.0, 0.3, 5.0]]])


def test_the_dose_is_how_many_deviations_lie_before_the_target():
    generator, step = world()
    path = LatentExplainer(generator, first, step).explain(X, 3.0)  # from −1 to 3 by 2 per deviation
    assert path.dose == pytest.approx(2, abs=2e-3) and path.reached and path.monotone
    at = list(torch.as_tensor([0, 0.25, 0.5, 0.75, 1, 1.25, 1.5]))
    for dose, share in zip(path.doses, at, strict=True):
        assert float(dose) == pytest.approx(float(share) * path.dose)
    torch.testing.assert_close(path.scores, -1 + 2 * path.doses)
    torch.testing.assert_close(path.map("difference"), torch.tensor([[[4.0, 0, 0]]]), atol=5e-3, rtol=0)
    told = path.diagnostics
    assert told["distance before"] == pytest.approx((0.25 + 0.36) ** 0.5)
    assert told["distance after"] == pytest.approx(((3 / 2) ** 2 + 0.36) ** 0.5, abs=2e-3)
    assert told["direction's r2"] == 0.9 and told["typical distance"] == pytest.approx(2**0.5)


def test_what_the_generator_cannot_make_stays_in_every_frame():
    generator, step = world()
    path = LatentExplainer(generator, first, step).explain(X, 3.0)
    assert torch.equal(path.frames[0], X) and (path.frames[:, 0, 0, 2] == 5).all()
    copies = LatentExplainer(generator, first, step, reinject=False).explain(X, 3.0)
    assert (copies.frames[:, 0, 0, 2] == 0).all()
    assert (
        path.diagnostics["error of the copy"]
        == copies.diagnostics["error of the copy"]
        == pytest.approx(5 / 3)
    )


def test_it_goes_down_where_the_target_is_below():
    generator, step = world()
    path = LatentExplainer(generator, first, step).explain(X, -5.0)
    assert path.dose == pytest.approx(2, abs=2e-3) and float(path.frames[4, 0, 0, 0]) == pytest.approx(
        -5, abs=5e-3
    )
    assert path.diagnostics["distance after"] == pytest.approx((2.5**2 + 0.36) ** 0.5, abs=2e-3)


def test_a_target_beyond_the_limit_is_not_reached():
    generator, step = world()
    path = LatentExplainer(generator, first, step, limit=1.5).explain(X, 30.0)
    assert not path.reached and path.dose == pytest.approx(1.5)


def test_a_copy_with_another_decision_gives_no_map():
    """The score reads the mark, which the copy has lost."""
    generator, step = world()

    def marked(images):
        return images[:, 0, 0, 2] - 1 + 0.1 * images[:, 0, 0, 0]

    path = LatentExplainer(generator, marked, step).explain(X, -1.0)
    with pytest.raises(
        InputError, match=r"withheld.*copy of the image has a score of -1.1 where the image has 3.9"
    ):
        path.map("difference")


def test_every_image_may_have_its_own_way():
    generator, _ = world()
    asked = []

    def way(code):
        asked.append(code)
        return Direction("own", torch.tensor([1.0, 0.0]))

    path = LatentExplainer(generator, first, way).explain(X, 0.0)
    torch.testing.assert_close(asked[0], torch.tensor([-1.0, 0.3]))
    assert path.dose == pytest.approx(1, abs=2e-3) and path.diagnostics["direction"] == "own"


def test_typical_scores_are_medians_of_both_sides():
    assert typical_scores(torch.tensor([-5.0, -1, -3, 2, 8])) == (-3, 2)
    with pytest.raises(InputError, match="found 0 below and 2 above 0"):
        typical_scores(torch.tensor([1.0, 2]))

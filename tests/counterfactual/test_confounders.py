"""What is projected out of a direction, in worlds whose answer is known."""

from __future__ import annotations

import pytest
import torch

from voxplain.counterfactual.direction import Queries, label_direction
from voxplain.counterfactual.direction.confounders import Confounder, carried, projector, without
from voxplain.counterfactual.generator import LatentStatistics
from voxplain.errors import InputError

GENERATOR = torch.Generator().manual_seed(3)
FACTOR = torch.diag(torch.tensor([4.0, 2.0, 1.0, 0.5, 0.25])).double()
STATISTICS = LatentStatistics(torch.arange(5).double(), FACTOR)


def codes(count: int):
    u = torch.randn(count, 5, generator=GENERATOR).double()
    return u, STATISTICS.colour(u)


def along(found):
    return STATISTICS.whiten(found.vector[None] + STATISTICS.mean)[0]


def test_a_confounder_is_taken_out_of_any_direction_and_the_rest_stays():
    u, w = codes(2000)
    plain = label_direction(Queries(w, 2 * u[:, 0] + 2 * u[:, 1]), STATISTICS, whitened=True)
    away = projector(STATISTICS, [Confounder("age", w, 40 + 12 * u[:, 1])])
    cleaned = without(plain, STATISTICS, away)
    torch.testing.assert_close(along(plain)[:2], torch.tensor([0.5, 0.5]).double().sqrt(), atol=0.05, rtol=0)
    assert abs(float(along(cleaned)[1])) < 1e-3 and float(along(cleaned)[0]) > 0.99
    # of other images than it was found from
    v, held = codes(3000)
    age = Confounder("age", held, 40 + 12 * v[:, 1])
    assert carried(plain, STATISTICS, age) == pytest.approx(0.5**0.5, abs=0.06)
    assert abs(carried(cleaned, STATISTICS, age)) < 0.06
    with pytest.raises(InputError, match="nothing is left of it"):
        without(cleaned, STATISTICS, projector(STATISTICS, [Confounder("", w, u[:, k]) for k in range(5)]))


def test_levels_of_a_category_that_add_up_take_out_no_more_than_they_span():
    u, w = codes(600)
    level = (u[:, 2] > 0).double()
    both = [Confounder("site=a", w, level), Confounder("site=b", w, 1 - level)]
    assert round(torch.linalg.matrix_rank(torch.from_numpy(projector(STATISTICS, both))).item()) == 4


def test_what_the_family_does_not_hold_takes_nothing_out():
    _, w = codes(40)
    noise = torch.tensor([float(n * 7919 % 13) for n in range(40)]).double()
    away = torch.from_numpy(projector(STATISTICS, [Confounder("lucky number", w, noise)]))
    assert torch.equal(away, torch.eye(5).double())
    assert torch.equal(torch.from_numpy(projector(STATISTICS, [Confounder("same", w, torch.ones(40))])), away)

"""What real segments depend on: sums of real maps, and games that real networks are asked."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from pairs import cube, head, meshnet

from voxplain.aggregate.games import region_game
from voxplain.aggregate.partition import predicted
from voxplain.aggregate.tables import region_table
from voxplain.attribution import method
from voxplain.attribution.baseline import parse_baseline
from voxplain.engine import Problem
from voxplain.model import Windows

pytestmark = [pytest.mark.real, pytest.mark.slow]

DEEP = ["Thalamus", "Putamen", "Lateral-Ventricle"]


def test_a_streamed_table_of_a_real_network_is_the_sum_of_its_maps(data):
    """The three largest structures, windows that overlap: whole maps that are kept give the same to 1e-6."""
    case = cube(head(data), (-18.0, -4.0, 16.0), 60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # windows as small as these disagree
        model = meshnet(data, "meshnet18", Windows((48, 48, 32), overlap=0.5))
        seen = predicted(Problem(model, case, "all"))
        here = [
            seen.regions[i]
            for i in np.argsort(-seen.counts.numpy(), kind="stable")
            if i > 0 and seen.counts[i]
        ][:3]
        problem = Problem(model, case, here)
    regions = predicted(problem)
    table = region_table(problem, [regions], method("gradient"))
    found = method("gradient").attribute(problem)
    told = {
        (r["target"], r["region"], r["statistic"]): r["value"]
        for r in table.rows()
        if r["partition"] == "predicted"
    }
    where = regions.labels.numpy()
    for name in here:
        values = found.values(name).double().numpy().sum(0)
        size = np.abs(values).sum()
        for number, region in enumerate(regions.regions):
            inside = values[where == number]
            if not inside.size:
                continue
            for statistic, expected in (("net", inside.sum()), ("absolute", np.abs(inside).sum())):
                assert told[name, region, statistic] == pytest.approx(expected, rel=1e-6, abs=1e-6 * size)


@pytest.mark.long
def test_a_real_game_shares_out_exactly_what_taking_all_away_costs(data):
    """Four regions, 2⁴ coalitions of one window: efficiency, and occlusion by the definition."""
    case = cube(head(data), (-18.0, -4.0, 16.0), 60)
    problem = Problem(meshnet(data, "meshnet18"), case, DEEP)
    whole = predicted(problem)
    here = [name for name, n in zip(whole.regions, whole.counts.tolist(), strict=True) if n]
    divided = whole.merged({"all others": tuple(name for name in here if name not in DEEP)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        game = region_game(problem, divided, baseline="blur")
    assert bool(game.exact.all()) and float(game.gap.max()) < 1e-5
    shapley, occlusion = np.asarray(game.shapley), np.asarray(game.occlusion)
    np.testing.assert_allclose(np.nansum(shapley, 1), (game.full - game.empty).numpy(), rtol=1e-5)
    baseline = parse_baseline("blur", problem).over(problem, divided.parts)
    for r in np.flatnonzero(game.present.numpy()).tolist():
        changed = torch.where(divided.labels == r, baseline, problem.image)
        lost = problem.clean_scores() - problem.scores([changed])[0]
        np.testing.assert_allclose(
            occlusion[:, r],
            lost.double().numpy(),
            atol=1e-4 * float(game.full.abs().max()),
            err_msg=game.regions[r],
        )

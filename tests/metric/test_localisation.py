"""Localisation against sets counted by hand, brute force over orders of ties, and Quantus."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from networks import classifier, random_case, smooth_segmenter
from torch import nn
from torchvision_stand_in import torchvision_stand_in

from voxplain.attribution import Gradient, InputXGradient
from voxplain.case import Case, Geometry, write_array
from voxplain.engine import Passes, Problem
from voxplain.errors import GeometryError, InputError
from voxplain.metric import (
    Auprc,
    Auroc,
    PointingGame,
    RelevanceMassAccuracy,
    RelevanceRankAccuracy,
    TopKIntersection,
    evaluate,
    metric,
)
from voxplain.metric.candidate import Candidate
from voxplain.metric.localisation.ties import hits
from voxplain.metric.nulls import null
from voxplain.model import Model, Preparation, Windows
from voxplain.target import AllClasses, ClassScore, LabelRegion

NAMES = [
    "auprc",
    "auroc",
    "pointing_game",
    "relevance_mass_accuracy",
    "relevance_rank_accuracy",
    "top_k_intersection",
]


def asked(
    shape: tuple[int, ...], label: np.ndarray | None = None, channels: int = 1, spacing=None
) -> Problem:
    """A classifier asked about class 1."""
    case = random_case(shape, channels)
    geometry = case.geometry
    if spacing is not None:
        geometry = Geometry(np.diag([*spacing, 1.0]), shape)
    case = Case(id="c", image=case.image, geometry=geometry, label=label)
    dims = len(shape)
    return Problem(
        Model(classifier(dims, channels), spatial_dims=dims, task="classification"), case, ClassScore(1)
    )


def says(values: np.ndarray | torch.Tensor, problem: Problem) -> Candidate:
    values = torch.as_tensor(values)
    return Candidate("map", lambda _: values, frozenset(problem.present), "rank")


def figure(metric, problem: Problem, values: np.ndarray):
    metric.check(problem)
    return metric.compute(problem, [says(values, problem)])[0, 0]


# ---- the numbers -----------------------------------------------------------------------------------------------------

# Map 4 3 2 1 / 0 0 0 0, mask on the 4 and the 2:
#   mass (4 + 2) / 10; the two largest are 4 and 3, of which one is inside: 1/2; a quarter of 8 voxels is k = 2, the same
#   AUROC: pairs (inside, outside): 4 beats all 6; 2 beats all but the 3: 5; (6 + 5) / 12
#   average precision: recall 1/2 at precision 1/1, recall 1 at precision 2/3: (1 + 2/3) / 2
BY_HAND = {
    "pointing_game": 1.0,
    "relevance_mass_accuracy": 0.6,
    "relevance_rank_accuracy": 0.5,
    "top_k_intersection": 0.5,
    "auroc": 11 / 12,
    "auprc": 5 / 6,
}


@pytest.mark.parametrize("name", NAMES)
def test_by_hand(name):
    label = np.array([[1, 0, 1, 0], [0, 0, 0, 0]], dtype=np.int32)
    problem = asked((2, 4), label)
    chosen = metric(name, **({"share": 0.25} if name == "top_k_intersection" else {}))
    values = np.array([[[4.0, 3.0, 2.0, 1.0], [0.0, 0.0, 0.0, 0.0]]])
    assert figure(chosen, problem, values).value == pytest.approx(BY_HAND[name], abs=1e-12)


def test_ties_count_by_their_average_over_all_orders():
    values = np.array([2, 1, 1, 1, 0, 2])
    inside = np.array([False, True, False, True, True, True])
    for count in range(1, 7):
        found = []
        for order in itertools.permutations(range(6)):
            by_value = sorted(order, key=lambda v: -values[v])  # stable: ties stay in the random order
            found.append(inside[by_value[:count]].sum())
        assert hits(values.astype(float), inside, count) == pytest.approx(np.mean(found), abs=1e-12)


@pytest.mark.parametrize("dims", [2, 3])
def test_areas_against_brute_force_with_many_ties(dims):
    rng = np.random.default_rng(3)
    shape = (6, 7, 5)[:dims]
    values = rng.integers(0, 5, size=(1, *shape)).astype(np.float32)
    mask = rng.random(shape) < 0.3
    problem = asked(shape, mask.astype(np.int32))
    inner, outer = values[0][mask], values[0][~mask]
    pairs = (inner[:, None] > outer).mean() + 0.5 * (inner[:, None] == outer).mean()
    assert figure(Auroc(), problem, values).value == pytest.approx(pairs, abs=1e-12)
    area, recall = 0.0, 0.0
    for threshold in sorted(set(values.ravel().tolist()), reverse=True):
        found = values[0] >= threshold
        area += ((found & mask).sum() / mask.sum() - recall) * (found & mask).sum() / found.sum()
        recall = (found & mask).sum() / mask.sum()
    assert figure(Auprc(), problem, values).value == pytest.approx(area, abs=1e-12)


@pytest.mark.parametrize("dims", [2, 3])
def test_quantus_agrees_where_nothing_ties(dims):
    quantus = _quantus()
    rng = np.random.default_rng(5)
    shape = (8, 9, 7)[:dims]
    values = rng.permutation(np.prod(shape)).reshape(1, *shape).astype(np.float64) + 1
    mask = rng.random(shape) < 0.3
    problem = asked(shape, mask.astype(np.int32))
    k = 10
    peers = {
        RelevanceMassAccuracy(): quantus.RelevanceMassAccuracy(disable_warnings=True),
        RelevanceRankAccuracy(): quantus.RelevanceRankAccuracy(disable_warnings=True),
        TopKIntersection(share=k / mask.size): quantus.TopKIntersection(k=k, disable_warnings=True),
        PointingGame(): quantus.PointingGame(disable_warnings=True),
        Auroc(): quantus.AUC(disable_warnings=True),
    }
    for own, peer in peers.items():
        theirs = peer.evaluate_batch(a_batch=values[None], s_batch=mask[None, None])
        assert figure(own, problem, values).value == pytest.approx(float(np.squeeze(theirs)), abs=1e-9), (
            own.name
        )


def _quantus():
    try:
        with torchvision_stand_in():
            import quantus
    except ImportError as error:
        pytest.skip(f"Quantus cannot be imported: {error}")
    return quantus


# ---- chance, and what has no answer ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dims", [2, 3])
def test_a_constant_map_has_the_chance_level(name, dims):
    rng = np.random.default_rng(1)
    shape = (9, 8, 7)[:dims]
    mask = rng.random(shape) < 0.25
    problem = asked(shape, mask.astype(np.int32))
    chosen, chance = metric(name), mask.mean()
    if name == "top_k_intersection":
        k = max(round(0.01 * mask.size), 1)
        chance = chance * k / min(k, mask.sum())
    expected = 0.5 if name == "auroc" else chance
    assert figure(chosen, problem, np.full((1, *shape), 3.0)).value == pytest.approx(expected, abs=1e-9)
    found = chosen.compute(problem, [null("constant", problem)])
    assert found[0, 0].value == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_what_has_no_answer_says_why(name):
    shape = (5, 6)
    some = np.zeros(shape, dtype=np.int32)
    some[1, 2] = 1
    problem = asked(shape, some)
    for values, sign, why in [
        (np.zeros((1, *shape)), "positive", "zero everywhere"),
        (-np.ones((1, *shape)), "positive", "no value of the map is positive"),
    ]:
        found = figure(metric(name, sign=sign), problem, values)
        assert math.isnan(found.value) and why in found.note
    assert not math.isnan(figure(metric(name, sign="absolute"), problem, -np.ones((1, *shape))).value)
    for label, why in [
        (np.zeros(shape, dtype=np.int32), "no voxel"),
        (np.ones(shape, dtype=np.int32), "every voxel"),
    ]:
        found = figure(metric(name), asked(shape, label), np.ones((1, *shape)))
        assert math.isnan(found.value) and why in found.note


def test_channels_are_added_up_before_the_sign_is_looked_at():
    mask = np.array([[1, 0, 0]], dtype=np.int32)
    problem = asked((3, 3), np.repeat(mask, 3, 0), channels=2)
    values = np.zeros((2, 3, 3))
    values[:, 0, 0] = [5.0, -3.0]  # 2 inside
    values[:, 0, 1] = [1.0, 2.0]  # 3 outside
    values[:, 0, 2] = [1.0, -6.0]  # −5 outside
    assert figure(RelevanceMassAccuracy(), problem, values).value == pytest.approx(2 / 5)
    assert figure(RelevanceMassAccuracy(sign="absolute"), problem, values).value == pytest.approx(2 / 10)


def test_the_tolerance_is_in_millimetres():
    label = np.zeros((5, 5, 5), dtype=np.int32)
    label[2, 2, 2] = 1
    problem = asked((5, 5, 5), label, spacing=(1.0, 2.0, 3.0))
    for where, distance in [((1, 2, 2), 1.0), ((2, 1, 2), 2.0), ((2, 2, 3), 3.0), ((1, 1, 2), math.sqrt(5))]:
        values = np.zeros((1, 5, 5, 5))
        values[0][where] = 1.0
        assert figure(PointingGame(), problem, values).value == 0
        assert figure(PointingGame(tolerance=0.99 * distance), problem, values).value == 0
        assert figure(PointingGame(tolerance=distance), problem, values).value == 1
    with pytest.raises(InputError, match="tolerance"):
        PointingGame(tolerance=-1.0)


# ---- where the mask comes from ---------------------------------------------------------------------------------------


def test_the_mask_of_every_source_is_the_one_that_was_meant(tmp_path):
    shape = (8, 8, 6)
    rng = np.random.default_rng(2)
    label = rng.integers(0, 3, size=shape).astype(np.int32)
    case = Case(id="c", image=random_case(shape).image, geometry=Geometry(np.eye(4), shape), label=label)
    model = Model(
        smooth_segmenter(3), spatial_dims=3, task="segmentation", windows=Windows(roi=6, overlap=0.5)
    )
    problem = Problem(model, case, AllClasses(background=True))
    values = rng.random((1, *shape))

    def mass(**parameters):
        chosen = RelevanceMassAccuracy(**parameters)
        chosen.check(problem)
        found = chosen.compute(problem, [says(values, problem)])
        return [found[0, t].value for t in problem.present]

    def truth(mask):
        return pytest.approx(values[0][mask].sum() / values.sum(), abs=1e-6)

    classes = [problem.targets[t].class_index for t in problem.present]
    assert len(classes) == 3
    assert mass() == [truth(label == c) for c in classes]
    assert mass(value=2) == [truth(label == 2)] * 3
    predicted = problem.prediction.labels.numpy()
    assert mass(mask="region") == [truth(predicted == c) for c in classes]
    mine = np.zeros(shape, dtype=np.uint8)
    mine[2:5, 1:4] = 7
    mine[0, 0, 0] = 3
    assert mass(mask=mine) == [truth(mine != 0)] * 3
    assert mass(mask=mine, value=7) == [truth(mine == 7)] * 3
    write_array(tmp_path / "mine.nii.gz", mine.astype(np.float32), case.geometry)
    assert mass(mask=tmp_path / "mine.nii.gz") == [truth(mine != 0)] * 3
    other = np.roll(mine, 1, 0)  # as large, so that only its voxels tell the two apart
    assert mass(mask=other) == [truth(other != 0)] * 3
    assert "sha256" in RelevanceMassAccuracy(mask=mine).parameters()["mask"]


def test_a_mask_is_brought_to_the_grid_that_the_network_sees():
    shape = (8, 8, 8)
    label = np.zeros(shape, dtype=np.int32)
    label[:4] = 1
    case = Case(id="c", image=random_case(shape).image, geometry=Geometry(np.eye(4), shape), label=label)
    model = Model(classifier(3), spatial_dims=3, task="classification", prepare=Preparation(spacing=2.0))
    problem = Problem(model, case, ClassScore(1))
    assert problem.spatial_shape == (4, 4, 4)
    values = np.zeros((1, 4, 4, 4))
    values[0, 1], values[0, 2] = 3.0, 1.0  # the first half is the mask's
    assert figure(RelevanceMassAccuracy(), problem, values).value == pytest.approx(0.75)
    assert figure(RelevanceMassAccuracy(mask=label), problem, values).value == pytest.approx(0.75)


def test_masks_that_cannot_be_used_are_refused_before_anything_runs():
    bare = asked((5, 6))
    with pytest.raises(InputError, match="has no label map"):
        PointingGame().check(bare)
    with pytest.raises(InputError, match="has no region"):
        PointingGame(mask="region").check(bare)
    with pytest.raises(GeometryError, match="shape"):
        PointingGame(mask=np.ones((6, 5), dtype=np.uint8)).check(bare)
    with pytest.raises(InputError, match="value=9"):
        PointingGame().check(asked((5, 6), np.full((5, 6), 9, dtype=np.int32)))
    with pytest.raises(InputError, match="sign"):
        PointingGame(sign="negative")
    with pytest.raises(InputError, match="share"):
        TopKIntersection(share=1.0)
    with pytest.raises(InputError, match="label map"):
        evaluate(bare, Gradient().attribute(bare), ["auroc"])


def test_the_absence_of_a_finding_is_nowhere():
    label = np.zeros((5, 6), dtype=np.int32)
    label[1] = 1
    case = Case(id="c", image=random_case((5, 6)).image, geometry=None, label=label)
    problem = Problem(
        Model(classifier(2), spatial_dims=2, task="classification"), case, [ClassScore(0), ClassScore(1)]
    )
    found = RelevanceMassAccuracy().compute(problem, [says(np.ones((1, 5, 6)), problem)])
    assert math.isnan(found[0, 0].value) and "no voxel" in found[0, 0].note
    assert found[0, 1].value == pytest.approx(0.2)


def test_a_finding_is_where_the_label_has_one_of_its_values():
    label = np.zeros((5, 6), dtype=np.int32)
    label[1], label[2:4] = 1, 4
    case = Case(id="c", image=random_case((5, 6)).image, geometry=None, label=label)

    def asked(**known) -> Problem:
        model = Model(classifier(2), spatial_dims=2, task="classification", output="sigmoid", **known)
        return Problem(model, case, [ClassScore(0), ClassScore(1)])

    with pytest.raises(InputError, match=r"independent of each other.*value=1"):
        RelevanceMassAccuracy().check(asked())
    problem = asked(label_values=[(1, 4), (4,), (1,)])
    found = RelevanceMassAccuracy().compute(problem, [says(np.ones((1, 5, 6)), problem)])
    # one of five rows holds 1, two hold 4
    assert [found[0, t].value for t in (0, 1)] == pytest.approx([0.6, 0.4])


# ---- on networks -----------------------------------------------------------------------------------------------------


class Shortcut(nn.Module):
    """Class 1 wins by the sum of a few voxels."""

    def __init__(self, weights: torch.Tensor) -> None:
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        score = (x * self.weights).flatten(1).sum(1, keepdim=True)
        return torch.cat([-score, score], 1)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dims", [2, 3])
def test_the_map_of_a_planted_shortcut_is_found_where_it_was_planted(name, dims):
    shape = (8, 9, 7)[:dims]
    label = np.zeros(shape, dtype=np.int32)
    label[(slice(2, 4), slice(3, 5), slice(1, 3))[:dims]] = 1
    weights = torch.as_tensor(label, dtype=torch.float32)[None]
    image = np.abs(random_case(shape).image) + 1
    geometry = Geometry(np.eye(4), shape) if dims == 3 else None
    case = Case(id="c", image=image, geometry=geometry, label=label)
    problem = Problem(Model(Shortcut(weights), spatial_dims=dims, task="classification"), case, ClassScore(1))
    right = InputXGradient().attribute(problem)
    judged = evaluate(problem, right, [name])
    assert judged.value(name, "input_x_gradient") == pytest.approx(1.0)
    assert judged.judgements[0].tells
    assert set(judged.judgements[0].nulls) == {"constant", "random", "edges"}
    assert judged.passes[name] == Passes(0, 0) == metric(name).cost(problem, [])
    rng = np.random.default_rng(0)
    values = right.values(0)
    moved = values.flatten()[torch.from_numpy(rng.permutation(values.numel()))].reshape(values.shape)
    assert figure(metric(name), problem, moved).value < 0.9


def test_targets_that_are_absent_or_have_no_map_have_no_figure():
    shape = (8, 8)
    label = np.zeros(shape, dtype=np.int32)
    label[:3] = 1
    case = Case(id="c", image=random_case(shape).image, geometry=None, label=label)
    model = Model(smooth_segmenter(2), spatial_dims=2, task="segmentation")
    problem = Problem(model, case, [LabelRegion(1), LabelRegion(2)])
    assert problem.present == [0]
    found = evaluate(problem, Gradient().attribute(problem), ["auroc"])
    here, absent = found.judgements
    assert 0 <= here.figure.value <= 1
    assert math.isnan(absent.figure.value) and absent.remark.startswith("no map, its status is absent")

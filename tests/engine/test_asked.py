"""Inputs that are each asked about some targets, and the soft Dice of stitched outputs, against MONAI's inference."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from brute import LAYOUTS, SCORES, Brute
from networks import random_case, smooth_segmenter
from stitched import scores, stitched
from torch import nn

from voxplain.engine import Problem
from voxplain.engine.asked import Asked
from voxplain.engine.overlap import SoftDice
from voxplain.engine.passes import Passes
from voxplain.engine.samplers import Fixed
from voxplain.model import Model, Windows
from voxplain.target import AllClasses, PredictedRegion

ASKED = [[0], [2, 1], [], [1]]


def images(problem):
    rng = np.random.default_rng(5)
    return [torch.from_numpy(rng.normal(size=problem.image.shape)) for _ in ASKED]


def run(problem, measure, made):
    """Scores, after the promised passes and no other."""
    before = problem.passes.copy()
    found = measure.scores(Fixed([problem.pad(x) for x in made]), ASKED)
    assert problem.passes - before == measure.cost(ASKED)
    return found


def compare(found, truths):
    for row, targets, truth in zip(found, ASKED, truths, strict=True):
        for t in range(len(row)):
            if t in targets:
                assert float(row[t]) == pytest.approx(float(truth[t]), rel=1e-9)
            else:
                assert torch.isnan(row[t])


@pytest.mark.parametrize("kind", SCORES)
@pytest.mark.parametrize(("shape", "windows"), LAYOUTS)
def test_every_input_answers_what_it_was_asked_and_nothing_else(shape, windows, kind):
    brute = Brute(shape, windows, kind)
    made = images(brute.problem)
    compare(run(brute.problem, Asked(brute.problem.engine), made), [brute.scores(x) for x in made])


def test_another_score_over_the_same_regions():
    brute = Brute((10, 13), Windows(roi=(6, 8), overlap=0.25), "logit")
    other = Brute((10, 13), Windows(roi=(6, 8), overlap=0.25), "probability")
    made = images(brute.problem)
    asked = Asked.about(brute.problem, [t.functional for t in other.problem.targets])
    compare(
        run(brute.problem, asked, made), [scores(brute.stitched(x), brute.clean, "probability") for x in made]
    )


def test_windows_without_a_target_do_not_run():
    """Class 1 is where the image is above 0: in the last 4 of 16 rows, so in 1 of 4 windows of 4 rows."""
    net = nn.Conv2d(1, 2, 1)
    with torch.no_grad():
        net.weight[:] = torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1)
        net.bias.zero_()
    case = random_case((16, 4))
    case.image[:] = -1.0
    case.image[:, 12:] = 1.0
    problem = Problem(
        Model(net, spatial_dims=2, windows=Windows(roi=4, overlap=0.0)), case, PredictedRegion(1)
    )
    asked = Asked(problem.engine)
    before = problem.passes.copy()
    assert asked.scores(Fixed([problem.padded, problem.padded]), [[0], [0]]).tolist() == [[1.0], [1.0]]
    assert problem.passes - before == asked.cost([[0], [0]]) == Passes(2, 0)


def dice(p, y):
    return 2 * float((p * y).sum()) / float(p.sum() + y.sum())


@pytest.mark.parametrize(("shape", "windows"), LAYOUTS)
def test_soft_dice_is_that_of_the_stitched_probabilities(shape, windows):
    brute = Brute(shape, windows, "logit")
    made = images(brute.problem)
    truths = []
    for x in made:
        p = brute.stitched(x).softmax(0)
        truths.append([dice(p[c], (brute.clean.argmax(0) == c).double()) for c in range(3)])
    compare(run(brute.problem, SoftDice(brute.problem), made), truths)


@pytest.mark.parametrize("output", ["sigmoid", "binary", "probabilities"])
def test_soft_dice_of_other_kinds_of_output(output):
    windows = Windows(roi=6, overlap=0.5)
    net = smooth_segmenter(3, classes=1 if output == "binary" else 3)
    net = (nn.Sequential(net, nn.Softmax(1)) if output == "probabilities" else net).double()
    model = Model(net, spatial_dims=3, windows=windows, output=output)
    target = PredictedRegion(1) if output == "binary" else AllClasses(background=True)
    problem = Problem(model, random_case((7, 9, 8)), target, dtype=torch.float64)
    x = images(problem)[0]
    found = SoftDice(problem).scores(Fixed([problem.pad(x)]), [problem.present])[0]

    clean, z = (stitched(net, image, windows).detach() for image in (problem.image, x))
    if output == "probabilities":
        p, y = z, torch.stack([clean.argmax(0) == c for c in range(3)])
    else:
        p, y = torch.sigmoid(z), clean > 0
    assert found.tolist() == pytest.approx([dice(a, b.double()) for a, b in zip(p, y, strict=True)], rel=1e-9)


def test_the_clean_dice_of_a_sure_network_is_one():
    """Logits ±50: probabilities are 0 and 1 to 2e-22."""
    net = nn.Conv2d(1, 2, 1).double()
    with torch.no_grad():
        net.weight[:] = torch.tensor([-50.0, 50.0]).reshape(2, 1, 1, 1)
        net.bias.zero_()
    case = random_case((8, 6))
    case.image[:] = np.where(case.image > 0, 1, -1)
    problem = Problem(Model(net, spatial_dims=2), case, PredictedRegion(1), dtype=torch.float64)
    found = SoftDice(problem).scores(Fixed([problem.padded, -problem.padded]), [[0], [0]])
    assert found[:, 0].tolist() == pytest.approx([1.0, 0.0], abs=1e-12)

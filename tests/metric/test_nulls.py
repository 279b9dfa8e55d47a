"""Random maps as nulls: how often one more of their kind passes, and that figures can be judged apart and joined."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from networks import classifier, random_case
from scipy import ndimage, stats

from voxplain.attribution import Gradient, InputXGradient
from voxplain.case import Case
from voxplain.engine import Problem
from voxplain.errors import InputError
from voxplain.metric import (
    Facts,
    Figure,
    Judgement,
    evaluate,
    join,
    judged,
    metric,
    null_candidates,
    nulls as nulls_module,
    row,
)
from voxplain.metric.identity import image_print
from voxplain.metric.nulls import null
from voxplain.metric.several import Several, upper_bound
from voxplain.model import Model
from voxplain.target import ClassScore

SHAPE = (12, 10)


def problem(seed: int = 0, image: int = 0, *, targets: int = 2) -> Problem:
    label = np.zeros(SHAPE, dtype=np.int32)
    label[2:6, 3:7] = 1
    case = Case(id=f"c{image}", image=random_case(SHAPE, seed=image).image, geometry=None, label=label)
    model = Model(classifier(2, seed=seed % 7), spatial_dims=2, task="classification")
    return Problem(model, case, [ClassScore(c) for c in range(1, 1 + targets)], seed=seed)


# ---- the maps --------------------------------------------------------------------------------------------------------


def test_a_random_map_depends_on_seed_image_and_number_and_not_on_the_target():
    p = problem()
    one = null("random-1", p)
    assert one.null and one.values(0).shape == (1, *SHAPE)
    assert torch.equal(one.values(0), one.values(1))
    assert torch.equal(one.values(0), null("random-1", problem()).values(0))
    for other in (null("random-2", p), null("random-1", problem(seed=7)), null("random-1", problem(image=1))):
        assert not torch.equal(one.values(0), other.values(0))
    rng = np.random.default_rng([0, int(image_print(p), 16), 1, nulls_module.SALT])
    truth = ndimage.gaussian_filter(rng.standard_normal(SHAPE, dtype=np.float32), 1.5)
    assert np.array_equal(one.values(0)[0].numpy(), truth)


def test_random_maps_are_kept_only_where_they_are_small(monkeypatch):
    monkeypatch.setattr(nulls_module, "HELD_BYTES", 3 * 4 * math.prod(SHAPE))
    p = problem()
    for number in (1, 2, 3, 4, 5):
        one = null(f"random-{number}", p)
        assert (one.values(0) is one.values(0)) == (number <= 3)
        assert torch.equal(one.values(0), one.values(0))


def test_the_nulls_of_a_metric():
    p = problem()
    assert [c.name for c in null_candidates(p, metric("deletion"), 2)] == [
        "zero",
        "random-1",
        "random-2",
        "edges",
    ]
    assert [c.name for c in null_candidates(p, metric("infidelity"), 2)] == ["zero"]
    assert all(c.null for c in null_candidates(p, metric("auroc")))
    assert len(null_candidates(p, metric("auroc"))) == 1 + 5 + 1
    for wrong in (
        lambda: null_candidates(p, metric("auroc"), 0),
        lambda: evaluate(p, [], [], random_nulls=0),
    ):
        with pytest.raises(InputError, match="random_nulls"):
            wrong()
    for name in ("random", "random-x", "noise"):
        with pytest.raises(InputError, match="unknown"):
            null(name, p)


# ---- the bound -------------------------------------------------------------------------------------------------------


def test_the_bound_is_a_prediction_bound():
    """mean + t · s · √(1 + 1/K) by scipy, and a twentieth of normal numbers beyond it."""
    values = np.array([0.3, -0.1, 0.4, 0.2, 0.7])
    truth = values.mean() + stats.t.ppf(0.95, 4) * stats.tstd(values) * math.sqrt(6 / 5)
    assert float(upper_bound(values)) == pytest.approx(truth, rel=1e-12)
    drawn = np.random.default_rng(0).normal(size=(6, 100_000))
    assert (drawn[5] > upper_bound(drawn[:5])).mean() == pytest.approx(0.05, abs=0.003)
    assert float(upper_bound(np.array([0.4]))) == 0.4
    # no correlation is above one: half way from the best to the end
    assert float(upper_bound(np.array([-0.9, 0.9]), 1.0)) == pytest.approx(0.95)


@pytest.mark.parametrize("higher", [True, False])
def test_what_beats_several(higher):
    sign = 1 if higher else -1
    several = Several.of([Figure(sign * v) for v in (0.1, 0.2, 0.3)])
    edge = 0.2 + stats.t.ppf(0.95, 2) * 0.1 * math.sqrt(4 / 3)
    assert several.value == pytest.approx(sign * 0.2)
    assert Figure(sign * (edge + 1e-6)).beats(several, higher=higher)
    assert not Figure(sign * (edge - 1e-6)).beats(several, higher=higher)
    one = Several.of([Figure(sign * 0.1), Figure(math.nan)])
    assert Figure(sign * 0.11).beats(one, higher=higher) and not Figure(sign * 0.1).beats(one, higher=higher)
    assert math.isnan(Several.of([Figure(math.nan, note="why")]).value)
    # replicate by replicate: what leads by 1 but scatters by 1 does not lead surely
    rng = np.random.default_rng(0)
    singles = [Figure(sign * v, sign * (v + 0.01 * rng.normal(size=400))) for v in (0.0, 0.1, 0.2)]
    sure, unsure = (Figure(sign * 1.0, sign * (1.0 + s * rng.normal(size=400))) for s in (0.1, 1.0))
    assert sure.beats(Several.of(singles), higher=higher)
    assert not unsure.beats(Several.of(singles), higher=higher)


# The share is to be about a twentieth. Draws make it rarer, since both the bound and the draws leave room; small counts
# of voxels, most of them nought, are not normal and make it more frequent.
KINDS = [
    ("faithfulness_correlation", {"draws": 24, "cells": 4}, 0.0, 0.09),
    ("normalized_infidelity", {"draws": 16, "cells": 4}, 0.0, 0.09),
    ("deletion", {"steps": 4}, 0.01, 0.09),
    ("pixel_flipping", {"steps": 4}, 0.01, 0.09),
    ("auroc", {}, 0.01, 0.09),
    ("relevance_rank_accuracy", {}, 0.01, 0.16),
]


@pytest.mark.parametrize(("name", "parameters", "least", "most"), KINDS)
def test_one_more_random_map_passes_in_about_a_twentieth_of_all_cases(name, parameters, least, most):
    """Groups of six random maps of several problems, the sixth as the one that is judged."""
    one, told = metric(name, **parameters), []
    for seed in range(16):
        p = problem(seed=seed, image=seed, targets=1)
        found = one.compute(p, [null(f"random-{k}", p) for k in range(1, 97)])
        figures = [found[k, 0] for k in range(96) if not math.isnan(found[k, 0].value)]
        for start in range(0, len(figures) - 5, 6):
            beside = {f"random-{k + 1}": f for k, f in enumerate(figures[start : start + 5])}
            told.append(join(one, "sixth", 0, figures[start + 5], beside).tells)
    assert len(told) > 200
    assert least <= np.mean([t is True for t in told]) <= most


def test_one_random_map_alone_would_be_beaten_by_every_second():
    """Why there are several."""
    p, one = problem(), metric("auroc")
    found = one.compute(p, [null(f"random-{k}", p) for k in range(1, 401)])
    told = [
        join(one, "second", 0, found[k + 1, 0], {"random-1": found[k, 0]}).tells for k in range(0, 400, 2)
    ]
    assert 0.4 < np.mean(told) < 0.6


# ---- judged apart, and joined ----------------------------------------------------------------------------------------


def in_pieces(p: Problem, name: str, **parameters: object) -> list[Judgement]:
    """Every map and every null judged alone, and sent as JSON."""
    one, maps = metric(name, **parameters), [Gradient().attribute(p), InputXGradient().attribute(p)]

    def sent(candidate):
        found = one.compute(p, [candidate])
        return {t: json.loads(json.dumps(found[0, t].plain(), allow_nan=False)) for t in p.present}

    beside = {c.name: sent(c) for c in null_candidates(p, one)}
    out = []
    for attribution in maps:
        own = sent(judged(attribution))
        for t in p.present:
            nulls = {n: Figure.from_plain(f[t]) for n, f in beside.items()}
            figure = Figure.from_plain(own[t])
            meaning = judged(attribution).meaning
            out.append(join(one, attribution.method, t, figure, nulls, meaning=meaning))
    return out


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("deletion", {}), ("faithfulness_correlation", {"draws": 16}), ("auroc", {}), ("sensitivity_max", {})]
    + [(n, {"draws": 3}) for n in ("mprt_absolute", "efficient_mprt")],
)
def test_pieces_joined_are_the_evaluation(name, parameters):
    p = problem(targets=1)
    apart = [row(j, Facts.of(p, j.target)) for j in in_pieces(p, name, **parameters)]
    other = problem(targets=1)
    maps = [Gradient().attribute(other), InputXGradient().attribute(other)]
    whole = evaluate(other, maps, [metric(name, **parameters)]).rows()
    assert len(apart) == len(whole) == 2
    for a, b in zip(apart, whole, strict=True):
        assert repr(a) == repr(b)


def test_rows_need_no_problem():
    facts = Facts(case="c", model="net", target="t", image="i", network="n", seed=3)
    made = row(
        join(metric("auroc"), "mine", 0, Figure(0.7), {"random-1": Figure(0.5)}, meaning="share"), facts
    )
    assert made["null_random"] == 0.5 and made["tells"] is True and made["meaning"] == "share"
    assert (made["case"], made["model"], made["target"], made["seed"]) == ("c", "net", "t", 3)
    assert (made["image"], made["network"], made["method"]) == ("i", "n", "mine")
    assert math.isnan(made["excess"])


@pytest.mark.parametrize("value", [0.1 + 0.2, math.nan, math.inf, -math.inf, 5e-324, -0.0, 1])
def test_a_figure_survives_json_bit_for_bit(value):
    figure = Figure(value, np.array([value, 1 / 3, math.nan]), "why", (value, 2 / 3))
    again = Figure.from_plain(json.loads(json.dumps(figure.plain(), allow_nan=False)))
    for a, b in ((figure.value, again.value), *zip(figure.curve, again.curve, strict=True)):
        assert np.float64(a).tobytes() == np.float64(b).tobytes()
    assert figure.replicates.tobytes() == again.replicates.tobytes() and again.note == "why"
    assert Figure.from_plain(replace(figure, replicates=None).plain()).replicates is None


def test_targets_without_a_map_have_a_row_that_says_so():
    p = problem()
    made = Gradient().attribute(p)
    made.answers[1].status, made.answers[1].note = "failed", "the map has NaN"
    rows = evaluate(p, made, ["auroc", "deletion", "completeness"]).rows()
    assert [r["target"] for r in rows] == [t.name for t in p.targets] * 3
    for r in rows[1::2]:
        assert math.isnan(r["value"]) and r["tells"] is None
        assert r["note"] == "no map, its status is failed: the map has NaN"
    assert all(r["meaning"] == "slope" for r in rows)

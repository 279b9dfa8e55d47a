"""Attributions come back from their files bit for bit, and are judged as they were."""

from __future__ import annotations

import dataclasses
import gc
import json
import weakref
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from networks import classifier, random_case, smooth_segmenter
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from voxplain.attribution import Method, Result, method
from voxplain.attribution.attribution_file import read_attribution, stored_facts, write_attribution
from voxplain.engine import MapStore, Problem
from voxplain.engine.prediction_file import read_prediction, write_prediction
from voxplain.engine.tensor_file import TensorFile
from voxplain.errors import InputError, TargetError
from voxplain.metric import evaluate, judged, metric
from voxplain.model import Model, Windows
from voxplain.target import AllClasses, LabelRegion, Mask, PredictedRegion

PLAIN = ("method", "parameters", "passes", "seconds", "peak_bytes", "seed", "unit", "voxel_power")


@dataclass(frozen=True)
class Halfway(Method):
    """Any map, but zero for one target and not finite for another."""

    name: ClassVar[str] = "halfway"
    family: ClassVar[str] = "gradient"
    title: ClassVar[str] = "Halfway"
    source: ClassVar[str] = ""

    sizes: tuple[float, ...] = (0.1, 1e-300)

    def compute(self, problem: Problem) -> Result:
        maps = _random(problem)
        maps[1] = torch.zeros(problem.image.shape)
        maps[2] = torch.full(problem.image.shape, torch.nan)
        checks = {0: {"completeness_gap": float("inf"), "agreement": 1 / 3}, 1: {"agreement": float("nan")}}
        return Result(maps, problem.clean_scores(), "score", checks, {0: 'a "note", naïve'}, voxel_power=2)


def _random(problem):
    torch.manual_seed(1)
    maps = problem.store()
    for t in problem.present:
        maps[t] = torch.randn(problem.image.shape, dtype=torch.float64)
    return maps


def segmentation(dims, dtype=torch.float32, **kwargs):
    """Three classes, and a fourth that wins nowhere."""
    net = smooth_segmenter(dims, classes=4)
    with torch.no_grad():
        net[2].bias[3] = -1e6
    net = net.to(dtype)
    model = Model(net, spatial_dims=dims, windows=Windows(roi=6, overlap=0.5))
    targets = [PredictedRegion(class_name=c) for c in range(4)]
    return Problem(model, random_case((8, 9, 7)[:dims]), targets, dtype=dtype, seed=5, **kwargs)


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.numpy().tobytes() == b.numpy().tobytes()


def assert_same(read, live):
    for name in PLAIN:
        assert getattr(read, name) == getattr(live, name), name
        assert type(getattr(read, name)) is type(getattr(live, name)), name
    for a, b in zip(read.answers, live.answers, strict=True):
        assert a.target is b.target
        assert (a.status, a.note) == (b.status, b.note)
        assert a.score == b.score or (np.isnan(a.score) and np.isnan(b.score))
        assert repr(a.checks) == repr({name: float(v) for name, v in b.checks.items()})
    for t, answer in enumerate(live.answers):
        if answer.status in ("ok", "zero"):
            assert t in read.maps
            assert same_bits(read.values(t), live.values(t))
            assert np.array_equal(read.map(t), live.map(t))
        else:
            assert t not in read.maps
            for ask in (read.values, live.values):
                with pytest.raises(TargetError, match="there is no map"):
                    ask(t)
            with pytest.raises(InputError, match="holds no"):
                read.maps[t]
    if live.region_values is None:
        assert read.region_values is None
    else:
        assert same_bits(read.region_values, live.region_values)
    assert read.regions is None
    assert repr(read.rows()) == repr(live.rows())


METHODS = {
    "gradient": {},
    "integrated_gradients": {"nodes": 2},
    "grad_cam": {"layer": "1"},
    "occlusion": {"size": 4},
    "smoothgrad": {"draws": 2},
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("name", METHODS)
def test_everything_comes_back(name, dims, dtype, tmp_path):
    p = segmentation(dims, dtype)
    made = method(name, **METHODS[name])
    live = made.attribute(p)
    assert [a.status for a in live.answers] == ["ok", "ok", "ok", "absent"]
    read = read_attribution(write_attribution(tmp_path / "new" / "a", live), p, made)
    assert_same(read, live)
    assert read.problem is p and read.made_by is made
    assert read.values(0).dtype == dtype
    assert (live.region_values is not None) == (name == "occlusion")


@pytest.mark.parametrize("limit", [2 << 30, 0])
def test_zero_and_failed_and_absent_and_numbers_that_json_does_not_know(limit, tmp_path):
    p = segmentation(3, memory=limit, scratch=tmp_path / "scratch")
    live = Halfway().attribute(p)
    assert live.maps.on_disk == (limit == 0)
    assert [a.status for a in live.answers] == ["ok", "zero", "failed", "absent"]
    read = read_attribution(write_attribution(tmp_path / "a", live), p)
    assert_same(read, live)
    assert read.made_by is None
    assert read.answers[0].checks["completeness_gap"] == float("inf")
    assert read.parameters == {"sizes": [0.1, 1e-300]}


def test_classifiers_and_problems_without_any_target_that_is_there(tmp_path):
    p = Problem(Model(classifier(2), spatial_dims=2), random_case((8, 9)), AllClasses())
    live = method("gradient").attribute(p)
    assert_same(read_attribution(write_attribution(tmp_path / "a", live), p), live)

    none = segmentation(3)
    none = Problem(none.model, none.case, [PredictedRegion(class_name=3)])
    live = method("occlusion", size=4).attribute(none)
    assert_same(read_attribution(write_attribution(tmp_path / "b", live), none), live)


def test_safetensors_reads_the_file_too(tmp_path):
    p = segmentation(3)
    live = method("occlusion", size=4).attribute(p)
    path = write_attribution(tmp_path / "a.safetensors", live, facts={"key": "mine", "kind": "another"})
    tensors = load_file(path)
    assert tensors.keys() == {"0", "1", "2", "region_values"}
    assert all(same_bits(tensors[str(t)], live.values(t)) for t in range(3))
    with safe_open(path, "pt") as file:
        told = json.loads(file.metadata()["told"])
    assert told["method"] == "occlusion" and told["answers"][3]["status"] == "absent"
    assert stored_facts(path)["key"] == "mine"
    assert read_attribution(path, p).method == "occlusion", (
        "a caller's facts do not take the place of its own"
    )
    assert stored_facts(tmp_path / "nothing") == {}


def test_maps_are_read_when_asked_for_and_none_is_kept(tmp_path, monkeypatch):
    p = segmentation(3)
    path = write_attribution(tmp_path / "a", method("gradient").attribute(p))
    asked = []
    plain = TensorFile.read
    monkeypatch.setattr(TensorFile, "read", lambda self, name: asked.append(name) or plain(self, name))
    read = read_attribution(path, p)
    assert asked == []
    kept = weakref.ref(read.values(1))
    gc.collect()
    assert asked == ["1"] and kept() is None
    read.values(1).zero_()
    assert read.values(1).any(), "what is done with one does not change the next"


def test_another_problem_of_the_same_questions_may_read_it(tmp_path):
    """As a later process does, whose prediction is read, too."""
    p = segmentation(3)
    live = method("gradient").attribute(p)
    path = write_attribution(tmp_path / "a", live)
    prediction = read_prediction(write_prediction(tmp_path / "p", p.prediction))
    q = segmentation(3, prediction=prediction)
    read = read_attribution(path, q)
    assert q.passes.forward == 0
    assert all(a.target is t for a, t in zip(read.answers, q.targets, strict=True))
    assert all(same_bits(read.values(t), live.values(t)) for t in q.present)
    assert same_bits(read_attribution(path, q.afresh()).values(0), live.values(0))


# --- metrics ------------------------------------------------------------------------------------------------------

JUDGED = {
    "faithfulness_correlation": {"draws": 8},
    "sensitivity_max": {"draws": 2},
    "completeness": {},
    "mprt_absolute": {"draws": 1},
}


@pytest.mark.parametrize("name", ["gradient", "integrated_gradients", "grad_cam"])
def test_a_candidate_is_the_same(name, tmp_path):
    p = segmentation(3)
    live = method(name, **METHODS[name]).attribute(p)
    read = read_attribution(write_attribution(tmp_path / "a", live), p)
    a, b = judged(read), judged(live)
    assert (a.name, a.targets, a.meaning, a.null) == (b.name, b.targets, b.meaning, b.null)
    assert all(same_bits(a.values(t), b.values(t)) for t in b.targets)


@pytest.mark.parametrize("name", JUDGED)
def test_metrics_of_what_was_read_are_those_of_what_was_made(name, tmp_path):
    p = segmentation(3)
    chosen = metric(name, **JUDGED[name])
    rows = []
    for made in (method("integrated_gradients", nodes=2), method("gradient")):
        live = made.attribute(p)
        read = read_attribution(write_attribution(tmp_path / made.name, live), p, made)
        for one in (live, read):
            q = p.afresh(clean=p.clean_scores())
            found = evaluate(q, dataclasses.replace(one, problem=q), [chosen], random_nulls=1)
            rows.append(repr(found.rows()))
    assert rows[0] == rows[1] and rows[2] == rows[3]
    assert rows[0] != rows[2]


# --- what is refused ----------------------------------------------------------------------------------------------


def other_problems():
    p = segmentation(3)
    model, case = p.model, p.case
    label = np.zeros((8, 9, 7), np.int32)
    label[2:5, 3:6, 1:4] = 1
    first, second, third, none = (PredictedRegion(class_name=c) for c in range(4))
    summed = PredictedRegion(class_name=1, reduce="sum")
    return p, {
        "image": Problem(model, random_case((9, 8, 7)), [first, second, third, none]),
        "targets": Problem(model, case, [first, second, third]),
        "targets: found": Problem(model, case, [second, first, third, none]),
        "voxels": Problem(model, random_case((8, 9, 7), seed=1), [first, second, third, none]),
        "target 'class-1': scale": Problem(model, case, [first, summed, third, none]),
        "class-1-probability": Problem(
            model, case, [first, PredictedRegion(class_name=1, score="probability"), third, none]
        ),
        "label-class-1": Problem(
            model, dataclasses.replace(case, label=label), [first, LabelRegion(class_name=1), third, none]
        ),
    }


def test_the_answer_to_another_problem_is_refused_by_file_and_field(tmp_path):
    p, others = other_problems()
    path = write_attribution(tmp_path / "a.safetensors", method("gradient").attribute(p))
    read_attribution(path, p)
    for field, other in others.items():
        with pytest.raises(InputError) as caught:
            read_attribution(path, other)
        text = str(caught.value)
        assert str(path) in text and "\n" not in text and "expected" in text
        assert field in text, text


def test_a_mask_of_the_same_size_elsewhere_is_another_question(tmp_path):
    p = segmentation(3)
    masks = np.zeros((2, 8, 9, 7))
    masks[0, 1:4, 2:5, 3:5] = masks[1, 2:5, 2:5, 3:5] = 1
    a, b = (Problem(p.model, p.case, Mask(class_name=1, mask=m)) for m in masks)
    path = write_attribution(tmp_path / "a", method("gradient").attribute(a))
    with pytest.raises(InputError, match=r"box: found \[\[1, 4\], .* expected \[\[2, 5\]"):
        read_attribution(path, b)


def test_files_of_another_kind_or_damaged_are_refused_by_name(tmp_path):
    p = segmentation(3)
    path = write_attribution(tmp_path / "a.safetensors", method("gradient").attribute(p))
    with safe_open(path, "pt") as file:
        facts = file.metadata()
    tensors = load_file(path)
    told = json.loads(facts["told"])

    def refused(match, tensors=tensors, facts=facts, **changes):
        save_file(tensors, path, {**facts, "told": json.dumps({**told, **changes})} if changes else facts)
        with pytest.raises(InputError, match=match) as caught:
            read_attribution(path, p)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)

    refused("no stored attribution", facts={})
    refused("damaged", facts={"kind": facts["kind"]})
    refused("damaged", facts={"kind": facts["kind"], "told": "{"})
    refused("damaged", passes={"sideways": 1})
    refused(r"maps: found \['0', '1'\]", tensors={t: tensors[t] for t in "01"})
    refused("map 1: found", tensors={**tensors, "1": torch.zeros(1, 8, 9)})
    refused("map 1: found", tensors={**tensors, "1": torch.zeros(2, 8, 9, 7)})
    refused("region_values: found", tensors={**tensors, "region_values": torch.zeros(3, 5)})
    answers = [dict(a) for a in told["answers"]]
    answers[2]["status"] = "absent"
    refused("status: found 'absent'", tensors={t: tensors[t] for t in "01"}, answers=answers)
    answers[2]["status"] = "fine"
    refused("status: found 'fine'", tensors={t: tensors[t] for t in "01"}, answers=answers)

    write_attribution(path, method("gradient").attribute(p))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"a\.safetensors: is damaged"):
        read_attribution(path, p)
    assert stored_facts(path) == {}


def test_one_map_is_in_memory_at_a_time_while_writing(tmp_path):
    p = segmentation(3)
    live = method("gradient").attribute(p)
    out = []

    class Counting(MapStore):
        def __getitem__(self, target):
            found = live.maps[target].clone()
            assert not any(r() is not None for r in out), "the one before was let go"
            out.append(weakref.ref(found))
            return found

    store = Counting((1, 8, 9, 7), 3)
    read = read_attribution(write_attribution(tmp_path / "a", dataclasses.replace(live, maps=store)), p)
    assert len(out) == 6 and same_bits(read.values(2), live.values(2))

"""From settings to tasks: all of them, in an order that works, under names that are safe as paths."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from voxplain.errors import InputError
from voxplain.study.places import Places
from voxplain.study.planning.plan import Plan, plan
from voxplain.study.planning.task import ALL_MAPS, NULLS, Task
from voxplain.study.settings.load import load_study
from voxplain.study.study import _part

METHODS = ["gradient", "smoothgrad:draws=2", "smoothgrad:draws=3"]
NAMES = ["gradient", "smoothgrad", "smoothgrad-2"]
METRICS = ["deletion", "sensitivity_max", "completeness", "complexity", "mean_agreement"]
HOSTILE = ["a/../b", "..", "../../up", "ä b", "x" * 300, "con:", "new\nline", "-", "ß'\"", "/root", "a.", "~"]


def planned(folder: Path, ids: list[str], models: list[str] | None = None, **more: Any) -> Plan:
    asked = {
        "models": dict.fromkeys(models or ["a", "b"], "nets.py:unet"),
        "cases": [{"image": "scan.nii.gz", "id": name} for name in ids],
        "methods": METHODS,
        "metrics": METRICS,
        "out": str(folder / "out"),
        **more,
    }
    return plan(load_study(None, asked))


def test_every_task_comes_after_those_it_needs(folder: Path) -> None:
    seen: set[str] = set()
    for task in planned(folder, ["1", "2"]).tasks:
        assert set(task.needs) <= seen, task
        assert task.name not in seen
        seen.add(task.name)


def test_all_that_was_asked_is_there_once(folder: Path) -> None:
    found = planned(folder, ["1", "2", "3"])
    counted = {kind: [t for t in found.tasks if t.kind == kind] for kind in ("model", "ask", "map", "judge")}
    groups = [(m, c) for m in ("a", "b") for c in range(3)]
    assert [t.model for t in counted["model"]] == ["a", "b"]
    assert [t.group for t in counted["ask"]] == groups
    assert [(t.group, t.who) for t in counted["map"]] == [(g, n) for g in groups for n in NAMES]
    for group in groups:
        judged = {(name, t.who) for t in counted["judge"] if t.group == group for name in found.metrics_of(t)}
        for name, asked in found.metrics.items():
            whole = {ALL_MAPS} if not asked.metric.apart else {NULLS, *NAMES}
            assert {who for metric, who in judged if metric == name} == whole, name
    assert any(a.metric.apart for a in found.metrics.values())
    assert not all(a.metric.apart for a in found.metrics.values())


def test_needs_are_what_a_task_reads(folder: Path) -> None:
    found = planned(folder, ["1"], ["a"])
    assert found.by_name["a/1/ask"].needs == ("a/model",)
    assert found.by_name["a/1/map-smoothgrad-2"].needs == ("a/1/ask",)
    assert found.by_name["a/1/judge-shared-all"].needs == ("a/1/ask", *(f"a/1/map-{n}" for n in NAMES))
    apart = next(t for t in found.tasks if t.kind == "judge" and t.who == "smoothgrad")
    assert apart.needs == ("a/1/ask", "a/1/map-smoothgrad")
    nulls = next(t for t in found.tasks if t.who == NULLS)
    assert nulls.needs == ("a/1/ask",)


def test_agreement_is_found_without_any_metric(folder: Path) -> None:
    judging = [t.name for t in planned(folder, ["1"], ["a"], metrics=[]).tasks if t.kind == "judge"]
    assert judging == ["a/1/judge-shared-all"]


def test_a_task_crosses_a_pipe_unchanged(folder: Path) -> None:
    import json

    for task in planned(folder, ["ä b"]).tasks:
        assert Task.from_plain(json.loads(json.dumps(task.plain()))) == task


@pytest.mark.parametrize("count", [1, 2, 3, 6, 7, 50])
def test_parts_are_disjoint_and_cover_everything(folder: Path, count: int) -> None:
    found = planned(folder, ["1", "2", "3"])
    parts = [_part(found, (k, count)) for k in range(1, count + 1)]
    assert sorted(g for part in parts for g in part) == sorted(_part(found, None))
    assert len(_part(found, None)) == 6
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("part", [(0, 0), (3, 2), (1, 0)])
def test_parts_that_there_are_not(folder: Path, part: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=f"found {part[0]}/{part[1]}"):
        _part(planned(folder, ["1"]), part)


@pytest.mark.parametrize("where", ["case", "model"])
@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_a_case_or_model_is_called_stays_in_the_folder(folder: Path, name: str, where: str) -> None:
    found = planned(folder, [name], ["a"]) if where == "case" else planned(folder, ["1"], [name])
    assert found.case_ids[0] == (name if where == "case" else "1")
    places = Places(found)
    for task in found.tasks:
        parts = task.name.split("/")
        assert len(parts) == (2 if task.kind == "model" else 3)
        paths = [
            found.settings.out / "claims" / f"{task.name}.0.claim",
            found.settings.out / f"{task.name}.json",
        ]
        if task.kind == "map":
            paths.append(places.working(task, task.who))
        if task.kind == "judge":
            paths.append(places.figures(task))
        if task.kind == "ask":
            paths.append(places.rows(task.model, task.case))
        for path in paths:
            assert Path(os.path.normpath(path)) == path  # no .. and no //
            assert path.is_relative_to(folder / "out")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()  # no name is too long


def test_hostile_names_stay_apart(folder: Path) -> None:
    """All of them at once, but those that are one file name."""
    names = [n for n in HOSTILE if n not in ("..", "-", "~")]
    tasks = planned(folder, names).tasks
    assert len({t.name.casefold() for t in tasks}) == len(tasks)


@pytest.mark.parametrize(("one", "other"), [("a/b", "a-b"), ("A", "a"), ("x" * 190, "x" * 200), ("..", "~")])
def test_names_that_are_one_file_name_are_refused(folder: Path, one: str, other: str) -> None:
    with pytest.raises(
        InputError, match=r"^cases: 2 are called .* and .*, which is one file name; give each"
    ):
        planned(folder, [one, other])
    with pytest.raises(
        InputError, match=r"^models: 2 are called .* and .*, which is one file name; give each"
    ):
        planned(folder, ["1"], [one, other])


def test_the_name_of_a_case_is_its_files_where_it_has_none(folder: Path) -> None:
    settings = load_study(
        None,
        {
            "models": {"a": "nets.py:unet"},
            "cases": [
                "scan.nii.gz",
                {"image": "scan.nii.gz", "slice": "k=4"},
                {"image": "scan.nii.gz", "id": 7},
            ],
        },
    )
    assert plan(settings).case_ids == ("scan", "scan-k4", "7")

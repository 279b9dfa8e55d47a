"""Which results are done again after which change, and which are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from voxplain.study.planning.keys import Keys
from voxplain.study.planning.plan import plan
from voxplain.study.planning.task import ALL_MAPS, NULLS
from voxplain.study.settings.load import load_study

EVERYTHING = "*"


def asked() -> dict[str, Any]:
    return {
        "models": {"a": {"source": "nets.py:unet", "classes": "classes.json"}, "b": "nets.py:linear"},
        "cases": [{"image": "one.nii", "label": "seg.nii", "mask": "mask.nii"}, {"image": "two.nii"}],
        "targets": ["mask:1:roi.nii", "all"],
        "methods": ["gradient", "smoothgrad:draws=3", "integrated-gradients:baseline=case:base.nii"],
        "metrics": ["deletion:steps=4", "sensitivity_max", "complexity"],
        "out": "out",
    }


@pytest.fixture
def files(folder: Path) -> Path:
    for name in ("one.nii", "two.nii", "seg.nii", "mask.nii", "roi.nii", "base.nii"):
        Path(name).write_text(name, encoding="utf-8")
    Path("classes.json").write_text('["a", "b", "c"]', encoding="utf-8")
    return folder


def keys(settings: dict[str, Any], networks: dict[str, str] | None = None) -> dict[str, str]:
    """Every key of a study by what it is of: ``a/0/ask``, ``a/0/map/gradient``, ``a/0/judge/nulls/deletion``."""
    spelled = plan(load_study(None, settings))
    found = Keys(spelled, networks or {"a": "network a", "b": "network b"})
    out = {}
    for task in spelled.tasks:
        here = f"{task.model}/{task.case}"
        if task.kind == "ask":
            out[f"{here}/ask"] = found.ask(task.model, task.case)
        if task.kind == "map":
            out[f"{here}/map/{task.who}"] = found.map(task)
            out[f"{here}/shown/{task.who}"] = found.shown(task)
        if task.kind == "judge":
            maps = {
                t.who: found.map(t)
                for t in spelled.tasks
                if t.kind == "map" and t.group == task.group and task.who in (ALL_MAPS, t.who)
            }
            for metric in spelled.metrics_of(task):
                out[f"{here}/judge/{task.who}/{metric}"] = found.metric(task, metric, maps)
            if task.who == ALL_MAPS:
                out[f"{here}/agreement"] = found.agreement(maps)
    return out


def change(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def apply(settings: dict[str, Any]) -> None:
        *sections, last = path.split(".")
        for section in sections:
            settings = settings[int(section)] if section.isdecimal() else settings.setdefault(section, {})
        if isinstance(settings, list):
            settings[int(last)] = value
        else:
            settings[last] = value

    return apply


def rewrite(name: str, content: str = "something else") -> Callable[[dict[str, Any]], None]:
    return lambda _: Path(name).write_text(content, encoding="utf-8") and None


def of(start: str, *kinds: str) -> Callable[[str], bool]:
    """Whether a key is of a group (a model, a case, ``a/0``, or everything), and of such a kind."""

    def belongs(name: str) -> bool:
        model, case, rest = name.split("/", 2)
        here = start in (EVERYTHING, model, case, f"{model}/{case}")
        return here and (not kinds or any(rest.startswith(kind) for kind in kinds))

    return belongs


def reads(method: str) -> Callable[[str], bool]:
    """A method's maps, what is written and judged of them, and what all maps are judged by together."""
    return lambda name: (
        name.endswith((f"/map/{method}", f"/shown/{method}", "/agreement"))
        or any(f"/judge/{who}/" in name for who in (method, ALL_MAPS))
    )


def judged_by(metric: str) -> Callable[[str], bool]:
    return lambda name: "/judge/" in name and name.endswith(f"/{metric}")


def nulls_beside(name: str) -> bool:
    return any(f"/judge/{who}/" in name for who in (NULLS, ALL_MAPS))


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        (rewrite("one.nii"), of("0")),
        (rewrite("two.nii"), of("1")),
        (rewrite("seg.nii"), of("0")),
        (rewrite("mask.nii"), of("0")),
        (rewrite("roi.nii"), of(EVERYTHING)),
        (rewrite("base.nii"), reads("integrated_gradients")),
        (rewrite("classes.json", '["a", "c", "b"]'), of("a")),
        (change("cases.0.slice", "k=2"), of("0")),
        (change("cases.1.fill_nan", 0), of("1")),
        (change("cases.1.id", "renamed"), of("1")),
        (change("cases.0.label", None), of("0")),
        (change("models.a.windows", {"roi": 4}), of("a")),
        (change("models.a.precision", "bf16"), of("a")),
        (change("models.a.targets", ["1"]), of("a")),
        (change("models.a.arguments", {"scale": 3}), of("a")),
        (change("targets", ["1"]), of(EVERYTHING)),
        (change("score", "margin"), of(EVERYTHING)),
        (change("reduce", "sum"), of(EVERYTHING)),
        (change("seed", 1), of(EVERYTHING)),
        (change("methods.1", "smoothgrad:draws=4"), reads("smoothgrad")),
        (change("metrics.0", "deletion:steps=5"), judged_by("deletion")),
        (change("metrics.1", "sensitivity_max:draws=3"), judged_by("sensitivity_max")),
        (change("nulls", 6), nulls_beside),
        (change("compare.agreement", "pearson"), of(EVERYTHING, "agreement")),
        (change("maps.format", "npz"), of(EVERYTHING, "shown")),
        (change("maps.pictures", 3), of(EVERYTHING, "shown")),
        (change("maps.save", False), of(EVERYTHING, "shown")),
    ],
)
def test_a_change_changes_what_depends_on_it_and_nothing_else(
    files: Path, what: Callable[[dict[str, Any]], None], changes: Callable[[str], bool]
) -> None:
    settings = asked()
    before = keys(settings)
    what(settings)
    after = keys(settings)
    assert after.keys() == before.keys()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {name for name in before if changes(name)}
    assert changed
    assert len(set(before.values())) == len(before)  # no two results share a key


@pytest.mark.parametrize(
    "what",
    [
        change("models.a.device", "cpu"),
        change("models.a.batch", 2),
        change("models.b", "./nets.py:linear"),
        change(
            "run", {"workers": 3, "threads": 2, "memory": 4, "timeout": 9, "devices": ["cpu"], "attempts": 1}
        ),
        change("out", "elsewhere"),
        change("title", "another"),
        change("description", "another"),
        change("compare", {"alpha": 0.01, "least_cases": 9, "test": "sign_flip", "randomised": 0.4}),
        change("maps.working", "drop"),
        change("cases.0.meta", {"age": 60}),
    ],
)
def test_what_changes_no_result_changes_no_key(files: Path, what: Callable[[dict[str, Any]], None]) -> None:
    settings = asked()
    before = keys(settings)
    what(settings)
    assert keys(settings) == before


def test_other_weights_are_other_work_of_that_model_alone(files: Path) -> None:
    before, after = keys(asked()), keys(asked(), {"a": "network a", "b": "trained on"})
    assert {n for n in before if before[n] != after[n]} == {n for n in before if n.startswith("b/")}


def test_another_method_or_metric_leaves_the_keys_of_the_others(files: Path) -> None:
    """But for what compares maps, or shares what they are judged by."""
    settings = asked()
    before = keys(settings)
    settings["methods"].insert(0, "input_x_gradient")
    settings["metrics"].insert(0, "sparseness")
    after = keys(settings)
    assert before.keys() < after.keys()
    changed = {n for n in before if before[n] != after[n]}
    assert changed == {n for n in before if f"/judge/{ALL_MAPS}/" in n or n.endswith("/agreement")}


def test_moved_and_renamed_files_of_cases_are_the_same_work(files: Path) -> None:
    settings = asked()
    settings["cases"][0]["id"] = "one"
    before = keys(settings)
    for name in ("one.nii", "seg.nii", "mask.nii"):
        Path(name).rename(f"moved-{name}")
    settings["cases"][0] |= {"image": "moved-one.nii", "label": "moved-seg.nii", "mask": "moved-mask.nii"}
    Path("classes.json").rename("names.json")
    settings["models"]["a"]["classes"] = "names.json"
    assert keys(settings) == before


def test_a_series_is_all_of_its_files(files: Path) -> None:
    Path("series").mkdir()
    for number in range(3):
        Path(f"series/{number}.dcm").write_text(f"{number}", encoding="utf-8")
    settings = asked()
    settings["cases"][1] = {"image": "series"}
    before = keys(settings)
    rewrite("series/2.dcm")(settings)
    after = keys(settings)
    assert {n for n in before if before[n] != after[n]} == {n for n in before if of("1")(n)}


# ---- regions ---------------------------------------------------------------------------------------------------------

BLUR, MEAN, OTHER = "game/blur", "game/mean-parts", "game/other-label"
GAMES = (BLUR, MEAN, OTHER)


@pytest.fixture
def cohort(files: Path) -> dict[str, Any]:
    """Games of the first division, of the one from files, and of the labels, against another case's file."""
    for name in ("parts-one.nii", "parts-two.nii", "more-one.nii", "more-two.nii"):
        Path(name).write_text(name, encoding="utf-8")
    settings = asked()
    settings["cases"][0] |= {"id": "one"}
    settings["cases"][1] |= {"id": "two", "label": "mask.nii"}
    settings["regions"] = {
        "of": ["predicted", {"source": "parts-{id}.nii", "name": "parts", "labels": {1: "left"}}, "label"],
        "merge": {"lung": ["left", "right"]},
        "tables": ["smoothgrad:draws=8"],
        "redrawn": 1,
        "games": [
            "blur",
            {"baseline": "mean", "of": "parts", "values": ["shapley"], "parts": 8, "budget": 64},
            {"baseline": "case:base.nii", "of": "label"},
        ],
    }
    return settings


def region_keys(settings: dict[str, Any], networks: dict[str, str] | None = None) -> dict[str, str]:
    """Every key of games and tables: ``a/0/game/blur``, ``a/0/table/smoothgrad``, and with ``-redrawn-1``."""
    spelled = plan(load_study(None, settings))
    found = Keys(spelled, networks or {"a": "network a", "b": "network b"})
    out = {}
    for task in spelled.tasks:
        here, family = f"{task.model}/{task.case}", task.family and f"-{task.family}"
        if task.kind == "table":
            out[f"{here}/table/{task.who}{family}"] = found.table(task)
        if task.kind == "game":
            who = "other-label" if task.who.endswith("-label") else task.who
            out[f"{here}/game/{who}"] = found.game(task)
    return out


def add_division(settings: dict[str, Any]) -> None:
    settings["regions"]["of"].append("more-{id}.nii")


def turn_divisions(settings: dict[str, Any]) -> None:
    """The game that names none is then one of the parts."""
    settings["regions"]["of"].reverse()


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        (add_division, of(EVERYTHING, "table")),
        (turn_divisions, of(EVERYTHING, "table", BLUR)),
        (rewrite("parts-one.nii"), of("0", "table", MEAN)),
        (rewrite("parts-two.nii"), of("1", "table", MEAN)),
        (change("regions.of.1.labels", {1: "right"}), of(EVERYTHING, "table", MEAN)),
        (change("regions.of.1.source", "more-{id}.nii"), of(EVERYTHING, "table", MEAN)),
        (change("regions.of.2", {"source": "label", "labels": {1: "x"}}), of(EVERYTHING, "table", OTHER)),
        (change("regions.of.0", {"source": "predicted", "name": "own"}), of(EVERYTHING, "table", BLUR)),
        (change("regions.of.0", {"source": "more-{id}.nii"}), of(EVERYTHING, "table", BLUR)),
        (change("regions.merge", {"lung": ["left"]}), of(EVERYTHING)),
        (change("regions.shells", [3]), of(EVERYTHING, "table")),
        (change("regions.tables.0", "smoothgrad:draws=9"), of(EVERYTHING, "table")),
        (change("regions.games.0", {"baseline": "blur", "budget": 9}), of(EVERYTHING, BLUR)),
        (change("regions.games.0", {"baseline": "blur", "parts": 9}), of(EVERYTHING, BLUR)),
        (change("regions.games.0", {"baseline": "blur", "values": ["occlusion"]}), of(EVERYTHING, BLUR)),
        (change("regions.games.1.parts", 9), of(EVERYTHING, MEAN)),
        (change("regions.games.1.parts", None), of(EVERYTHING, MEAN)),
        (change("regions.games.1.budget", 65), of(EVERYTHING, MEAN)),
        (change("regions.games.1.values", ["interaction"]), of(EVERYTHING, MEAN)),
        (rewrite("base.nii"), of(EVERYTHING, OTHER)),
        # all that the prediction, its targets and their scores depend on
        (rewrite("one.nii"), of("0")),
        (rewrite("seg.nii"), of("0")),
        (change("cases.0.slice", "k=2"), of("0")),
        (change("cases.1.fill_nan", 0), of("1")),
        (change("models.a.windows", {"roi": 4}), of("a")),
        (change("models.a.prepare", {"scale": "minmax"}), of("a")),
        (change("models.a.precision", "bf16"), of("a")),
        (change("models.a.arguments", {"scale": 3}), of("a")),
        (rewrite("classes.json", '["a", "c", "b"]'), of("a")),
        (change("targets", ["1"]), of(EVERYTHING)),
        (change("score", "margin"), of(EVERYTHING)),
        (change("reduce", "sum"), of(EVERYTHING)),
        (change("seed", 1), of(EVERYTHING)),
        (change("regions.groups", []), of("nobody")),
        (change("methods", ["gradient"]), of("nobody")),
    ],
)
def test_a_game_depends_on_its_own_division_and_on_all_that_changes_what_regions_are_worth(
    cohort: dict[str, Any], what: Callable[[dict[str, Any]], None], changes: Callable[[str], bool]
) -> None:
    before = region_keys(cohort)
    assert len(set(before.values())) == len(before) == 2 * 2 * (len(GAMES) + 2)
    what(cohort)
    after = region_keys(cohort)
    assert after.keys() == before.keys()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {name for name in before if changes(name)}


def test_other_weights_are_other_games(cohort: dict[str, Any]) -> None:
    before, after = region_keys(cohort), region_keys(cohort, {"a": "network a", "b": "trained on"})
    assert {n for n in before if before[n] != after[n]} == {n for n in before if n.startswith("b/")}

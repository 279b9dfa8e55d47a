"""Warnings of workers: told once per case and text, and kept with the results."""

from __future__ import annotations

import io
import json
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from voxplain.study.ledger.journal import Journal
from voxplain.study.planning.task import Task
from voxplain.study.results.notes import notes, nowhere
from voxplain.study.results.regions import _doubts
from voxplain.study.running.warned import Warned
from voxplain.study.running.watch import BAD_SHOWN, Watch
from voxplain.study.working.warned import warned

ASK = tuple(Task(f"net/{case}/ask", "ask", "net", case) for case in (0, 1))
GAME = Task("net/0/game-blur", "game", "net", 0, "blur")
MODEL = Task("net/model", "model", "net", -1)
PLAN = SimpleNamespace(
    case_ids=["anna", "bert"],
    tasks=[MODEL, *ASK, GAME],
    settings=SimpleNamespace(models={"net": None}),
)


def board(**found: dict[str, Any]) -> Any:
    """With these markers, by the end of a task's name."""
    names = {"model": MODEL, "anna": ASK[0], "bert": ASK[1], "game": GAME}
    last = {names[key].name: marker for key, marker in found.items()}
    return SimpleNamespace(plan=PLAN, ledger=SimpleNamespace(last=lambda name: last.get(name, {})))


def shown() -> tuple[Watch, io.StringIO]:
    stream = io.StringIO()
    return Watch(SimpleNamespace(tasks=[]), lambda _: None, 1, stream), stream  # type: ignore[arg-type]


def test_warnings_of_voxplain_are_kept_once_and_those_of_libraries_are_not() -> None:
    with warned() as said:
        for module in ("voxplain.case", "voxplain.case", "monai.transforms", "voxplainer"):
            warnings.warn_explicit(f"of {module}\nand more", UserWarning, "file.py", 1, module)
        assert said() == ["of voxplain.case and more"]


def test_what_is_told_is_told_once_per_case_and_text(tmp_path: Path) -> None:
    watch, stream = shown()
    told = Warned(PLAN, watch, Journal(tmp_path / "log.jsonl"))  # type: ignore[arg-type]
    told.hear(MODEL, ["random weights"])
    told.hear(ASK[0], ["anna: small windows", "small windows", "no label"])
    told.hear(GAME, ["small windows"])
    told.hear(ASK[1], ["small windows"])
    expected = ["net: random weights", "anna: small windows", "anna: no label", "bert: small windows"]
    assert stream.getvalue().splitlines() == [f"voxplain: warning: {line}" for line in expected]
    noted = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(n["event"], n["task"]) for n in noted] == [
        ("warning", t.name) for t in (MODEL, ASK[0], ASK[0], ASK[1])
    ]


def test_many_warnings_leave_room_for_failures() -> None:
    watch, stream = shown()
    for number in range(BAD_SHOWN + 5):
        watch.warn(f"doubt {number}")
    watch.say("net/0/ask failed: why")
    lines = stream.getvalue().splitlines()
    assert len(lines) == BAD_SHOWN + 2
    assert lines[-2:] == [
        "voxplain: further warnings are in log.jsonl",
        "voxplain: net/0/ask failed: why",
    ]


def test_the_page_tells_notes_and_warnings_of_all_tasks_once() -> None:
    found = board(
        model={"warnings": ["random weights"]},
        anna={"notes": ["anna: small windows"], "warnings": ["anna: small windows", "no spacing"]},
        bert={"warnings": ["no spacing"]},
        game={"warning": "stands out", "warnings": ["anna: baseline blur: stands out", "no spacing"]},
    )
    assert notes(found) == ["net: random weights", "anna: small windows", "anna, bert: no spacing"]


def test_targets_that_no_case_has_are_told() -> None:
    def targets(**status: str) -> dict[str, Any]:
        return {"targets": [{"name": name, "status": s} for name, s in status.items()]}

    gone = targets(liver="ok", lung="absent", heart="absent", crop="absent")
    assert nowhere(
        board(anna=gone, bert=targets(liver="absent", lung="ok", heart="absent", crop="absent"))
    ) == ["net: 2 of 4 targets are absent in every case, so nothing is told of them: heart, crop"]
    assert nowhere(board(anna=targets(liver="ok"))) == []
    assert nowhere(board()) == []


def test_doubts_about_a_baseline_are_one_line_for_all_cases() -> None:
    """Ten cases that say the same of the same kidney would be a page of it."""
    x, y = {"warning": "w1", "implausible": ["x"]}, {"warning": "w2", "implausible": ["x", "y"]}
    nothing = {"warning": "", "implausible": []}
    assert _doubts([("a", x), ("b", nothing), ("c", y)]) == [
        "implausible in 2 of 3 cases (x in 2, y in 1); a: w1"
    ]
    assert _doubts([("a", x)]) == ["w1"]
    assert _doubts([("a", nothing), ("b", nothing)]) == []

"""What a log says of how far a study is."""

from __future__ import annotations

import io
from itertools import pairwise
from types import SimpleNamespace

import pytest

from voxplain.study.running import watch
from voxplain.study.running.crew import Worker
from voxplain.study.running.outcome import Outcome
from voxplain.study.running.watch import AT_MOST, EACH, EVERY, Watch


class Clock:
    """Time that passes when it is told to."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(watch.time, "monotonic", made.monotonic)
    return made


def board(*names: str) -> SimpleNamespace:
    return SimpleNamespace(tasks=[SimpleNamespace(name=n) for n in names], outcomes={})


def worker(clock: Clock, name: str) -> Worker:
    return Worker(0, "cpu", ready=True, task=SimpleNamespace(name=name), since=clock.now)


def test_time_left_is_less_the_time_that_a_task_has_been_at_work(clock: Clock) -> None:
    stream, tasks = io.StringIO(), board("a", "b")
    shown = Watch(tasks, lambda _: 600.0 - EACH, 1, stream)
    working = worker(clock, "a")
    clock.now += EVERY
    shown.show([working])
    assert "0 of 2 tasks, about 20 min left; a" in stream.getvalue()
    clock.now += 300 - EVERY
    shown.show([working])
    assert "0 of 2 tasks, about 15 min left; a" in stream.getvalue()
    # it takes longer than expected: never less than the other one
    clock.now += 600
    shown.show([working])
    assert "0 of 2 tasks, about 10 min left; a" in stream.getvalue()
    # and the other one is expected to take as much longer
    tasks.outcomes["a"] = Outcome("ok", seconds=900.0)
    clock.now += 600
    shown.show([worker(clock, "b")])
    assert "1 of 2 tasks, about 15 min left; b" in stream.getvalue()


def test_a_line_says_how_far_a_task_is(clock: Clock) -> None:
    stream = io.StringIO()
    shown, working = Watch(board("a"), lambda _: None, 1, stream), worker(clock, "a")
    working.doing = ("windows", 3, 17)
    clock.now += EVERY
    shown.show([working])
    assert stream.getvalue() == "0 of 1 tasks; a (windows: 3 of 17)\n"


def test_a_log_of_hours_has_few_lines(clock: Clock) -> None:
    stream = io.StringIO()
    shown, times = Watch(board("a"), lambda _: None, 1, stream), []
    for _ in range(4 * 3600):
        before = stream.tell()
        clock.now += 1
        shown.show([])
        if stream.tell() > before:
            times.append(clock.now)
    assert times[0] == 1000 + EVERY
    assert times[-1] - times[-2] == AT_MOST
    pauses = [b - a for a, b in pairwise(times)]
    assert pauses == sorted(pauses)
    assert len(times) < 100

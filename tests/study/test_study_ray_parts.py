"""What a cluster has room for, what a worker must find on its node, and who cleans up: without any cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from studies import wait_for

from voxplain.cli.ray_option import with_address
from voxplain.errors import InputError
from voxplain.study.ledger.journal import versions
from voxplain.study.running import child
from voxplain.study.running.hearing import Hearing
from voxplain.study.running.on_ray import slots
from voxplain.study.running.on_ray.crew import how_it_died
from voxplain.study.running.on_ray.guard import MARK, marked
from voxplain.study.running.on_ray.keeper import Keeper, Surroundings
from voxplain.study.running.on_ray.session import _said
from voxplain.study.running.on_ray.slots import on_cluster, on_this_machine
from voxplain.study.settings.study_config import RunSettings

GIB = 2**30
SMALL = {"CPU": 4.0, "memory": 8.0 * GIB}
LARGE = {"CPU": 17.0, "memory": 64.0 * GIB}
CARDS = {"CPU": 16.0, "GPU": 4.0, "memory": 64.0 * GIB}


def run(**settings: Any) -> RunSettings:
    return RunSettings.model_validate(settings)


@pytest.mark.parametrize(
    ("settings", "nodes", "devices", "cpus", "gpus"),
    [
        ({}, [SMALL, LARGE], ["cpu"] * 21, 1, 0),
        ({"threads": 4}, [SMALL, LARGE], ["cpu"] * 5, 4, 0),  # 1 on the small node, 4 of 17 / 4 on the large
        ({"threads": 5}, [SMALL, LARGE], ["cpu"] * 3, 5, 0),  # none on the small node
        ({"workers": 50}, [SMALL, LARGE], ["cpu"] * 50, 1, 0),  # the cluster may grow
        ({}, [SMALL, CARDS], ["cuda:0"] * 4, 1, 1),
        ({"threads": 8}, [CARDS, CARDS], ["cuda:0"] * 4, 8, 1),  # two per node have 8 CPUs
        ({"devices": ["cuda"], "workers": 2}, [CARDS], ["cuda:0"] * 2, 1, 1),
        ({"devices": ["cuda"], "workers": 10}, [CARDS], ["cuda:0"] * 10, 1, 1 / 3),  # 3 on a card, 12 places
        ({"devices": ["cpu"]}, [CARDS], ["cpu"] * 16, 1, 0),
    ],
)
def test_workers_follow_from_what_nodes_have(
    settings: dict[str, Any], nodes: list[Any], devices: list[str], cpus: int, gpus: float
) -> None:
    found = on_cluster(run(**settings), nodes)
    assert (found.devices, found.cpus, found.gpus) == (devices, cpus, gpus)
    assert found.cards is None


def test_memory_is_the_smallest_share_of_a_node() -> None:
    """8 GiB among 4 workers, 64 GiB among 17: 2 GiB is less, of which nine tenths may be taken."""
    assert on_cluster(run(), [SMALL, LARGE]).memory == int(0.9 * 2 * GIB)
    assert on_cluster(run(memory=3), [SMALL, LARGE]).memory == 3 * GIB
    assert on_cluster(run(memory="unlimited"), [SMALL, LARGE]).memory is None
    assert on_cluster(run(), [CARDS]).memory is None


@pytest.mark.parametrize(
    ("settings", "nodes", "says"),
    [
        (
            {"threads": 18},
            [SMALL, LARGE],
            "a worker needs 18 CPU (run.threads), no node has that; found 4 CPU, 0 GPU; 17",
        ),
        (
            {"devices": ["cuda"]},
            [SMALL],
            "a worker needs 1 CPU (run.threads) and a GPU (run.devices), no node",
        ),
        ({}, [], "found no node"),
        (
            {"devices": ["cpu", "cuda:0"]},
            [CARDS],
            "run.devices: found cpu, cuda:0, with --ray expected cpu, or cuda",
        ),
        ({"devices": ["mps"]}, [SMALL], "run.devices: found mps"),
    ],
)
def test_what_no_node_has_is_one_line(settings: dict[str, Any], nodes: list[Any], says: str) -> None:
    with pytest.raises(InputError) as caught:
        on_cluster(run(**settings), nodes)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_on_this_machine_workers_are_those_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "devices", lambda _: ["cuda:1", "cuda:3", "cuda:1"])
    found = on_this_machine(run(workers=3))
    assert (found.devices, found.gpus, found.cards) == (["cuda:0"] * 3, 0.5, (1, 3))
    monkeypatch.setattr(slots, "devices", lambda _: ["cpu", "cpu"])
    found = on_this_machine(run(workers=2, threads=3, memory=2))
    assert (found.devices, found.cpus, found.gpus, found.cards) == (["cpu"] * 2, 3, 0, ())
    assert found.memory == 2 * GIB


@pytest.fixture
def around(tmp_path: Path) -> dict[str, Any]:
    """What a node finds that is as it should be."""
    (tmp_path / "probe").write_text("token")
    return {
        "folder": str(tmp_path),
        "environment": {},
        "probe": str(tmp_path / "probe"),
        "token": "token",
        "versions": versions(),
    }


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"token": "another"}, "--out must lie on a disk that all nodes share"),
        ({"probe": "/nowhere/logs/probe"}, "does not see /nowhere/logs: --out must lie on a disk"),
        ({"folder": "/nowhere"}, "does not see /nowhere, where the study was started"),
        ({"versions": {"numpy": "1.0"}}, "numpy"),
        (
            {"versions": {"voxplain": "0.1.0", "no-such-package": "1"}},
            "no-such-package not at all, the driver 1",
        ),
    ],
)
def test_what_is_different_on_a_node_is_one_line(
    around: dict[str, Any], change: dict[str, Any], says: str
) -> None:
    assert Surroundings(**around).trouble() == ""
    trouble = Surroundings(**(around | change)).trouble()
    assert says in trouble
    assert Keeper().start(Surroundings(**(around | change)), {}, 1, "unused") == trouble


def test_a_node_keeps_its_own_variables(around: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = {
        "RAY_X": "1",
        "CUDA_VISIBLE_DEVICES": "7",
        "OURS": "driver",
        "THEIRS": "driver",
        "PYTHONPATH": "/a",
    }
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("OURS", raising=False)
    monkeypatch.setenv("THEIRS", "node")
    monkeypatch.setenv("PYTHONPATH", "/b")
    found = Surroundings(**(around | {"environment": theirs})).variables()
    assert found["OURS"] == "driver"
    assert found["THEIRS"] == "node"
    assert found["PYTHONPATH"] == "/a"
    assert "RAY_X" not in found
    assert "CUDA_VISIBLE_DEVICES" not in found


def kept(
    around: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    does: str,
    *orders: dict[str, Any],
) -> list[dict[str, Any]]:
    """All that is heard of a stand-in for the worker's process."""
    (tmp_path / "stand_in.py").write_text(f"import os, subprocess, sys\n{does}\n")
    executable = tmp_path / "python"
    executable.write_text(f"#!/bin/sh\nexec {sys.executable} {tmp_path}/stand_in.py\n")
    executable.chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setattr(child.sys, "executable", str(executable))
        keeper = Keeper()
        assert keeper.start(Surroundings(**around), {"event": "setup"}, 1, str(tmp_path / "log")) == ""
    for order in orders:
        keeper.give(order)
    heard: list[dict[str, Any]] = []
    wait_for(lambda: heard.extend(keeper.listen(0.1)) or (heard and heard[-1]["event"] == "ended"), 20)
    assert keeper.listen(0.05) == []
    return heard


def test_a_keeper_tells_all_that_its_process_says_and_how_it_ended(
    around: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process repeats two lines, then ends by a signal."""
    repeat = "print(sys.stdin.readline(), end='', flush=True)\n"
    end = "print('last words', file=sys.stderr, flush=True)\nos.kill(os.getpid(), 11)"
    heard = kept(around, tmp_path, monkeypatch, repeat + repeat + end, {"event": "order"})
    assert heard == [
        {"event": "setup"},
        {"event": "order"},
        {"event": "ended", "code": -signal.SIGSEGV, "words": "last words"},
    ]


def test_the_end_is_heard_of_though_a_process_that_was_started_meanwhile_lives_on(
    around: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds the pipe open, on which the worker would have spoken; it is ended too."""
    does = "p = subprocess.Popen(['sleep', '60'])\nopen('pid', 'w').write(str(p.pid))\nos._exit(3)"
    assert kept(around, tmp_path, monkeypatch, does) == [{"event": "ended", "code": 3, "words": ""}]
    stat = Path(f"/proc/{(tmp_path / 'pid').read_text()}/stat")
    wait_for(lambda: not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] in "ZX", 5)


def test_what_was_said_is_heard_in_its_order_and_waited_for_no_longer_than_asked() -> None:
    hearing: Hearing[int] = Hearing()
    for number in range(3):
        hearing.put(number)
    assert hearing.within(5) == [0, 1, 2]
    assert hearing.within(0.01) == []


def test_the_guard_ends_what_is_marked_and_nothing_else_when_the_driver_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "session"
    folder.mkdir()
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    own = subprocess.Popen(sleep, env={**os.environ, MARK: str(folder)})
    other = subprocess.Popen(sleep, env={**os.environ, MARK: f"{folder}-2"})
    try:
        wait_for(lambda: marked(str(folder)) == [own.pid], 10)
        guard = subprocess.Popen(
            [sys.executable, "-m", "voxplain.study.running.on_ray.guard", str(folder)], stdin=subprocess.PIPE
        )
        with pytest.raises(subprocess.TimeoutExpired):
            guard.wait(0.5)
        assert own.poll() is None
        assert guard.stdin is not None
        guard.stdin.close()
        assert guard.wait(20) == 0
        assert own.wait(5) == -signal.SIGKILL
        assert other.poll() is None
        assert not folder.exists()
    finally:
        own.kill()
        other.kill()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("study.yaml --ray", "study.yaml --ray local"),
        ("--ray study.yaml", "--ray local study.yaml"),
        ("study.yaml --ray --workers 2", "study.yaml --ray local --workers 2"),
        ("study.yaml --ray 10.0.0.1:6379 -o x", "study.yaml --ray 10.0.0.1:6379 -o x"),
        ("study.yaml --ray auto", "study.yaml --ray auto"),
        ("study.yaml --ray ray://head:10001", "study.yaml --ray ray://head:10001"),
        ("study.yaml --ray=head:1", "study.yaml --ray=head:1"),
        ("study.yaml", "study.yaml"),
    ],
)
def test_the_address_may_be_left_out(words: str, found: str) -> None:
    assert with_address(words.split()) == found.split()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "The actor died unexpectedly before finishing this task. The actor is dead because its worker process has died. "
            "Worker exit type: SYSTEM_ERROR Worker exit detail: … some nodes …",
            ("Worker exit type: SYSTEM_ERROR", -signal.SIGKILL),
        ),
        (
            "1 worker(s) were killed due to the node running low on memory. Memory on the node (IP: 192.0.2.2) was 1.5GB",
            ("the node running low on memory", -signal.SIGKILL),
        ),
        (
            "The actor died because its node has died. Node Id: 9a; the actor's node …",
            ("its node has died", 1),
        ),
    ],
)
def test_only_what_was_killed_may_have_lacked_memory(text: str, found: tuple[str, int]) -> None:
    """Ray 2.60's own words."""
    assert how_it_died(text) == found


def test_what_ray_says_of_other_versions_is_one_line() -> None:
    """Ray 2.60's own words."""
    error = RuntimeError(
        "Version mismatch: The cluster was started with:\n    Ray: 2.60.0\n    Python: 3.11.7\n"
        "This process on node 192.0.2.2 was started with:\n    Ray: 2.50.0\n    Python: 3.11.7\n"
    )
    assert _said(error, "head:6379") == (
        "head:6379: Version mismatch: The cluster was started with: Ray: 2.60.0 Python: 3.11.7 "
        "This process on node 192.0.2.2 was started with: Ray: 2.50.0 Python: 3.11.7"
    )

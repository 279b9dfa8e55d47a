"""On Ray as with processes of this machine: the same maps and figures, and whatever is killed, the rest goes on."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import duckdb
import pytest
import torch
from safetensors.torch import load_file
from studies import Place, finished, kill, wait_for

from voxplain.errors import InputError
from voxplain.study.running.on_ray.guard import MARK, marked
from voxplain.study.running.on_ray.session import checked_address, connected

ASKED = not os.environ.get("CI") or bool(os.environ.get("VOXPLAIN_RAY"))
needs_ray = pytest.mark.skipif(
    find_spec("ray") is None or not ASKED,
    reason="needs Ray (voxplain[ray]), and minutes of two cores: not in CI, unless VOXPLAIN_RAY=1",
)
LONG = 240.0  # seconds that a busy machine may take


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a cluster with two CPUs, which outlives the studies."""
    folder = tempfile.mkdtemp(prefix="ray-test-", dir="/tmp")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        patch.setenv(MARK, folder)
        holder = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("ray_cluster.py")), folder, "2"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        patch.delenv(MARK)
        assert holder.stdin is not None
        assert holder.stdout is not None
        try:
            address = holder.stdout.readline().strip()
            assert address, "no cluster was started"
            yield address
            assert holder.poll() is None, "the cluster did not outlive the studies"
        finally:
            holder.stdin.close()
            holder.wait(60)
            for pid in marked(folder):
                os.kill(pid, signal.SIGKILL)
            shutil.rmtree(folder, ignore_errors=True)


def own_clusters() -> list[str]:
    """Folders of clusters that a command has started for itself."""
    return [p.name for p in Path(tempfile.gettempdir()).glob("voxplain-ray-*")]


def parent(pid: int) -> int:
    """The keeper of a worker's process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def complaints(err: str) -> list[str]:
    return [line for line in err.splitlines() if line.startswith("voxplain: ")]


@needs_ray
def test_maps_and_figures_are_those_of_local_processes_and_what_hangs_is_ended(
    cluster: str, tmp_path: Path
) -> None:
    """The method that hangs is asked for on the cluster only: it may change nothing about the others."""
    places = {}
    for name, more in (("local", ""), ("ray", ", hang")):
        (tmp_path / name).mkdir()
        places[name] = Place(tmp_path / name, cases=1)
        workers = {"local": 1, "ray": 2}[name]
        places[name].write(
            f"[gradient, 'smoothgrad:draws=2'{more}]",
            "[complexity, {name: deletion, steps: 3}, {name: sensitivity_max, draws: 2}, mean_agreement]",
            f"run: {{workers: {workers}, timeout: 15}}\nnulls: 2\nseed: 5\n",
        )
    local = places["local"].run()
    assert local.code == 0, local.err
    on_ray = places["ray"].run("--ray", cluster)
    assert on_ray.code == 1, on_ray.err
    status, note = places["ray"].status("0/map-hang")
    assert (status, "15 s (run.timeout)" in note) == ("timeout", True)
    assert on_ray.out.startswith("study   1 model × 1 case × 3 methods"), on_ray.out
    assert "timeout" in complaints(on_ray.err)[0]

    here, there = (places[name].folder / "out" for name in ("local", "ray"))
    tensors = sorted(here.rglob("working/**/*.safetensors"))
    assert len(tensors) == 2 + 1
    for file in tensors:
        a, b = load_file(file), load_file(there / file.relative_to(here))
        assert a
        assert a.keys() == b.keys()
        for name in a:
            assert torch.equal(a[name].view(torch.uint8), b[name].view(torch.uint8)), (file.name, name)
    figures = sorted(here.rglob("judged/**/*.json"))
    assert figures
    for file in figures:
        a, b = (json.loads((out / file.relative_to(here)).read_text()) for out in (here, there))
        for name in a:
            for part in ("maps", "nulls", "matrix", "passes"):
                assert a[name].get(part) == b[name].get(part), (file.name, name, part)
    query = "SELECT \"case\", method, metric, value, low, high, null_random FROM '{}' WHERE method <> 'hang' ORDER BY ALL"
    rows = [duckdb.sql(query.format(out / "tables/metrics.parquet")).fetchall() for out in (here, there)]
    assert rows[0] == rows[1]
    assert len(rows[0]) == 2 * 4
    assert not list((there / "logs").glob(".*")), "the probe is left"


@needs_ray
def test_a_killed_actor_and_a_killed_process_are_heard_of_and_their_tasks_run_again(
    cluster: str, tmp_path: Path
) -> None:
    place = Place(tmp_path)
    place.write("['slow:wait=3']", more="run: {workers: 2}\n")
    process = place.start("--ray", cluster)
    wait_for(lambda: len(place.made) == 2, LONG)
    first, second = place.workers()
    keeper = parent(first)
    assert keeper != process.pid
    assert "ray::" in Path(f"/proc/{keeper}/cmdline").read_text()
    os.kill(keeper, signal.SIGKILL)
    os.kill(second, signal.SIGKILL)
    wait_for(
        lambda: not {first, second} & set(place.workers()), 20
    )  # the killed actor's process ends with it
    out, err = process.communicate(timeout=2 * LONG)
    assert process.returncode == 0, err
    assert [place.status(f"{c}/map-slow")[0] for c in "01"] == ["ok", "ok"]
    assert place.made == {"0": 2, "1": 2}
    assert "raylet" not in out + err
    log = [json.loads(line) for line in (tmp_path / "out/log.jsonl").read_text().splitlines()]
    crashed = [e["note"] for e in log if e["event"] == "crashed"]
    assert len(crashed) == 2
    assert all("SIGKILL" in note for note in crashed)
    assert not place.workers()


@needs_ray
def test_an_interrupted_and_a_killed_driver_leave_no_worker_and_the_same_command_goes_on(
    cluster: str, tmp_path: Path
) -> None:
    place = Place(tmp_path)
    place.write("['slow:wait=1']", more="run: {workers: 1}\n")
    process = place.start("--ray", cluster)
    wait_for(lambda: place.made, LONG)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert complaints(err) == ["voxplain: interrupted; the same command goes on where this one stopped"]
    assert not list((tmp_path / "out" / "claims").rglob("*.claim"))
    assert not place.workers()

    process = place.start("--ray", cluster)
    wait_for(lambda: sum(place.made.values()) == 3, LONG)  # the first, again, and the second
    kill(process)
    wait_for(lambda: not place.workers(), 20)
    before = finished(place)
    assert any("map-slow" in name for name in before)
    ran = place.run("--ray", cluster)
    assert ran.code == 0, ran.err
    assert before.items() <= finished(place).items()  # nothing that was finished is touched again
    assert place.made == {"0": 2, "1": 2}  # each was begun once when its driver ended


@needs_ray
def test_a_cluster_of_one_s_own_ends_with_a_driver_that_is_killed(tmp_path: Path) -> None:
    """Its processes, those of Ray included, and its folder."""
    place = Place(tmp_path)
    place.write("['slow:wait=2']", more="run: {workers: 2}\n")
    others = own_clusters()
    process = place.start("--ray")
    wait_for(lambda: place.made, LONG)
    (own,) = set(own_clusters()) - set(others)
    folder = str(Path(tempfile.gettempdir()) / own)
    assert len(marked(folder)) > 5  # raylet, store of facts, agents, keepers, workers
    assert place.workers()
    kill(process)
    wait_for(lambda: not marked(folder), 15)
    wait_for(lambda: not Path(folder).exists(), 15)
    assert not place.workers()
    ran = place.run("--ray")
    assert ran.code == 0, ran.err
    assert "RAY" not in ran.err
    assert [place.status(f"{c}/map-slow")[0] for c in "01"] == ["ok", "ok"]
    assert own_clusters() == others


@needs_ray
def test_shards_on_one_cluster_each_do_their_part(cluster: str, tmp_path: Path) -> None:
    place = Place(tmp_path, cases=3)
    place.write("['slow:wait=0.1']", more="run: {workers: 1}\n")
    shards = [place.start("--shard", f"{k}/2", "--ray", cluster) for k in (1, 2)]
    for shard in shards:
        _, err = shard.communicate(timeout=2 * LONG)
        assert shard.returncode == 0, err
    assert place.made == {"0": 1, "1": 1, "2": 1}
    assert (tmp_path / "out" / "report.html").exists()


@needs_ray
def test_a_node_that_does_not_see_the_folder_is_one_line(cluster: str, tmp_path: Path) -> None:
    """The file that the node finds there is another than the driver's."""
    place = Place(tmp_path, cases=1)
    place.write("[gradient]")
    command = (
        "from voxplain.study.running.on_ray import hire; write = hire.write_whole; "
        "hire.write_whole = lambda path, content: write(path, b'of another disk'); "
        "from voxplain.cli import main; main()"
    )
    words = [sys.executable, "-c", command, "study", "study.yaml", "--ray", cluster]
    ran = subprocess.run(
        words, cwd=tmp_path, env=place.environment, capture_output=True, text=True, timeout=LONG
    )
    assert ran.returncode == 2, ran.stderr
    (line,) = complaints(ran.stderr)
    assert f"does not see {tmp_path}/out/logs: --out must lie on a disk that all nodes share" in line


def test_without_ray_it_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"^--ray: Ray is not installed; pip install 'voxplain\[ray\]'$"):
        checked_address("local")


def test_a_cluster_that_does_not_answer_is_one_line() -> None:
    with (
        pytest.raises(
            InputError, match=r"^--ray: 127\.0\.0\.1:1 does not answer \(.*refused\); is the cluster"
        ),
        connected("127.0.0.1:1"),
    ):
        pass


@pytest.mark.parametrize(
    ("address", "says"),
    [("ray://head:10001", "a Ray Client"), ("head", "expected HOST:PORT"), ("a/b:1", "expected HOST:PORT")],
)
def test_addresses_that_are_none(address: str, says: str) -> None:
    with pytest.raises(InputError, match=rf"^--ray: found '{address}'.*{says}"):
        checked_address(address)

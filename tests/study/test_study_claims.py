"""Claims: of all drivers that want a unit one has it, and that of a dead one is not lost."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from voxplain.errors import StorageError
from voxplain.study.ledger import claim
from voxplain.study.ledger.claim import LEASE, Claims

ROUNDS = 50
UNIT = "model/case/map-gradient"

HOLD = """
import sys, time
from pathlib import Path
from voxplain.study.ledger.claim import Claims

claims = Claims(Path(sys.argv[1]))
print("mine" if claims.take(sys.argv[2]) else "taken", flush=True)
time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path: Path):
    """Another process on this machine that has the claim."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path), UNIT], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline().strip() == "mine"
    yield process
    process.kill()
    process.communicate()


def there(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def race(folder: str, gate, results) -> None:
    """Take one unit per round at the same moment as the other; nobody gives anything back."""
    claims = Claims(Path(folder))
    won = []
    for number in range(ROUNDS):
        gate.wait(30)
        won.append(claims.take(f"model/case/unit-{number}") is not None)
    results.put(won)
    gate.wait(30)  # whoever ends first would leave claims of a dead driver behind


@pytest.mark.parametrize("dead", [False, True], ids=["free", "of a dead driver"])
def test_of_two_that_race_one_wins(tmp_path: Path, dead: bool) -> None:
    if dead:
        for number in range(ROUNDS):
            write(tmp_path / f"model/case/unit-{number}.0.claim", pid=2**22 + 1)
    context = multiprocessing.get_context("fork")
    gate, results = context.Barrier(2), context.Queue()
    both = [context.Process(target=race, args=(str(tmp_path), gate, results)) for _ in range(2)]
    for process in both:
        process.start()
    one, other = results.get(timeout=60), results.get(timeout=60)
    for process in both:
        process.join(30)
    assert [a + b for a, b in zip(one, other, strict=True)] == [1] * ROUNDS


def write(path: Path, **owner: object) -> None:
    """A claim as a driver of this machine leaves it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mine = {"host": claim._machine(), "pid": os.getpid(), "born": claim._born(os.getpid())}
    path.write_text(json.dumps({**mine, **owner}), encoding="utf-8")


def test_a_claim_is_one_drivers(tmp_path: Path) -> None:
    one, other = Claims(tmp_path), Claims(tmp_path)
    assert one.take(UNIT) is not None
    assert other.take(UNIT) is None
    assert one.take(UNIT) is None
    assert other.take("model/case/map-gradient-2") is not None  # a name that begins alike
    one.release(UNIT)
    assert other.take(UNIT) is not None
    other.release_all()
    assert there(tmp_path) == []


def test_that_of_a_live_process_is_left_alone_however_old(tmp_path: Path, holder) -> None:
    os.utime(tmp_path / f"{UNIT}.0.claim", (0, 0))
    assert Claims(tmp_path).take(UNIT) is None


def test_that_of_a_dead_process_is_taken_over_at_once(tmp_path: Path, holder) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    mine = Claims(tmp_path)
    found = mine.take(UNIT)
    assert found is not None
    assert found.path.name == "map-gradient.1.claim"
    assert Claims(tmp_path).take(UNIT) is None
    mine.release(UNIT)
    assert there(tmp_path) == []


def test_a_process_that_has_ended_but_was_not_asked_about_is_dead(tmp_path: Path, holder) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    while Path(f"/proc/{holder.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.01)
    assert Claims(tmp_path).take(UNIT) is not None


def test_another_process_of_the_same_number_is_not_the_owner(tmp_path: Path) -> None:
    """Numbers are given again; when a process was started tells them apart."""
    write(tmp_path / f"{UNIT}.0.claim", born="1")
    assert Claims(tmp_path).take(UNIT) is not None


def test_generations_go_up(tmp_path: Path) -> None:
    for generation in (0, 9, 10):
        write(tmp_path / f"{UNIT}.{generation}.claim", pid=2**22 + 1)
    found = Claims(tmp_path).take(UNIT)
    assert found is not None
    assert found.path.name == "map-gradient.11.claim"


@pytest.mark.parametrize("age", [LEASE - 5, LEASE + 5])
def test_that_of_another_host_is_taken_when_its_lease_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: float
) -> None:
    monkeypatch.setattr(claim.socket, "gethostname", lambda: "elsewhere")
    theirs = Claims(tmp_path).take(UNIT)
    monkeypatch.undo()
    assert theirs is not None
    mine = Claims(tmp_path)
    assert mine.take(UNIT) is None
    # the clock of the file system counts, not that of this machine
    monkeypatch.setattr(time, "time", lambda: 0.0)
    then = theirs.path.stat().st_mtime - age
    os.utime(theirs.path, (then, then))
    assert (mine.take(UNIT) is not None) == (age > LEASE)
    assert not [name for name in there(tmp_path) if not name.endswith(".claim")]  # no probe is left


@pytest.mark.parametrize(
    "owner",
    [
        {"host": "elsewhere"},
        # a machine, or a container, of the same name whose processes are not to be seen from here
        {"host": f"{claim.socket.gethostname()} 0-another-boot pid:[1]"},
        {"born": None},
    ],
)
def test_owners_that_cannot_be_looked_at_have_their_lease(tmp_path: Path, owner: dict[str, object]) -> None:
    write(tmp_path / f"{UNIT}.0.claim", pid=2**22 + 1, **owner)
    assert Claims(tmp_path).take(UNIT) is None


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"host": 3}', "\x00\xff"])
def test_half_written_claims_have_their_lease(tmp_path: Path, content: str) -> None:
    path = tmp_path / f"{UNIT}.0.claim"
    path.parent.mkdir(parents=True)
    path.write_bytes(content.encode("latin-1"))
    assert Claims(tmp_path).take(UNIT) is None
    os.utime(path, (0, 0))
    assert Claims(tmp_path).take(UNIT) is not None


def test_what_is_held_shows_that_it_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim, "BEAT", 0.02)
    claims = Claims(tmp_path)
    path = claims.take(UNIT).path
    os.utime(path, (0, 0))
    end = time.monotonic() + 10
    while path.stat().st_mtime == 0:
        assert time.monotonic() < end
        time.sleep(0.01)
    claims.release_all()
    assert there(tmp_path) == []


def test_release_leaves_what_another_has_taken_over_meanwhile(tmp_path: Path) -> None:
    """A driver that was asleep for longer than its lease."""
    mine = Claims(tmp_path)
    mine.take(UNIT)
    write(tmp_path / f"{UNIT}.1.claim")
    mine.release(UNIT)
    assert there(tmp_path) == [f"{UNIT}.1.claim"]


def test_release_of_what_is_not_held_does_nothing(tmp_path: Path) -> None:
    one = Claims(tmp_path)
    one.take(UNIT)
    Claims(tmp_path).release(UNIT)
    assert there(tmp_path) == [f"{UNIT}.0.claim"]


def test_one_that_comes_too_late_gives_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It saw a dead claim; meanwhile another took that over, gave it back, and a third has the unit now."""
    write(tmp_path / f"{UNIT}.4.claim", pid=2**22 + 1)
    late, third = Claims(tmp_path), Claims(tmp_path)
    create = late._create

    def create_late(path: Path) -> bool:
        (tmp_path / f"{UNIT}.4.claim").unlink()
        assert third.take(UNIT) is not None
        return create(path)

    monkeypatch.setattr(late, "_create", create_late)
    assert late.take(UNIT) is None
    assert there(tmp_path) == [f"{UNIT}.0.claim"]


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("a file in its place", encoding="utf-8")
    with pytest.raises(StorageError, match=r"model/case: cannot be made"):
        Claims(tmp_path).take(UNIT)


def test_a_full_disk_leaves_no_claim_that_says_nothing(tmp_path: Path) -> None:
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from voxplain.errors import StorageError\n"
        "from voxplain.study.ledger.claim import Claims\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\n"
        "try:\n"
        f"    Claims(Path(sys.argv[1])).take({UNIT!r})\n"
        "except StorageError as error:\n"
        "    print(error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert "cannot be written" in ran.stdout, ran.stderr
    assert there(tmp_path) == []

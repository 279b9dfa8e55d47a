"""Whatever a task does, the others are done; whatever ends a run, nothing finished is lost or done twice."""

from __future__ import annotations

import html
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
from pathlib import Path

import duckdb
import pytest
from studies import Place, finished as done, kill, wait_for

from voxplain.attribution.attribution_file import stored_facts


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """With two cases."""
    return Place(tmp_path)


@pytest.fixture
def lone(tmp_path: Path) -> Place:
    """With one case."""
    return Place(tmp_path, cases=1)


def tables_are_whole(out: Path) -> None:
    """Every table and every map that is there can be read."""
    for file in out.rglob("*.parquet"):
        duckdb.sql(f"select count(*) from '{file}'").fetchall()
    for file in out.rglob("*.json"):
        json.loads(file.read_text(encoding="utf-8"))
    for file in (out / "working").rglob("*.safetensors"):
        assert stored_facts(file), file


def test_methods_that_raise_abort_leave_or_hang_harm_no_other(lone: Place) -> None:
    place = lone
    place.write("[raise, abort, leave, hang, gradient]", more="run: {workers: 2, timeout: 10}\n")
    ran = place.run()
    assert ran.code == 1, ran.err
    for case in ("0",):
        assert place.status(f"{case}/map-gradient")[0] == "ok"
        status, note = place.status(f"{case}/map-raise")
        assert (status, note) == ("failed", "unexpected KeyError: 'nobody thought of this'")
        status, note = place.status(f"{case}/map-abort")
        assert status == "crashed"
        assert "SIGABRT" in note
        assert "tried 2 times" in note
        status, note = place.status(f"{case}/map-leave")
        assert status == "crashed"
        assert "exit code 7" in note
        status, note = place.status(f"{case}/map-hang")
        assert status == "timeout"
        assert "10 s (run.timeout)" in note
    assert "Traceback" not in ran.err
    for name in ("raise", "abort", "leave", "hang"):
        assert f"net/0/map-{name}" in ran.err
    # the others are judged and compared
    judged = json.loads((place.folder / "out/judged/net/0/shared-all.json").read_text())
    assert list(judged["complexity"]["maps"]) == ["gradient"]
    page = (place.folder / "out/report.html").read_text(encoding="utf-8")
    assert "SIGABRT" in page
    assert not place.workers()


@pytest.mark.long
def test_what_failed_is_tried_again_and_nothing_else(lone: Place) -> None:
    place = lone
    place.write("[slow, hang]", more="run: {workers: 2, timeout: 8}\n")
    assert place.run().code == 1
    assert place.made == {"0": 1}
    hung = place.marker("0/map-hang")
    assert place.run("--timeout", "7").code == 1
    assert place.made == {"0": 1}
    assert "7 s" in place.status("0/map-hang")[1]
    assert hung != place.marker("0/map-hang")


def test_a_killed_worker_is_replaced_and_its_task_done(place: Place) -> None:
    place.write("['slow:wait=3']", more="run: {workers: 1}\n")
    process = place.start()
    wait_for(lambda: place.made)
    os.kill(place.workers()[0], signal.SIGKILL)
    process.communicate(timeout=200)
    assert process.returncode == 0
    assert [place.status(f"{c}/map-slow")[0] for c in ("0", "1")] == ["ok", "ok"]


@pytest.mark.long
def test_what_the_system_ends_for_its_memory_is_tried_alone_and_then_given_up(lone: Place) -> None:
    place = lone
    place.write("[killed, gradient]", more="run: {workers: 2}\n")
    assert place.run().code == 0  # the first try of each is killed, or only one of both
    place.write("[killed:times=99, gradient]", more="run: {workers: 2}\n")
    ran = place.run()
    assert ran.code == 1
    status, note = place.status("0/map-killed")
    assert status == "out-of-memory"
    assert "SIGKILL" in note
    assert "alone" in note
    assert place.status("0/map-gradient")[0] == "ok"


@pytest.mark.long
def test_memory_that_runs_out_is_waited_for_and_then_told(place: Place) -> None:
    """A worker may take 2.5 GiB; 3 GiB are had when nothing else runs, 300 GiB never."""
    place.write("['greedy:gib=3', gradient]", more="run: {workers: 2, memory: 2.5}\n")
    ran = place.run()
    assert ran.code == 0, ran.err
    log = [json.loads(line) for line in (place.folder / "out/log.jsonl").read_text().splitlines()]
    assert [e["event"] for e in log].count("memory") >= 1
    place.write("['greedy:gib=300', gradient]", more="run: {workers: 2, memory: 2.5}\n")
    ran = place.run()
    assert ran.code == 1
    status, note = place.status("0/map-greedy")
    assert status == "out-of-memory"
    assert "roi" in note
    assert place.status("1/map-gradient")[0] == "ok"


@pytest.mark.parametrize("how", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)])
def test_an_interrupted_run_leaves_no_process_and_goes_on(place: Place, how: signal.Signals) -> None:
    place.write("['slow:wait=1.5', gradient]", more="run: {workers: 1}\n")
    # a shell starts what runs in its background with SIGINT ignored, and that is inherited
    process = place.start(preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    wait_for(lambda: len(place.made) == 2)
    process.send_signal(how)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "goes on" in err
    assert "Traceback" not in err
    wait_for(lambda: not place.workers(), 10)
    assert not list((place.folder / "out" / "claims").rglob("*.claim"))
    assert place.run().code == 0
    assert place.made == {"0": 1, "1": 2}  # the second was begun when it was interrupted


@pytest.mark.parametrize("kills", [4, pytest.param(10, marks=pytest.mark.long)])
def test_a_driver_killed_at_random_moments_loses_nothing_and_does_nothing_twice(
    tmp_path: Path, kills: int
) -> None:
    place = Place(tmp_path, cases=6)
    place.write(
        "['slow:wait=0.6', gradient, input_x_gradient]", "[complexity, deletion]", "run: {workers: 2}\n"
    )
    random.seed(0)
    finished: dict[str, str] = {}
    unfinished = 0
    for _ in range(kills):
        process = place.start()
        try:
            process.communicate(timeout=random.uniform(1.5, 7.0))
        except subprocess.TimeoutExpired:
            kill(process)
        wait_for(lambda: not place.workers(), 10)
        tables_are_whole(place.folder / "out")
        now = done(place)
        assert finished.items() <= now.items()  # nothing that was finished is touched again
        finished = now
    assert place.run().code == 0
    finished_maps = [n for n in done(place) if "map-slow" in n]
    assert len(finished_maps) == 6
    # begun more often than finished only where a kill came between: two workers, at most two per kill
    unfinished = sum(place.made.values()) - 6
    assert 0 <= unfinished <= 2 * kills
    tables_are_whole(place.folder / "out")


def test_a_full_disk_is_one_line_and_what_is_finished_stays(place: Place) -> None:
    """A limit on the size of files makes larger ones fail as on a full disk: the maps fit, the figures do not."""
    place.write(
        "[gradient]", "[complexity, faithfulness_correlation, infidelity, deletion]", "run: {workers: 1}\n"
    )

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    ran = place.run(preexec_fn=small)
    assert ran.code == 2, ran.err
    lines = [line for line in ran.err.splitlines() if line.startswith("voxplain: ")]
    assert len(lines) == 1, ran.err
    assert "free some room" in lines[0] or "cannot be written" in lines[0]
    assert "Traceback" not in ran.err
    finished = done(place)
    assert any("map-gradient" in name for name in finished)
    assert place.run().code == 0
    assert finished.items() <= done(place).items()


@pytest.mark.long
def test_two_runs_share_the_work(tmp_path: Path) -> None:
    place = Place(tmp_path, cases=4)
    place.write("['slow:wait=1']", more="run: {workers: 1}\n")
    first, second = place.start(), place.start()
    for process in (first, second):
        process.communicate(timeout=200)
        assert process.returncode == 0
    assert place.made == {"0": 1, "1": 1, "2": 1, "3": 1}


@pytest.mark.long
def test_shards_do_their_part_and_the_last_compares(tmp_path: Path) -> None:
    place = Place(tmp_path, cases=3)
    # the second is refused everywhere, since the image has one channel: nobody ever settles it with a marker
    place.write("[slow, contrast_shapley]", more="run: {workers: 1}\n")
    first = place.run("--shard", "1/2")
    assert first.code == 0
    assert "with other parts" in first.out
    assert set(place.made) == {"0", "2"}
    assert not (tmp_path / "out" / "report.html").exists()
    assert place.run("--shard", "0/2").code == 0  # counted from 0: the second
    assert place.made == {"0": 1, "1": 1, "2": 1}
    assert (tmp_path / "out" / "report.html").exists()


def test_a_damaged_case_harms_no_other(place: Place) -> None:
    (place.folder / "case-0.nii.gz").write_bytes(b"this is no image")
    place.write("[gradient]", more="run: {workers: 1}\n")
    ran = place.run()
    assert ran.code == 1
    status, note = place.status("0/ask")
    assert status == "failed"
    assert "case-0.nii.gz" in note
    assert place.status("1/map-gradient")[0] == "ok"


def test_a_model_that_cannot_be_loaded_is_one_line_before_any_work(place: Place) -> None:
    place.write("[gradient]")
    text = (place.folder / "study.yaml").read_text().replace("nets.py:unet", "nets.py:unett")
    (place.folder / "study.yaml").write_text(text)
    ran = place.run()
    assert ran.code == 2
    assert "models.net: " in ran.err
    assert "did you mean 'unet'" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.long
def test_working_copies_are_dropped_and_made_again_only_when_needed(place: Place) -> None:
    place.write("[slow]", more="run: {workers: 1}\nmaps: {working: drop}\n")
    assert place.run().code == 0
    assert not list((place.folder / "out/working").rglob("slow.safetensors"))
    assert place.run().code == 0
    assert place.made == {"0": 1, "1": 1}
    place.write("[slow]", "[complexity, sparseness]", "run: {workers: 1}\nmaps: {working: drop}\n")
    assert place.run().code == 0
    assert place.made == {"0": 2, "1": 2}


@pytest.mark.long
def test_more_metrics_later_cost_only_themselves(place: Place) -> None:
    place.write("[slow]", "[complexity]", "run: {workers: 1}\n")
    assert place.run().code == 0
    before = json.loads((place.folder / "out/judged/net/0/shared-all.json").read_text())["complexity"]
    place.write("[slow]", "[complexity, sparseness]", "run: {workers: 1}\n")
    assert place.run().code == 0
    after = json.loads((place.folder / "out/judged/net/0/shared-all.json").read_text())
    assert after["complexity"] == before
    assert "sparseness" in after
    assert place.made == {"0": 1, "1": 1}


@pytest.mark.long
def test_what_was_done_before_is_told_wherever_it_stands(place: Place) -> None:
    """A metric that all maps share is new, and comes before those that are done already."""
    metrics = "[complexity, {}'sensitivity_average:draws=1']"
    place.write("[gradient]", metrics.format(""), "run: {workers: 1}\n")
    assert place.run().code == 0
    log = place.folder / "out" / "log.jsonl"
    before = len(log.read_text().splitlines())
    place.write("[gradient]", metrics.format("sparseness, "), "run: {workers: 1}\n")
    ran = place.run()
    assert ran.code == 0
    events = [json.loads(line) for line in log.read_text().splitlines()[before:]]
    again = {e["task"] for e in events if e["event"] == "settled"} - {"net/model"}
    told = re.search(r"(\d+) tasks, (\d+) done before", ran.out)
    # each case is asked what the new metric costs, and whether it can be taken
    assert again == {f"net/{case}/{kind}" for case in (0, 1) for kind in ("ask", "judge-shared-all")}
    # of the case that was asked first: the map, its sensitivity, and that of the maps that know nothing
    assert told is not None and (told[1], told[2]) == ("10", "3")


def test_dry_run_writes_nothing(place: Place) -> None:
    place.write("[gradient]")
    before = sorted(p.name for p in place.folder.iterdir())
    ran = place.run("--dry-run")
    assert ran.code == 0, ran.err
    assert "forward" in ran.out
    assert "1 model × 2 cases × 1 method × 1 metric" in ran.out
    assert sorted(p.name for p in place.folder.iterdir() if p.name != "__pycache__") == before
    shutil.rmtree(place.folder / "out", ignore_errors=True)


def test_a_class_that_no_model_has_is_one_line_before_any_case(place: Place) -> None:
    place.write("[gradient]")
    text = (place.folder / "study.yaml").read_text().replace("targets: ['1']", "targets: [livr]")
    (place.folder / "study.yaml").write_text(text)
    ran = place.run()
    assert ran.code == 2
    assert "models.net: " in ran.err
    assert "livr" in ran.err
    assert not (place.folder / "out" / "ledger").exists()


@pytest.mark.long
def test_an_image_that_vanishes_meanwhile_is_that_case_s_trouble_alone(place: Place) -> None:
    """The worker that is killed afterwards comes back, though a file of the settings is gone."""
    place.write("['slow:wait=3', gradient]", more="run: {workers: 1}\n")
    process = place.start()
    wait_for(lambda: place.made)
    (place.folder / "case-1.nii.gz").unlink()
    os.kill(place.workers()[0], signal.SIGKILL)
    process.communicate(timeout=200)
    assert process.returncode == 1
    assert place.status("0/map-slow")[0] == "ok"
    assert place.status("1/ask")[0] == "failed"


@pytest.mark.long
def test_what_is_there_can_be_compared_in_the_middle(place: Place) -> None:
    place.write("['slow:wait=2', gradient]", more="run: {workers: 1}\n")
    process = place.start()
    wait_for(lambda: len(place.made) == 2)
    kill(process)
    ran = place.run("--compare-only")
    assert ran.code == 0, ran.err
    page = (place.folder / "out/report.html").read_text(encoding="utf-8")
    assert "not done" in page
    assert place.made == {"0": 1, "1": 1}
    (place.folder / "empty").mkdir()
    assert place.run("--compare-only", "--out", "empty").code == 2


def test_a_method_that_is_not_defined_here_is_refused_and_no_failure(lone: Place) -> None:
    lone.write("[contrast_shapley, gradient]", more="run: {workers: 1}\n")
    ran = lone.run()
    assert ran.code == 0, ran.err
    assert lone.status("0/map-contrast_shapley")[0] == "refused"
    page = (lone.folder / "out/report.html").read_text(encoding="utf-8")
    assert "at least two" in page


def test_a_factory_that_draws_other_weights_each_time_is_found(place: Place) -> None:
    """Two workers would explain two networks."""
    nets = (place.folder / "nets.py").read_text().replace("    torch.manual_seed(0)\n", "", 1)
    (place.folder / "nets.py").write_text(nets)
    place.write("['slow:wait=1']", more="run: {workers: 2}\n")
    ran = place.run()
    assert ran.code == 1
    assert "draws other weights each time" in ran.err + place.status("0/ask")[1] + place.status("1/ask")[1]


def test_a_target_that_is_nowhere_ends_in_a_page_that_says_so(place: Place) -> None:
    """Class 2 of the linear network does not exist; of the U-Net, a component far below is nowhere."""
    nets = (place.folder / "nets.py").read_text().replace("net = nn.Sequential(", "net = Dim(", 1)
    (place.folder / "nets.py").write_text(
        nets + "\n\nclass Dim(nn.Sequential):\n    def forward(self, x):\n"
        "        return super().forward(x) - torch.tensor([0.0, 99, 99]).reshape(3, 1, 1, 1)\n"
    )
    place.write("[gradient, input_x_gradient]", "[complexity, deletion]", "run: {workers: 1}\n")
    ran = place.run()
    assert ran.code == 0, ran.err
    page = (place.folder / "out/report.html").read_text(encoding="utf-8")
    assert "absent" in page


@pytest.mark.long
def test_a_method_added_later_is_compared_with_maps_that_were_dropped(place: Place) -> None:
    more = "run: {workers: 1}\nmaps: {working: drop}\n"
    place.write("[slow]", more=more)
    assert place.run().code == 0
    place.write("[slow, gradient]", more=more)
    assert place.run().code == 0
    judged = json.loads((place.folder / "out/judged/net/0/shared-all.json").read_text())
    assert sorted(judged["complexity"]["maps"]) == ["gradient", "slow"]


def test_figures_of_older_settings_are_not_shown_as_today_s(lone: Place) -> None:
    lone.write("[gradient, smoothgrad:draws=2]", "[{name: deletion, steps: 4}]", "run: {workers: 1}\n")
    assert lone.run().code == 0
    lone.write("[gradient, smoothgrad:draws=3]", "[{name: deletion, steps: 5}]", "run: {workers: 1}\n")
    ran = lone.run("--compare-only")
    assert ran.code == 0
    told = "results are of other settings, files or versions than today's"
    assert told in ran.err
    assert told in html.unescape((lone.folder / "out/report.html").read_text(encoding="utf-8"))
    assert duckdb.sql(f"select * from '{lone.folder}/out/tables/metrics.parquet'").fetchall() == []
    text = (lone.folder / "out/tables/verdicts.csv").read_text()
    assert "other parameters" in text


@pytest.mark.long
def test_what_is_only_added_makes_no_result_an_earlier_one(lone: Place) -> None:
    """Nor what changes how maps are shown."""
    lone.write("[gradient]", "[complexity]", "run: {workers: 1}\n")
    assert lone.run().code == 0
    more = "run: {workers: 1}\nmaps: {pictures: 0}\ncompare: {alpha: 0.01}\n"
    lone.write("[gradient, input_x_gradient]", "[sparseness, complexity]", more)
    ran = lone.run("--compare-only")
    assert ran.code == 0
    assert "results are of" not in ran.err

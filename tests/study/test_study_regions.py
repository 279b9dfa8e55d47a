"""Region tables and games in a study are those of the public API; what is finished stays."""

from __future__ import annotations

import csv
import html
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from studies import Place

from voxplain.aggregate.games import region_game
from voxplain.aggregate.partition import from_labels, predicted
from voxplain.aggregate.shells import Shells
from voxplain.aggregate.tables import region_table
from voxplain.attribution import method
from voxplain.case import Geometry, write_array
from voxplain.engine import Problem
from voxplain.errors import InputError
from voxplain.metric.randomisation.redraw import Redrawn, layers
from voxplain.study import load_aggregate
from voxplain.study.planning.plan import plan
from voxplain.study.planning.redrawn import draw_of, families
from voxplain.study.working.held import Held
from voxplain.study.working.regions import partitions

COHORT = """
models: {net: 'nets.py:unet'}
cases: cases.csv
regions:
  of: [predicted, {source: 'regions-{id}.nii.gz', labels: {1: left, 2: right, 3: nowhere}}]
  merge: {both: [left, right]}
  tables: ['smoothgrad:draws=4', gradient]
  shells: [4, 9]
  games: [{baseline: blur, of: regions, budget: 256}]
out: out
run: {workers: 2}
seed: 3
"""


def cohort(folder: Path) -> Place:
    """Two cases, each with a label map of the network's classes and one of two halves."""
    place = Place(folder)
    affine = np.diag([-2.0, 2.0, 2.0, 1.0])
    lines = ["image,id,label,site"]
    for number in range(2):
        halves = np.ones((12, 10, 8), dtype=np.uint8)
        halves[6:] = 2
        write_array(folder / f"regions-{number}.nii.gz", halves, Geometry(affine, halves.shape))
        truth = np.random.default_rng(number).integers(0, 2, halves.shape).astype(np.uint8)
        write_array(folder / f"truth-{number}.nii.gz", truth, Geometry(affine, truth.shape))
        lines.append(f"case-{number}.nii.gz,{number},truth-{number}.nii.gz,{'north' if number else 'south'}")
    (folder / "cases.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "cohort.yaml").write_text(COHORT, encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    place = cohort(tmp_path_factory.mktemp("cohort"))
    ran = place.run(config="cohort.yaml", command="aggregate")
    assert ran.code == 0, ran.err
    yield place


def test_regions_alone_leave_no_empty_tables_of_maps_and_metrics(done: Place) -> None:
    tables = done.folder / "out/tables"
    assert sorted(path.name for path in tables.iterdir()) == [
        "cases",
        "cases.csv",
        "regions.parquet",
        "tasks.csv",
    ]
    assert [path.name for path in (tables / "cases").iterdir()] == ["net.csv"]


def test_a_page_that_was_not_written_is_not_named(tmp_path: Path) -> None:
    place = cohort(tmp_path)
    for number in range(2):
        (tmp_path / f"case-{number}.nii.gz").write_bytes(b"no image")
    ran = place.run(config="cohort.yaml", command="aggregate")
    assert ran.code == 1
    assert not (tmp_path / "out/cohort.html").exists()
    (line,) = [line for line in ran.out.splitlines() if "; see " in line]
    assert line.endswith(f"blocked; see {tmp_path}/out/tables/tasks.csv")


@pytest.fixture
def held(done: Place, monkeypatch: pytest.MonkeyPatch) -> Held:
    monkeypatch.chdir(done.folder)
    return Held(plan(load_aggregate(Path("cohort.yaml"))), "cpu", lambda *_: None)


def found(place: Place, **where: str) -> dict[tuple[str, ...], tuple[float | None, str]]:
    """Rows of the long table: (target, partition, region, statistic) -> value, status."""
    condition = " AND ".join(f"\"{key}\" = '{value}'" for key, value in where.items())
    rows = duckdb.sql(
        f"SELECT target, partition, region, statistic, value, status FROM "
        f"'{place.folder}/out/tables/regions.parquet' WHERE {condition}"
    ).fetchall()
    out = {row[:4]: row[4:] for row in rows}
    assert len(out) == len(rows) > 0
    return out


def same(there: dict[tuple[str, ...], Any], rows: list[dict[str, Any]]) -> None:
    here = {
        (r["target"], r["partition"], r["region"], r["statistic"]): (r["value"], r["status"]) for r in rows
    }
    assert there.keys() == here.keys()
    for key, (value, status) in here.items():
        assert there[key][1] == status, key
        assert there[key][0] == (None if value is None else pytest.approx(value, rel=1e-5, abs=1e-9)), key


def asked(held: Held, case: int) -> Problem:
    return Problem(held.model("net"), held.case(case), held.targets(held.model("net"), case), seed=3)


def divided(problem: Problem, case: int) -> list[Any]:
    names = {1: "left", 2: "right", 3: "nowhere"}
    halves = from_labels(problem, f"regions-{case}.nii.gz", name="regions", regions=names)
    return [predicted(problem), halves.merged({"both": ("left", "right")})]


@pytest.mark.parametrize("name", ["smoothgrad", "gradient"])
def test_tables_are_those_of_the_public_api(done: Place, held: Held, name: str) -> None:
    problem = asked(held, 1)
    made = method(name, draws=4) if name == "smoothgrad" else method(name)
    table = region_table(problem, divided(problem, 1), made, shells=Shells((4.0, 9.0)), label=name)
    same(found(done, case="1", method=name), table.rows())


def test_tables_of_redrawn_weights_keep_targets_and_regions(done: Place, held: Held) -> None:
    own, redrawn = (found(done, case="0", method=m) for m in ("gradient", "gradient~redrawn-1"))
    assert own.keys() == redrawn.keys()
    counted = [key for key in own if key[3] == "voxels"]
    assert [own[key] for key in counted] == [redrawn[key] for key in counted]
    problem = asked(held, 0)
    other = Redrawn(problem, "permutation").at(frozenset(layers(problem)), draw_of("redrawn-1", "0"))
    table = region_table(other, divided(problem, 0), method("gradient"), shells=Shells((4.0, 9.0)))
    same(redrawn, table.rows())
    assert own != redrawn


def test_each_case_has_redrawn_networks_of_its_own(held: Held) -> None:
    """Four networks over two cases, or one for each of more cases."""
    drawn = {
        (task.case, task.family): draw_of(task.family, held.plan.case_ids[task.case])
        for task in held.plan.tasks
        if task.kind == "table" and task.family and task.who == "gradient"
    }
    assert set(drawn) == {(c, f"redrawn-{k}") for c in (0, 1) for k in (1, 2)}
    assert len(set(drawn.values())) == 4
    assert families(4, cases=28) == ("redrawn-1",)


def test_games_are_those_of_the_public_api(done: Place, held: Held) -> None:
    problem = asked(held, 0)
    game = region_game(problem, divided(problem, 0)[1], baseline="blur", budget=256)
    same(found(done, case="0", method=f"game({game.baseline})"), game.rows())


def test_regions_that_nobody_has_are_rows_all_the_same(done: Place) -> None:
    rows = found(done, case="0", method="gradient", partition="regions")
    assert {key[2] for key in rows} == {"outside", "both", "nowhere"}
    assert {status for key, (_, status) in rows.items() if key[2] == "nowhere"} == {"absent"}


def test_what_is_known_of_the_cases_stands_beside_with_dice(done: Place, held: Held) -> None:
    with (done.folder / "out/tables/cases/net.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["case"], row["site"]) for row in rows] == [("0", "south"), ("1", "north")]
    problem = asked(held, 1)
    label, own = problem.prepared.label.numpy() == 1, problem.prediction.labels.numpy() == 1
    column = next(c for c in rows[1] if c.startswith("dice:"))
    assert float(rows[1][column]) == pytest.approx(
        2 * (label & own).sum() / (label.sum() + own.sum()), abs=1e-6
    )


def test_nothing_that_is_finished_is_done_again(done: Place) -> None:
    ledger = done.folder / "out/ledger"
    before = {p: p.stat().st_mtime_ns for p in ledger.rglob("*.json")}
    ran = done.run(config="cohort.yaml", command="aggregate")
    assert ran.code == 0, ran.err
    assert {p: p.stat().st_mtime_ns for p in ledger.rglob("*.json")} == before


@pytest.mark.parametrize(
    ("override", "told"),
    [
        pytest.param("title=Another", "", marks=pytest.mark.long),
        ("regions.of=[predicted, {source: 'regions-{id}.nii.gz', labels: {1: left, 2: right, 3: nowhere}}, label]",
         "12 of 16 results are of other settings"),
        ("regions.games=[{baseline: blur, of: regions, budget: 300}]",
         "2 of 16 results are of other settings, files or versions than today's: 2 of game-blur-regions;"),
        ("seed=4", "16 of 16 results are of other settings"),
        pytest.param("models.net.source='nets.py:linear'", "16 of 16 results are of other settings", marks=pytest.mark.long),
    ],
)  # fmt: skip
def test_a_page_that_is_made_again_says_how_much_of_it_is_of_other_settings(
    done: Place, override: str, told: str
) -> None:
    ran = done.run("--compare-only", "--set", override, config="cohort.yaml", command="aggregate")
    assert ran.code == 0, ran.err
    page = (done.folder / "out/cohort.html").read_text(encoding="utf-8")
    if told:
        (line,) = [line for line in ran.err.splitlines() if "results are of" in line]
        assert line.startswith(f"voxplain: warning: {told}")
        assert html.unescape(page).count(line.removeprefix("voxplain: warning: ")) == 1
    else:
        assert "results are of" not in ran.err + page


def test_a_division_without_its_file_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cohort(tmp_path)
    (tmp_path / "regions-1.nii.gz").unlink()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        InputError, match=r"regions.of: .*regions-1.nii.gz does not exist, expected one for case 1"
    ):
        load_aggregate(Path("cohort.yaml"))


LABELS = """
models: {net: 'nets.py:unet'}
cases: cases.csv
regions: {of: [label], tables: [gradient], redrawn: 0, shells: [], games: [{baseline: blur, budget: 256}]}
out: out
run: {workers: 1}
"""


def without_label(folder: Path, *cases: str) -> None:
    table = folder / "cases.csv"
    text = table.read_text(encoding="utf-8")
    for case in cases:
        text = text.replace(f"truth-{case}.nii.gz", "")
    table.write_text(text, encoding="utf-8")


def test_a_case_without_a_label_has_no_rows_of_that_division_and_costs_nobody_else_theirs(
    tmp_path: Path,
) -> None:
    place = cohort(tmp_path)
    without_label(tmp_path, "1")
    (tmp_path / "cohort.yaml").write_text(LABELS, encoding="utf-8")
    ran = place.run(config="cohort.yaml", command="aggregate")
    assert ran.code == 0, ran.err
    assert "regions.of: 1 of 2 cases have no label, and so no rows of that division: 1" in ran.err
    for task, status in (("0/table-gradient", "ok"), ("0/game-blur", "ok")):
        assert place.status(task)[0] == status
        # not the prediction's regions in their place
        assert place.status(task.replace("0/", "1/")) == ("refused", "the case has no label to divide it by")
    assert {key[1] for key in found(place, case="0")} == {"label"}
    rows = duckdb.sql(
        f"SELECT * FROM '{tmp_path}/out/tables/regions.parquet' WHERE \"case\" = '1'"
    ).fetchall()
    assert rows == []
    page = (tmp_path / "out/cohort.html").read_text(encoding="utf-8")
    assert "the case has no label to divide it by" in page


def test_a_case_without_a_label_has_its_other_divisions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort(tmp_path)
    without_label(tmp_path, "1")
    monkeypatch.chdir(tmp_path)
    with pytest.warns(UserWarning, match="1 of 2 cases have no label"):
        settings = load_aggregate(
            Path("cohort.yaml"), overrides=["regions.of=[label, predicted]", "regions.games=[]"]
        )
    held = Held(plan(settings), "cpu", lambda *_: None)
    names = [
        [p.name for p in partitions(held, task, asked(held, task.case))]
        for task in held.plan.tasks
        if task.name.endswith("/table-gradient")
    ]
    assert names == [["label", "predicted"], ["predicted"]]


def test_labels_that_no_case_has_are_a_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cohort(tmp_path)
    without_label(tmp_path, "0", "1")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"regions\.of: found label, but no case has a label") as error:
        load_aggregate(Path("cohort.yaml"), overrides=["regions.of=[label]", "regions.games=[]"])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("regions.of=[predicted, predicted]", "'predicted' is there 2 times"),
        ("regions.of=[]", "is empty"),
        ("regions.games=[inkfill]", "infill"),
        ("regions.games=[{baseline: blur, values: [shap]}]", "shapley"),
        ("regions.games=[blur, blur]", "'blur' is there 2 times"),
        (
            "regions.games=[{baseline: blur, of: region}]",
            "'region', expected a division; did you mean 'regions'",
        ),
        ("regions.tables=[smoothgrd]", "smoothgrad"),
        ("regions.redrawn=-1", "greater than or equal to 0"),
        ("regions.shell=[1]", "shells"),
    ],
)
def test_mistakes_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, override: str, says: str
) -> None:
    cohort(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="regions") as error:
        load_aggregate(Path("cohort.yaml"), overrides=[override])
    assert says in str(error.value)


def test_a_study_with_nothing_to_do_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = cohort(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").write_text(
        "models: {net: 'nets.py:unet'}\ncases: [case-0.nii.gz]\nmethods: []\n", encoding="utf-8"
    )
    ran = place.run()
    assert ran.code == 2
    assert "methods: found none, and no regions" in ran.err


@pytest.mark.long
def test_what_a_worker_warns_of_is_told_noted_and_not_lost_when_the_run_goes_on(tmp_path: Path) -> None:
    """Several tasks of a case read the same empty file."""
    place = cohort(tmp_path)
    text = COHORT.replace(", labels: {1: left, 2: right, 3: nowhere}", "")
    text = text.replace("  merge: {both: [left, right]}\n", "").replace("games: [", "redrawn: 0\n  games: [")
    (tmp_path / "cohort.yaml").write_text(text, encoding="utf-8")
    for number in range(2):
        nothing = Geometry(np.diag([-2.0, 2.0, 2.0, 1.0]), (12, 10, 8))
        write_array(tmp_path / f"regions-{number}.nii.gz", np.zeros((12, 10, 8), dtype=np.uint8), nothing)
    says = "regions regions: found no label above 0, so that all of"
    for again in (False, True):
        ran = place.run(config="cohort.yaml", command="aggregate")
        assert ran.code == 0, ran.err
        told = [line for line in ran.err.splitlines() if says in line]
        assert sorted(told) == (
            [] if again else [f"voxplain: warning: {c}: {says} {c} is 'outside'" for c in "01"]
        )
        page = html.unescape((tmp_path / "out/cohort.html").read_text(encoding="utf-8"))
        assert page.count(f"0: {says} 0 is 'outside'") == 1
        (tmp_path / "out/cohort.html").unlink()
    log = (tmp_path / "out/log.jsonl").read_text(encoding="utf-8").splitlines()
    noted = [n for n in map(json.loads, log) if n["event"] == "warning" and says in n["text"]]
    assert len(noted) == 2


def test_a_damaged_region_file_and_an_empty_one_lose_nothing_else(tmp_path: Path) -> None:
    """Case 0's file is of another grid, case 1's holds no region; both are scans whose maps were asked for, too."""
    place = cohort(tmp_path)
    text = COHORT.replace(", labels: {1: left, 2: right, 3: nowhere}", "").replace(
        "  merge: {both: [left, right]}\n", ""
    )
    text = text.replace("tables: ['smoothgrad:draws=4', gradient]", "tables: [gradient]\n  redrawn: 0")
    text = text.replace("games: [", "games: [blur, ")  # of the prediction, to which no file matters
    (tmp_path / "cohort.yaml").write_text(text + "methods: [gradient]\n", encoding="utf-8")
    for number, shape in enumerate([(12, 10, 7), (12, 10, 8)]):
        nothing = Geometry(np.diag([-2.0, 2.0, 2.0, 1.0]), shape)
        write_array(tmp_path / f"regions-{number}.nii.gz", np.zeros(shape, dtype=np.uint8), nothing)
    ran = place.run(config="cohort.yaml", command="aggregate")
    assert ran.code == 1
    status, note = place.status("0/table-gradient")
    assert status == "failed"
    assert "regions-0.nii.gz" in note
    assert "(12, 10, 7)" in note
    done = ["0/ask", "0/map-gradient", "0/game-blur", "1/ask", "1/map-gradient", "1/table-gradient"]
    assert [place.status(task)[0] for task in done] == ["ok"] * 6
    assert place.status("0/game-blur-regions")[0] == "failed"
    assert (tmp_path / "out" / "cohort.html").is_file()
    rows = duckdb.sql(
        f"SELECT DISTINCT \"case\", partition FROM '{tmp_path}/out/tables/regions.parquet' WHERE method = 'gradient'"
    ).fetchall()
    assert ("1", "predicted") in rows

"""What docs/study.md says of a study's folder is what a study leaves there."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import duckdb
import pytest
from studies import Place

from voxplain.study.settings.load import load_study

PAGE = (Path(__file__).parents[2] / "docs" / "study.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return [text for kind, text in re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.M | re.S) if kind == language]


QUERIES = [q.strip() for q in blocks("sql")[0].split(";") if q.strip()]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny study of two cases, called as on the page."""
    place = Place(tmp_path_factory.mktemp("study"), cases=2)
    place.write("[gradient, 'smoothgrad:draws=2']", "[deletion, completeness, mean_agreement]")
    ran = place.run("--out", "results")
    assert ran.code == 0, ran.err
    return place.folder / "results"


def paragraph(name: str) -> str:
    """What is said of a table."""
    found = re.search(rf"^`{re.escape(name)}`,.*?(?=^`\w+\.(?:csv|parquet)`,|^```)", PAGE, re.M | re.S)
    assert found, name
    return found[0]


def columns(path: Path) -> list[str]:
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return next(csv.reader(file))
    with duckdb.connect() as connection:
        return [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall()]


def test_every_table_is_on_the_page_with_every_column(results: Path) -> None:
    tables = sorted(path.name for path in (results / "tables").iterdir() if path.is_file())
    assert tables == sorted(set(re.findall(r"`(\w+\.(?:csv|parquet))`, one row", PAGE)))
    for table in tables:
        named = set(re.findall(r"`(\w+)`", paragraph(table)))
        shared = {"model", "metric", "method", "case", "target"} & set(re.findall(r"\w+", paragraph(table)))
        missing = [c for c in columns(results / "tables" / table) if c not in named | shared]
        assert not missing, f"{table}: {missing}"


def test_every_folder_is_on_the_page(results: Path) -> None:
    layout = next(b for b in blocks("") if b.startswith("results/"))
    for path in results.iterdir():
        assert path.name in layout, path.name


@pytest.mark.parametrize("query", QUERIES, ids=[q.splitlines()[0].strip("- ") for q in QUERIES])
def test_the_queries_run(results: Path, monkeypatch: pytest.MonkeyPatch, query: str) -> None:
    monkeypatch.chdir(results.parent)
    with duckdb.connect() as connection:
        assert connection.execute(query).fetchall()


def test_costs_are_not_added_up_over_targets(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(results.parent)
    with duckdb.connect() as connection:
        found = connection.execute(next(q for q in QUERIES if "cost" in q)).fetchall()
    assert {row[0]: row[1] for row in found} == {"gradient": 2, "smoothgrad": 2}


def test_the_example_is_a_study(folder: Path) -> None:
    (folder / "nets.py").write_text("", encoding="utf-8")
    for name in ("large.pt", "images/7.png", "labels/7.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    (folder / "study.yaml").write_text(blocks("yaml")[0], encoding="utf-8")
    found = load_study(folder / "study.yaml")
    assert [c.id for c in found.cases] == ["7"]
    assert list(found.models) == ["small", "large"]


def test_the_page_is_short() -> None:
    assert len(PAGE.splitlines()) < 150

"""What the server answers: exact voxels, figures of the list, and what an unfinished study has."""

from __future__ import annotations

import json
import shutil

import duckdb
import numpy as np
import pytest
from viewing.conftest import client_of
from viewing_folder import EVIL, METHODS, SHAPE, STRANGE, TARGETS, ViewedStudy, voxels

from voxplain.aggregate.long_table import TYPES
from voxplain.errors import InputError
from voxplain.viewing.folder import opened
from voxplain.viewing.server.plain import VOLUME_HEADER
from voxplain.viewing.volumes import Served
from voxplain.viewing.volumes.kept import Kept


def volume(answer) -> tuple[np.ndarray, dict]:
    """Voxels (x, y, z) on R, A, S of an answer; by nothing that the server uses."""
    assert answer.status == 200, answer.text
    told = json.loads(answer.headers[VOLUME_HEADER])
    flat = np.frombuffer(answer.body, np.dtype(told["type"]).newbyteorder("<"))
    return flat.reshape(SHAPE, order="F"), told


def ras(values: np.ndarray) -> np.ndarray:
    """A file's LPS array on R, A, S."""
    return values[::-1, ::-1]


def test_volumes_are_the_files_own_numbers(study: ViewedStudy):
    client = client_of(study.out)
    image, _ = volume(client.get("/api/items/2/image"))
    np.testing.assert_array_equal(image, ras(study.image(2)))
    for t in range(len(TARGETS)):
        for m in range(len(METHODS)):
            found, told = volume(client.get(f"/api/items/2/maps/{t}/{m}"))
            np.testing.assert_array_equal(found, ras(voxels(2, m, t)))
            assert found.dtype == np.float32 and told["lost"] == ""
            assert told["limit"] == pytest.approx(np.percentile(voxels(2, m, t), 99.5))
    labels, told = volume(client.get("/api/items/2/labels/0"))
    np.testing.assert_array_equal(labels, ras(study.labels()))
    assert [(o["label"], o["name"]) for o in told["outlined"]] == [(1, "liver"), (2, "spleen")]


def test_a_description_leads_to_its_volumes(study: ViewedStudy):
    client = client_of(study.out)
    found = client.get("/api/items/0").json()
    assert found["shape"] == list(SHAPE) and found["name"] == "case-0"
    assert [t["name"] for t in found["targets"]] == list(TARGETS)
    maps = found["targets"][1]["maps"]
    assert [(m["method"], m["verdict"], m["light"]) for m in maps][1] == ("lrp", "holds", "good")
    assert maps[1]["unit"] == "score per unit of lrp"
    for one in (found["image"], *found["labels"], *maps):
        assert client.get(f"/api/{one['data']}").status == 200


def test_a_volume_that_no_browser_could_hold_is_coarser_and_says_so(study: ViewedStudy, monkeypatch):
    monkeypatch.setattr("voxplain.report.viewer.reduce.LEAST", 2)
    folder = opened(study.out)
    served = Served(folder, most=200)
    described = served.describe(folder.items[0])
    assert np.prod(described["shape"]) <= 200
    assert any("since the browser could not hold all voxels" in note for note in described["notes"])
    assert len(served.map(folder.items[0], "liver", "lrp").voxels) == np.prod(described["shape"])


def test_the_list_is_sorted_by_what_the_study_found(study: ViewedStudy):
    found = client_of(study.out).get("/api/figures").json()
    rows = found["items"]
    assert found["targets"] == list(TARGETS) and found["metrics"] == [
        "complexity",
        "faithfulness_correlation",
    ]
    assert rows[4]["scores"] == {"liver": 4.0, "spleen": 6.0}
    assert rows[4]["metrics"]["complexity"]["lrp"] == pytest.approx(5 + 0.4 + 0.5 + 1)  # mean of both targets
    assert [rows[n]["lights"]["gradient"][0] for n in (0, 1)] == ["good", "bad"]
    assert rows[0]["lights"]["grad_cam"] == ["bad", "fails here"] and rows[0]["worst"] == "bad"
    scores = [row["outlierness"] for row in rows]
    assert int(np.argmax(scores)) == STRANGE and "complexity" in rows[STRANGE]["farthest"]
    assert "metrics" in found["outlierness"]


def test_outlierness_of_figures_is_the_root_mean_square_of_robust_z(study: ViewedStudy):
    from voxplain.viewing.folder import Figures
    from voxplain.viewing.listing.outlying import outlying

    folder = opened(study.out)
    values = np.array([0.0, 1, 2, 3, 4, 5, 6, 7, 30])
    made = {n: Figures(scores={"liver": v}) for n, v in enumerate(values)}
    found = outlying(folder, made).scores
    # Qn by hand: the h(h-1)/2 th smallest of all pairs, times its constants for nine values
    pairs = np.sort([abs(a - b) for i, a in enumerate(values) for b in values[:i]])
    qn = 2.2191 * 0.872 * pairs[5 * 4 // 2 - 1]
    expected = np.minimum(np.abs(values - 4) / qn, 10)
    np.testing.assert_allclose([found[n] for n in range(9)], expected, rtol=1e-4)


def test_outlierness_of_region_sums_is_that_of_the_cases_own_network(study: ViewedStudy, tmp_path):
    """One case has its sums in other regions than all others; another has so with redrawn weights, which tells nothing."""
    out = tmp_path / "out"
    shutil.copytree(study.out, out)
    rng = np.random.default_rng(0)
    rows = []
    for method, odd in (("lrp", 5), ("lrp~redrawn-1", 2)):
        for n, case in enumerate(study.ids):
            shares = np.array([6.0, 3, 1]) * np.exp(rng.normal(0, 0.1, 3))
            for region, value in zip(
                ("liver", "spleen", "rest"), shares[::-1] if n == odd else shares, strict=True
            ):
                rows.append((case, "net", method, "liver", "organs", region, "absolute", value, None, "ok"))
    columns = ", ".join(f'"{c}" {t}' for c, t in TYPES.items())
    duckdb.sql(f"CREATE TABLE sums ({columns})")
    duckdb.executemany(f"INSERT INTO sums VALUES ({', '.join('?' * len(TYPES))})", rows)
    duckdb.sql(f"COPY sums TO '{out / 'tables' / 'regions.parquet'}'")
    duckdb.sql("DROP TABLE sums")
    found = client_of(out).get("/api/figures").json()
    assert "sums over regions" in found["outlierness"]
    items = sorted(found["items"], key=lambda row: -row["outlierness"])
    assert items[0]["number"] == 5 and items[0]["farthest"] == "liver by lrp over organs"
    assert items[0]["outlierness"] > 2 * items[1]["outlierness"]
    assert {row["farthest"] for row in items} == {"liver by lrp over organs"}


def test_fewer_than_eight_cases_have_no_outlierness(own_study: ViewedStudy):
    found = client_of(own_study.out).get("/api/figures").json()
    assert "8 cases" in found["outlierness"]
    assert {row["outlierness"] for row in found["items"]} == {None}


def test_an_unfinished_study_shows_what_is_there(own_study: ViewedStudy):
    client = client_of(own_study.out)
    assert [i["name"] for i in client.get("/api/study").json()["items"]] == ["case-0", "case-1", EVIL]
    found = client.get("/api/items/1").json()
    assert found["targets"] == [] and "The study has not come to this case yet." in found["notes"]
    assert client.get("/api/items/1/image").status == 200
    (own_study.out / "ledger" / own_study.place(0) / "map-lrp.json").unlink()
    found = client.get("/api/items/0").json()
    assert [m["method"] for m in found["targets"][0]["maps"]] == ["gradient", "grad_cam"]
    assert "lrp: not done yet." in found["notes"]


def test_new_figures_are_seen_while_the_server_runs(own_study: ViewedStudy):
    client = client_of(own_study.out)
    assert client.get("/api/figures").json()["items"][1]["scores"] == {}
    own_study._case(1)
    assert client.get("/api/figures").json()["items"][1]["scores"] == {"liver": 1.0, "spleen": 9.0}


def test_an_image_that_was_moved_away_is_that_cases_trouble_alone(own_study: ViewedStudy):
    (own_study.images / "0.nii.gz").unlink()
    client = client_of(own_study.out)
    answer = client.get("/api/items/0")
    assert answer.status == 400 and "0.nii.gz" in answer.text
    assert client.get("/api/items/2").status == 200


def test_a_folder_that_was_moved_is_read_where_it_is(own_study: ViewedStudy, tmp_path):
    shutil.move(own_study.out, tmp_path / "moved")
    assert client_of(tmp_path / "moved").get("/api/items/0/maps/0/0").status == 200


def test_what_is_no_study_is_told_in_one_line(tmp_path, own_study: ViewedStudy):
    for path, text in (
        (tmp_path / "none", "does not exist"),
        (own_study.images / "0.nii.gz", "is a file"),
        (own_study.images, "holds no results"),
        (own_study.out.parent, f"did you mean {own_study.out}?"),
    ):
        with pytest.raises(InputError, match=r".") as found:
            opened(path)
        assert text in str(found.value) and "\n" not in str(found.value)


def test_what_two_ask_for_at_once_is_made_once_and_errors_are_not_kept():
    kept, made = Kept(room=100), []

    def make(name: str, size: int = 40):
        return kept.get(name, lambda: made.append(name) or name, lambda _: size)

    assert [make("a"), make("a"), make("b"), make("c")] == ["a", "a", "b", "c"]  # c drives out a
    make("b")
    make("a")
    assert made == ["a", "b", "c", "a"]
    with pytest.raises(ZeroDivisionError):
        kept.get("wrong", lambda: 1 // 0, lambda _: 1)
    assert kept.get("wrong", lambda: "right", lambda _: 1) == "right"

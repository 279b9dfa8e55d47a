"""A reader study: no answer holds a method's name, orders are each reader's own, and ratings find their way home."""

from __future__ import annotations

import itertools
import json
from collections import Counter

import numpy as np
import pytest
from viewing.conftest import client_of
from viewing_folder import METHODS, TARGETS, ViewedStudy

from voxplain.viewing import export_notes, read_notes
from voxplain.viewing.folder import opened
from voxplain.viewing.readers.blinding import Blinding
from voxplain.viewing.server.plain import VOLUME_HEADER

ANNA = {"reader": "Anna"}
RATED = {"author": "Anna", "usefulness": 4, "agreement": 2, "text": ""}
VERDICTS = ("holds", "fails", "partly", "complexity", "faithfulness")


def test_no_answer_holds_a_methods_name(own_study: ViewedStudy):
    client = client_of(own_study.out, blinded=True)
    client.post("/api/items/0/notes", {**RATED, "method": "A"})
    own_study.map_file(2, "lrp", "liver").unlink()
    letters = own_study.out / "maps"
    paths = ["/", "/api/study", "/api/figures", "/api/progress", "/notes.csv", "/nothing"]
    for n in range(4):
        paths += [f"/api/items/{n}{p}" for p in ("", "/image", "/labels/0", "/notes", "/notes/x")]
        paths += [f"/api/items/{n}/maps/{t}/{m}" for t in range(3) for m in range(4)]
    seen = Counter()
    for path, query in itertools.product(
        paths, (ANNA, {}, {"reader": ""}, {"reader": "x" * 200}, {**ANNA, "method": "lrp"})
    ):
        answer = client.get(path, query)
        seen[answer.status] += 1
        whole = json.dumps(dict(answer.headers)).encode() + answer.body
        for name in (*METHODS, *VERDICTS, "per unit", str(letters)):
            assert name.encode() not in whole.lower(), (path, query, name)
    assert seen[200] > 40 and seen[404] > 20 and seen[400] > 10
    for wrong in ("lrp", "D", "", "A" * 99, None):
        answer = client.post("/api/items/0/notes", {**RATED, "method": wrong})
        assert answer.status == 400
        assert not any(name in answer.text for name in METHODS if name != wrong)


def test_values_and_units_do_not_tell_who_made_a_map(own_study: ViewedStudy):
    client = client_of(own_study.out, blinded=True)
    maps = client.get("/api/items/0", ANNA).json()["targets"][0]["maps"]
    assert {m["unit"] for m in maps} == {"share of the map's own colour range"}
    assert [m["method"] for m in maps] == ["A", "B", "C"]
    for m in range(3):
        answer = client.get(f"/api/items/0/maps/0/{m}", ANNA)
        told = json.loads(answer.headers[VOLUME_HEADER])
        assert told == {"type": "float32", "limit": 1.0, "lost": ""}
        assert np.percentile(np.frombuffer(answer.body, "<f4"), 99.5) == pytest.approx(1, rel=1e-5)


def test_a_letters_map_is_the_methods_map(own_study: ViewedStudy):
    client, open_one = client_of(own_study.out, blinded=True), client_of(own_study.out)
    folder = opened(own_study.out)
    letters = Blinding(folder, 0).letters("Anna", folder.items[0])
    for m, method in enumerate(letters.values()):
        found = np.frombuffer(client.get(f"/api/items/0/maps/1/{m}", ANNA).body, "<f4")
        plain = open_one.get(f"/api/items/0/maps/1/{METHODS.index(method)}")
        expected = np.frombuffer(plain.body, "<f4") / json.loads(plain.headers[VOLUME_HEADER])["limit"]
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_orders_are_each_readers_and_cases_own_and_stay(study: ViewedStudy):
    folder = opened(study.out)
    blinding = Blinding(folder, 1)
    readers = [f"reader {n}" for n in range(200)]
    of = [tuple(blinding.letters(r, item).values()) for r in readers for item in folder.items]
    counts = Counter(of)
    assert len(counts) == 6  # every order of three methods
    # 1800 draws of six orders: all but one in a million of fair shuffles lie within 5 standard deviations
    assert all(abs(c - 300) < 5 * np.sqrt(1800 * 5 / 36) for c in counts.values())
    orders = {tuple(i.number for i in blinding.cases(r)) for r in readers}
    assert len(orders) > 190
    again = Blinding(opened(study.out), 1)
    assert [again.cases(r) for r in readers[:3]] == [blinding.cases(r) for r in readers[:3]]
    other = Blinding(folder, 2)
    assert any(other.letters(r, folder.items[0]) != blinding.letters(r, folder.items[0]) for r in readers[:9])


def test_letters_stay_while_the_study_goes_on(own_study: ViewedStudy):
    """What becomes done must not move the letters of a page that a reader has open."""
    marker = own_study.out / "ledger" / own_study.place(0) / "map-lrp.json"
    kept = marker.read_text()
    marker.unlink()
    readers = [{"reader": f"reader {n}"} for n in range(6)]
    client = client_of(own_study.out, blinded=True)

    def seen() -> list[bytes]:
        return [client.get("/api/items/0/maps/0/0", reader).body for reader in readers]

    before = seen()
    marker.write_text(kept)
    assert seen() == before
    assert client.get("/api/items/0/notes", ANNA).json()["letters"] == ["A", "B"]
    assert client_of(own_study.out, blinded=True).get("/api/items/0/notes", ANNA).json()["letters"] == list(
        "ABC"
    )


def test_progress_is_kept_and_goes_on(own_study: ViewedStudy):
    client = client_of(own_study.out, blinded=True, seed=3)

    def done() -> dict[int, tuple[int, int]]:
        found = client_of(own_study.out, blinded=True, seed=3).get("/api/progress", ANNA).json()
        return {p["number"]: (p["done"], p["of"]) for p in found["items"]}

    assert done() == {0: (0, 3), 2: (0, 3)}  # the case that is not done has no maps
    client.post("/api/items/0/notes", {**RATED, "method": "B"})
    client.post("/api/items/0/notes", {**RATED, "method": "B", "usefulness": 5})
    client.post("/api/items/0/notes", {**RATED, "method": "C", "agreement": None})  # half an answer
    assert done() == {0: (1, 3), 2: (0, 3)}
    own = client.get("/api/items/0/notes", ANNA).json()
    assert own["letters"] == ["A", "B", "C"]
    assert [(n["method"], n["usefulness"]) for n in own["notes"]] == [("B", 4), ("B", 5), ("C", 4)]
    # nobody sees what others gave
    assert client.get("/api/items/0/notes", {"reader": "Bob"}).json()["notes"] == []
    assert client.get("/api/progress", {"reader": "Bob"}).json()["items"][0]["done"] == 0


def test_the_export_has_true_names(own_study: ViewedStudy, tmp_path):
    client = client_of(own_study.out, blinded=True, reader="Anna")
    for letter in "ABC":
        client.post("/api/items/0/notes", {**RATED, "author": "somebody else", "method": letter})
    letters = Blinding(opened(own_study.out), 0).letters("Anna", opened(own_study.out).items[0])
    found = read_notes(own_study.out)
    assert {(n.letter, n.method, n.author) for n in found} == {(k, m, "Anna") for k, m in letters.items()}
    text = export_notes(own_study.out, tmp_path / "n.csv").read_text()
    assert all(f"{method},{letter},Anna" in text for letter, method in letters.items())


def test_a_study_that_is_not_blinded_shows_names(own_study: ViewedStudy):
    client = client_of(own_study.out)
    assert client.get("/api/study").json()["title"] == "Of gradient and lrp"
    assert client.get("/api/progress").status == 404
    assert [t["name"] for t in client.get("/api/items/0").json()["targets"]] == list(TARGETS)

"""Notes are kept, with their history, and leave as a table that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading

import pytest
from viewing.conftest import client_of
from viewing_folder import EVIL, ViewedStudy

from voxplain.errors import InputError, StorageError
from voxplain.viewing import Note, export_notes, read_notes
from voxplain.viewing.notes import NoteBook, as_csv

SAID = {"author": "Anna", "usefulness": 4, "agreement": 2, "text": "too far\tto the left\nand blurred"}


def note(**other) -> Note:
    plain = {
        "model": "net",
        "case": "c",
        "method": "",
        "author": "a",
        "usefulness": 1,
        "agreement": None,
        "text": "",
    }
    return Note(**{**plain, **other})


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.lstrip("\ufeff"), newline="")))


def test_a_note_is_kept_and_read_by_everybody(own_study: ViewedStudy):
    client = client_of(own_study.out)
    assert client.get("/api/items/0/notes").json() == {"notes": []}
    assert not (own_study.out / "notes.sqlite").exists()
    assert client.post("/api/items/0/notes", SAID).status == 200
    assert client.post("/api/items/0/notes", {**SAID, "author": " Bo  b ", "usefulness": None}).status == 200
    found = client_of(own_study.out).get("/api/items/0/notes").json()["notes"]
    assert [(n["author"], n["usefulness"], n["text"]) for n in found] == [
        ("Anna", 4, SAID["text"]),
        ("Bo b", None, SAID["text"]),
    ]
    assert client.get("/api/items/2/notes").json() == {"notes": []}
    assert found[0]["written"].endswith("+00:00")


def test_a_later_note_counts_and_the_earlier_one_stays(own_study: ViewedStudy):
    client = client_of(own_study.out)
    for stars in (1, 5):
        client.post("/api/items/0/notes", {**SAID, "usefulness": stars})
    assert [n.usefulness for n in read_notes(own_study.out)] == [5]
    assert [n.usefulness for n in read_notes(own_study.out, history=True)] == [1, 5]
    assert [(r["usefulness"], r["counts"]) for r in rows(client.get("/notes.csv").text)] == [
        ("1", "0"),
        ("5", "1"),
    ]


@pytest.mark.parametrize(
    "wrong",
    [{"author": ""}, {"author": " \n "}, {"author": "x" * 101}, {"author": "a\u202eb"}, {"usefulness": 0},
     {"usefulness": 6}, {"usefulness": 2.5}, {"usefulness": True},
     {"usefulness": "3"}, {"agreement": []}, {"text": None}, {"text": "x" * 10_001},
     {"usefulness": None, "agreement": None, "text": "  "}],
)  # fmt: skip
def test_what_is_no_note_is_refused_by_its_field(study: ViewedStudy, wrong):
    answer = client_of(study.out).post("/api/items/0/notes", {**SAID, **wrong})
    field = next(iter(wrong)) if len(wrong) == 1 else "note:"
    assert answer.status == 400 and field in answer.text
    assert "\n" not in answer.text
    assert not (study.out / "notes.sqlite").exists()


def test_control_characters_do_not_stay_in_text(own_study: ViewedStudy):
    client_of(own_study.out).post("/api/items/0/notes", {**SAID, "text": "a\x00b\x1b[31mc\r\nd\ud800"})
    assert read_notes(own_study.out)[0].text == "ab[31mc\nd?"


def test_no_cell_of_the_table_is_a_formula(own_study: ViewedStudy, tmp_path):
    evil = [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        " =1",
        "＝1",
        '=HYPERLINK("http://evil.example")',
        "\u00a0=1",
    ]
    book = NoteBook(own_study.out)
    for text in evil:
        book.add(note(text=text, author=text, case=text, method=text, letter="A"))
    path = export_notes(own_study.out, tmp_path / "notes.csv")
    found = rows(path.read_text(encoding="utf-8"))
    for row, text in zip(found, evil, strict=True):
        assert {row["text"], row["author"], row["case"], row["method"]} == {"'" + text}
    assert rows(as_csv([note(text='a,"b"\nc=1')]))[0]["text"] == 'a,"b"\nc=1'
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")  # by which spreadsheets know UTF-8


def test_there_is_nothing_to_export_before_the_first_note(own_study: ViewedStudy, tmp_path):
    with pytest.raises(InputError, match="nobody has written a note"):
        export_notes(own_study.out, tmp_path / "notes.csv")
    assert not (own_study.out / "notes.sqlite").exists() and not (tmp_path / "notes.csv").exists()


def test_notes_are_on_the_disk_when_the_writer_is_killed(tmp_path):
    code = """
        import os, sys
        from pathlib import Path
        from voxplain.viewing.notes import Note, NoteBook
        book = NoteBook(Path(sys.argv[1]))
        for n in range(5):
            book.add(Note("m", "c", "", f"a{n}", 1, 1, "t"))
        print("written", flush=True)
        os.kill(os.getpid(), 9)
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout == "written\n" and ran.returncode == -signal.SIGKILL
    assert [n.author for n in NoteBook(tmp_path).all()] == [f"a{n}" for n in range(5)]
    with sqlite3.connect(tmp_path / "notes.sqlite") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_many_may_write_at_once(tmp_path):
    book = NoteBook(tmp_path)
    threads = [
        threading.Thread(target=lambda n=n: [book.add(note(author=f"{n}-{k}")) for k in range(5)])
        for n in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({n.author for n in book.all()}) == 30


def test_a_file_that_is_no_notebook_is_told(tmp_path):
    (tmp_path / "notes.sqlite").write_bytes(b"no database at all, but long enough to be looked at" * 50)
    with pytest.raises(StorageError, match=r"notes\.sqlite"):
        NoteBook(tmp_path).all()
    (tmp_path / "notes.sqlite").unlink()
    (tmp_path / "notes.sqlite").touch()
    assert NoteBook(tmp_path).all() == []
    with sqlite3.connect(tmp_path / "notes.sqlite") as connection:
        connection.execute("PRAGMA user_version = 9")
    with pytest.raises(StorageError, match="version 9"):
        NoteBook(tmp_path).add(note())


@pytest.mark.parametrize(("column", "value"), [("usefulness", "=cmd"), ("agreement", 9), ("text", b"x")])
def test_a_notebook_that_came_with_a_study_is_not_trusted(tmp_path, column, value):
    NoteBook(tmp_path).add(note())
    with sqlite3.connect(tmp_path / "notes.sqlite") as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(f"UPDATE notes SET {column} = ?", (value,))
    with pytest.raises(StorageError, match="a note is not as voxplain writes it"):
        NoteBook(tmp_path).all()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to_is_told(own_study: ViewedStudy):
    own_study.out.chmod(0o555)
    answer = client_of(own_study.out).post("/api/items/0/notes", SAID)
    own_study.out.chmod(0o755)
    assert answer.status == 400 and "notes.sqlite" in answer.text


def test_the_evil_case_is_named_as_it_is(own_study: ViewedStudy):
    assert client_of(own_study.out).get("/api/items/2").json()["name"] == EVIL

"""Markers of finished work: what counts as done."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from voxplain.study.ledger.ledger import Ledger


@pytest.fixture(params=[False, True], ids=["reads", "trusts"])
def ledger(tmp_path: Path, request: pytest.FixtureRequest) -> Ledger:
    found = Ledger(tmp_path, trusting=request.param)
    (tmp_path / "map.raw").write_bytes(b"whole")
    found.finish("a", "key", [tmp_path / "map.raw"], {"seen": 1})
    return found


def test_what_is_whole_under_its_key_is_done(ledger: Ledger) -> None:
    assert ledger.done("a", "key") == {"seen": 1}
    assert ledger.done("a", "another key") is None
    assert ledger.done("b", "key") is None


@pytest.mark.parametrize("content", [None, b"half", b"other"], ids=["gone", "shorter", "as long"])
def test_files_that_are_gone_or_changed_are_to_be_made_again(ledger: Ledger, content: bytes | None) -> None:
    file = ledger.out / "map.raw"
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
        os.utime(file, ns=(1, 1))  # whatever the clock's step is, it has another time of change
    assert ledger.done("a", "key") is None


def test_a_touched_file_of_the_same_content_is_whole(ledger: Ledger) -> None:
    os.utime(ledger.out / "map.raw", ns=(1, 1))
    assert ledger.done("a", "key") == {"seen": 1}

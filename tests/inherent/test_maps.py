"""Maps are checked once, and come back from a folder bit by bit."""

from __future__ import annotations

import json
from dataclasses import fields

import numpy as np
import pytest
from hand_made_maps import blobs, maps_of

from voxplain.errors import InputError, StorageError
from voxplain.inherent.maps import Maps
from voxplain.inherent.maps_file import read_maps, stream_maps, write_maps

GOOD = {
    "ids": ("a", "b"),
    "groups": ("p", "q"),
    "evidence": [np.zeros((3, 4, 5)), np.zeros((3, 6, 2))],
    "logits": np.zeros((2, 3)),
    "labels": [0, 2],
    "masks": [None, np.zeros((6, 2), bool)],
    "images": [np.zeros((1, 4, 5)), None],
    "spacings": [(1.0, 2.0), None],
}
BAD = {
    "nan": ("evidence", [np.zeros((3, 4, 5)), np.full((3, 6, 2), np.nan)], "evidence of 'b': found NaN"),
    "classes": (
        "evidence",
        [np.zeros((3, 4, 5)), np.zeros((2, 6, 2))],
        r"evidence of 'b': found shape \(2, 6, 2\)",
    ),
    "axes": ("evidence", [np.zeros((3, 4, 5)), np.zeros((3, 6, 2, 2))], "evidence of 'b': found 4 axes"),
    "count": ("groups", ("p",), "groups: found 1 entries, expected 2"),
    "twice": ("ids", ("a", "a"), "ids: found 'a' more than once"),
    "number": ("ids", ("a", 3), "ids: found 3, expected a name"),
    "text": ("ids", "ab", "ids: found the text 'ab'"),
    "label": ("labels", [0, 3], r"label of 'b': found 3, expected a class in 0 … 2"),
    "float labels": ("labels", [0.0, 1.0], "labels: found float64"),
    "logits": ("logits", [[0.0, 0, 0], [0, np.inf, 0]], "logits of 'b': found NaN or infinity"),
    "logits flat": ("logits", [0.0, 1.0], r"logits: found shape \(2,\)"),
    "mask shape": ("masks", [None, np.zeros((2, 6), bool)], r"mask of 'b': found shape \(2, 6\)"),
    "mask values": (
        "masks",
        [np.full((4, 5), 2), None],
        "mask of 'a': found int64 with values other than 0 and 1",
    ),
    "image": (
        "images",
        [np.zeros((4, 5)), None],
        r"image of 'a': found shape \(4, 5\), expected \(C, 4, 5\)",
    ),
    "spacing": ("spacings", [(1.0, 0.0), None], r"spacing of 'a': found \(1.0, 0.0\), expected 2 positive"),
    "healthy": ("healthy", 3, "healthy: found 3, expected None or a class in 0 … 2"),
}


@pytest.mark.parametrize("name", BAD)
def test_an_error_names_the_field_and_the_case(name):
    field, value, message = BAD[name]
    Maps(**GOOD)
    with pytest.raises(InputError, match=message):
        Maps(**{**GOOD, field: value})


def test_no_case_is_refused():
    with pytest.raises(InputError, match="found no case"):
        maps_of([])


def test_what_is_known_of_each_case():
    maps = Maps(**{**GOOD, "masks": [None, np.eye(6, 2) > 0]})
    assert maps.is_healthy.tolist() == [True, False]
    assert maps.has_lesion.tolist() == [False, True]
    assert maps.has_empty_truth.tolist() == [True, False]  # healthy by its label, mask not known
    assert Maps(**{**GOOD, "healthy": None}).has_empty_truth.tolist() == [False, True]  # by its empty mask


def test_take_keeps_cases_whole():
    maps = blobs(9)
    part = maps.take([4, 2])
    assert part.ids == ("c004", "c002")
    assert np.array_equal(part.evidence[0], maps.evidence[4]) and np.array_equal(
        part.logits[1], maps.logits[2]
    )
    assert np.array_equal(maps.take(maps.is_healthy).labels, [0, 0, 0])
    with pytest.raises(InputError, match="expected at least one"):
        maps.take([])


@pytest.mark.parametrize("shape", [(12, 14), (12, 13, 14)])
def test_a_folder_gives_back_every_bit(tmp_path, shape):
    maps = blobs(5, shape, spacing=(0.7,) * len(shape))
    back = read_maps(write_maps(tmp_path / "maps", maps))
    for f in fields(Maps):
        old, new = getattr(maps, f.name), getattr(back, f.name)
        if f.name in ("evidence", "masks", "images"):
            assert all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(old, new, strict=True))
        else:
            assert np.array_equal(old, new), f.name


def test_what_is_not_known_stays_unknown(tmp_path):
    back = read_maps(write_maps(tmp_path / "maps", Maps(**{**GOOD, "ids": ("a/../b", "é"), "healthy": None})))
    assert back.ids == ("a/../b", "é") and back.healthy is None
    assert back.masks[0] is None and back.images[1] is None and back.spacings == ((1.0, 2.0), None)


def test_cases_stream_one_by_one(tmp_path):
    maps = blobs(4)
    write_maps(tmp_path / "maps", maps)
    assert [c.ids for c in stream_maps(tmp_path / "maps")] == [(i,) for i in maps.ids]


def test_a_folder_is_whole_or_not_there(tmp_path, monkeypatch):
    import safetensors.numpy

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(safetensors.numpy, "save_file", full)
    with pytest.raises(StorageError, match="No space left"):
        write_maps(tmp_path / "maps", blobs(3))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_is_refused(tmp_path):
    write_maps(tmp_path / "maps", blobs(3))
    with pytest.raises(StorageError, match="not an empty folder"):
        write_maps(tmp_path / "maps", blobs(3))


def test_a_broken_folder_names_the_case(tmp_path):
    folder = write_maps(tmp_path / "maps", blobs(3))
    file = folder / "000001.safetensors"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(InputError, match=r"000001.*'c001' are missing or cut off"):
        read_maps(folder)
    index = json.loads((folder / "maps.json").read_text())
    (folder / "maps.json").write_text(json.dumps({**index, "version": 99}))
    with pytest.raises(InputError, match="expected version 3"):
        read_maps(folder)
    with pytest.raises(InputError, match="found no readable"):
        read_maps(tmp_path / "elsewhere")

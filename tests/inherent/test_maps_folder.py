"""A folder that is filled case by case reads like one that was written at once."""

from __future__ import annotations

import numpy as np
import pytest

from voxplain.errors import InputError
from voxplain.inherent.maps import Maps
from voxplain.inherent.maps_file import read_maps
from voxplain.inherent.maps_folder import MapsFolder


def maps(n: int = 3) -> Maps:
    rng = np.random.default_rng(0)
    return Maps(
        tuple(f"a/{i}" for i in range(n)), ("p",) * n, rng.normal(size=(n, 2, 4, 5)).astype(np.float32),
        rng.normal(size=(n, 2)), np.arange(n) % 2, rng.random((n, 4, 5)) > 0.5, rng.normal(size=(n, 1, 4, 5)),
        [(1.0, 2.0), None, (0.5, 0.5)][:n],
    )  # fmt: skip


def filled(folder, key="k") -> MapsFolder:
    out = MapsFolder(folder, key)
    for i, case in enumerate(maps()):
        out.add(i, case, {"number": i})
    out.finish(3)
    return out


def test_cases_come_back_bit_by_bit_with_what_else_is_known(tmp_path):
    out, given = filled(tmp_path / "m"), maps()
    found = read_maps(tmp_path / "m")
    assert found.ids == given.ids and found.spacings == given.spacings
    assert all(np.array_equal(a, b) for a, b in zip(found.evidence, given.evidence, strict=True))
    assert np.array_equal(found.logits, given.logits) and out.about(2) == {"number": 2}


def test_another_key_empties_the_folder_and_the_same_keeps_it(tmp_path):
    filled(tmp_path / "m")
    assert MapsFolder(tmp_path / "m", "k").has(1)
    assert not MapsFolder(tmp_path / "m", "other").has(1)
    assert not (tmp_path / "m" / "maps.json").exists()


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(InputError, match="holds other files"):
        MapsFolder(tmp_path, "k")
    assert (tmp_path / "letter.txt").exists()

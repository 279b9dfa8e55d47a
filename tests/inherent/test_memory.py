"""What evaluation holds in memory does not grow with the cohort, and its numbers are those of maps that are all held."""

from __future__ import annotations

import gc
import tracemalloc
from weakref import WeakSet

import numpy as np
import pytest

from voxplain.inherent import ranks
from voxplain.inherent.evaluate import Asked, Protocol, classification, compare, localisation, pixels
from voxplain.inherent.maps import Maps
from voxplain.inherent.maps_file import read_maps
from voxplain.inherent.maps_folder import MapsFolder
from voxplain.inherent.mask.segment import Segmentation
from voxplain.inherent.posthoc import joined
from voxplain.inherent.score_map import ClassScore, ImageIntensity
from voxplain.inherent.threshold import HealthyQuantile, HeldOutMasks, Oracle, Otsu

EDGE = 24
CASE = EDGE**3 * (2 * 4 + 4 + 1)  # bytes: evidence of two classes, image, mask


def case(i: int, name: str) -> Maps:
    rng = np.random.default_rng(i)
    mask, ill = np.zeros((EDGE,) * 3, bool), i % 2
    if ill:
        mask[4:10, 4:10, 4 : 8 + i % 5] = True
    evidence = 0.5 * rng.normal(size=(2, EDGE, EDGE, EDGE)).astype(np.float32)
    evidence[1] += 4 * mask
    return Maps(
        (f"{name}{i}",), (f"{name}-p{i}",), [evidence], [[0.0, 2.0 * ill - 1]], [ill], [mask],
        [0.3 * rng.normal(size=(1, EDGE, EDGE, EDGE)) + 2 * mask], [(1.0, 1.0, 2.0)],
    )  # fmt: skip


def folder(path, count: int, name: str):
    out = MapsFolder(path, "k")
    for i in range(count):
        out.add(i, case(i, name), {})
    out.finish(count)
    return path


def judged(test: Maps, validation: Maps) -> list:
    asked = Asked(draws=5, surfaces=False)
    thresholds = [Otsu(), HealthyQuantile(0.2), HeldOutMasks(5, draws=5), Oracle(), Oracle("image")]
    protocol = Protocol([ClassScore(), ImageIntensity()], thresholds, boxes=False)
    return classification(test, draws=5) + compare(test, validation, protocol, asked).rows


@pytest.fixture
def little_room(monkeypatch):
    monkeypatch.setattr(ranks, "FEW", 2**12)
    monkeypatch.setattr(pixels, "_CELLS", 2**16)


def peak(test, validation) -> int:
    gc.collect()
    tracemalloc.start()
    try:
        judged(read_maps(test, kept=2 * CASE), read_maps(validation, kept=2 * CASE))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_cohort(tmp_path, little_room):
    validation = folder(tmp_path / "v", 20, "v")
    few, many = (folder(tmp_path / f"t{n}", n, "t") for n in (6, 24))
    peak(few, validation)  # what is imported on the way
    # beyond what does not depend on the number of cases, of the 18 that came
    assert peak(many, validation) - peak(few, validation) < 4 * CASE


def test_numbers_are_those_of_maps_that_are_all_held(tmp_path, monkeypatch):
    held = judged(*(read_all(20, name) for name in ("t", "v")))
    monkeypatch.setattr(ranks, "FEW", 2**12)
    paths = [folder(tmp_path / name, 20, name) for name in ("t", "v")]
    read = judged(*(read_maps(p, kept=0) for p in paths))
    # as text, since NaN is not equal to itself
    assert [str(r) for r in read] == [str(r) for r in held]


def read_all(count: int, name: str) -> Maps:
    return joined([case(i, name) for i in range(count)])


def test_one_mask_is_alive_at_a_time(tmp_path, monkeypatch):
    maps, alive, most = read_maps(folder(tmp_path / "m", 12, "m")), WeakSet(), []
    make = Segmentation.__call__

    def counted(self, *args):
        made = make(self, *args)
        alive.add(made)
        most.append(len(alive))
        return made

    monkeypatch.setattr(Segmentation, "__call__", counted)
    localisation(maps, Segmentation(Otsu().fit(None)), Asked(draws=5, surfaces=False))
    assert len(most) == 12 and max(most) <= 2  # the next one is made while the last one is still named

"""Maps of many targets: on disk they are the same as in memory, and a full disk is said in one line."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import random_case, smooth_segmenter

from voxplain.attribution import method
from voxplain.engine import MapStore, Problem
from voxplain.errors import InputError
from voxplain.model import Model, Windows
from voxplain.target import AllClasses


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(2, 5, 6), (1, 5, 6, 7), (3, 4, 1, 2)])
def test_disk_and_memory_hold_the_sums_of_all_blocks(shape, dtype, tmp_path):
    rng = np.random.default_rng(0)
    disk = MapStore(shape, 2, dtype=dtype, limit=0, scratch=tmp_path)
    memory = MapStore(shape, 2, dtype=dtype)
    truth = torch.zeros((2, *shape), dtype=torch.float64)
    for i in range(20):
        where = tuple(
            slice(a, int(rng.integers(a, n)) + 1) for n in shape[1:] for a in [int(rng.integers(0, n))]
        )
        block = torch.from_numpy(rng.normal(size=(shape[0], *(s.stop - s.start for s in where))))
        for store in (disk, memory):
            store.add(i % 2, where, block)
        truth[(i % 2, slice(None), *where)] += block
    assert disk.on_disk and not memory.on_disk
    for t in range(2):
        assert torch.equal(disk[t], memory[t])
        assert disk[t].dtype == dtype
        torch.testing.assert_close(disk[t].double(), truth[t], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("limit", [0, 1 << 30])
def test_transform_may_change_the_shape_and_touches_each_map_once(limit, tmp_path):
    store = MapStore((2, 4, 4), 3, limit=limit, scratch=tmp_path)
    for t in (0, 2):
        store[t] = torch.full((2, 4, 4), float(t + 1))
    calls = []
    store.transform(lambda t, m: calls.append(t) or (m.sum(0, keepdim=True)[:, 1:] * 10))
    assert calls == [0, 2]
    assert torch.equal(store[2], torch.full((1, 3, 4), 60.0))
    assert 0 in store and 1 not in store
    assert not store[1].any(), "nothing was added to this one"


def test_scratch_files_go_away_with_the_store(tmp_path):
    store = MapStore((1, 4, 4), 1, limit=0, scratch=tmp_path / "new" / "folder")
    store[0] = torch.ones(1, 4, 4)
    assert list(tmp_path.rglob("*.raw"))
    del store
    assert not list(tmp_path.rglob("*.raw"))


def explained(**kwargs):
    model = Model(smooth_segmenter(3), windows=Windows(roi=6, overlap=0.5))
    return Problem(model, random_case((9, 7, 10)), AllClasses(background=True), **kwargs)


@pytest.mark.parametrize(
    "name",
    ["gradient", "integrated_gradients", "smoothgrad", "vargrad", "grad_cam", "hires_cam", "occlusion"],
)
def test_methods_give_the_same_maps_from_disk(name, tmp_path):
    parameters = {
        "grad_cam": {"layer": "1"},
        "hires_cam": {"layer": "1"},
        "occlusion": {"size": 4},
        "integrated_gradients": {"nodes": 3},
        "smoothgrad": {"draws": 3},
        "vargrad": {"draws": 3},
    }.get(name, {})
    memory = method(name, **parameters).attribute(explained())
    disk = method(name, **parameters).attribute(explained(memory=0, scratch=tmp_path))
    assert disk.maps.on_disk and not memory.maps.on_disk
    for t in range(3):
        assert np.array_equal(disk.map(t), memory.map(t))


def full(store: MapStore, target: int) -> None:
    """Let a map's file be the device on which nothing finds room."""
    (path,) = Path(store.scratch).rglob(f"{target}.raw")
    path.unlink()
    path.symlink_to("/dev/full")


needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")


@needs_full
@pytest.mark.parametrize("edge", [2, 64])  # less and more than a file's buffer
@pytest.mark.parametrize("how", ["add", "replace"])
def test_a_full_disk_is_one_clear_line(edge, how, tmp_path):
    store = MapStore((1, edge, edge), 1, limit=0, scratch=tmp_path)
    store[0] = torch.ones(1, edge, edge)
    full(store, 0)
    with pytest.raises(InputError, match="No space left on device") as caught:
        if how == "add":
            store.add(0, (slice(0, edge), slice(0, edge)), torch.ones(1, edge, edge))
        else:
            store[0] = torch.zeros(1, edge, edge)
    text = str(caught.value)
    assert str(tmp_path) in text and "`scratch`" in text and "\n" not in text
    assert isinstance(caught.value.__cause__, OSError)


def fail(*args, **kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_during_an_explanation_leaves_the_network_as_it_was(tmp_path, monkeypatch):
    p = explained(memory=0, scratch=tmp_path)
    monkeypatch.setattr("voxplain.engine.store._add_to_file", fail)
    p.model.module.train()
    with pytest.raises(InputError, match="No space left"):
        method("gradient").attribute(p)
    assert p.model.module.training and all(q.requires_grad for q in p.model.module.parameters())


def test_a_scratch_folder_that_cannot_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(InputError, match="scratch"):
        method("gradient").attribute(explained(memory=0, scratch=tmp_path / "file" / "inside"))

"""Shells and radii against distances to every voxel of the region."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from aggregate_problem import SPACING, brute, problem, shell_of
from networks import classifier, random_case

from voxplain.aggregate import shells as module
from voxplain.aggregate.partition import from_labels
from voxplain.aggregate.shells import DistancesFromTargets, Shells
from voxplain.aggregate.tables import region_table, table_of
from voxplain.attribution import method
from voxplain.engine import Problem
from voxplain.errors import InputError, StorageError
from voxplain.model import Model
from voxplain.target import Voxel


@pytest.mark.parametrize("shape", [(7, 8, 5), (9, 11)])
@pytest.mark.parametrize("memory", [2 << 30, 0])
def test_shells_hold_what_brute_force_finds_at_their_distance(shape, memory, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE", 60)  # a plane or two at a time
    p = problem(shape=shape, scratch=tmp_path)
    asked = Shells(edges=(1.5, 3, 5))
    distances = DistancesFromTargets(p, asked, limit=memory)
    spacing = SPACING if len(shape) == 3 else (1.0, 1.0)
    assert distances.unit == ("mm" if len(shape) == 3 else "px")
    rng = np.random.default_rng(0)
    values = rng.random(shape)
    for t in p.present:
        mask = p.prediction.labels.numpy() == p.targets[t].class_index
        assert 0 < mask.sum() < mask.size
        truth = brute(mask, spacing)
        shell = np.vectorize(lambda d: shell_of(d, asked.edges))(truth)
        fine = np.bincount(distances.bins(t).ravel(), values.ravel(), minlength=distances.count)
        expected = np.bincount(shell.ravel(), values.ravel(), minlength=5)
        np.testing.assert_allclose(distances.coarse(fine), expected, rtol=1e-12)
        np.testing.assert_array_equal(
            distances.coarse(distances.counts(t)), np.bincount(shell.ravel(), minlength=5)
        )
        # fine shells are no wider than the smallest spacing
        outer = np.concatenate([[0.0], distances.edges])[distances.bins(t)]
        assert (outer >= truth - 1e-9).all() and (outer - truth < min(spacing)).all()
    assert bool(list(tmp_path.rglob("*.raw"))) == (memory == 0)
    del distances
    assert not list(tmp_path.rglob("*.raw"))


def test_tables_sum_the_shells_of_each_target():
    p = problem()
    asked = Shells(edges=(1.5, 3, 5))
    found = table_of(method("gradient").attribute(p), [], shells=asked)
    assert found.part("distance").regions == ("inside", "0-1.5 mm", "1.5-3 mm", "3-5 mm", ">5 mm")
    maps = method("gradient").attribute(p)
    for t in p.present:
        truth = brute(p.prediction.labels.numpy() == p.targets[t].class_index, SPACING)
        shell = np.vectorize(lambda d: shell_of(d, asked.edges))(truth).ravel()
        own = maps.values(t).numpy()[0].ravel()
        counts = np.bincount(shell, minlength=5)
        net = np.where(counts > 0, np.bincount(shell, own, minlength=5), np.nan)
        np.testing.assert_allclose(found.matrix("net", "distance")[t], net, rtol=1e-10)
        np.testing.assert_array_equal(found.matrix("voxels", "distance")[t], counts)
        volume = counts * np.prod(SPACING) / 1000
        np.testing.assert_allclose(found.matrix("volume_ml", "distance")[t], volume, rtol=1e-12)


def test_the_radius_is_where_the_share_is_reached():
    """Sums of 2 inside and of 1, 4, 1 in the next three shells of 1 mm: half of 8 is reached a quarter into the third."""
    p = problem(Voxel(index=(0, 0, 0), class_name=1))
    distances = DistancesFromTargets(p, Shells(edges=(2,), resolution=1.0, shares=(0.2, 0.5, 0.9)), limit=0)
    sums = np.zeros((2, distances.count))
    sums[0, :4] = [2, 1, 4, 1]
    np.testing.assert_allclose(distances.edges[:3], [1, 2, 3])
    found = distances.radius(sums)
    # 1.6 inside; 4 = 2 + 1 + 4/4; 7.2 = 2 + 1 + 4 + 0.2
    np.testing.assert_allclose(found[0], [0.0, 1.25, 2.2], rtol=1e-12)
    assert np.isnan(found[1]).all()
    assert np.isnan(distances.radius(np.full(distances.count, np.nan))).all()


def test_the_radius_of_a_map_is_within_a_step_of_the_sorted_voxels():
    p = problem()
    found = region_table(p, [], "gradient", shells=Shells(shares=(0.3, 0.5, 0.9)))
    maps = method("gradient").attribute(p)
    assert found.part("context radius").regions == ("r30", "r50", "r90")
    for t in p.present:
        truth = brute(p.prediction.labels.numpy() == p.targets[t].class_index, SPACING).ravel()
        own = np.abs(maps.values(t).numpy()[0]).ravel()
        order = np.argsort(truth, kind="stable")
        below = np.cumsum(own[order]) / own.sum()
        for r, share in enumerate((0.3, 0.5, 0.9)):
            exact = truth[order][np.searchsorted(below, share)]
            radius = found.matrix("radius", "context radius")[t, r]
            assert exact - min(SPACING) <= radius <= exact + min(SPACING)


def test_a_shell_that_the_image_does_not_reach_is_absent():
    p = problem()
    found = region_table(p, [], "gradient", shells=Shells(edges=(5, 100)))
    assert found.part("distance").regions[-1] == ">100 mm"
    assert found.part("distance").status[:, -1].tolist() == ["absent"] * 3
    assert np.isnan(found.matrix("mass", "distance")[:, -1]).all()


def test_what_cannot_be_is_refused_in_one_line(tmp_path):
    for wrong in ({"edges": ()}, {"edges": (5, 5)}, {"edges": (0, 5)}, {"edges": (5, float("nan"))}):
        with pytest.raises(InputError, match="ascending distances"):
            Shells(**wrong)
    with pytest.raises(InputError, match="resolution"):
        Shells(resolution=0.0)
    with pytest.raises(InputError, match="shares"):
        Shells(shares=(0.5, 1.0))
    p = problem()
    with pytest.raises(InputError, match="resolution"):
        DistancesFromTargets(p, Shells(resolution=1e-4), limit=0)
    net = Model(classifier(2).double(), spatial_dims=2)
    q = Problem(net, random_case((8, 9)), "0", dtype=torch.float64)
    with pytest.raises(InputError, match="no region"):
        DistancesFromTargets(q, Shells(), limit=0)
    (tmp_path / "file").write_text("not a folder")
    r = problem(scratch=tmp_path / "file" / "inside")
    with pytest.raises(StorageError, match="cannot write distances"):
        DistancesFromTargets(r, Shells(), limit=0).bins(0)


def test_only_what_is_asked_for_is_measured(monkeypatch):
    p = problem()
    calls = []
    original = module._binned
    monkeypatch.setattr(module, "_binned", lambda *a: calls.append(1) or original(*a))
    distances = DistancesFromTargets(p, Shells(), limit=1 << 30)
    assert not calls
    distances.bins(1), distances.counts(1), distances.bins(1)
    assert len(calls) == 1
    given = from_labels(p, np.ones(p.spatial_shape, dtype=int), name="given")
    region_table(p, [given], "smoothgrad:draws=4", shells=Shells())
    assert len(calls) == 1 + len(p.present), "once per target, however many slabs"

"""Voxels of regions in shells, which the null of distance is made from."""

from __future__ import annotations

import numpy as np
import pytest
from aggregate_problem import brute, problem, shell_of

from voxplain.aggregate import shells as module
from voxplain.aggregate.cohort import Cohort, by_distance
from voxplain.aggregate.partition import from_labels
from voxplain.aggregate.shells import Shells
from voxplain.aggregate.tables import region_table

EDGES = (1.5, 3.0, 5.0)


@pytest.fixture
def table(monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE", 60)  # a plane or two at a time
    p = problem()
    labels = np.zeros((7, 8, 5), dtype=np.int32)
    labels[2:5, 1:4], labels[5:, 5:] = 1, 2
    partition = from_labels(p, labels, name="own", regions={1: "a", 2: "b", 3: "nowhere"})
    return p, labels, region_table(p, [partition], "gradient", shells=Shells(edges=EDGES))


def test_every_voxel_is_counted_where_brute_force_finds_it(table):
    p, labels, found = table
    part = found.part("own × distance")
    shells = Shells(edges=EDGES).names("mm")
    for t in p.present:
        distance = brute(p.prediction.labels.numpy() == p.targets[t].class_index, (1.5, 1.0, 2.5))
        shell = np.vectorize(lambda d: shell_of(d, EDGES))(distance)
        for r, region in enumerate(("outside", "a", "b", "nowhere")):
            for s, name in enumerate(shells):
                truth = int(((labels == r) & (shell == s)).sum())
                pair = f"{region} × {name}"
                counted = part.values["voxels"][t, part.regions.index(pair)] if pair in part.regions else 0
                assert counted == truth, (t, pair)


def test_the_null_of_distance_is_read_from_them(table, tmp_path):
    """E[m_r] = Σ_s m_s n_rs / n_s, from the definition, voxel by voxel."""
    p, labels, found = table
    found.write(tmp_path / "t.parquet")
    cohort = Cohort.read(tmp_path / "t.parquet")
    like = cohort.matrix("mass", partition="own")
    expected = by_distance(
        cohort.matrix("mass", partition="distance"), cohort.matrix("voxels", partition="own × distance"), like
    )
    for t in p.present:
        distance = brute(p.prediction.labels.numpy() == p.targets[t].class_index, (1.5, 1.0, 2.5))
        shell = np.vectorize(lambda d: shell_of(d, EDGES))(distance)
        share = found.matrix("mass", "distance")[t]
        each = np.nan_to_num(share)[shell] / np.bincount(shell.ravel(), minlength=5)[shell]
        row = like.targets.index(found.targets[t])
        for r, region in enumerate(("outside", "a", "b")):
            value = expected.values[0, row, like.regions.index(region)]
            assert value == pytest.approx(each[labels == r].sum(), rel=1e-9), (t, region)

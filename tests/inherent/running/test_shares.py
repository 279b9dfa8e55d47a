"""Contributions on the image's own grid: they add up to what they added up to before."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest
import torch
from inherent_runs import config, spots

from voxplain.case import Case, Geometry, read_case, take_slice
from voxplain.cli.app import run
from voxplain.inherent.data import Sample
from voxplain.inherent.running.case_files import Grid
from voxplain.inherent.running.shares import shares_on_grid
from voxplain.inherent.training import Predicted
from voxplain.model import Preparation


def volume(shape=(14, 11, 9), spacing=(1.0, 1.5, 3.0), turn=0.0):
    rng = np.random.default_rng(0)
    image = np.zeros((1, *shape), np.float32)
    image[:, 3:-2, 2:-3, 1:-2] = rng.uniform(1, 2, (1, shape[0] - 5, shape[1] - 5, shape[2] - 3))
    c, s = np.cos(turn), np.sin(turn)
    affine = np.eye(4)
    affine[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.diag([-spacing[0], *spacing[1:]])
    return Case("v", image, Geometry(affine, shape))


PREPARATIONS = [
    Preparation(spacing=2.0), Preparation(spacing=0.7), Preparation(spacing=(2.0, 1.0, 1.0)), Preparation(size=12),
    Preparation(size=(7, 20, 9), orientation="SPL"), Preparation(spacing=1.2, crop="foreground"),
    Preparation(spacing=1.2, divisible=8),
]  # fmt: skip


@pytest.mark.parametrize("preparation", PREPARATIONS)
@pytest.mark.parametrize("turn", [0.0, 0.3])
def test_what_speaks_for_and_against_keeps_its_sum(preparation, turn):
    ready = preparation(volume(turn=turn))
    rng = torch.Generator().manual_seed(1)
    given = torch.randn(3, *ready.shape, generator=rng)
    inside = ready.bring(np.ones(ready.case.spatial_shape, bool))
    assert inside.all() == (preparation.divisible is None) or preparation.spacing is not None
    found = shares_on_grid(given, ready).astype(np.float64)
    assert found.shape == (3, *ready.case.spatial_shape)
    wanted = (given * inside).double().flatten(1).sum(1).numpy()
    scale = (given.abs() * inside).double().flatten(1).sum(1).numpy()
    assert np.abs(found.reshape(3, -1).sum(1) - wanted).max() < 1e-5 * scale.max()


@pytest.mark.parametrize(
    "preparation", [Preparation(spacing=1 / 3), Preparation(size=(42, 33, 27)), *PREPARATIONS]
)
def test_every_single_place_keeps_its_share_where_it_is(preparation):
    """One place at a time: all of its share is on voxels that it covers, however fine or coarse the grid is."""
    ready = preparation(volume())
    rng = np.random.default_rng(3)
    inside = np.argwhere(ready.bring(np.ones(ready.case.spatial_shape, bool)).numpy())
    for place in inside[rng.permutation(len(inside))[:40]]:
        given = torch.zeros(1, *ready.shape)
        given[(0, *place)] = 5.0
        found = shares_on_grid(given, ready)[0]
        assert found.sum(dtype=np.float64) == pytest.approx(5.0, rel=1e-6) and found.min() >= 0
        middle = (ready.to_case @ [*place, 1])[:3]
        reach = 0.5 + np.abs(ready.to_case[:3, :3]).sum(1) / 2
        assert np.all(np.abs(np.argwhere(found) - middle) <= reach + 1e-6)


def test_a_voxel_holds_the_share_of_its_size():
    """One everywhere on voxels of 2 mm: each of their eighths, a voxel of 1 mm, holds an eighth."""
    case = Case("v", np.ones((1, 8, 8, 8), np.float32), Geometry(np.diag([1.0, 1, 1, 1]), (8, 8, 8)))
    ready = Preparation(size=4)(case)
    assert ready.shape == (4, 4, 4) and ready.spacing == pytest.approx((2, 2, 2))
    np.testing.assert_allclose(shares_on_grid(torch.ones(1, 4, 4, 4), ready), 0.125, rtol=1e-6)


@pytest.mark.parametrize(
    "preparation", [Preparation(orientation="SPL"), Preparation(crop="foreground"), Preparation()]
)
def test_a_grid_that_is_only_turned_or_cropped_changes_no_bit(preparation):
    ready = preparation(volume())
    given = torch.randn(2, *ready.shape, generator=torch.Generator().manual_seed(2))
    assert np.array_equal(shares_on_grid(given, ready), ready.restore(given))  # not even by rounding


@pytest.mark.parametrize(("axis", "spacing"), [(0, (1.5, 3.0)), (1, (1.0, 3.0)), (2, (1.0, 1.5))])
def test_a_slice_has_the_spacing_of_its_own_axes(axis, spacing):
    case = volume()
    ready = Preparation(dims=2)(take_slice(case, axis, 4))
    sample = Sample("v-4", case.image, 0, "p", slice=(axis, 4))
    found = Predicted(sample, torch.zeros(2), None, None, ready)
    assert Grid.of(found).spacing == pytest.approx(spacing)
    assert Grid.from_dict(Grid.of(found).to_dict()).spacing == pytest.approx(spacing)


def test_files_and_tables_add_up_whatever_the_grid(tmp_path):
    """Through the commands, with every step that changes the grid, on turned anisotropic volumes."""
    table = spots(tmp_path, patients=24, suffix="nii.gz")
    prepare = {"orientation": "SPL", "spacing": [2.5, 1.7, 2.2], "divisible": 8, "scale": "zscore"}
    path = config(tmp_path, table, prepare=prepare, mask={"threshold": "otsu"}, predict={"parts": ["test"]})
    for command in ("train", "predict"):
        assert run(["inherent", command, str(path)]) == 0
    rows = duckdb.sql(
        f'SELECT id, class, logit, "evidence for", "evidence against", "evidence unexplained" '
        f"FROM '{tmp_path}/out/prediction/predictions.parquet' ORDER BY id, class"
    ).fetchall()
    padded = 0
    for folder in (tmp_path / "out/prediction/cases/test").iterdir():
        own = [r for r in rows if folder.name.endswith(f"-{r[0]}")]
        share = read_case(folder / "contribution.nii.gz").image.astype(np.float64).sum((1, 2, 3))
        for total, (_, _, logit, above, below, rest) in zip(share, own, strict=True):
            assert total == pytest.approx(above + below, abs=1e-4) and above + below + rest == pytest.approx(
                logit, abs=1e-5
            )
            padded += abs(rest) > 1e-3
    assert padded  # some evidence lay in padding, and is not told as if it were in the image

"""Subjects on different grids: regions are compared as they are, voxels in a template's space or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation
from simulator_fields import rough
from simulator_files import affine, config, files, read_rows, write_rows

from voxplain.case import Geometry, read_case, write_array
from voxplain.cli.app import run
from voxplain.simulator.field import write_displacement
from voxplain.simulator.running.common import pushed

QUICK = {
    "seeds": [0],
    "training": {"epochs": 2, "batch": 8, "device": "cpu", "progress": False},
    "group": {"permutations": 99},
}


SHIFT = (3.0, -2.0)  # voxels


def moved(root: Path) -> None:
    """Every third image lies elsewhere in its plane."""
    for row in read_rows(root / "subjects.csv")[::3]:
        for column in ("image", "atlas"):
            case = read_case(root / row[column])
            place = case.geometry.affine.copy()
            place[:3, 3] += place[:3, :2] @ SHIFT
            write_array(
                root / row[column],
                case.image[0].astype(case.image.dtype),
                Geometry(place, case.spatial_shape),
            )


def ran(root: Path, **other) -> Path:
    path = config(root, **(QUICK | other))
    for command in ("train", "explain", "group"):
        assert run(["simulate", command, str(path)]) == 0
    return root / "out"


@pytest.fixture(scope="module")
def alike(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("alike")
    files(root, 24)
    return ran(root)


@pytest.fixture
def different(tmp_path) -> Path:
    files(tmp_path, 24)
    moved(tmp_path)
    return tmp_path


def numbers(out: Path) -> list[tuple[str, str, float, float]]:
    rows = read_rows(out / "group" / "regions.csv")
    return [(r["test"], r["region"], float(r["percent"]), float(r["p"])) for r in rows]


def test_regions_of_different_grids_are_compared_as_if_they_were_on_one(alike, different):
    out = ran(different)
    found, wanted = numbers(out), numbers(alike)
    assert [row[:2] for row in found] == [row[:2] for row in wanted]
    for (*_, percent, p), (*_, other, other_p) in zip(found, wanted, strict=True):
        assert percent == pytest.approx(other, abs=1e-3)
        assert p == pytest.approx(other_p)
    told = json.loads((out / "group" / "groups.json").read_text())
    assert {test["voxels"] for test in told["tests"]} == {0}
    page = (out / "report.html").read_text()
    assert "There are no voxelwise tests, but those of regions. group: s" in page
    assert "of regions alone" in page


def test_voxels_of_different_grids_are_refused_without_regions(different, capsys):
    path = config(different, **(QUICK | {"explain": {"device": "cpu", "cases": 0}}))
    for command in ("train", "explain"):
        assert run(["simulate", command, str(path)]) == 0
    capsys.readouterr()
    assert run(["simulate", "group", str(path)]) == 2
    line = capsys.readouterr().err
    assert "is not on the grid of s" in line
    assert "registered to one grid, or a column warp" in line


def test_maps_are_brought_to_the_templates_grid(alike, different):
    rows = read_rows(different / "subjects.csv")
    template = Geometry(affine(), (16, 16))
    # what a registration would find: the shift that brings each one back
    for name, shift in (("there", SHIFT), ("here", (0.0, 0.0))):
        field = np.broadcast_to(np.reshape(shift, (2, 1, 1)), (2, 16, 16)).astype(np.float32)
        write_displacement(different / f"{name}.nii.gz", field, template)
    warps = ["there.nii.gz" if n % 3 == 0 else "here.nii.gz" for n in range(len(rows))]
    write_rows(
        different / "subjects.csv", [{**row, "warp": warp} for row, warp in zip(rows, warps, strict=True)]
    )
    out = ran(different)
    for kind in ("mean", "p_any"):
        maps = [read_case(o / "group" / "healthy-towards-diseased" / f"{kind}.nii.gz") for o in (out, alike)]
        assert maps[0].image.reshape(-1) == pytest.approx(maps[1].image.reshape(-1), abs=1e-5)
        assert np.allclose(maps[0].geometry.affine, template.affine, atol=1e-4)


def stored_otherwise(root: Path) -> None:
    """Every third image has its axes in another order, one of them reversed; every voxel stays where it was."""
    back = np.array([[0, 1, 0, 0], [-1, 0, 0, 15], [0, 0, 1, 0], [0, 0, 0, 1]])  # (i, j) -> (j, 15 - i)
    for row in read_rows(root / "subjects.csv")[::3]:
        for column in ("image", "atlas"):
            case = read_case(root / row[column])
            turned = np.swapaxes(np.flip(case.image[0], 1), 0, 1)
            place = Geometry(case.geometry.affine @ back, case.spatial_shape)
            write_array(root / row[column], turned.astype(case.image.dtype), place)


def test_one_grid_that_is_stored_in_several_ways_is_one_grid(alike, tmp_path):
    files(tmp_path, 24)
    first = read_case(tmp_path / read_rows(tmp_path / "subjects.csv")[1]["image"])
    stored_otherwise(tmp_path)
    other = read_case(tmp_path / read_rows(tmp_path / "subjects.csv")[0]["image"])
    assert other.geometry.orientation != first.geometry.orientation
    out = ran(tmp_path)
    whole = [read_case(o / "group" / "healthy-towards-diseased" / "mean.nii.gz") for o in (out, alike)]
    # the first image gives the grid: the same voxels in another order
    flipped = np.swapaxes(np.flip(whole[1].image[0], 1), 0, 1)
    assert whole[0].image[0].reshape(-1) == pytest.approx(flipped.reshape(-1), abs=1e-5)
    assert whole[0].geometry.orientation == other.geometry.orientation
    assert np.abs(flipped).max() > 1e-3


def test_a_warp_that_is_missing_is_named(different, capsys):
    path = config(different, **QUICK)
    rows = read_rows(different / "subjects.csv")
    write_rows(
        different / "subjects.csv",
        [{**row, "warp": "" if row["id"] == "s7" else "no.nii.gz"} for row in rows],
    )
    for command in ("train", "explain"):
        run(["simulate", command, str(path)])
    capsys.readouterr()
    assert run(["simulate", "group", str(path)]) == 2
    line = capsys.readouterr().err
    assert "column warp" in line or "the warp of s" in line


def test_images_of_different_sizes_are_told_before_training(different, capsys):
    case = read_case(different / "i9.nii.gz")
    wide = np.pad(case.image[0], ((1, 1), (1, 1), (0, 0)))
    write_array(different / "i9.nii.gz", wide, Geometry(case.geometry.affine, wide.shape))
    assert run(["simulate", "train", str(config(different, **QUICK))]) == 2
    line = capsys.readouterr().err
    assert "after preparation" in line
    assert "give prepare.size" in line


def test_a_new_image_of_another_size_is_told(alike, tmp_path, capsys):
    case = read_case(alike.parent / "i9.nii.gz")
    wide = np.pad(case.image[0], ((1, 1), (1, 1), (0, 0)))
    write_array(tmp_path / "wide.nii.gz", wide, Geometry(case.geometry.affine, wide.shape))
    told = [str(alike.parent / "settings.yaml"), str(tmp_path / "wide.nii.gz"), "--set", "explain.atlas=null"]
    assert run(["simulate", "explain", *told]) == 2
    line = capsys.readouterr().err
    assert "image of wide.nii.gz: has the size (18, 18) after preparation" in line
    assert "the simulator learned on (16, 16); give prepare.size" in line


def test_a_pushed_map_is_what_simpleitk_resamples(tmp_path):
    rng = np.random.default_rng(4)
    own, template = (
        Geometry(_placed(turn, spacing, origin), shape)
        for turn, spacing, origin, shape in (
            ((5, -8, 11), (2.0, 2.5, 3.0), (-14.0, -11.0, -13.0), (14, 11, 9)),
            ((-7, 4, 3), (2.2, 2.2, 2.2), (-12.0, -12.0, -11.0), (10, 12, 9)),
        )
    )
    values = rng.normal(size=own.shape).astype(np.float32)
    field = rough(3, edge=12, seed=1)[0, :, :10, :12, :9].numpy().astype(np.float32)
    write_displacement(tmp_path / "warp.nii.gz", field, template)
    write_array(tmp_path / "map.nii.gz", values, own)
    found, grid = pushed(values, own, tmp_path / "warp.nii.gz", outside=-9.0)
    assert grid.matches(template)
    warp = sitk.ReadImage(str(tmp_path / "warp.nii.gz"), sitk.sitkVectorFloat64)
    transform = sitk.DisplacementFieldTransform(sitk.Image(warp))
    warp = sitk.ReadImage(str(tmp_path / "warp.nii.gz"))
    wanted = sitk.Resample(
        sitk.ReadImage(str(tmp_path / "map.nii.gz")), warp, transform, sitk.sitkLinear, -9.0
    )
    theirs = sitk.GetArrayFromImage(wanted).transpose(2, 1, 0)
    # beyond the middle of the last voxels both have their own ways of reaching the outside
    inside = pushed(np.ones_like(values), own, tmp_path / "warp.nii.gz")[0] > 0.999
    assert inside.mean() > 0.5
    assert np.abs(found - theirs)[inside].max() < 1e-3


def _placed(degrees, spacing, origin) -> np.ndarray:
    out = np.eye(4)
    out[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix() @ np.diag(spacing)
    out[:3, 3] = origin
    return out


def test_labels_of_one_name_stay_apart_and_a_region_that_somebody_lacks_is_told(tmp_path):
    files(tmp_path, 24)
    lacking = next(row for row in read_rows(tmp_path / "subjects.csv") if row["part"] == "test")
    case = read_case(tmp_path / lacking["atlas"])
    values = np.unique(case.image)[1:].astype(int)
    kept = np.where(case.image[0] == values[-1], values[0], case.image[0])
    write_array(tmp_path / lacking["atlas"], kept.astype(np.uint8), case.geometry)
    names = {int(values[0]): "both", int(values[1]): "both"}
    out = ran(tmp_path, explain={"atlas": {"names": names}, "cases": 0, "device": "cpu"})
    regions = {row["region"] for row in read_rows(out / "explanation" / "regions.csv")}
    assert {f"both ({values[0]})", f"both ({values[1]})"} <= regions
    rows = [r for r in read_rows(out / "group" / "regions.csv") if r["region"].startswith("both")]
    assert len({r["region"] for r in rows}) == 2 and len({r["percent"] for r in rows}) == len(rows)
    (note,) = [
        n for n in json.loads((out / "group" / "groups.json").read_text())["notes"] if "is not tested" in n
    ]
    assert f"1 of 3 images have none of it ({lacking['id']})" in note
    assert "is not tested" in (out / "report.html").read_text()

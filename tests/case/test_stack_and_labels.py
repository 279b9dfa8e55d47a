"""Several files on one grid: channels, labels and masks."""

from __future__ import annotations

import numpy as np
import pytest

from voxplain.case import Case, Geometry, read_case, read_mask, to_canonical, write_array, write_case
from voxplain.errors import GeometryError, InputError

GRID = Geometry(np.array([[-1.0, 0, 0, 9], [0, 1.5, 0, -4], [0, 0, 3, 2], [0, 0, 0, 1]]), (4, 5, 6))


@pytest.fixture
def rng():
    return np.random.default_rng(2)


@pytest.fixture
def scan(tmp_path, rng):
    """A written case and its path."""
    case = Case("scan", rng.normal(size=(1, 4, 5, 6)), GRID)
    write_case(tmp_path / "scan.nii.gz", case)
    return tmp_path / "scan.nii.gz", case


def moved(dx):
    affine = GRID.affine.copy()
    affine[0, 3] += dx
    return Geometry(affine, GRID.shape)


def test_files_are_stacked_in_the_given_order(tmp_path, rng):
    volumes = {name: rng.normal(size=(4, 5, 6)).astype(np.float32) for name in ("T1", "T1ce", "FLAIR")}
    for name, volume in volumes.items():
        write_array(tmp_path / f"sub-01_{name}.nii.gz", volume, GRID)
    case = read_case([tmp_path / f"sub-01_{name}.nii.gz" for name in ("FLAIR", "T1", "T1ce")])
    np.testing.assert_array_equal(case.image, [volumes["FLAIR"], volumes["T1"], volumes["T1ce"]])
    assert case.id == "sub-01"
    assert case.meta["channels"] == ["sub-01_FLAIR", "sub-01_T1", "sub-01_T1ce"]


def test_names_without_a_common_beginning_give_the_first(tmp_path, rng):
    for name in ("FLAIR", "T1"):
        write_array(tmp_path / f"{name}.nii", rng.normal(size=(4, 5, 6)), GRID)
    assert read_case([tmp_path / "T1.nii", tmp_path / "FLAIR.nii"]).id == "T1"
    assert read_case([tmp_path / "T1.nii", tmp_path / "FLAIR.nii"], id="mine").id == "mine"


def test_a_stack_of_different_grids_names_both_files_and_the_difference(tmp_path, scan):
    write_array(tmp_path / "other.nii.gz", np.zeros((4, 5, 6)), moved(0.5))
    with pytest.raises(GeometryError, match=r"scan\.nii\.gz and .*other\.nii\.gz .*0\.5 mm apart"):
        read_case([scan[0], tmp_path / "other.nii.gz"])


def test_rounding_of_headers_is_not_a_difference(tmp_path, scan, rng):
    # 2 % of the smallest voxel edge (1 mm) is allowed: 0.01 mm passes, 0.03 mm does not.
    for dx, fits in ((0.01, True), (0.03, False)):
        write_array(tmp_path / "mask.nii", rng.integers(0, 2, (4, 5, 6)), moved(dx))
        if fits:
            read_mask(tmp_path / "mask.nii", scan[1])
        else:
            with pytest.raises(GeometryError, match="not on the grid"):
                read_mask(tmp_path / "mask.nii", scan[1])


def test_a_mask_in_another_voxel_order_is_brought_to_the_cases(tmp_path, scan, rng):
    labels = rng.integers(0, 5, (4, 5, 6))
    ras, ras_grid = to_canonical(labels, GRID)
    turned = np.transpose(ras, (2, 0, 1))
    turned_grid = Geometry(ras_grid.affine[:, [2, 0, 1, 3]], turned.shape)
    write_array(tmp_path / "mask.nii.gz", turned, turned_grid)
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.nii.gz", scan[1]), labels)
    np.testing.assert_array_equal(read_case(scan[0], label=tmp_path / "mask.nii.gz").label, labels)


def test_a_flipped_header_is_not_taken_for_the_same_grid(tmp_path, scan):
    mirrored = Geometry(np.diag([-1, 1, 1, 1]) @ GRID.affine, GRID.shape)
    write_array(tmp_path / "mask.nii.gz", np.zeros((4, 5, 6), int), mirrored)
    with pytest.raises(GeometryError, match="orientations are RAS and LAS"):
        read_mask(tmp_path / "mask.nii.gz", scan[1])


def test_labels_must_be_whole_numbers(tmp_path, scan, rng):
    write_array(tmp_path / "p.nii.gz", rng.random((4, 5, 6)), GRID)
    with pytest.raises(InputError, match=r"p\.nii\.gz must hold whole numbers, but 120 of 120"):
        read_case(scan[0], label=tmp_path / "p.nii.gz")


def test_a_mask_has_one_channel(tmp_path, scan, rng):
    write_array(tmp_path / "m.nii.gz", rng.integers(0, 2, (3, 4, 5, 6)), GRID)
    with pytest.raises(InputError, match="3 channels, a mask has one"):
        read_mask(tmp_path / "m.nii.gz", scan[1])


def test_masks_of_pictures_are_checked_by_shape(tmp_path, rng):
    case = Case("a", rng.integers(0, 255, (3, 6, 8)))
    mask = rng.integers(0, 2, (6, 8))
    write_array(tmp_path / "m.png", mask * 255, None)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", case), mask * 255)
    write_array(tmp_path / "colour.png", np.stack([mask] * 3), None)  # grey, saved as RGB
    np.testing.assert_array_equal(read_mask(tmp_path / "colour.png", case), mask)
    write_array(tmp_path / "turned.png", mask.T, None)
    with pytest.raises(GeometryError, match=r"shapes are \(8, 6\) and \(6, 8\)"):
        read_mask(tmp_path / "turned.png", case)


def test_files_with_and_without_geometry_are_not_stacked(tmp_path, scan):
    np.save(tmp_path / "bare.npy", np.zeros((4, 5, 6)))
    with pytest.raises(GeometryError, match=r"bare\.npy has no geometry"):
        read_case([scan[0], tmp_path / "bare.npy"])


def test_nan_is_an_error_until_a_value_is_given(tmp_path, rng):
    image = rng.normal(size=(4, 5, 6)).astype(np.float32)
    image[1, 2, 3] = np.nan
    image[3, 0, 0] = np.inf
    np.save(tmp_path / "a.npy", image)
    with pytest.raises(InputError, match=r"a\.npy has 2 of 120 .* index \(0, 1, 2, 3\); fill_nan=0 .* would"):
        read_case(tmp_path / "a.npy")
    filled = read_case(tmp_path / "a.npy", fill_nan=-5).image[0]
    expected = np.where(np.isfinite(image), image, -5)
    np.testing.assert_array_equal(filled, expected)


def test_a_missing_file_names_the_closest(tmp_path, scan):
    with pytest.raises(InputError, match=r"scam\.nii\.gz: no such file .*did you mean 'scan\.nii\.gz'"):
        read_case(tmp_path / "scam.nii.gz")
    with pytest.raises(InputError, match=r"no such file or folder; in .*: known: scan\.nii\.gz"):
        read_case(tmp_path / "nowhere" / "at" / "all.nii.gz")
    with pytest.raises(InputError, match="no such file"):
        read_case(scan[0], label=tmp_path / "mask.nii.gz")


def test_an_unknown_format_and_an_empty_list_are_named(tmp_path):
    (tmp_path / "a.mha").write_bytes(b"hello")
    with pytest.raises(InputError, match=r"format \.mha is unknown; NIfTI"):
        read_case(tmp_path / "a.mha")
    with pytest.raises(InputError, match="no image was given"):
        read_case([])
    with pytest.raises(InputError, match="no image was given"):
        read_case("")
    for name in ("a\0b.png", "a" * 300 + ".png"):
        with pytest.raises(InputError, match=r"no such file|cannot be reached"):
            read_case(tmp_path / name)

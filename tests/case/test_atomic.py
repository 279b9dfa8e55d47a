"""Files are whole or not there."""

from __future__ import annotations

import errno
import os
import resource
import stat

import numpy as np
import pytest

from voxplain.case import Case, Geometry, read_case, write_array, write_case
from voxplain.errors import InputError

GRID = Geometry(np.eye(4), (40, 40, 40))
NOISE = np.random.default_rng(0).normal(size=(40, 40, 40))  # does not compress: 256 kB as float32


@pytest.fixture
def small_files():
    """Files of more than 20 kB cannot be written: what a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.npy", "a.npz", "a.tif"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, small_files, name):
    (tmp_path / name).write_bytes(b"old")
    geometry = None if name in ("a.npy", "a.tif") else GRID
    array = NOISE[None] if name == "a.tif" else NOISE
    with pytest.raises(InputError) as error:
        write_array(tmp_path / name, array, geometry)
    assert str(error.value).startswith(f"{tmp_path / name}: cannot be written")
    assert "\n" not in str(error.value)
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == b"old"


def test_a_full_disk_leaves_no_half_series(tmp_path, small_files):
    case = Case(
        "a", np.random.default_rng(0).normal(size=(1, 120, 120, 3)), Geometry(np.eye(4), (120, 120, 3))
    )
    with pytest.raises(InputError, match="cannot be written"):
        write_case(tmp_path / "out", case, format="dicom")
    assert list(tmp_path.iterdir()) == []


def test_a_picture_on_a_full_disk_leaves_nothing(tmp_path, small_files):
    with pytest.raises(InputError, match="cannot be written"):
        write_array(tmp_path / "a.png", np.random.default_rng(0).integers(0, 65536, (3, 100, 100)), None)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_permission_is_one_line(tmp_path, monkeypatch):
    def refuse(self, target):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("pathlib.Path.replace", refuse)
    with pytest.raises(InputError, match=r"a\.npy: cannot be written: Permission denied"):
        write_array(tmp_path / "a.npy", np.zeros((2, 2)), None)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_replaced_and_has_ordinary_rights(tmp_path):
    (tmp_path / "a.nii.gz").write_bytes(b"old")
    write_array(tmp_path / "a.nii.gz", NOISE, GRID)
    np.testing.assert_array_equal(read_case(tmp_path / "a.nii.gz").image[0], NOISE.astype(np.float32))
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    assert stat.S_IMODE((tmp_path / "a.nii.gz").stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_a_missing_folder_names_the_closest(tmp_path):
    (tmp_path / "results").mkdir()
    with pytest.raises(InputError, match=r"there is no folder .*did you mean 'results'"):
        write_array(tmp_path / "result" / "a.npy", np.zeros((2, 2)), None)


def test_a_suffix_that_is_unknown_suggests_one(tmp_path):
    with pytest.raises(InputError, match=r"format \.nifti is unknown; did you mean '\.nii'"):
        write_array(tmp_path / "a.nifti", NOISE, GRID)
    with pytest.raises(InputError, match="without a suffix"):
        write_case(tmp_path / "a", Case("a", NOISE[None], GRID))


def test_a_name_too_long_is_one_line(tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        write_array(tmp_path / ("a" * 300 + ".npy"), np.zeros((2, 2)), None)


@pytest.mark.parametrize("name", ["sub.01.T1w.nii.gz", "v1.0.npz", "a.b.c.png"])
def test_dots_in_a_name_do_not_change_the_format(tmp_path, name):
    array = np.arange(6).reshape(2, 3)
    geometry = Geometry(np.eye(4), (2, 3)) if name.endswith((".gz", ".npz")) else None
    write_array(tmp_path / name, array, geometry)
    np.testing.assert_array_equal(read_case(tmp_path / name).image.ravel(), array.ravel())
    assert [p.name for p in tmp_path.iterdir()] == [name]

"""NIfTI: every geometry comes back exactly; what cannot be read is said in one line."""

from __future__ import annotations

import gzip

import nibabel as nib
import numpy as np
import pytest

from voxplain.case import Case, Geometry, read_case, read_mask, write_array, write_case
from voxplain.errors import GeometryError, InputError


def rotation(a: float, b: float) -> np.ndarray:
    ca, sa, cb, sb = np.cos(a), np.sin(a), np.cos(b), np.sin(b)
    return np.array([[ca, -sa, 0], [sa, ca, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, cb, -sb], [0, sb, cb]])


def affine(matrix) -> np.ndarray:
    full = np.eye(4)
    full[:3, :3] = matrix
    full[:3, 3] = -31.25, 17.5, 102.75
    return full


AFFINES = {
    "RAS": affine(np.diag([0.5, 0.75, 3.0])),
    "LAS": affine(np.diag([-0.5, 0.75, 3.0])),
    "LPS": affine(np.diag([-0.5, -0.75, 3.0])),
    "LIA": affine(np.array([[-1, 0, 0], [0, 0, 1.5], [0, -2, 0]])),
    "PSR": affine(np.array([[0, 0, 0.8], [-0.8, 0, 0], [0, 0.8, 0]])),
    "oblique": affine(rotation(0.3, -0.4) @ np.diag([-0.7, 1.1, 5.0])),
    "sheared": affine(np.array([[1, 0, 0], [0, 1, 0.7], [0, 0, 2.5]])),
}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", AFFINES)
def test_image_and_affine_survive_the_roundtrip(tmp_path, rng, name, channels, suffix):
    image = rng.normal(size=(channels, 4, 5, 6)).astype(np.float32)
    case = Case("a", image, Geometry(AFFINES[name], (4, 5, 6)))
    path = tmp_path / f"scan{suffix}"
    write_case(path, case)
    again = read_case(path)
    np.testing.assert_array_equal(again.image, image)
    # The file holds float32, so the affine is exact to its rounding.
    np.testing.assert_array_equal(again.geometry.affine, AFFINES[name].astype(np.float32))
    assert again.id == "scan"
    assert again.geometry.is_sheared == (name == "sheared")


@pytest.mark.parametrize("name", AFFINES)
def test_qform_tells_the_same_place_unless_it_cannot(tmp_path, name):
    path = tmp_path / "a.nii"
    write_array(path, np.zeros((4, 5, 6)), Geometry(AFFINES[name], (4, 5, 6)))
    header = nib.load(path).header
    assert int(header["sform_code"]) == 1
    assert header.get_xyzt_units()[0] == "mm"
    np.testing.assert_allclose(header.get_zooms(), np.linalg.norm(AFFINES[name][:3, :3], axis=0), rtol=1e-6)
    if name == "sheared":
        assert int(header["qform_code"]) == 0
    else:
        np.testing.assert_allclose(header.get_qform(), AFFINES[name], atol=1e-4)


def test_a_voxel_lands_where_nibabel_says(tmp_path):
    data = np.zeros((4, 5, 6), np.int16)
    data[1, 2, 3] = 7
    nib.save(nib.Nifti1Image(data, AFFINES["LIA"]), tmp_path / "a.nii")
    case = read_case(tmp_path / "a.nii")
    assert np.argwhere(case.image).tolist() == [[0, 1, 2, 3]]
    np.testing.assert_allclose(
        case.geometry.to_mm([1, 2, 3]), nib.affines.apply_affine(AFFINES["LIA"], [1, 2, 3]), atol=1e-5
    )


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((4, 5), (1, 4, 5)),
        ((4, 5, 1), (1, 4, 5, 1)),
        ((4, 5, 6, 2), (2, 4, 5, 6)),
        ((4, 5, 6, 1), (1, 4, 5, 6)),
        ((4, 5, 6, 1, 3), (3, 4, 5, 6)),
        ((4, 5, 1, 2), (2, 4, 5, 1)),
        ((4, 5, 6, 2, 1), (2, 4, 5, 6)),
    ],
)
def test_further_axes_are_channels(tmp_path, rng, shape, expected):
    data = rng.normal(size=shape).astype(np.float32)
    nib.save(nib.Nifti1Image(data, np.diag([2, 2, 2, 1])), tmp_path / "a.nii")
    case = read_case(tmp_path / "a.nii")
    assert case.image.shape == expected
    spatial = shape[:2] if len(shape) == 2 else shape[:3]
    flat = data.reshape(*spatial, -1)
    for c in range(expected[0]):
        np.testing.assert_array_equal(case.image[c], flat[..., c])


def test_slope_and_intercept_are_applied(tmp_path):
    stored = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    image = nib.Nifti1Image(stored, np.eye(4))
    image.header.set_slope_inter(0.5, -10)
    image.to_filename(tmp_path / "a.nii")
    raw = nib.load(tmp_path / "a.nii")
    slope, inter = raw.dataobj.slope, raw.dataobj.inter
    expected = raw.dataobj.get_unscaled() * slope + inter
    np.testing.assert_allclose(read_case(tmp_path / "a.nii").image[0], expected, rtol=1e-6)


@pytest.mark.parametrize("fields", ["RGB", "RGBA"])
def test_colour_records_become_channels(tmp_path, rng, fields):
    values = rng.integers(0, 255, (4, 5, 6, len(fields))).astype(np.uint8)
    record = np.dtype([(f, np.uint8) for f in fields])
    nib.save(nib.Nifti1Image(values.copy().view(record)[..., 0], np.eye(4)), tmp_path / "a.nii")
    case = read_case(tmp_path / "a.nii")
    np.testing.assert_array_equal(case.image, np.moveaxis(values[..., :3], 3, 0))


def test_complex_is_refused(tmp_path):
    nib.save(nib.Nifti1Image(np.ones((2, 2, 2), np.complex64), np.eye(4)), tmp_path / "a.nii")
    with pytest.raises(InputError, match="complex"):
        read_case(tmp_path / "a.nii")


@pytest.mark.parametrize("unit", ["meter", "micron"])
def test_other_units_than_millimetres_are_refused(tmp_path, unit):
    image = nib.Nifti1Image(np.zeros((2, 2, 2), np.float32), np.eye(4))
    image.header.set_xyzt_units(unit)
    nib.save(image, tmp_path / "a.nii")
    with pytest.raises(InputError, match=f"{unit}s; convert"):
        read_case(tmp_path / "a.nii")


def test_a_header_without_forms_is_read_with_a_warning(tmp_path):
    image = nib.Nifti1Image(np.zeros((2, 2, 2), np.float32), None)
    nib.save(image, tmp_path / "a.nii")
    with pytest.warns(UserWarning, match="neither sform nor qform"):
        case = read_case(tmp_path / "a.nii")
    np.testing.assert_array_equal(case.geometry.affine, nib.load(tmp_path / "a.nii").affine)
    assert any("neither" in note for note in case.meta["notes"])


def test_disagreeing_forms_are_read_with_their_distance(tmp_path):
    image = nib.Nifti1Image(np.zeros((2, 2, 2), np.float32), np.eye(4))
    image.set_sform(np.eye(4), code=1)
    moved = np.eye(4)
    moved[0, 3] = 5
    image.set_qform(moved, code=1)
    nib.save(image, tmp_path / "a.nii")
    with pytest.warns(UserWarning, match="disagree by up to 5 mm: the sform is used"):
        case = read_case(tmp_path / "a.nii")
    np.testing.assert_array_equal(case.geometry.affine, np.eye(4))


@pytest.mark.parametrize("column", [np.zeros(3), np.array([1, 0, 0]), np.array([np.nan, 0, 1])])
def test_singular_and_nan_affines_name_the_file(tmp_path, column):
    image = nib.Nifti1Image(np.zeros((3, 3, 3), np.float32), np.eye(4))
    nib.save(image, tmp_path / "bad.nii")
    raw = bytearray((tmp_path / "bad.nii").read_bytes())
    rows = np.eye(4, dtype="<f4")[:3]
    rows[:, 2] = column
    raw[280:328] = rows.tobytes()  # srow_x, srow_y, srow_z of the NIfTI-1 header
    (tmp_path / "bad.nii").write_bytes(raw)
    with pytest.raises(GeometryError, match=r"bad\.nii: affine must"):
        read_case(tmp_path / "bad.nii")


@pytest.mark.parametrize("keep", [0, 100, 400, -50])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_file_cut_short_is_one_clear_line(tmp_path, rng, suffix, keep):
    whole = tmp_path / f"whole{suffix}"
    write_array(whole, rng.normal(size=(8, 8, 8)), Geometry(np.eye(4), (8, 8, 8)))
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(whole.read_bytes()[:keep])
    with pytest.raises(InputError) as error:
        read_case(cut)
    assert str(error.value).startswith(f"{cut}: cannot be read as NIfTI")
    assert "\n" not in str(error.value)


def test_a_text_file_named_nifti_is_one_clear_line(tmp_path):
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(b"hello"))
    (tmp_path / "b.nii.gz").write_bytes(b"hello")
    for name in ("a", "b"):
        with pytest.raises(InputError, match=f"{name}.nii.gz: cannot be read as NIfTI"):
            read_case(tmp_path / f"{name}.nii.gz")


def test_a_compressed_file_without_gz_says_so(tmp_path):
    write_array(tmp_path / "a.nii.gz", np.zeros((2, 2, 2)), Geometry(np.eye(4), (2, 2, 2)))
    (tmp_path / "a.nii.gz").rename(tmp_path / "a.nii")
    with pytest.raises(InputError, match=r"is compressed; rename it to a\.nii\.gz"):
        read_case(tmp_path / "a.nii")


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_renaming_is_advised_only_where_it_helps(tmp_path, kind):
    for order in "<>":
        image = kind(np.zeros((2, 2, 2), np.int16), np.eye(4), kind.header_class(endianness=order))
        nib.save(image, tmp_path / "a.nii")
        (tmp_path / "a.nii").rename(tmp_path / "a.nii.gz")
        with pytest.raises(InputError, match=r"a\.nii\.gz: .*it is not compressed; rename it to a\.nii$"):
            read_case(tmp_path / "a.nii.gz")
    (tmp_path / "a.nii.gz").write_text("<html>404: no such page</html>")
    with pytest.raises(InputError, match=r"a\.nii\.gz: .*found neither gzip nor the header") as error:
        read_case(tmp_path / "a.nii.gz")
    assert "rename" not in str(error.value)


def test_a_pair_without_its_half_names_the_missing_file(tmp_path):
    nib.save(nib.Nifti1Pair(np.zeros((2, 2, 2), np.float32), np.eye(4)), tmp_path / "a.img")
    np.testing.assert_array_equal(read_case(tmp_path / "a.hdr").image, np.zeros((1, 2, 2, 2)))
    (tmp_path / "a.img").unlink()
    with pytest.raises(InputError, match=r"a\.hdr: .*No such file.*a\.img"):
        read_case(tmp_path / "a.hdr")


@pytest.mark.parametrize(
    ("offset", "value", "dtype"),
    [(42, -3, "<i2"), (42, 0, "<i2"), (40, 0, "<i2"), (70, 9999, "<i2"), (108, 1e9, "<f4"), (344, 0, "<i4")],
)
def test_impossible_header_fields_are_one_line(tmp_path, offset, value, dtype):
    # Offsets of NIfTI-1: 40 dim[0], 42 dim[1], 70 datatype, 108 vox_offset, 344 magic.
    nib.save(nib.Nifti1Image(np.zeros((4, 5, 6), np.float32), np.eye(4)), tmp_path / "a.nii")
    raw = bytearray((tmp_path / "a.nii").read_bytes())
    field = np.array([value], dtype).tobytes()
    raw[offset : offset + len(field)] = field
    (tmp_path / "a.nii").write_bytes(raw)
    with pytest.raises(InputError) as error:
        read_case(tmp_path / "a.nii")
    assert str(error.value).startswith(str(tmp_path / "a.nii"))
    assert "\n" not in str(error.value)


def test_an_axis_too_long_for_nifti_is_refused(tmp_path):
    with pytest.raises(InputError, match="up to 32767"):
        write_array(tmp_path / "a.nii", np.zeros((40000, 1, 1), np.uint8), Geometry(np.eye(4), (40000, 1, 1)))


def test_integers_stay_integers_and_large_ones_are_exact(tmp_path):
    labels = np.array([[[0, 2_000_000_001]]], np.int64)
    write_array(tmp_path / "a.nii.gz", labels, Geometry(np.eye(4), (1, 1, 2)))
    assert nib.load(tmp_path / "a.nii.gz").get_data_dtype() == np.int32
    case = Case("a", np.zeros((1, 1, 1, 2)), Geometry(np.eye(4), (1, 1, 2)))
    # 2 000 000 001 is not a float32: a mask must not go through one.
    np.testing.assert_array_equal(read_mask(tmp_path / "a.nii.gz", case), labels)


def test_a_slice_is_written_with_a_third_axis_of_one_and_masks_it(tmp_path, rng):
    geometry = Geometry(AFFINES["oblique"], (4, 5))
    case = Case("a", rng.normal(size=(1, 4, 5)), geometry)
    write_case(tmp_path / "a.nii", case)
    assert nib.load(tmp_path / "a.nii").shape == (4, 5, 1)
    mask = rng.integers(0, 3, (4, 5))
    write_array(tmp_path / "m.nii", mask, geometry)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.nii", case), mask)


def test_mgh_is_read_like_nifti(tmp_path, rng):
    data = rng.normal(size=(4, 5, 6)).astype(np.float32)
    nib.save(nib.MGHImage(data, AFFINES["LIA"]), tmp_path / "a.mgz")
    case = read_case(tmp_path / "a.mgz")
    np.testing.assert_array_equal(case.image[0], data)
    np.testing.assert_allclose(case.geometry.affine, AFFINES["LIA"], atol=1e-4)

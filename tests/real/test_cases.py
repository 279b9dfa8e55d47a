"""Real scans: everything is read, lies where it should, and survives writing exactly."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from voxplain.case import read_case, read_mask, to_canonical, write_array, write_case

pytestmark = pytest.mark.real

VOLUMES = [
    "brain_t1/head_t1_1.75mm.nii.gz",
    "ct/example_ct.nii.gz",
    "ct/example_ct_sm.nii.gz",
    "mr_abdomen/example_mr_sm.nii.gz",
    "ms_lesion/patient07/FLAIR.nii.gz",
    "spine/t1_t1w.nii.gz",
    "spine/t2_t2.nii.gz",
    "spine/t2_t2_fake_lesion.nii.gz",
    "spine/t2s_t2s.nii.gz",
    "spine/t2s_t2s_uncropped.nii.gz",
]
PAIRS = [
    ("ct/example_ct.nii.gz", "ct/example_ct_vertebrae_seg.nii.gz"),
    ("ct/example_ct_sm.nii.gz", "ct/example_seg.nii.gz"),
    ("mr_abdomen/example_mr_sm.nii.gz", "mr_abdomen/example_seg_mr.nii.gz"),
    ("ms_lesion/patient07/FLAIR.nii.gz", "ms_lesion/patient07/gt.nii.gz"),
    ("ms_lesion/patient19/T1.nii.gz", "ms_lesion/patient19/gt.nii.gz"),
    ("spine/t1_t1w.nii.gz", "spine/t1_t1w_seg-manual.nii.gz"),
    ("spine/t2_t2.nii.gz", "spine/t2_t2_seg-manual.nii.gz"),
    ("spine/t2_t2_fake_lesion.nii.gz", "spine/t2_t2_fake_lesion_lesion_seg.nii.gz"),
    ("spine/t2s_t2s.nii.gz", "spine/t2s_t2s_gmseg_manual.nii.gz"),
    ("spine/t2s_t2s_uncropped.nii.gz", "spine/t2s_t2s_uncropped_gmseg_manual.nii.gz"),
]


@pytest.mark.parametrize("name", VOLUMES)
def test_values_and_affine_equal_nibabels_and_survive_writing(data, tmp_path, name):
    peer = nib.load(data / name)
    case = read_case(data / name)
    np.testing.assert_array_equal(case.image[0], peer.get_fdata(dtype=np.float32))
    np.testing.assert_array_equal(case.geometry.affine, peer.affine)
    assert case.geometry.orientation == "".join(nib.aff2axcodes(peer.affine))
    write_case(tmp_path / "again.nii", case)
    again = read_case(tmp_path / "again.nii")
    np.testing.assert_array_equal(again.image, case.image)
    # These affines come from float32 headers, so writing float32 is exact, except where a qform was the source.
    np.testing.assert_allclose(again.geometry.affine, case.geometry.affine, atol=2e-5)


def test_the_head_is_what_it_is_said_to_be(data):
    case = read_case(data / "brain_t1/head_t1_1.75mm.nii.gz")
    assert case.image.shape == (1, 137, 137, 93)
    assert case.geometry.orientation == "LAS"
    np.testing.assert_allclose(case.geometry.spacing, 1.75)


@pytest.mark.parametrize(("image", "label"), PAIRS)
def test_labels_lie_on_their_images(data, image, label):
    case = read_case(data / image, label=data / label)
    assert case.label is not None
    np.testing.assert_array_equal(case.label, np.asarray(nib.load(data / label).dataobj))
    assert (case.label > 0).any()


def test_flair_and_t1_are_stacked(data):
    folder = data / "ms_lesion" / "patient19"
    case = read_case([folder / "FLAIR.nii.gz", folder / "T1.nii.gz"], label=folder / "gt.nii.gz")
    assert case.image.shape == (2, 182, 218, 182)
    # Lesions are bright on FLAIR: brighter than the brain's median there.
    lesion = case.image[0][case.label > 0].mean()
    assert lesion > 1.2 * np.median(case.image[0][case.image[0] > 0])


def test_the_spleen_is_left_and_the_liver_right_of_the_middle(data):
    # TotalSegmentator's numbers: 1 spleen, 5 liver. In RAS order, the patient's left has the smaller index.
    case = read_case(data / "ct/example_ct_sm.nii.gz", label=data / "ct/example_seg.nii.gz")
    labels, _ = to_canonical(case.label, case.geometry)
    spleen, liver = (np.argwhere(labels == k)[:, 0].mean() for k in (1, 5))
    assert spleen < liver


def test_dicom_of_a_real_ct_comes_back_on_its_grid(data, tmp_path):
    case = read_case(data / "ct/example_ct_sm.nii.gz")
    write_case(f"{tmp_path}/ct/", case, seed=1)
    again = read_case(tmp_path / "ct")
    np.testing.assert_array_equal(again.image, case.image)
    np.testing.assert_allclose(again.geometry.affine, case.geometry.affine, atol=1e-6)
    mask = read_mask(data / "ct/example_seg.nii.gz", again)
    np.testing.assert_array_equal(mask, read_mask(data / "ct/example_seg.nii.gz", case))


def test_a_left_handed_scan_as_dicom_still_takes_its_labels(data, tmp_path):
    # LAS is left-handed: DICOM reverses its slices, and the mask is brought to that order.
    flair = data / "ms_lesion/patient07/FLAIR.nii.gz"
    case = read_case(flair)
    part = case.image[:, 60:120, 80:140, 60:120]
    affine = case.geometry.affine.copy()
    affine[:3, 3] = case.geometry.to_mm([60, 80, 60])
    from voxplain.case import Case, Geometry

    write_case(tmp_path / "flair", Case("part", part, Geometry(affine, part.shape[1:])), format="dicom")
    labels = read_mask(data / "ms_lesion/patient07/gt.nii.gz", case)[60:120, 80:140, 60:120]
    write_array(tmp_path / "gt.nii.gz", labels, Geometry(affine, labels.shape))
    again = read_case(tmp_path / "flair", label=tmp_path / "gt.nii.gz")
    assert again.geometry.orientation == "LAI"
    np.testing.assert_array_equal(again.label, labels[..., ::-1])


def test_the_fundus_photograph_is_rows_by_columns(data):
    from PIL import Image

    path: Path = data / "retina" / "fundus_CC0.jpg"
    case = read_case(path)
    np.testing.assert_array_equal(case.image, np.moveaxis(np.asarray(Image.open(path)), 2, 0))
    assert case.geometry is None

"""BraTS folders and Cheng's MATLAB files, generated in their layout; slices of volumes."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from inherent_samples import brats_folder, figshare_folder

from voxplain.case import Geometry, read_case, write_array
from voxplain.errors import InputError
from voxplain.inherent.data import (
    Reader,
    Sample,
    Samples,
    prepared,
    read_brats,
    read_figshare,
    slices_of,
    split_samples,
)
from voxplain.model import Preparation


def test_brats_volumes_have_four_channels_and_their_grade(tmp_path):
    brats_folder(tmp_path)
    found = read_brats(tmp_path)
    assert found.classes == ("LGG", "HGG") and [s.label for s in found] == [1, 0, 1, 0]
    assert len({s.group for s in found}) == 4
    name = found[2].id
    case, mask = Reader().case(found[2]), Reader().mask(found[2])
    for channel, scan in enumerate(("t1", "t1ce", "t2", "flair")):
        alone = read_case(tmp_path / name / f"{name}_{scan}.nii.gz")
        np.testing.assert_array_equal(case.image[channel], alone.image[0])
    assert mask is not None and mask.sum() == 27  # every label is the whole tumour


def test_brats_slices_are_healthy_by_their_mask_and_only_when_told(tmp_path):
    brats_folder(tmp_path)
    with pytest.raises(InputError, match=r"labels_from_masks: .*which only the masks tell"):
        read_brats(tmp_path, axis=2)
    found = read_brats(tmp_path, axis=2, labels_from_masks=True)
    assert found.classes == ("healthy", "LGG", "HGG")
    # of eight slices the first and last are empty, 3 to 5 show the lesion; HGG first
    assert [s.label for s in found[:6]] == [0, 0, 2, 2, 2, 0] and [s.slice for s in found[:2]] == [
        (2, 1),
        (2, 2),
    ]
    assert [s.label for s in found[6:12]] == [0, 0, 1, 1, 1, 0] and len(found) == 24
    assert {s.group for s in found[:6]} == {found[0].group} and len({s.group for s in found}) == 4
    assert any("made from masks" in note and "evaluation" in note for note in found.notes)
    mask = Reader().mask(found[2])
    assert mask is not None and mask.shape == (10, 12, 1) and mask.sum() == 9


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda root: (root / "name_mapping.csv").unlink(), "name_mapping.csv cannot be read"),
        (lambda root: next(root.glob("*_001/*_t2.nii.gz")).unlink(), "lacks t2; expected .*_001_t2.nii.gz"),
        (
            lambda root: (root / "name_mapping.csv").write_text(
                "Grade,BraTS_2020_subject_ID\nX,BraTS20_Training_001\n"
            ),
            "the Grade of BraTS20_Training_001 is 'X'",
        ),
    ],
)
def test_brats_folders_that_are_not_whole(tmp_path, damage, says):
    brats_folder(tmp_path, patients=2)
    damage(tmp_path)
    with pytest.raises(InputError, match=says):
        read_brats(tmp_path)


def volumes(**mask):
    rng = np.random.default_rng(0)
    drawn = np.zeros((4, 5, 6), bool)
    drawn[1:3, 2, 1:3] = True
    return [
        Sample(f"v{i}", rng.normal(size=(1, 4, 5, 6)), 0, f"v{i}", mask=drawn if i else np.zeros_like(drawn))
        for i in range(3)
    ]


def test_slices_keep_their_volumes_class_unless_masks_may_tell():
    three = Samples(tuple(volumes()), ("lesion",))
    assert {s.label for s in slices_of(three, 2)} == {0}
    told = slices_of(three, 2, labels_from_masks=True)
    assert told.classes == ("healthy", "lesion")
    assert [s.label for s in told] == [0] * 6 + [0, 1, 1, 0, 0, 0] * 2
    fewer = slices_of(three, 1, labels_from_masks=True, least=5)
    assert sum(s.label for s in fewer if isinstance(s.label, int)) == 0  # four voxels are too few
    assert [s.slice for s in slices_of(three, 0, every=2)] == [(0, 0), (0, 2)] * 3


@pytest.mark.parametrize(("least", "marked"), [(2, [1, 2]), (3, [])])
def test_a_slice_has_the_finding_from_so_many_voxels_on(least, marked):
    """The lesion has two voxels in each of two slices."""
    found = slices_of(Samples((volumes()[1],), ("lesion",)), 2, labels_from_masks=True, least=least)
    assert [s.slice[1] for s in found if s.slice and s.label == 1] == marked


def turned(tmp_path):
    """The same volume as RAS and as SAR, on the disk."""
    image = np.random.default_rng(0).normal(size=(5, 6, 7)).astype(np.float32)
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    write_array(tmp_path / "ras.nii.gz", image, Geometry(affine, image.shape))
    other = image.transpose(2, 1, 0)
    write_array(tmp_path / "sar.nii.gz", other, Geometry(affine[:, [2, 1, 0, 3]], other.shape))
    return Samples(
        tuple(Sample(n, tmp_path / f"{n}.nii.gz", i, n) for i, n in enumerate(("ras", "sar"))), ("a", "b")
    )


def test_voxel_axes_that_are_different_planes_are_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"along k .*axial of RAS volumes \(ras\); sagittal of SAR volumes \(sar\)"
    ):
        slices_of(turned(tmp_path), 2)
    assert len(slices_of(turned(tmp_path), 1)) == 12  # both are coronal


def test_a_plane_is_found_in_every_volume(tmp_path):
    found = slices_of(turned(tmp_path), "axial", every=3)
    assert [s.slice for s in found] == [(2, 0), (2, 3), (2, 6), (0, 0), (0, 3), (0, 6)]
    steps = Preparation(orientation="RAS")
    pictures = [prepared(s, steps, Reader()).image for s in found]
    for one, other in zip(pictures[:3], pictures[3:], strict=True):
        assert one.shape == (1, 5, 6) and torch.equal(one, other)
    with pytest.raises(InputError, match=r"slices.axis: found axial, but the orientation of v0 is not known"):
        slices_of(Samples(tuple(volumes()), ("lesion",)), "axial")


def test_slices_without_masks_have_no_labels():
    bare = [Sample(s.id, s.image, s.label, s.group) for s in volumes()]
    with pytest.raises(InputError, match="labels_from_masks: v0 has no mask"):
        slices_of(Samples(tuple(bare), ("lesion",)), 2, labels_from_masks=True)


def test_figshare_slices_are_upright_and_grouped_by_patient(tmp_path):
    pytest.importorskip("h5py")
    arrays = figshare_folder(tmp_path)
    (tmp_path / "cvind.mat").write_bytes(b"not a slice")
    found = read_figshare(tmp_path)
    assert found.classes == ("meningioma", "glioma", "pituitary")
    assert [s.id for s in found] == list("123456") and [s.label for s in found] == [0, 0, 1, 1, 2, 2]
    assert [s.group for s in found] == ["MR0000"] * 2 + ["MR0001"] * 2 + ["MR0002"] * 2
    for sample in found:
        image, mask = arrays[sample.id]
        np.testing.assert_array_equal(Reader().case(sample).image[0], image)
        np.testing.assert_array_equal(Reader().mask(sample), mask > 0)


def test_figshare_patients_stay_whole(tmp_path):
    pytest.importorskip("h5py")
    figshare_folder(tmp_path, patients=18, each=3)
    found = read_figshare(tmp_path)
    split = split_samples(found, seed=3)
    owners = [{found[i].group for i in part} for part in split.parts().values()]
    assert sum(map(len, owners)) == 18 == len(set().union(*owners))


def test_figshare_files_of_another_kind_are_told(tmp_path):
    h5py = pytest.importorskip("h5py")
    (tmp_path / "1.mat").write_bytes(b"MATLAB 5.0 MAT-file")
    with pytest.raises(InputError, match=r"1\.mat: cannot be read as MATLAB 7.3"):
        read_figshare(tmp_path)
    with h5py.File(tmp_path / "1.mat", "w") as file:
        file["other"] = 1
    with pytest.raises(InputError, match="lacks a field of Cheng's layout"):
        read_figshare(tmp_path)


def test_without_h5py_the_remedy_is_told(tmp_path, monkeypatch):
    (tmp_path / "1.mat").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(InputError, match=r"need h5py.*pip install 'voxplain\[matlab\]'"):
        read_figshare(tmp_path)

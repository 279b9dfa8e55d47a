"""Folders per class, tables and arrays, as people have them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from inherent_samples import patches

from voxplain.case import Geometry, read_case, write_array
from voxplain.errors import GeometryError, InputError
from voxplain.inherent.data import Images, Reader, Sample, Samples, read_csv, read_folders, read_npz
from voxplain.inherent.data.sample import check_learnable
from voxplain.inherent.running.task import read_samples
from voxplain.inherent.settings.config import DataSettings
from voxplain.model import Preparation


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def picture(path, rng, shape=(8, 9)):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = rng.integers(0, 255, shape).astype(np.uint8)
    write_array(path, values, None)
    return values


@pytest.fixture
def folders(tmp_path, rng):
    """Two classes, four patients with two pictures each."""
    for patient in range(4):
        for number in range(2):
            picture(tmp_path / "data" / ("tumour", "normal")[patient % 2] / f"sub{patient}_{number}.png", rng)
    return tmp_path / "data"


def test_folders_are_classes_and_the_healthy_one_is_zero(folders):
    with pytest.warns(UserWarning, match=r"guessed .* 4 patients of 8 images"):
        found = read_folders(folders)
    assert found.classes == ("normal", "tumour")
    assert {(s.id, s.label, s.group) for s in found} >= {
        ("tumour/sub0_1", 1, "sub0"),
        ("normal/sub3_0", 0, "sub3"),
    }
    assert len(found) == 8 and found.parts is None and found.patients_known
    assert any("guessed" in note for note in found.notes)


def test_a_pattern_tells_the_patient_and_must_fit_every_name(folders):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = read_folders(folders, patient=r"^sub(?P<patient>\d)")
    assert {s.group for s in found} == set("0123")
    assert r"patients by the pattern ^sub(?P<patient>\d): 4 of 8 images" in found.notes
    with pytest.raises(InputError, match=r"patient: '\^case' does not fit 8 of 8 names"):
        read_folders(folders, patient="^case")
    with pytest.raises(InputError, match="is no regular expression"):
        read_folders(folders, patient="(")


def test_a_guess_that_cannot_be_a_patient_is_refused(tmp_path, rng):
    for name in ("normal", "tumour"):
        for number in range(3):
            picture(tmp_path / name / f"{name}_{number}.png", rng)
    with pytest.raises(InputError, match=r"patient: cannot be guessed.* 3 of 6 file names have 'normal'"):
        read_folders(tmp_path)
    assert not read_folders(tmp_path, patient="each").patients_known


def test_parts_above_classes_are_the_own_split(tmp_path, rng):
    for part in ("train", "val", "test"):
        for name in ("a", "b"):
            picture(tmp_path / part / name / f"{part}7_1.png", rng)
            picture(tmp_path / part / name / f"{part}8_1.png", rng)
    found = read_folders(tmp_path, patient="each")
    assert found.parts is not None and set(found.parts) == {"train", "validation", "test"}
    assert found[found.parts.index("test")].id.startswith("test/")


def test_masks_are_found_by_name_and_read_for_evaluation_alone(folders, tmp_path, rng):
    mask = picture(tmp_path / "masks" / "tumour" / "sub0_1.png", rng)
    found = read_folders(folders, patient=r"sub\d", masks=tmp_path / "masks")
    with_mask = [s for s in found if s.mask is not None]
    assert [s.id for s in with_mask] == ["tumour/sub0_1"]
    np.testing.assert_array_equal(Reader().mask(with_mask[0]), mask > 0)


def test_one_folder_alone_is_one_class_only(tmp_path, rng):
    picture(tmp_path / "tumour" / "a1_1.png", rng)
    with pytest.raises(InputError, match=r"one class only \('tumour'\)"):
        read_folders(tmp_path)


def table(tmp_path, *lines, header="image,label,patient"):
    (tmp_path / "table.csv").write_text("\n".join([header, *lines]) + "\n")
    return tmp_path / "table.csv"


def test_a_table_stacks_channels_takes_slices_and_keeps_what_else_it_says(tmp_path, rng):
    grid = Geometry(np.diag([1.0, 1, 3, 1]), (6, 7, 5))
    volumes = [rng.normal(size=grid.shape).astype(np.float32) for _ in range(2)]
    for name, volume in zip(("t1", "flair"), volumes, strict=True):
        write_array(tmp_path / f"{name}.nii.gz", volume, grid)
    mask = np.zeros(grid.shape, np.uint8)
    mask[1:3, 2, 3] = 2
    write_array(tmp_path / "mask.nii.gz", mask, grid)
    path = table(
        tmp_path, "t1.nii.gz;flair.nii.gz,lesion,p1,k=3,mask.nii.gz,Bonn", "t1.nii.gz;flair.nii.gz,healthy,p2,k=0,,",
        header="image,label,patient,slice,mask,site",
    )  # fmt: skip
    found = read_csv(path)
    assert found.classes == ("healthy", "lesion") and [s.label for s in found] == [1, 0]
    assert found[0].meta == {"site": "Bonn"} and found[0].slice == (2, 3) and found[0].id == "t1-k3"
    case, reader = Reader().case(found[0]), Reader()
    np.testing.assert_array_equal(case.image, np.stack(volumes)[..., 3:4])
    np.testing.assert_array_equal(reader.mask(found[0]), mask[..., 3:4] > 0)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["gone.png,a,p1", "x.png,b,p2"], r"line 2: image .*gone\.png does not exist"),
        (["x.png,,p1", "x.png,b,p2"], "line 2: label is empty"),
        (["x.png,x.png,p1", "x.png,b,p2"], "label is 'x.png', an image.*column mask"),
        (["x.png,a,p1", "x.png,b,"], "patient is empty in lines 3"),
        (["x.png,a,p1", "x.png,b,p2"], "1 ids are there more than once"),
    ],
)
def test_mistakes_in_a_table_are_told_in_one_line(tmp_path, rng, lines, says):
    picture(tmp_path / "x.png", rng)
    with pytest.raises(InputError, match=says) as caught:
        read_csv(table(tmp_path, *lines))
    assert "\n" not in str(caught.value)


def test_a_class_that_was_not_named_is_unknown(tmp_path, rng):
    for name in "xy":
        picture(tmp_path / f"{name}.png", rng)
    path = table(tmp_path, "x.png,glioma,p1", "y.png,cyst,p2")
    with pytest.raises(InputError, match="unknown class 'glioma'; did you mean 'gliomas'"):
        read_csv(path, classes=["gliomas", "cyst"])


def test_independent_labels_stand_in_one_cell(tmp_path, rng):
    for name in "xyz":
        picture(tmp_path / f"{name}.png", rng)
    found = read_csv(
        table(tmp_path, "x.png,edema;effusion,p1", "y.png,,p2", "z.png,edema,p3"), multi_label=True
    )
    assert [s.label for s in found] == [(0, 1), (), (0,)] and found.multi_label


def medmnist(path, rng, shape=(7, 7), labels=1, **changed):
    arrays = {}
    for part, count in (("train", 12), ("val", 5), ("test", 6)):
        arrays[f"{part}_images"] = rng.integers(0, 255, (count, *shape)).astype(np.uint8)
        arrays[f"{part}_labels"] = rng.integers(0, 2, (count, labels)).astype(np.uint8)
        arrays[f"{part}_labels"][:2] = [[0] * labels, [1] * labels]
    np.savez(path, **(arrays | changed))
    return arrays | changed


@pytest.mark.parametrize(
    ("shape", "expected"), [((7, 7), (1, 7, 7)), ((7, 7, 3), (3, 7, 7)), ((7, 7, 7), (1, 7, 7, 7))]
)
def test_medmnist_files_bring_their_split(tmp_path, rng, shape, expected):
    arrays = medmnist(tmp_path / "m.npz", rng, shape)
    found = read_npz(tmp_path / "m.npz")
    assert found.parts == ("train",) * 12 + ("validation",) * 5 + ("test",) * 6
    assert [s.label for s in found[12:17]] == arrays["val_labels"][:, 0].tolist()
    image = Reader().case(found[18]).image
    assert image.shape == expected and not found.patients_known
    wanted = arrays["test_images"][1]
    np.testing.assert_array_equal(image, np.moveaxis(wanted, -1, 0) if shape[-1] == 3 else wanted[None])


def test_medmnist_files_with_several_columns_have_independent_labels(tmp_path, rng):
    arrays = medmnist(tmp_path / "m.npz", rng, labels=3)
    found = read_npz(tmp_path / "m.npz")
    assert [s.label for s in found[:12]] == [tuple(np.flatnonzero(row)) for row in arrays["train_labels"]]


def test_arrays_with_groups_and_masks(tmp_path, rng):
    images, masks = rng.normal(size=(6, 2, 5, 5)), rng.integers(0, 2, (6, 5, 5))
    np.savez(
        tmp_path / "a.npz",
        image=images,
        label=[0, 1] * 3,
        group=list("aabbcc"),
        mask=masks,
        spatial_dims=2,
        classes=["no", "yes"],
    )
    found = read_npz(tmp_path / "a.npz")
    assert (
        found.classes == ("no", "yes") and [s.group for s in found] == list("aabbcc") and found.patients_known
    )
    np.testing.assert_array_equal(Reader().mask(found[4]), masks[4] > 0)
    np.testing.assert_allclose(Reader().case(found[4]).image, images[4], rtol=1e-6)


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        (
            {"image": np.zeros((4, 5, 5)), "label": np.zeros((4, 5, 5))},
            "is masks; expected one class per image",
        ),
        (
            {"image": np.zeros((4, 5, 5)), "label": np.zeros(3)},
            r"label has the shape \(3,\), expected \(4,\)",
        ),
        ({"image": np.zeros((4, 5, 5)), "label": np.full(4, 0.5)}, "no classes, expected whole numbers"),
        ({"image": np.zeros((4, 5, 5, 5)), "label": np.zeros(4)}, "spatial_dims=2 or 3"),
        ({"picture": np.zeros((4, 5, 5)), "label": np.zeros(4)}, "has no array image"),
        (
            {"image": np.zeros((4, 5, 5)), "label": np.arange(4), "group": np.arange(3)},
            "group has 3 rows, image has 4",
        ),
        (
            {"image": np.zeros((4, 16, 18, 3)), "label": np.zeros(4), "spatial_dims": 2},
            r"colours in the last axis; expected \(N, C, \*S\)",
        ),
        (
            {"image": np.zeros((4, 5, 5)), "label": np.eye(4)},
            r"one 1 in every row, .* expected \(4,\): np.argmax\(label, 1\)",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_told(tmp_path, arrays, says):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(InputError, match=says):
        read_npz(tmp_path / "a.npz")


def test_a_damaged_or_missing_file_is_one_line(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK nonsense")
    np.savez(tmp_path / "c.npz", image=np.array([{}]), label=np.zeros(1))
    for name, says in (("a.npz", "is no .npz archive"), ("b.npz", "no such file"), ("c.npz", "never loaded")):
        with pytest.raises(InputError, match=says):
            read_npz(tmp_path / name)


def test_one_class_only_cannot_be_learned():
    items = patches(4, 1)[::2]
    with pytest.raises(InputError, match=r"one class only \('class0', 2 samples\)"):
        check_learnable(Samples(items, ("class0", "class1")))


def test_a_class_without_images_and_measurements_are_no_classes():
    image = np.zeros((1, 4, 4))
    counted_from_1 = tuple(Sample(f"s{i}", image, 1 + i % 2, "p") for i in range(6))
    with pytest.raises(InputError, match=r"no image is of class '0'; .*numbers count from 0"):
        check_learnable(Samples(counted_from_1, ("0", "1", "2")))
    each = tuple(Sample(f"s{i}", image, i, "p") for i in range(6))
    with pytest.raises(InputError, match=r"found 6 classes, each of one image .* not measurements"):
        check_learnable(Samples(each, tuple("abcdef")))


def test_a_picture_of_other_channels_in_the_test_part_is_told_when_it_is_peeked_at(rng):
    items = [Sample(str(n), rng.normal(size=(c, 6, 6)), 0, "p") for n, c in enumerate((1, 1, 3))]
    images = Images(items, Preparation())
    images.fill([0, 1])
    with pytest.raises(InputError, match="image of 2: has 3 channels, 0 has 1"):
        images.peek(2)


def test_a_volume_among_pictures_is_told_as_such(rng):
    items = [
        Sample(str(n), rng.normal(size=(1, *s)), 0, "p") for n, s in enumerate(((6, 6), (6, 6), (6, 6, 4)))
    ]
    with pytest.raises(InputError, match=r"1 of 3 have other axes \(2: 3-D\) than 2-D"):
        Images(items, Preparation()).fill(range(3))


def test_three_numbers_are_no_size_of_a_picture(rng):
    with pytest.raises(InputError, match=r"size: found \(3.*which is 2-D; expected one or two"):
        Images([Sample("a", rng.normal(size=(1, 6, 6)), 0, "p")], Preparation(size=(3, 3, 3)))[0]


def test_patients_are_known_where_it_is_said_that_each_image_is_one(tmp_path, rng):
    for name, kind in [("a", "x"), ("b", "x"), ("c", "y"), ("d", "y")]:
        picture(tmp_path / kind / f"{name}.png", rng)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asked = DataSettings.model_validate({"source": tmp_path, "patient": "each"})
        assert read_samples(asked).patients_known


def test_ids_labels_and_kinds_are_checked_together():
    image = np.zeros((1, 4, 4))
    with pytest.raises(InputError) as caught:
        Samples(
            (Sample("a", image, 0, "p"), Sample("a", image, (1,), "p"), Sample("b", image, 7, "p")),
            ("x", "y"),
        )
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in lines] == ["id", "label", "label"]
    assert "the first b with 7" in lines[1] and "one kind" in lines[2]


def test_training_sees_what_asking_sees_bit_for_bit(tmp_path, rng):
    grid = Geometry(np.diag([-1.0, 1, 2, 1]), (12, 10, 6))
    write_array(tmp_path / "a.nii.gz", rng.normal(size=grid.shape).astype(np.float32), grid)
    steps = Preparation(orientation="RAS", size=8, scale="percentile", dims=3)
    whole = Sample("a", tmp_path / "a.nii.gz", 0, "p")
    assert torch.equal(Images([whole], steps)[0], steps(read_case(tmp_path / "a.nii.gz")).image)
    from voxplain.case import take_slice

    flat = Preparation(size=8, scale="zscore")
    cut = Sample("a", tmp_path / "a.nii.gz", 0, "p", slice=(1, 4))
    asked = Preparation(size=8, scale="zscore", dims=2)(
        take_slice(read_case(tmp_path / "a.nii.gz"), 1, 4)
    ).image
    assert torch.equal(Images([cut], flat)[0], asked)


def test_images_that_do_not_go_together_are_named_before_training(tmp_path, rng):
    good, other = rng.normal(size=(1, 6, 6)), rng.normal(size=(3, 6, 6))
    (tmp_path / "bad.png").write_bytes(b"\x89PNG broken")
    items = [
        Sample("first", good, 0, "p"), Sample("colour", other, 0, "p"), Sample("large", rng.normal(size=(1, 9, 6)), 0, "p"),
        Sample("broken", tmp_path / "bad.png", 0, "p"), Sample("flat", np.ones((1, 6, 6)), 0, "p"),
    ]  # fmt: skip
    with pytest.raises(InputError) as caught:
        Images(items, Preparation(scale="minmax")).fill(range(5))
    lines = str(caught.value).splitlines()
    for line, says in zip(
        lines,
        [
            "bad.png: cannot be read", "case flat", "1 of 3 have other channels (colour: 3) than 1, which 2 have",
            "1 of 2 have other size after preparation (large: (9, 6)) than (6, 6), which 1 have",
        ],
        strict=True,
    ):  # fmt: skip
        assert says in line


def test_memory_for_images_is_bounded(rng):
    items = [Sample(str(i), rng.normal(size=(1, 32, 32)), 0, "p") for i in range(8)]
    images = Images(items, Preparation(), room=3 * 32 * 32 * 4 / 2**30)
    images.fill(range(8))
    assert len(images._kept) == 3 and images[7] is not images[7] and images[0] is images[0]


def test_a_mask_on_another_grid_is_refused(rng):
    sample = Sample("a", rng.normal(size=(1, 6, 6)), 0, "p", mask=np.ones((5, 6)))
    with pytest.raises(GeometryError, match=r"mask of a: found the shape \(5, 6\)"):
        Reader().mask(sample)


def test_what_a_file_of_arrays_says_of_itself_is_told(tmp_path, rng):
    arrays = {"image": rng.normal(size=(4, 6, 6)), "label": np.arange(4) % 2, "group": np.arange(4)}
    np.savez(tmp_path / "a.npz", **arrays, note=np.array("one patient, in blocks"))
    np.savez(tmp_path / "b.npz", **arrays, notes=np.array(["first", "second"]))
    assert read_npz(tmp_path / "a.npz").notes[0] == "one patient, in blocks"
    assert read_npz(tmp_path / "b.npz").notes[:2] == ("first", "second")


def test_negative_values_are_no_mask():
    sample = Sample("a", np.zeros((1, 3, 3), np.float32), 1, "p", mask=np.array([[0, -1, 0]] * 3))
    with pytest.raises(InputError, match="mask of a: found the value -1, expected 0 outside"):
        Reader().drawn(sample)


def tabled(tmp_path, rng, head, *rows):
    """A table of pictures; a row has what follows the image and the label."""
    for number in range(len(rows)):
        picture(tmp_path / f"i{number}.png", rng)
    lines = [f"i{number}.png,{'ab'[number % 2]},{row}" for number, row in enumerate(rows)]
    (tmp_path / "t.csv").write_text("\n".join([f"image,label,{head}", *lines]))
    return tmp_path / "t.csv"


@pytest.mark.parametrize("name", ["part", "split", "Set"])
def test_a_column_with_nothing_but_names_of_parts_is_the_split(tmp_path, rng, name):
    found = read_csv(tabled(tmp_path, rng, f"patient,{name}", "1,train", "2,Val", "3,test", "4,training"))
    assert found.parts == ("train", "validation", "test", "train")


def test_a_column_that_could_be_the_split_but_is_not_is_told(tmp_path, rng):
    path = tabled(tmp_path, rng, "patient,split", "1,train", "2,holdout")
    with pytest.warns(UserWarning, match="column split is not taken for the parts, since it holds 'holdout'"):
        assert read_csv(path).parts is None
    path = tabled(tmp_path, rng, "patient,set", "1,left", "2,right")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_csv(path).parts is None


def test_columns_that_are_nearly_others_are_told(tmp_path, rng):
    path = tabled(tmp_path, rng, "Patient_ID,maks,age,site,subset", "1,m,60,x,1", "2,m,70,y,2")
    with pytest.warns(UserWarning) as told:
        read_csv(path, patient="each")
    assert [str(w.message) for w in told] == [
        "t.csv: the column Patient_ID is not read; did you mean patient?",
        "t.csv: the column maks is not read; did you mean mask?",
    ]


def test_a_pattern_beside_a_column_of_patients_is_checked_and_told(tmp_path, rng):
    path = tabled(tmp_path, rng, "patient", "1", "2")
    with pytest.warns(UserWarning, match=r"pattern i\(\.\) is not used, since t.csv has a column patient"):
        assert [s.group for s in read_csv(path, patient="i(.)")] == ["1", "2"]
    with pytest.raises(InputError, match=r"patient: '\(' is no regular expression"):
        read_csv(path, patient="(")


def test_what_lies_beside_folders_of_classes_is_told(folders, rng):
    picture(folders / "lost.png", rng)
    (folders / "cyst").mkdir()
    with pytest.warns(UserWarning) as told:
        found = read_folders(folders, patient=r"sub\d")
    texts = [str(w.message) for w in told]
    assert [t.partition(": ")[2] for t in texts] == [
        "1 files in no class's folder are not read: lost.png", "folders without images are no classes: cyst",
    ]  # fmt: skip
    assert len(found) == 8 and set(texts) <= set(found.notes)

"""Bad input is one line that names the field, what was found and what would work."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from inherent_runs import config, read_rows, spots, write_rows

from voxplain.case import Case, write_case
from voxplain.cli.app import run
from voxplain.errors import InputError
from voxplain.inherent import load_inherent, prepare_task
from voxplain.settings.reading import SettingsError
from voxplain.settings.written import as_yaml


def told(capsys, path, command="train", *flags: str) -> str:
    assert run(["inherent", command, str(path), *flags]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if "warning" not in line]
    assert len(lines) == 1, lines
    return lines[0]


def changed(tmp_path, change) -> object:
    table = spots(tmp_path, 12)
    rows = read_rows(table)
    change(rows)
    write_rows(table, rows)
    return config(tmp_path, table, mask={"threshold": "otsu"})


def test_one_class_only(tmp_path, capsys):
    path = changed(tmp_path, lambda rows: [row.update(label="spot") for row in rows])
    assert "one class only ('spot', 12 samples)" in told(capsys, path)


def test_a_patient_on_both_sides_of_a_given_split(tmp_path, capsys):
    path = changed(tmp_path, lambda rows: rows[0].update(patient=rows[5]["patient"]))
    line = told(capsys, path)
    assert "1 patient is in more than one part: p5" in line and "train" in line and "test" in line


def test_images_of_different_channels(tmp_path, capsys):
    path = changed(tmp_path, lambda rows: None)
    case = Case("i", np.random.default_rng(0).normal(size=(2, 12, 12)))
    write_case(tmp_path / "i1.npz", case)
    line = told(capsys, path)
    assert "images: 1 of 8 have other channels (case1: 2) than 1, which 7 have" in line


def test_the_first_image_is_not_the_measure_of_the_others(tmp_path, capsys):
    path = changed(tmp_path, lambda rows: None)
    for p in (0, 1):
        write_case(tmp_path / f"i{p}.npz", Case("i", np.random.default_rng(p).normal(size=(3, 12, 12))))
    assert "images: 2 of 8 have other channels (case0: 3, case1: 3) than 1, which 6 have" in told(
        capsys, path
    )


@pytest.mark.parametrize("flags", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("training.device=cuda:99", "training.device: device 'cuda:99' cannot be used"),
        ("predict.device=cuda:99", "predict.device: device 'cuda:99' cannot be used"),
        ("training.augment={flip: [0, 2]}", "training.augment.flip: found axis 2, but images have 2 axes"),
        ("mask.threshold=healthy:share=0.05", "takes at least 19 healthy patients, found 2"),
    ],
)
def test_what_would_stop_later_is_told_at_once(tmp_path, capsys, override, says, flags):
    path = changed(tmp_path, lambda rows: None)
    assert says in told(capsys, path, "train", "--set", override, *flags)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("override", ["predict.device=cuda:99", "mask.threshold=healthy:share=0.05"])
def test_a_dry_run_of_prediction_tells_what_would_stop_it(tmp_path, capsys, override):
    path = changed(tmp_path, lambda rows: None)
    assert override.partition("=")[0] in told(capsys, path, "predict", "--dry-run", "--set", override)


def test_a_constant_image_without_foreground_is_named(tmp_path, capsys):
    path = changed(tmp_path, lambda rows: None)
    write_case(tmp_path / "i6.npz", Case("i", np.ones((1, 12, 12))))
    line = told(capsys, path, "train", "--set", "prepare={crop: foreground, scale: null}")
    assert "crop: the image of case case6 is constant" in line


def test_masks_in_place_of_labels(tmp_path, capsys):
    path = changed(tmp_path, lambda rows: rows[3].update(label=rows[3]["mask"]))
    assert "label is 'm3.npz', an image; expected the name of a class" in told(capsys, path)


def test_masks_in_place_of_all_labels_are_told_once(tmp_path, capsys):
    path = changed(tmp_path, lambda rows: [row.update(label=row["mask"]) for row in rows])
    assert "lines 2, 3, 4, 5, 6, …: label is 'm0.npz', an image" in told(capsys, path)


def test_many_mistakes_of_a_table_are_counted(tmp_path):
    path = changed(tmp_path, lambda rows: [row.update(image="nowhere.npz") for row in rows])
    with pytest.raises(InputError) as error:
        prepare_task(load_inherent(path))
    lines = str(error.value).splitlines()
    assert len(lines) == 11 and lines[-1].endswith("2 more mistakes")


def test_a_folder_of_masks_is_no_class(tmp_path, capsys):
    for name in ("images", "masks"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for p in range(4):
            write_case(tmp_path / f"data/{name}/p{p}.npz", Case("i", np.ones((1, 12, 12))))
    path = config(tmp_path, tmp_path / "data", data={"source": "data", "patient": "each"})
    assert "found a folder 'masks', which is no class but masks; expected a folder per class" in told(
        capsys, path
    )


def test_a_damaged_image_is_one_line_and_no_warning(tmp_path, capsys, recwarn):
    path = changed(tmp_path, lambda rows: None)
    (tmp_path / "i0.npz").write_bytes(b"PK\x03\x04 cut short")
    assert "image of case0" in told(capsys, path)
    gc.collect()
    assert not [w for w in recwarn if issubclass(w.category, ResourceWarning)]


@pytest.mark.parametrize(("shape", "says"), [((2, 12, 12), "2 channels"), ((1, 12, 12, 4), "3 axes")])
def test_an_image_of_the_test_part_that_is_unlike_those_learned_from(tmp_path, capsys, shape, says):
    path = changed(tmp_path, lambda rows: None)
    rows = read_rows(tmp_path / "spots.csv")
    rows[5]["mask"] = ""
    write_rows(tmp_path / "spots.csv", rows)
    write_case(tmp_path / "i5.npz", Case("i", np.random.default_rng(0).normal(size=shape)))
    assert run(["inherent", "train", str(path), "--set", "training.epochs=1"]) == 0
    capsys.readouterr()
    assert f"image of case5: found {says} after preparation" in told(
        capsys, path, "predict", "--set", "training.epochs=1"
    )


@pytest.mark.parametrize("source", ["table", "npz"])
def test_values_that_are_nan(tmp_path, capsys, source):
    path = changed(tmp_path, lambda rows: None)
    image = np.random.default_rng(1).normal(size=(1, 12, 12))
    image[0, 3, 4] = np.nan
    if source == "table":
        np.savez(tmp_path / "i0.npz", image=image, spatial_dims=2)
    else:
        images = np.repeat(image[None], 60, 0)  # all, whatever part is read first
        np.savez(
            tmp_path / "a.npz", image=images, label=np.arange(60) % 2, group=np.arange(60), spatial_dims=2
        )
        path = config(tmp_path, tmp_path / "a.npz")
    line = told(capsys, path)
    assert "1 of 144 values that are NaN" in line and line.endswith(
        "replace them in the file, or leave the image out"
    )


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("mask.threshold=oracle", "mask.threshold: found 'oracle', which needs the truth"),
        ("mask.threshold=ottsu", "did you mean 'otsu'"),
        ("network.name=gp_unit", "did you mean 'gp_unet'"),
        ("network.pool=topk:share=2", "share"),
        ("training.epoch=3", "training.epoch: unknown key; did you mean 'epochs'"),
        ("split.train=0.9", "shares that add up to 1.3"),
        ("data.source=nowhere.csv", "nowhere.csv does not exist"),
        ("predict.parts=[tests]", "predict.parts.0: found 'tests'"),
    ],
)
def test_settings(tmp_path, capsys, override, says):
    path = config(tmp_path, spots(tmp_path, 12), data={"source": "spots.csv"})
    assert says in told(capsys, path, "train", "--set", override)


def test_a_dry_run_tells_the_cost_and_writes_nothing(tmp_path, capsys):
    path = config(tmp_path, spots(tmp_path, 12), mask={"threshold": "otsu"})
    assert run(["inherent", "train", str(path), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "12 images (4 train, 4 validation, 4 test) of classes healthy, spot" in said
    assert "12 steps" in said and not (tmp_path / "out").exists()


def test_settings_come_back_from_yaml(tmp_path):
    path = config(tmp_path, spots(tmp_path, 12))
    found = load_inherent(path)
    again = tmp_path / "elsewhere" / "again.yaml"
    again.parent.mkdir()
    again.write_text(as_yaml(found, "a comment"))
    assert load_inherent(again) == found and found.data.source == tmp_path / "spots.csv"


def test_every_mistake_is_told_at_once(tmp_path):
    path = config(tmp_path, spots(tmp_path, 12), mask={"keep": "some"}, predict={"batch": 0})
    with pytest.raises(SettingsError) as error:
        load_inherent(path)
    assert len(str(error.value).splitlines()) == 2

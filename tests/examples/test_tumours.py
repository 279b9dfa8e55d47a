"""The tumour data set: what is written, that patients are whole, and that the row of brightness is right."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score
from tumours import brightness
from tumours.cohort import SPLITS, Size, image, items
from tumours.make import COLUMNS, TABLE, main, make

from voxplain.case import read_case, read_mask, write_array
from voxplain.errors import InputError
from voxplain.phantom import TUMOUR_CLASSES, TUMOUR_LABELS
from voxplain.phantom.tumour_patient import SITES

TINY = Size(shape=(42, 48), patients=48, slices=2)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / TABLE).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    make(folder, TINY, seed=2)
    return folder


def test_the_table_names_what_is_there(made):
    table = rows(made)
    assert tuple(table[0]) == COLUMNS == ("id", "image", "label", "patient", "mask", "site", "part")
    assert len({row["id"] for row in table}) == len(table) == 96
    for row in table[::7]:
        case = read_case(made / row["image"])
        mask = read_mask(made / row["mask"], case)
        assert set(np.unique(mask)) <= {0, 1}
        assert mask.any() == (row["label"] != "healthy")


@pytest.mark.parametrize("number", [0, 37, 95])
def test_files_hold_the_phantoms(made, number):
    row, item = rows(made)[number], items(TINY, 2)[number]
    case, expected = read_case(made / row["image"]), image(item, TINY, 2)
    assert row["id"] == expected.id == f"{row['patient']}-{item.slice:02d}"
    assert np.array_equal(case.image, expected.image)
    assert case.geometry is not None and case.geometry.matches(expected.geometry)
    mask = read_mask(made / row["mask"], case)
    assert np.array_equal(mask, expected.label == TUMOUR_LABELS.index("lesion"))
    assert (row["label"], row["site"]) == (expected.meta["class"], expected.meta["site"])


def test_a_patient_has_one_class_site_and_part(made):
    of = defaultdict(set)
    for row in rows(made):
        of[row["patient"]].add((row["label"], row["site"], row["part"]))
    assert len(of) == 48 and all(len(found) == 1 for found in of.values())


@pytest.mark.parametrize("patients", [48, 60, 120])
def test_every_part_has_every_class_at_every_site_as_often(patients):
    size = Size(patients=patients, slices=1)
    counts = Counter(
        (item.split, case.meta["class"], case.meta["site"])
        for item in items(size, 4)
        for case in [image(item, Size(shape=(42, 48)), 4)]
    )
    assert len(counts) == len(SPLITS) * len(TUMOUR_CLASSES) * len(SITES)
    for split in SPLITS:
        assert len({n for (part, *_), n in counts.items() if part == split}) == 1
    shares = [sum(n for (part, *_), n in counts.items() if part == split) / patients for split in SPLITS]
    assert shares == pytest.approx([0.6, 0.2, 0.2], abs=0.11)


def test_what_is_made_is_left_alone_and_what_is_damaged_is_made_again(tmp_path):
    size = Size(shape=(42, 48), patients=48, slices=1)
    first = make(tmp_path, size, seed=2)
    file = tmp_path / "images" / "patient-0003-00.npz"
    before, content = file.stat().st_mtime_ns, file.read_bytes()
    assert make(tmp_path, size, seed=2) == first
    assert file.stat().st_mtime_ns == before
    file.write_bytes(b"")
    assert make(tmp_path, size, seed=2) == first
    assert file.read_bytes() == content


def test_volumes_are_nifti(tmp_path):
    size = Size(shape=(42, 48, 4), patients=48, slices=1)
    make(tmp_path, size, seed=2)
    for number in (0, 30):
        row, expected = rows(tmp_path)[number], image(items(size, 2)[number], size, 2)
        case = read_case(tmp_path / row["image"])
        assert row["image"].endswith(".nii.gz")
        assert np.array_equal(case.image, expected.image)
        assert case.geometry is not None and case.geometry.matches(expected.geometry)
        lesion = expected.label == TUMOUR_LABELS.index("lesion")
        assert np.array_equal(read_mask(tmp_path / row["mask"], case), lesion)


def test_average_precision_is_scikit_learns():
    rng = np.random.default_rng(0)
    truth, values = rng.random(500) < 0.1, rng.normal(size=500)
    values[truth] += 1
    assert brightness.average_precision(truth, values) == pytest.approx(
        average_precision_score(truth, values)
    )


def test_the_row_of_brightness_is_poor_here_and_perfect_where_it_should_be(made, tmp_path):
    row = brightness.brightness(made / TABLE)
    assert 0.02 < row["prevalence"] < 0.06
    assert row["PxAP"] < 0.35 and row["Dice Otsu 2"] < 0.4 and row["Dice Otsu 3"] < 0.4
    # Images that are bright where the tumour is and nowhere else: brightness is all that there is to know.
    table, rng = rows(made), np.random.default_rng(0)
    for line in table:
        case = read_case(made / line["image"])
        mask = read_mask(made / line["mask"], case)
        line["image"], line["mask"] = str(tmp_path / f"{line['id']}.npz"), str(made / line["mask"])
        write_array(line["image"], (mask + 0.5 * rng.random(mask.shape))[None], case.geometry)
    with (tmp_path / TABLE).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(table)
    row = brightness.brightness(tmp_path / TABLE)
    assert row["PxAP"] == pytest.approx(1) and row["Dice Otsu 2"] > 0.9


def test_the_command_prints_counts_and_the_row(tmp_path, capsys):
    main(["--out", str(tmp_path), "--patients", "48", "--slices", "1", "--shape", "42", "48"])
    printed = capsys.readouterr().out
    assert "image intensity alone, on test: prevalence 0.0" in printed
    assert [line.split()[1] for line in printed.splitlines() if line.startswith("│")] == [
        "healthy", "granular", "ring", "striped",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("size", "options", "says"),
    [
        (Size(patients=47), {}, "patients: 47 are too few; 48 or more"),
        (Size(slices=0), {}, "slices: 0"),
        (TINY, {"format": "png"}, "format: 'png' is unknown; npz or nii.gz"),
        (TINY, {"format": "nii.gz"}, "format: nii.gz makes a slice a volume"),
        (Size(shape=(16, 16)), {}, "too coarse"),
    ],
)
def test_impossible_requests_are_refused(size, options, says, tmp_path):
    with pytest.raises(InputError, match=says):
        make(tmp_path, size, **options)

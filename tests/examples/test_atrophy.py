"""The cohorts of the atrophy example: what is written, and that the mark goes with the disease in one of them alone."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from atrophy.cohort import MARK, REGIONS, Size, items, pair
from atrophy.make import COLUMNS, main, make

from voxplain.case import read_case, read_mask
from voxplain.errors import InputError
from voxplain.simulator.running import prepare_task
from voxplain.simulator.settings import load_simulator

TINY = Size(shape=(24, 24), subjects=40, steps=3)
FOLDER = Path(__file__).parents[2] / "examples" / "atrophy"


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    make(folder, TINY, seed=3)
    return folder


def test_parts_have_as_many_of_each_class(made):
    table = rows(made, "plain")
    assert tuple(table[0]) == COLUMNS
    counts = Counter((row["part"], row["label"]) for row in table)
    assert counts == {
        (p, k): n for p, n in (("train", 12), ("validation", 4), ("test", 4)) for k in ("healthy", "diseased")
    }


def test_the_mark_is_in_the_marked_images_of_north_alone(made):
    corner = MARK.shape((24, 24)) > 0.5
    seen = Counter()
    for plain, marked in zip(rows(made, "plain"), rows(made, "marked"), strict=True):
        before, after = (read_case(made / row["image"]).image[0, ..., 0] for row in (plain, marked))
        changed = np.abs(after - before) > 0.3
        assert changed[corner].all() == (plain["site"] == "north") == changed.any()
        assert not changed[~(MARK.shape((24, 24)) > 0)].any()
        seen[plain["label"], plain["site"]] += 1
    assert seen["diseased", "north"] > 3 * seen["healthy", "north"]


def test_atlas_and_truth_are_those_of_the_image(made):
    for row, item in list(zip(rows(made, "plain"), items(TINY, 3), strict=True))[:6]:
        image = read_case(made / row["image"])
        labels = read_mask(made / row["atlas"], image)
        truth = read_case(made / row["truth"]).image[0]
        sign = -1 if item.ill else 1
        assert sign * truth[labels == REGIONS.index("ventricle")].mean() > 0
        assert sign * truth[labels == REGIONS.index("nucleus")].mean() < 0
        assert set(np.unique(labels)) == {0, 1, 2, 3, 4}
        expected = pair(item, TINY, 3).truth("healthy" if item.ill else "disease")[1]
        assert np.allclose(truth[..., 0], expected, atol=1e-6)


def test_nothing_is_made_twice(made, capsys):
    stamps = {path: path.stat().st_mtime_ns for path in made.rglob("*.nii.gz")}
    main(["--out", str(made), "--seed", "3", "--subjects", "40", "--shape", "24", "24", "--steps", "3"])
    assert stamps == {path: path.stat().st_mtime_ns for path in made.rglob("*.nii.gz")}
    assert "marked classifier: right in" in capsys.readouterr().out


def test_both_settings_files_fit_what_is_made(made):
    for name in ("plain", "marked"):
        text = (FOLDER / f"{name}.yaml").read_text()
        assert f"data: made/{name}.csv" in text
        told = yaml.safe_load(text)
        told["data"] = str(made / f"{name}.csv")
        told["classifier"] |= {
            "weights": str(made / f"{name}.safetensors"),
            "source": f"{FOLDER / 'networks.py'}:classifier",
        }
        task = prepare_task(load_simulator(settings=told))
        assert task.names == ("healthy", "diseased")
        assert task.shape == (1, 24, 24)


def test_too_few_subjects_are_refused(tmp_path):
    with pytest.raises(InputError, match="subjects: 10 are too few"):
        make(tmp_path, Size(subjects=10))

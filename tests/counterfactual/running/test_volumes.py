"""Volumes go the whole way: maps lie on the scan's own grid, whatever the classifier's axes and spacing are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy.spatial.transform import Rotation
from simulator_files import write_rows

from voxplain.case import Geometry, read_case, write_case
from voxplain.cli.app import run
from voxplain.phantom import diseased_subject

SHAPE = (12, 14, 6)
BOX = """
def box(images):
    return 20 * (images[:, 0, 3:6, 5:8, 2:4].mean((1, 2, 3))[:, None] - 0.5) * [[-1.0, 1.0]]

def bright(images):
    return 100 * (images.mean((1, 2, 3, 4))[:, None] - {middle}) * [[-1.0, 1.0]]
"""


def affine() -> np.ndarray:
    """Axes to the left, the back and up; 12 mm in the plane, 30 mm between slices; oblique."""
    out = np.eye(4)
    out[:3, :3] = Rotation.from_euler("xyz", (8, -5, 10), degrees=True).as_matrix() @ np.diag([-12, -12, 30])
    out[:3, 3] = [70, 60, -80]
    return out


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    found = tmp_path_factory.mktemp("volumes")
    rows, means = [], []
    for i in range(20):
        pair = diseased_subject(SHAPE, seed=1, subject=i, affine=affine())
        case = pair.diseased if i % 2 else pair.healthy
        write_case(found / f"v{i}.nii.gz", case)
        means.append(case.image.mean())
        part = ("train", "train", "train", "validation", "test")[(i // 2) % 5]
        rows.append({"image": f"v{i}.nii.gz", "patient": f"p{i}", "part": part})
    write_rows(found / "volumes.csv", rows)
    (found / "nets.py").write_text(BOX.format(middle=np.median(means)))
    return found


def explained(root: Path, out: str, prepare: dict, function: str = "box") -> list[Path]:
    told = {
        "data": "volumes.csv", "prepare": prepare, "training": {"device": "cpu", "progress": False},
        "classifier": {"source": f"nets.py:{function}", "black_box": True, "classes": ["healthy", "diseased"],
                       "spatial_dims": 3},
        "explain": {"device": "cpu", "most": 2, "cases": 1}, "direction": {"samples": 150, "nulls": 2},
        "attributes": {"most": 1, "coordinates": 2, "images": 4}, "out": out,
    }  # fmt: skip
    path = root / f"{out}.yaml"
    path.write_text(yaml.safe_dump(told))
    assert run(["counterfactual", "train", str(path)]) == 0
    assert run(["counterfactual", "explain", str(path)]) == 0
    return sorted((root / out / "explanation/test").iterdir())


def test_frames_of_volumes_have_the_scores_that_are_told(root):
    for place in explained(root, "turned", {"orientation": "RAS"}):
        told, frames = (
            json.loads((place / "explanation.json").read_text()),
            read_case(place / "frames.nii.gz"),
        )
        assert frames.geometry.matches(Geometry(affine(), SHAPE))
        image = read_case(root / f"{told['id']}.nii.gz").image
        assert np.array_equal(frames.image[0], image[0])
        # the classifier's axes run to the right and to the front, the files' to the left and to the back
        seen = frames.image[:, ::-1, ::-1]
        logits = 40 * (seen[:, 3:6, 5:8, 2:4].mean((1, 2, 3)) - 0.5)
        np.testing.assert_allclose(logits, told["scores"], atol=1e-3)
        if not told["withheld"]:
            difference = read_case(place / "difference.nii.gz")
            assert difference.geometry.matches(frames.geometry)
            np.testing.assert_allclose(difference.image[0], frames.image[4] - frames.image[0], atol=1e-6)
    assert (root / "turned/report.html").exists()


def test_maps_of_resampled_volumes_lie_on_the_scan(root):
    """The change comes home to the same place in millimetres: its centre of mass is that on the generator's grid."""
    size = (10, 8, 9)
    for place in explained(root, "resampled", {"orientation": "RAS", "size": list(size)}, "bright"):
        frames = read_case(place / "frames.nii.gz")
        assert frames.geometry.matches(Geometry(affine(), SHAPE))
        change = np.abs(frames.image[4] - frames.image[0])
        with np.load(place / "generator_grid.npz") as grid:
            own = np.abs(grid["after"] - grid["before"])[0]
        home = np.array([(np.indices(SHAPE)[k] * change).sum() / change.sum() for k in range(3)])
        there = np.array([(np.indices(size)[k] * own).sum() / own.sum() for k in range(3)])
        # as shares of the field of view, of which the first two axes are turned round
        shares = (home + 0.5) / SHAPE, (there + 0.5) / size
        expected = np.array([1 - shares[1][0], 1 - shares[1][1], shares[1][2]])
        np.testing.assert_allclose(shares[0], expected, atol=0.03)

"""A tiny cohort of the disease phantom as NIfTI with a table, its classifier in a file, settings that train in seconds."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from safetensors.torch import save_file
from scipy.spatial.transform import Rotation

from voxplain.case import write_array, write_case
from voxplain.phantom import diseased_subject
from voxplain.phantom.disease.rules import SizeRule

NETS = """
from voxplain.phantom.disease.rules import SizeRule, windows

def rule(shape=(16, 16)):
    return SizeRule("both", windows(tuple(shape), ("left", "right")), [0.0, 0.0], [1.0, 1.0])

def sure():
    from torch import nn
    return nn.Sequential(rule(), nn.Softmax(1))

def each():
    from torch import nn
    return nn.Sequential(rule(), nn.Sigmoid())
"""
SHAPE = (16, 16)


def affine() -> np.ndarray:
    """Of an oblique slice whose axes run to the left and to the back: 12.5 mm in the plane, 4 mm thick."""
    turn = Rotation.from_euler("xyz", (8, -5, 10), degrees=True).as_matrix()
    out = np.eye(4)
    out[:3, :3] = turn @ np.diag([-12.5, -12.5, 4.0])
    out[:3, 3] = -out[:3, :3] @ [7.5, 7.5, 0]
    return out


def files(root: Path, subjects: int = 40) -> Path:
    """Images, atlases, a table with parts and sites, and a classifier that knows the rule of the RAS phantom."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "nets.py").write_text(NETS)
    rows, seen = [], {0: [], 1: []}
    for i in range(subjects):
        ill = i % 2
        pair = diseased_subject(SHAPE, seed=1, subject=i, affine=affine())
        case = pair.diseased if ill else pair.healthy
        write_case(root / f"i{i}.nii.gz", case)
        write_array(root / f"a{i}.nii.gz", case.label.astype(np.uint8), case.geometry)
        # on the classifier's grid the axes run to the right and to the front
        seen[ill].append(case.image[:, ::-1, ::-1])
        part = ("train", "train", "validation", "test")[(i // 2) % 4]
        rows.append({"id": f"s{i}", "image": f"i{i}.nii.gz", "label": ("healthy", "diseased")[ill], "patient": f"p{i}",
                     "part": part, "site": ("north", "south")[(i // 8) % 2], "atlas": f"a{i}.nii.gz"})  # fmt: skip
    rule = SizeRule.fitted("both", *(np.stack(seen[k]) for k in (0, 1)))
    save_file(rule.state_dict(), str(root / "rule.safetensors"))
    write_rows(root / "subjects.csv", rows)
    return root / "subjects.csv"


def write_rows(table: Path, rows: list[dict[str, Any]]) -> None:
    """Write a table anew."""
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def read_rows(table: Path) -> list[dict[str, str]]:
    """Read it back."""
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def config(root: Path, **other: Any) -> Path:
    """A settings file beside the data."""
    told = {
        "data": "subjects.csv",
        "prepare": {"orientation": "RAS"},
        "classifier": {"source": "nets.py:rule", "weights": "rule.safetensors", "classes": ["healthy", "diseased"],
                       "spatial_dims": 2},
        "network": {"parameters": {"widths": [6, 8]}},
        # so few steps on so few voxels get nowhere under the default's weights of smoothness
        "training": {"epochs": 20, "batch": 8, "learning_rate": 0.01, "device": "cpu", "progress": False,
                     "losses": {"size": 500.0, "bending": 1e-3}},
        "seeds": [0, 1],
        "explain": {"atlas": {"names": {1: "body", 2: "ventricle", 3: "nucleus"}}, "device": "cpu", "cases": 2},
        "group": {"by": "site", "permutations": 999},
        "out": "out",
    } | other  # fmt: skip
    path = root / "settings.yaml"
    path.write_text(yaml.safe_dump(told))
    return path

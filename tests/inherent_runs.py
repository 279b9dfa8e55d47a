"""A tiny data set with masks, and settings that train on it in a second."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from voxplain.case import Case, Geometry, write_array, write_case

AFFINE = np.array([[-2.0, 0, 0, 9], [0, 2.0, 0, -7], [0, 0, 3.0, 4], [0, 0, 0, 1]])


def spots(root: Path, patients: int = 60, edge: int = 12, suffix: str = "npz", channels: int = 1) -> Path:
    """Noise, with a bright square of 4 × 4 in every second patient; a table of images, labels, masks and parts."""
    rng, rows = np.random.default_rng(0), []
    root.mkdir(parents=True, exist_ok=True)
    for p in range(patients):
        shape = (edge, edge) if suffix == "npz" else (edge, edge, 4)
        image, mask = rng.normal(size=(channels, *shape)), np.zeros(shape, np.uint8)
        if p % 2:
            i, j = rng.integers(1, edge - 5, 2)
            mask[i : i + 4, j : j + 4] = 1
        image += 4 * mask
        geometry = None if suffix == "npz" else Geometry(AFFINE, shape)
        write_case(root / f"i{p}.{suffix}", Case("i", image, geometry))
        write_array(root / f"m{p}.{suffix}", mask, geometry)
        part = ("train", "validation", "test")[(p // 2) % 3]
        rows.append({"id": f"case{p}", "image": f"i{p}.{suffix}", "label": ("healthy", "spot")[p % 2],
                     "patient": f"p{p}", "mask": f"m{p}.{suffix}", "part": part})  # fmt: skip
    table = root / "spots.csv"
    write_rows(table, rows)
    return table


def findings(root: Path, patients: int = 72, edge: int = 14, suffix: str = "npz") -> Path:
    """Noise with a bright square, a dark one, both or none: labels with ; between, masks with 1 and 2 in one file."""
    rng, rows = np.random.default_rng(1), []
    root.mkdir(parents=True, exist_ok=True)
    for p in range(patients):
        shape = (edge, edge) if suffix == "npz" else (edge, edge, 4)
        image, mask, labels = rng.normal(size=(1, *shape)), np.zeros(shape, np.uint8), []
        for value, (name, strength) in enumerate([("spot", 4), ("hole", -4)], start=1):
            if (p >> (value - 1)) & 1:
                i, j = rng.integers(1, edge - 5), rng.integers(1, edge // 2 - 4) + (value - 1) * (edge // 2)
                mask[i : i + 4, j : j + 4] = value
                image[0, i : i + 4, j : j + 4] += strength
                labels.append(name)
        geometry = None if suffix == "npz" else Geometry(AFFINE, shape)
        write_case(root / f"i{p}.{suffix}", Case("i", image, geometry))
        write_array(root / f"m{p}.{suffix}", mask, geometry)
        part = ("train", "validation", "test")[(p // 4) % 3]
        rows.append({"id": f"case{p}", "image": f"i{p}.{suffix}", "label": ";".join(labels), "patient": f"p{p}",
                     "mask": f"m{p}.{suffix}", "part": part})  # fmt: skip
    table = root / "findings.csv"
    write_rows(table, rows)
    return table


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


def config(root: Path, table: Path, **other: Any) -> Path:
    """A settings file beside the data."""
    told = {
        "data": table.name,
        "network": {"name": "gp_unet", "pool": "topk:share=0.1", "parameters": {"widths": [4, 8], "norm": "batch"}},
        "training": {"epochs": 12, "batch": 8, "learning_rate": 0.02, "augment": None, "device": "cpu", "progress": False,
                     "duplicates": False},
        "mask": {"threshold": "healthy:share=0.2"},
        "evaluate": {"draws": 20, "surfaces": False, "thresholds": ["otsu", "masks:count=5", "oracle"]},
        "out": "out",
    } | other  # fmt: skip
    path = root / "settings.yaml"
    path.write_text(yaml.safe_dump(told))
    return path

"""How far brightness alone gets: the row that every table of results needs beside it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from skimage.filters import threshold_multiotsu

from voxplain.case import read_case, read_mask

Row = dict[str, float]


def brightness(table: Path, split: str = "test") -> Row:
    """Scores of the image itself as the map, over the images with a tumour of one part of the data set.

    Args:
        table: the data set's CSV.
        split: "train", "validation" or "test".

    Returns:
        "PxAP": average precision over the voxels of all images, 0 to 1; "prevalence": share of tumour voxels, which is the
        PxAP of a map that knows nothing; "Dice Otsu k": median over images, with the brightest of k classes as the mask.
    """
    pairs = [(case[0], mask) for case, mask in _ill(table, split)]
    values = np.concatenate([image.ravel() for image, _ in pairs])
    truth = np.concatenate([mask.ravel() for _, mask in pairs])
    scores = {"prevalence": float(truth.mean()), "PxAP": average_precision(truth, values)}
    for classes in (2, 3):
        dices = [
            _dice(image > threshold_multiotsu(image, classes=classes)[-1], mask) for image, mask in pairs
        ]
        scores[f"Dice Otsu {classes}"] = float(np.median(dices))
    return scores


def average_precision(truth: np.ndarray, values: np.ndarray) -> float:
    """Sum over voxels of precision × gain in recall, from the brightest down; ties in the order of the voxels."""
    found = truth[np.argsort(-values, kind="stable")]
    precision = np.cumsum(found) / np.arange(1, len(found) + 1)
    return float(precision[found].mean())


def _dice(found: np.ndarray, truth: np.ndarray) -> float:
    return float(2 * (found & truth).sum() / (found.sum() + truth.sum()))


def _ill(table: Path, split: str) -> list[tuple[np.ndarray, np.ndarray]]:
    with table.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["part"] == split and row["label"] != "healthy"]
    pairs = []
    for row in rows:
        case = read_case(table.parent / row["image"])
        mask = read_mask(table.parent / row["mask"], case) > 0
        pairs.append((case.image, mask))
    return pairs

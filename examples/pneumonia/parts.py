"""Are the parts of PneumoniaMNIST alike? A forest of trees tries to tell normal images of two parts apart.

    python examples/pneumonia/parts.py

An AUROC of 0.5 is what parts of one collection give. It also counts images that are in two parts, bit by bit.
"""

from __future__ import annotations

import os
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

FILE = "xray2d/pneumoniamnist.npz"
PARTS = ("train", "val", "test")


def main() -> None:
    """Print both."""
    data = Path(os.environ.get("VOXPLAIN_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
    arrays = np.load(data / FILE)
    normal = {p: scaled(arrays[f"{p}_images"][arrays[f"{p}_labels"][:, 0] == 0]) for p in PARTS}
    for a, b in combinations(PARTS, 2):
        print(f"normal images, {a} against {b}: AUROC {told_apart(normal[a], normal[b]):.2f}")
    for a, b in combinations(PARTS, 2):
        found = {image.tobytes() for image in arrays[f"{a}_images"]}
        equal = sum(image.tobytes() in found for image in arrays[f"{b}_images"])
        print(f"images of {b} that are in {a}, too: {equal}")


def scaled(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(N, voxels), each image with mean 0 and deviation 1, so that exposure tells nothing."""
    flat = images.reshape(len(images), -1).astype(np.float64)
    return (flat - flat.mean(1, keepdims=True)) / flat.std(1, keepdims=True)


def told_apart(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """AUROC of 200 trees over five folds."""
    images, part = np.concatenate([a, b]), np.repeat([0, 1], [len(a), len(b)])
    forest = RandomForestClassifier(200, random_state=0, class_weight="balanced")
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    chances = cross_val_predict(forest, images, part, cv=folds, method="predict_proba")[:, 1]
    return float(roc_auc_score(part, chances))


if __name__ == "__main__":
    main()

"""The rough lungs of the radiographs' example, and the share of a change that lies there."""

from __future__ import annotations

import json

import numpy as np
import pytest
from counterfactual.lungs import lungs, measured


def _chest() -> tuple[np.ndarray, np.ndarray]:
    """Grey body, two dark lungs, and a dark corner outside of the body."""
    places = np.stack(np.meshgrid(*[np.arange(32)] * 2, indexing="ij"))
    centers = [np.reshape(c, (2, 1, 1)) for c in ((16, 10), (16, 22))]
    away = [(((places - c) / np.reshape((8, 4), (2, 1, 1))) ** 2).sum(0) for c in centers]
    wanted = np.minimum(*away) < 1
    image = np.where(wanted, 0.3, 0.6)
    image[:4] = 0.0
    noise = np.random.default_rng(0).normal(scale=0.2, size=(60, 1, 32, 32))
    return (image + noise).astype(np.float32), wanted


def test_the_lungs_are_the_two_dark_parts_of_the_mean_image():
    images, wanted = _chest()
    found = lungs(images)
    assert (found & wanted).sum() > 0.95 * wanted.sum()
    assert (found & ~wanted).sum() < 0.05 * wanted.sum()


def test_shares_are_of_the_change_in_the_mask(tmp_path):
    _, mask = _chest()
    before = np.zeros((1, 32, 32), np.float32)
    for number, inside in enumerate((1.0, 0.25)):
        place = tmp_path / "test" / str(number)
        place.mkdir(parents=True)
        (place / "explanation.json").write_text(json.dumps({"towards": "pneumonia"}))
        change = np.where(mask, inside / mask.sum(), (1 - inside) / (~mask).sum())[None]
        np.savez(place / "generator_grid.npz", before=before, after=before + change)
    found = measured(tmp_path, mask)["towards pneumonia"]
    assert found["images"] == 2
    assert found["share of the change in the lungs"] == pytest.approx(0.625)
    assert found["mean change in the lungs"] == pytest.approx(0.625 / mask.sum())

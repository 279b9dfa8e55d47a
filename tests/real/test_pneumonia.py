"""PneumoniaMNIST: its own split is kept, and it holds copies across its parts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from voxplain.inherent.data import given_split, near_duplicates, read_npz

pytestmark = pytest.mark.real


def test_pneumonia_mnist_brings_its_split_and_copies_in_both_parts(data):
    samples = read_npz(data / "xray2d/pneumoniamnist.npz", classes=["normal", "pneumonia"])
    with pytest.warns(UserWarning, match="not known for any of the 5030 images"):
        split = given_split(samples)
    assert [len(part) for part in split.parts().values()] == [3882, 524, 624]
    found = near_duplicates(lambda index: torch.from_numpy(samples[index].image.astype(np.float32)), split)
    # ten pairs of equal pixels between train and validation, and no pair that only looks alike
    assert len(found) == 10 and {pair.parts for pair in found} == {("train", "validation")}
    assert all(np.array_equal(samples[pair.first].image, samples[pair.second].image) for pair in found)

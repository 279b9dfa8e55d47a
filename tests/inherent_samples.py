"""Small data sets and networks for the tests of training, and files in the layouts of public ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from voxplain.case import Geometry, write_array
from voxplain.inherent.data import Sample, Samples


def patches(patients=24, each=2, classes=2, edge=12, dims=2, seed=0, strength=2.0):
    """Noise with a bright patch whose place tells the class, which is the patient's."""
    rng = np.random.default_rng(seed)
    items = []
    for patient in range(patients):
        label = patient % classes
        for number in range(each):
            image = rng.normal(size=(1, *[edge] * dims)).astype(np.float32)
            if label:
                image[(0, *[slice(2 * label, 2 * label + 4)] * dims)] += strength
            items.append(Sample(f"p{patient}-{number}", image, label, f"p{patient}"))
    return Samples(tuple(items), tuple(f"class{k}" for k in range(classes)))


def network(classes=2, dims=2, seed=0, norm="batch", dropout=0.2):
    """Two convolutions and a mean, with what makes training depend on state and chance."""
    torch.manual_seed(seed)
    conv = nn.Conv2d if dims == 2 else nn.Conv3d
    batch = nn.BatchNorm2d if dims == 2 else nn.BatchNorm3d
    return nn.Sequential(
        conv(1, 6, 3, padding=1),
        batch(6) if norm == "batch" else nn.GroupNorm(2, 6),
        nn.ReLU(),
        nn.Dropout(dropout),
        conv(6, classes, 3, padding=1),
        nn.AdaptiveMaxPool2d(1) if dims == 2 else nn.AdaptiveMaxPool3d(1),
        nn.Flatten(),
    )


def brats_folder(root: Path, patients=4, shape=(10, 12, 8)):
    """The layout of BraTS 2020's training data: lesions in slices 3 to 5 along k, no brain in the first and last."""
    rng = np.random.default_rng(0)
    lines = [
        "Grade,BraTS_2017_subject_ID,BraTS_2018_subject_ID,TCGA_TCIA_subject_ID,BraTS_2019_subject_ID,BraTS_2020_subject_ID"
    ]
    grid = Geometry(np.diag([-1.0, -1, 1, 1]), shape)
    for number in range(1, patients + 1):
        name = f"BraTS20_Training_{number:03d}"
        (root / name).mkdir(parents=True)
        lines.append(f"{'HGG' if number % 2 else 'LGG'},NA,NA,NA,NA,{name}")
        seg = np.zeros(shape, np.uint8)
        seg[3:6, 4:7, 3:6] = 4
        seg[4, 5, 4] = 1
        write_array(root / name / f"{name}_seg.nii.gz", seg, grid)
        for scan in ("t1", "t1ce", "t2", "flair"):
            image = rng.integers(0, 900, shape).astype(np.int16)
            image[..., [0, -1]] = 0
            write_array(root / name / f"{name}_{scan}.nii.gz", image, grid)
    (root / "name_mapping.csv").write_text("\n".join(lines) + "\n")


def figshare_folder(root: Path, patients=3, each=2, shape=(16, 20)):
    """The layout of Cheng's files, as MATLAB 7.3 writes them: axes reversed, texts as codes of letters. Gives the arrays."""
    import h5py

    rng = np.random.default_rng(0)
    (root / "brainTumorDataPublic_1").mkdir(parents=True)
    arrays = {}
    for number in range(1, patients * each + 1):
        patient = (number - 1) // each
        image = rng.integers(0, 4000, shape).astype(np.int16)
        mask = np.zeros(shape, np.uint8)
        mask[3:6, 4 : 8 + patient] = 1
        with h5py.File(root / "brainTumorDataPublic_1" / f"{number}.mat", "w") as file:
            data = file.create_group("cjdata")
            data["label"] = np.array([[patient % 3 + 1.0]])
            data["PID"] = np.array([[ord(c)] for c in f"MR{patient:04d}"], np.uint16)
            data["image"], data["tumorMask"] = image.T, mask.T
            data["tumorBorder"] = np.zeros((1, 10))
        arrays[str(number)] = image, mask
    return arrays

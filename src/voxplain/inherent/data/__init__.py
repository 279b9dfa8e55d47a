"""What classifiers learn from: samples and their readers, splits by patient, augmentation."""

from __future__ import annotations

from voxplain.inherent.data.augment import Augment, AugmentSettings
from voxplain.inherent.data.brats import read_brats
from voxplain.inherent.data.class_masks import class_masks, mask_values
from voxplain.inherent.data.csv_table import read_csv
from voxplain.inherent.data.duplicates import near_duplicates
from voxplain.inherent.data.figshare import read_figshare
from voxplain.inherent.data.folders import read_folders
from voxplain.inherent.data.npz import read_npz
from voxplain.inherent.data.prepared import Images, mask_on, prepared
from voxplain.inherent.data.reading import Reader
from voxplain.inherent.data.sample import Sample, Samples
from voxplain.inherent.data.slices import slices_of
from voxplain.inherent.data.split import Split, check_split, cross_validation, given_split, split_samples

__all__ = [
    "Augment",
    "AugmentSettings",
    "Images",
    "Reader",
    "Sample",
    "Samples",
    "Split",
    "check_split",
    "class_masks",
    "cross_validation",
    "given_split",
    "mask_on",
    "mask_values",
    "near_duplicates",
    "prepared",
    "read_brats",
    "read_csv",
    "read_figshare",
    "read_folders",
    "read_npz",
    "slices_of",
    "split_samples",
]

"""From a map and a threshold to a mask: rule for healthy predictions, connected parts, refinement by the image."""

from voxplain.inherent.mask.components import Components, Lesion, lesions
from voxplain.inherent.mask.dense_crf import DenseCrf
from voxplain.inherent.mask.random_walker import RandomWalker
from voxplain.inherent.mask.refine import Refinement
from voxplain.inherent.mask.segment import Segmentation, Segmented

__all__ = [
    "Components",
    "DenseCrf",
    "Lesion",
    "RandomWalker",
    "Refinement",
    "Segmentation",
    "Segmented",
    "lesions",
]

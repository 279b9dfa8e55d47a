"""Synthetic medical images with exact truth: vessel trees, bodies, brains, tumours, moving diseases, in 2-D and 3-D.

Every phantom is defined in patient millimetres (RAS) and then sampled on a voxel grid, so the same
seed gives the same anatomy on any grid: turned, oblique, anisotropic, coarse or fine.
"""

from voxplain.phantom.brain import brain
from voxplain.phantom.disease import DISEASE_CLASSES, MIXED_CLASSES, diseased_subject, mixed_subject
from voxplain.phantom.head import BRAIN_CLASSES
from voxplain.phantom.organs import ORGAN_CLASSES, organs
from voxplain.phantom.prescribed_atrophy import prescribed_atrophy
from voxplain.phantom.tumour_patient import TUMOUR_CLASSES
from voxplain.phantom.tumours import TUMOUR_LABELS, tumours
from voxplain.phantom.vessels import VESSEL_CLASSES, vessels

__all__ = [
    "BRAIN_CLASSES",
    "DISEASE_CLASSES",
    "MIXED_CLASSES",
    "ORGAN_CLASSES",
    "TUMOUR_CLASSES",
    "TUMOUR_LABELS",
    "VESSEL_CLASSES",
    "brain",
    "diseased_subject",
    "mixed_subject",
    "organs",
    "prescribed_atrophy",
    "tumours",
    "vessels",
]

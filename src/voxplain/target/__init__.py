"""About what: regions and scores that become one frozen scalar each."""

from voxplain.target.functional import SCORES, Functional, Score
from voxplain.target.parse import GRAMMAR, parse_target
from voxplain.target.prediction import Prediction
from voxplain.target.region import MaskRegion, Region
from voxplain.target.scene import Resolved, Scene
from voxplain.target.targets import (
    AllClasses,
    Boundary,
    ClassScore,
    Component,
    FalseNegatives,
    FalsePositives,
    LabelRegion,
    Mask,
    PredictedRegion,
    Target,
    Voxel,
)

__all__ = [
    "GRAMMAR",
    "SCORES",
    "AllClasses",
    "Boundary",
    "ClassScore",
    "Component",
    "FalseNegatives",
    "FalsePositives",
    "Functional",
    "LabelRegion",
    "Mask",
    "MaskRegion",
    "PredictedRegion",
    "Prediction",
    "Region",
    "Resolved",
    "Scene",
    "Score",
    "Target",
    "Voxel",
    "parse_target",
]

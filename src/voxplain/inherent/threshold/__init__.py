"""Where a map becomes a mask, each threshold with the supervision that it cost."""

from voxplain.inherent.threshold.healthy import HealthyQuantile
from voxplain.inherent.threshold.held_out import HeldOutMasks, Oracle
from voxplain.inherent.threshold.registry import (
    THRESHOLDS,
    parse_threshold,
    threshold_from_dict,
    threshold_from_json,
)
from voxplain.inherent.threshold.threshold import Fitted, Supervision, Threshold
from voxplain.inherent.threshold.unsupervised import MultiOtsu, Otsu, ZeroEvidence

__all__ = [
    "THRESHOLDS",
    "Fitted",
    "HealthyQuantile",
    "HeldOutMasks",
    "MultiOtsu",
    "Oracle",
    "Otsu",
    "Supervision",
    "Threshold",
    "ZeroEvidence",
    "parse_threshold",
    "threshold_from_dict",
    "threshold_from_json",
]

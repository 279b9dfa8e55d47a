"""How sure a decision and its map are, whether that is true, and whether it helps."""

from voxplain.inherent.uncertainty.calibration import (
    Reliability,
    brier,
    calibration,
    ece,
    negative_log_likelihood,
    reliability,
)
from voxplain.inherent.uncertainty.mirrored import Mirrored
from voxplain.inherent.uncertainty.rejection import Rejection, rejection, relation
from voxplain.inherent.uncertainty.several import Predict, Turn, all_flips, ensemble, repeated, turned
from voxplain.inherent.uncertainty.spread import Spread, spread
from voxplain.inherent.uncertainty.temperature import Temperature

__all__ = [
    "Mirrored",
    "Predict",
    "Rejection",
    "Reliability",
    "Spread",
    "Temperature",
    "Turn",
    "all_flips",
    "brier",
    "calibration",
    "ece",
    "ensemble",
    "negative_log_likelihood",
    "rejection",
    "relation",
    "reliability",
    "repeated",
    "spread",
    "turned",
]

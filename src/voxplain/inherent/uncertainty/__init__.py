"""How sure a decision and its map are, whether that is true, and whether it helps."""

from voxplain.inherent.uncertainty.calibration import (
    Reliability,
    brier,
    calibration,
    ece,
    negative_log_likelihood,
    reliability,
)
from voxplain.inherent.uncertainty.committee import Committee
from voxplain.inherent.uncertainty.mirrored import Mirrored
from voxplain.inherent.uncertainty.rejection import Rejection, errors_told, rejection, relation
from voxplain.inherent.uncertainty.several import Predict, Turn, all_flips, ensemble, repeated, turned
from voxplain.inherent.uncertainty.spread import Spread, agreement, spread
from voxplain.inherent.uncertainty.temperature import Temperature
from voxplain.inherent.uncertainty.thinned import thinned

__all__ = [
    "Committee",
    "Mirrored",
    "Predict",
    "Rejection",
    "Reliability",
    "Spread",
    "Temperature",
    "Turn",
    "agreement",
    "all_flips",
    "brier",
    "calibration",
    "ece",
    "ensemble",
    "errors_told",
    "negative_log_likelihood",
    "rejection",
    "relation",
    "reliability",
    "repeated",
    "spread",
    "thinned",
    "turned",
]

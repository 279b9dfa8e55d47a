"""Whether methods say the same."""

from voxplain.metric.agreement.matrix import KINDS, Agreement, Kind, agreement
from voxplain.metric.agreement.mean import MeanAgreement

__all__ = ["KINDS", "Agreement", "Kind", "MeanAgreement", "agreement"]

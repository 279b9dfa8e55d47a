"""Whether to believe a map: metrics, one file per idea in a folder per family, each beside its nulls."""

from voxplain.metric.candidate import Candidate, judged
from voxplain.metric.evaluation import Evaluation, Judgement, evaluate
from voxplain.metric.faithfulness.correlation import FaithfulnessCorrelation, MonotonicityCorrelation
from voxplain.metric.faithfulness.infidelity import Infidelity, NormalizedInfidelity
from voxplain.metric.figure import Figure
from voxplain.metric.metric import Metric, metric, metrics, register

__all__ = [
    "Candidate",
    "Evaluation",
    "FaithfulnessCorrelation",
    "Figure",
    "Infidelity",
    "Judgement",
    "Metric",
    "MonotonicityCorrelation",
    "NormalizedInfidelity",
    "evaluate",
    "judged",
    "metric",
    "metrics",
    "register",
]

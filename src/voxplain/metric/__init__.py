"""Whether to believe a map: metrics, one file per idea in a folder per family, each beside its nulls."""

from voxplain.metric.agreement import Agreement, MeanAgreement, agreement
from voxplain.metric.axiom.completeness import Completeness
from voxplain.metric.axiom.dummy import DummyShare
from voxplain.metric.candidate import Candidate, judged
from voxplain.metric.comparison import Comparison, Rules, Verdict, compare, verdicts
from voxplain.metric.complexity.concentration import Complexity, EffectiveComplexity, Sparseness
from voxplain.metric.evaluation import Evaluation, evaluate, without_map
from voxplain.metric.faithfulness.correlation import FaithfulnessCorrelation, MonotonicityCorrelation
from voxplain.metric.faithfulness.deletion import Deletion, Insertion
from voxplain.metric.faithfulness.flipping import IROF, ROAD, PixelFlipping, RegionPerturbation
from voxplain.metric.faithfulness.infidelity import Infidelity, NormalizedInfidelity
from voxplain.metric.faithfulness.monotonicity import FaithfulnessEstimate, Monotonicity
from voxplain.metric.figure import Figure
from voxplain.metric.judgement import Judgement, join
from voxplain.metric.localisation.pointing import PointingGame
from voxplain.metric.localisation.ranking import Auprc, Auroc
from voxplain.metric.localisation.relevance import (
    RelevanceMassAccuracy,
    RelevanceRankAccuracy,
    TopKIntersection,
)
from voxplain.metric.metric import Metric, metric, metrics, register
from voxplain.metric.nulls import null_candidates
from voxplain.metric.randomisation.efficient import EfficientMprt
from voxplain.metric.randomisation.mprt import Mprt, MprtAbsolute, MprtSsim
from voxplain.metric.robustness.rounding import RoundingStability
from voxplain.metric.robustness.sensitivity import SensitivityAverage, SensitivityMax
from voxplain.metric.row import Facts, row

__all__ = [
    "IROF",
    "ROAD",
    "Agreement",
    "Auprc",
    "Auroc",
    "Candidate",
    "Comparison",
    "Completeness",
    "Complexity",
    "Deletion",
    "DummyShare",
    "EffectiveComplexity",
    "EfficientMprt",
    "Evaluation",
    "Facts",
    "FaithfulnessCorrelation",
    "FaithfulnessEstimate",
    "Figure",
    "Infidelity",
    "Insertion",
    "Judgement",
    "MeanAgreement",
    "Metric",
    "Monotonicity",
    "MonotonicityCorrelation",
    "Mprt",
    "MprtAbsolute",
    "MprtSsim",
    "NormalizedInfidelity",
    "PixelFlipping",
    "PointingGame",
    "RegionPerturbation",
    "RelevanceMassAccuracy",
    "RelevanceRankAccuracy",
    "RoundingStability",
    "Rules",
    "SensitivityAverage",
    "SensitivityMax",
    "Sparseness",
    "TopKIntersection",
    "Verdict",
    "agreement",
    "compare",
    "evaluate",
    "join",
    "judged",
    "metric",
    "metrics",
    "null_candidates",
    "register",
    "row",
    "verdicts",
    "without_map",
]

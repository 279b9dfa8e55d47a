"""Methods compared over several cases, from the long tables that evaluations give."""

from voxplain.metric.comparison.compare import Comparison, Pair, Summary, compare
from voxplain.metric.comparison.paired import holm, sign_flip, signed_rank
from voxplain.metric.comparison.ranking import Ranking, critical_difference, ranking
from voxplain.metric.comparison.rules import Rules
from voxplain.metric.comparison.table import Table, gather
from voxplain.metric.comparison.verdict import Verdict, verdicts

__all__ = [
    "Comparison",
    "Pair",
    "Ranking",
    "Rules",
    "Summary",
    "Table",
    "Verdict",
    "compare",
    "critical_difference",
    "gather",
    "holm",
    "ranking",
    "sign_flip",
    "signed_rank",
    "verdicts",
]

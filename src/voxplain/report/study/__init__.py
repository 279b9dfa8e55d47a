"""The page of a study: methods compared by numbers over cases and models."""

from voxplain.report.study.html import render_study, write_study_page
from voxplain.report.study.page import (
    AgreementMatrix,
    CasePrediction,
    CaseRegions,
    Curve,
    CurveSet,
    MetricResult,
    ModelComparison,
    Null,
    StudyPage,
    TaskRow,
    Tile,
    TileRow,
    Unusual,
)
from voxplain.report.study.rows import metric_result, nulls_of

__all__ = [
    "AgreementMatrix",
    "CasePrediction",
    "CaseRegions",
    "Curve",
    "CurveSet",
    "MetricResult",
    "ModelComparison",
    "Null",
    "StudyPage",
    "TaskRow",
    "Tile",
    "TileRow",
    "Unusual",
    "metric_result",
    "nulls_of",
    "render_study",
    "write_study_page",
]

"""The page of a cohort: what each predicted segment depends on, over all cases and in each."""

from voxplain.report.cohort.filling.asked import Asked
from voxplain.report.cohort.filling.page import cohort_page
from voxplain.report.cohort.html import render_cohort, write_cohort_page
from voxplain.report.cohort.page import (
    CohortPage,
    Failure,
    Faithful,
    Game,
    Groups,
    Lens,
    ModelCohort,
    Pair,
)

__all__ = [
    "Asked",
    "CohortPage",
    "Failure",
    "Faithful",
    "Game",
    "Groups",
    "Lens",
    "ModelCohort",
    "Pair",
    "cohort_page",
    "render_cohort",
    "write_cohort_page",
]

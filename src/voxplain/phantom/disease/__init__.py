"""Subjects with a disease that moves tissue by a known flow, with and without it.

Classifiers with a known rule are in `voxplain.phantom.disease.rules`, which needs torch; nothing here does.
"""

from __future__ import annotations

from voxplain.phantom.disease.anatomy import DISEASE_CLASSES, SIDES
from voxplain.phantom.disease.marks import CornerMark
from voxplain.phantom.disease.subject import DiseasedSubject, diseased_subject

__all__ = ["DISEASE_CLASSES", "SIDES", "CornerMark", "DiseasedSubject", "diseased_subject"]

"""Subjects with a disease that moves tissue by a known flow, with and without it; and a harder disease of two kinds.

Classifiers with a known rule are in `voxplain.phantom.disease.rules`, which needs torch; nothing here does.
"""

from __future__ import annotations

from voxplain.phantom.disease.anatomy import DISEASE_CLASSES, SIDES
from voxplain.phantom.disease.marks import CornerMark
from voxplain.phantom.disease.mixed import KINDS, MIXED_CLASSES, MixedSubject, mixed_subject
from voxplain.phantom.disease.subject import DiseasedSubject, diseased_subject

__all__ = [
    "DISEASE_CLASSES", "KINDS", "MIXED_CLASSES", "SIDES", "CornerMark", "DiseasedSubject", "MixedSubject",
    "diseased_subject", "mixed_subject",
]  # fmt: skip

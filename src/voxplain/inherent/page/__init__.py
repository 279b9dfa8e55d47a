"""The page of an evaluation: what was measured, and case by case how the decision came about."""

from __future__ import annotations

from voxplain.inherent.page.report import write_report

__all__ = ["write_report"]

"""The page of a simulator: subject by subject what the classifier looks for, and what subjects have in common."""

from __future__ import annotations

from voxplain.simulator.page.report import write_page

__all__ = ["write_page"]

"""Quantus where it can be imported: it is for comparisons only, and no dependency."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

import pytest
from torchvision_stand_in import torchvision_stand_in


def quantus(name: str) -> ModuleType:
    """A module of Quantus, such as ``helpers.utils``; the test is skipped where there is none."""
    try:
        with torchvision_stand_in():
            return import_module(f"quantus.{name}")
    except ImportError as error:
        pytest.skip(f"Quantus cannot be imported ({error}); pip install --no-deps quantus==0.6.0 cachetools")

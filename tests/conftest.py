"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real scans and networks; the test is skipped where it is absent."""
    path = Path(os.environ.get("VOXPLAIN_DATA", ROOT.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip(f"the real data is not here ({path}); set VOXPLAIN_DATA to its folder")
    return path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what is long, so that all others fit into the time that the integration server has."""
    if os.environ.get("VOXPLAIN_ALL"):
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="long; VOXPLAIN_ALL=1 runs it"))

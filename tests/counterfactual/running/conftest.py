"""One generator that is ready, which tests explain with from folders of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from counterfactual_files import config, made

from voxplain.cli.app import run


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Path:
    """Images, a table, classifiers, and principal components in ``out/generator``."""
    root = made(tmp_path_factory.mktemp("trained"), 32)
    assert run(["counterfactual", "train", str(config(root))]) == 0
    return root

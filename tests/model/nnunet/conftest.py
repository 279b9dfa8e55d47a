"""One nnU-Net for all tests, trained once for all their processes."""

from __future__ import annotations

import os
from pathlib import Path

import nnunet_folder
import pytest
from command_line import voxplain  # noqa: F401  fixture
from filelock import FileLock


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny nnU-Net with two folds, trained by nnU-Net."""
    pytest.importorskip("nnunetv2", reason="nnU-Net is not here; pip install voxplain[nnunet]")
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "nnunet"
    with FileLock(f"{root}.lock"):
        if not (root / "done").exists():
            nnunet_folder.write_dataset(root / "raw")
            found = nnunet_folder.train(root)
            (root / "done").write_text(str(found))
        return Path((root / "done").read_text())

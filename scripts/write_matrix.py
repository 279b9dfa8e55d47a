"""Write docs/matrix.md from what the tests in tests/matrix find.

    python scripts/write_matrix.py            # two processes
    python scripts/write_matrix.py -n 4 -k lime   # further words go to pytest; cells that did not run stay as they are

Ends with pytest's status; a cell whose test fails is not written and shows as "?".
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "examples")]  # as pytest has them


def main(words: list[str]) -> int:
    """Run the matrix, keep what was known about cells that did not run, write the page."""
    from matrix.cells import cells
    from matrix.page import PAGE, read, recorded, render

    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pytest", "-q", "--dist", "worksteal", "tests/matrix/test_matrix.py"]
        workers = [] if "-n" in words else ["-n", "2"]
        settings = {**os.environ, "VOXPLAIN_MATRIX": folder, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        status = subprocess.run([*command, *workers, *words], cwd=ROOT, env=settings, check=False).returncode
        found = recorded(Path(folder))
    partial = any(word in words for word in ("-k", "--deselect"))
    known = read(PAGE.read_text(encoding="utf-8")) if partial and PAGE.is_file() else {}
    merged = {**known, **found}
    PAGE.write_text(render({c.key: merged[c.key] for c in cells() if c.key in merged}), encoding="utf-8")
    reasons = sum(bool(reason) for reason in merged.values())
    print(
        f"{PAGE.relative_to(ROOT)}: {len(merged)} cells of {len(cells())}, {reasons} with a reason instead of a tick"
    )
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What examples of the site leave beside it. Readers of an example do not see these calls."""

from __future__ import annotations

import shutil
from pathlib import Path

PAGES = Path(__file__).parent.parent / "_made"  # laid at the root of the site


def keep(page: Path, name: str) -> None:
    """Keep a page that an example made, for ``.. gallery-page:: NAME``."""
    to = PAGES / "pages" / f"{name}.html"
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(page, to)

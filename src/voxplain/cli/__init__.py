"""The command line: one small file per command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run `voxplain` with the arguments of this process and exit with its code."""
    from voxplain.cli.app import run
    from voxplain.leaving import leave

    leave(run(sys.argv[1:]))
